/* One statement at a time is under way on the session, and curl goes on meanwhile. One whose answer was lost
 * with the connection is run again as it was: each of them gives the same result when it is run twice. */
#include "dispatch/dispatcher.h"
#include "lib/clock.h"

#define AGAIN_MS 1000

static int start(struct dispatcher *d)
{
    switch (d->work) {
    case WORK_CLAIM:
        return claim_start(d);
    case WORK_SETTLE:
        return settle_start(d);
    case WORK_OUTBOX:
        return outbox_start(d);
    case WORK_RELEASE:
        return release_start(d);
    case WORK_NONE:
        break;
    }
    return 0;
}

static void done(struct dispatcher *d, const struct db_result *r, int64_t now_ms)
{
    enum work work = d->work;
    d->work = WORK_NONE;
    switch (work) {
    case WORK_CLAIM:
        series_observe_us(d->measure.claim, clock_mono_us() - d->measure.claim_us);
        claim_done(d, r, now_ms);
        break;
    case WORK_SETTLE:
        settle_done(d);
        break;
    case WORK_OUTBOX:
        outbox_done(d);
        break;
    case WORK_RELEASE:
        release_done(d);
        break;
    case WORK_NONE:
        break;
    }
}

/* The statement failed, and with it its transaction: nothing of it has happened (rc > 0), or nobody knows (rc
 * < 0). */
static void failed(struct dispatcher *d, int rc, int64_t now_ms)
{
    if (rc < 0) {
        d->claim_again = d->claim_again || d->work == WORK_CLAIM;
        return;
    }
    if (d->work == WORK_CLAIM && (rc == DB_BAD_DATA || rc == DB_CONSTRAINT)) {
        d->work = WORK_NONE;
        claim_refused(d, db_error(d->db));
        return;
    }
    if (rc == DB_RETRY)
        return;
    struct log_field fields[] = {L_STR("gateway", d->gateway->name), L_STR("sqlstate", db_sqlstate(d->db)),
                                 L_STR("error", db_error(d->db))};
    log_trouble_begins(&d->work_trouble, "a statement fails; it is tried again every second", fields,
                       COUNT_OF(fields));
    d->work_again_ms = now_ms + AGAIN_MS;
}

static void ended(struct dispatcher *d, int rc, const struct db_result *r, int64_t now_ms)
{
    d->work_running = false;
    if (rc != 0) {
        failed(d, rc, now_ms);
        return;
    }
    log_trouble_ends(&d->work_trouble, "statements go on");
    done(d, r, now_ms);
}

static bool begin(struct dispatcher *d, int64_t now_ms)
{
    if (settle_begin(d))
        d->work = WORK_SETTLE;
    else if (outbox_begin(d))
        d->work = WORK_OUTBOX;
    else if (release_begin(d))
        d->work = WORK_RELEASE;
    else if (claim_begin(d, now_ms))
        d->work = WORK_CLAIM;
    return d->work != WORK_NONE;
}

void work_turn(struct dispatcher *d, int64_t now_ms)
{
    if (d->work_running) {
        struct db_result *r = NULL;
        int rc = db_poll(d->db, &r);
        if (rc == DB_BUSY)
            return;
        ended(d, rc, r, now_ms);
        db_result_free(r);
    }
    if (place_turn(d, now_ms) < 0)
        return;
    if (d->work == WORK_NONE ? !begin(d, now_ms) : now_ms < d->work_again_ms)
        return;
    if (d->work == WORK_CLAIM && !claim_may_ask_again(d, now_ms))
        return;
    int rc = start(d);
    d->work_running = rc == 0;
    if (rc != 0)
        failed(d, rc, now_ms);
}

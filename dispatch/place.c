/* The dispatcher's place: the session's advisory lock. With the session the place is lost; then no new claim
 * is made until it is held again. A process that was stopped loses its session to idle_session_timeout. */
#include "claim_there.sql.h"
#include "dispatch/dispatcher.h"
#include "gateway_id.sql.h"
#include "lib/clock.h"
#include "lib/lock.h"
#include "lib/seq_id.h"
#include "look.sql.h"
#include "place_take.sql.h"

#include <stdio.h>

#define TRY_EVERY_MS     1000
#define LOOK_EVERY_MS    1000
#define HISTORY_EVERY_MS 5000

bool place_may_claim(const struct dispatcher *d)
{
    return d->place.held && !d->place.changed && !d->place.paused;
}

static void lost(struct dispatcher *d)
{
    struct place *p = &d->place;
    if (p->held)
        log_warn("place lost with the session", L_STR("gateway", d->gateway->name));
    p->held = false;
    p->generation = 0;
    d->recovery.done_once = false;
}

/* Whatever went wrong: without being sure of the place and of the history there is no place. The session is
 * closed, so that another process may have it. */
static void give_up(struct dispatcher *d, int rc, int64_t now_ms)
{
    struct log_field fields[] = {L_STR("gateway", d->gateway->name), L_STR("sqlstate", db_sqlstate(d->db)),
                                 L_STR("error", rc < 0 ? strerror(-rc) : db_error(d->db))};
    log_trouble_begins(&d->place.refused,
                       "no place: the database, or the memory of its history, does not answer", fields,
                       COUNT_OF(fields));
    db_drop(d->db);
    lost(d);
    d->place.again_ms = now_ms + TRY_EVERY_MS;
}

static int look_up_gateway(struct dispatcher *d)
{
    auto_result r = NULL;
    db_params_clear(d->params);
    db_add_text(d->params, d->gateway->name);
    int rc = db_run(d->db, &sql_gateway_id, d->params, &r);
    if (rc != 0)
        return rc;
    struct session *s = &d->place.session;
    *s = (struct session){.pid = (int)db_big(r, 0, 1), .generation = db_generation(d->db)};
    snprintf(s->began, sizeof(s->began), "%s", db_text(r, 0, 2));
    d->place.gateway_id = (int)db_big(r, 0, 0);
    return 0;
}

static int try_lock(struct dispatcher *d, int number, bool *ret)
{
    auto_result r = NULL;
    db_params_clear(d->params);
    db_add_int(d->params, d->place.gateway_id * 64 + number);
    int rc = db_run(d->db, &sql_place_take, d->params, &r);
    *ret = rc == 0 && db_bool(r, 0, 0);
    return rc;
}

/* Nobody can lose a place while a statement of his is half sent, unless we say so. */
static int end_stuck_places(struct dispatcher *d, int64_t now_ms)
{
    int rc = 0;
    if (now_ms < d->place.stuck_ms)
        return 0;
    d->place.stuck_ms = now_ms + LOCK_LOOK_MS;
    for (int n = 0; rc == 0 && n < d->gateway->dispatchers && n < 64; n++)
        rc = lock_end_stuck(d->db, LOCK_PLACE, d->place.gateway_id * 64 + n);
    return rc;
}

static int try_places(struct dispatcher *d, int64_t now_ms)
{
    struct place *p = &d->place;
    p->try_ms = now_ms + TRY_EVERY_MS;
    for (int n = 0; n < d->gateway->dispatchers && n < 64; n++) {
        int rc = try_lock(d, n, &p->held);
        if (rc != 0)
            return rc;
        if (!p->held)
            continue;
        p->number = n;
        d->recovery.done_once = false;
        d->recovery.next_ms = now_ms;
        log_info("place taken", L_STR("gateway", d->gateway->name), L_INT("place", n));
        break;
    }
    struct log_field fields[] = {L_STR("gateway", d->gateway->name)};
    if (!p->held)
        log_trouble_begins(&p->stands_by, "standing by: others hold this gateway's places", fields, 1);
    else
        p->stands_by = (struct log_trouble){0};
    return p->held ? 0 : end_stuck_places(d, now_ms);
}

static int look(struct dispatcher *d, int64_t now_ms)
{
    auto_result r = NULL;
    int64_t before = clock_wall_ms();
    db_params_clear(d->params);
    db_add_text(d->params, d->gateway->name);
    int rc = db_run(d->db, &sql_look, d->params, &r);
    if (rc != 0)
        return rc;
    bool paused = db_bool(r, 0, 1);
    d->place.look_ms = now_ms + LOOK_EVERY_MS;
    d->place.clock_ahead_ms = db_time_ms(r, 0, 0) - (before + clock_wall_ms()) / 2;
    if (paused != d->place.paused)
        log_info(paused ? "paused by an operator" : "started by an operator",
                 L_STR("gateway", d->gateway->name));
    d->place.paused = paused;
    return 0;
}

/* What was committed before this session began must be there. A rollback takes away the end, so if our last
 * claim is there all of them are. */
static int check_last_claim(struct dispatcher *d)
{
    const struct last_claim *last = &d->last_claim;
    auto_result r = NULL;
    int day = sms_id_day(last->sms_id);
    int oldest = clock_day_2020(clock_wall_ms()) - (int)d->conf->main.database.claims_keep_days;
    if (last->history_generation == 0 || last->history_generation != history_generation(d->history) ||
        day < oldest)
        return 0;
    db_params_clear(d->params);
    db_add_big(d->params, last->sms_id);
    db_add_int(d->params, last->attempt);
    db_add_time(d->params, last->claimed_at);
    db_add_big(d->params, sms_id_day_first(day));
    db_add_big(d->params, sms_id_day_first(day + 1));
    db_add_int(d->params, last->segment);
    int rc = db_run(d->db, &sql_claim_there, d->params, &r);
    if (rc == 0 && !db_bool(r, 0, 0))
        history_refuse(d->history,
                       "a claim that was committed is not there any more (rolled back by seconds)");
    return rc;
}

static int check_history(struct dispatcher *d, int64_t now_ms)
{
    const char *why;
    int rc = history_check(d->history, d->db, &why);
    if (rc == 0 && d->place.new_session) {
        rc = check_last_claim(d);
        if (rc == 0)
            rc = history_check(d->history, d->db, &why);
    }
    if (rc != 0 && rc != HISTORY_LOST)
        return rc;
    d->place.new_session = false;
    d->place.history_ms = now_ms + HISTORY_EVERY_MS;
    d->place.changed = rc == HISTORY_LOST; /* history.c has said what to do */
    return 0;
}

static int new_session(struct dispatcher *d)
{
    struct place *p = &d->place;
    if (p->held)
        lost(d);
    int rc = look_up_gateway(d);
    if (rc != 0)
        return rc;
    p->generation = db_generation(d->db);
    p->held = false;
    p->new_session = true;
    p->try_ms = p->look_ms = p->history_ms = 0;
    return 0;
}

int place_turn(struct dispatcher *d, int64_t now_ms)
{
    struct place *p = &d->place;
    int rc = now_ms < p->again_ms ? -EAGAIN : db_ready(d->db);
    if (rc != 0) {
        lost(d);
        return -ENOTCONN;
    }
    if (p->generation != db_generation(d->db))
        rc = new_session(d);
    if (rc == 0 && now_ms >= p->history_ms)
        rc = check_history(d, now_ms);
    if (rc == 0 && now_ms >= p->look_ms)
        rc = look(d, now_ms);
    if (rc == 0 && !p->held && !d->ending && now_ms >= p->try_ms)
        rc = try_places(d, now_ms);
    if (rc == 0)
        rc = heartbeat_turn(d, now_ms);
    if (rc == 0 && figures_write(d->figures, d->db) < 0)
        rc = -ENOTCONN;
    if (rc != 0) {
        give_up(d, rc, now_ms);
        return -EIO;
    }
    log_trouble_ends(&p->refused, "the place can be asked for again");
    return 0;
}

int64_t place_wait_ms(const struct dispatcher *d, int64_t now_ms)
{
    const struct place *p = &d->place;
    if (p->generation == 0)
        return 200;
    int64_t next = MIN_OF(p->look_ms, p->history_ms);
    if (!p->held)
        next = MIN_OF(next, p->try_ms);
    return MAX_OF(next - now_ms, (int64_t)0);
}

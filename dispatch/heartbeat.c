/* The heartbeat: when nothing was submitted for an interval, one message of our own is entered into ledger
 * and outbox as any other, from where it comes by way of render to this gateway's instant queue. So claim,
 * report and doubt are those of every message, and it shows whether every stage works. */
#include "dispatch/dispatcher.h"
#include "heartbeat_enter.sql.h"
#include "heartbeat_run.sql.h"
#include "lib/clock.h"
#include "lib/fault.h"

#include <assert.h>

#define RECORD_HEAD "{\"sms_id\":0" /* whose 0 enter_message replaces */

static char *words(const char *s)
{
    return s == NULL || *s == '\0' ? NULL : (char *)(uintptr_t)s;
}

static int find_run(struct dispatcher *d, int64_t *ret)
{
    auto_result run = NULL;
    db_params_clear(d->params);
    db_add_text(d->params, d->gateway->name);
    int rc = db_run(d->db, &sql_heartbeat_run, d->params, &run);
    if (rc == 0)
        *ret = db_big(run, 0, 0);
    return rc;
}

/* It goes by this gateway or not at all. */
static void add_record(const struct dispatcher *d, int64_t run, struct buf *out)
{
    const struct conf_gateway *g = d->gateway;
    auto_free char *rule = xasprintf("heartbeat:%s", g->name);
    char *route[] = {g->name};
    struct row_cell text = {.name = words("text"), .value = g->heartbeat_text};
    struct row_record r = {.number = strtoll(g->heartbeat_number, NULL, 10),
                           .run = run,
                           .rule = rule,
                           .lane = words(lane_words[LANE_INSTANT]),
                           .valid_until = clock_wall_ms() + d->place.clock_ahead_ms + g->heartbeat_ms,
                           .tmpl = words(RECORD_HEARTBEAT),
                           .row = {&text, 1},
                           .sender = words(g->sender),
                           .route = {route, 1}};
    chunk_add_row(out, &r);
    assert(memcmp(out->data, RECORD_HEAD, strlen(RECORD_HEAD)) == 0);
}

/* *ret: its sms_id; 0: the number is suppressed. */
static int enter(struct dispatcher *d, int64_t run, int64_t *ret)
{
    char queue[MQ_QUEUE_SIZE];
    auto_buf record = {0}, head = {0}, tail = {0};
    auto_result made = NULL;
    add_record(d, run, &record);
    chunk_begin(&head, RECORD_ROWS);
    chunk_end(&tail);
    db_params_clear(d->params);
    db_add_big(d->params, run);
    db_add_text(d->params, d->gateway->name);
    db_add_big(d->params, d->gateway->heartbeat_ms);
    db_add_big(d->params, strtoll(d->gateway->heartbeat_number, NULL, 10));
    db_add_text(d->params, mq_queue_render(lane_words[LANE_INSTANT], queue));
    db_add_text(d->params, head.data);
    db_add_text(d->params, record.data + strlen(RECORD_HEAD));
    db_add_text(d->params, tail.data);
    FAULT("dispatch.heartbeat_entering");
    int rc = db_run(d->db, &sql_heartbeat_enter, d->params, &made);
    FAULT("dispatch.heartbeat_entered");
    if (rc == 0)
        *ret = db_is_null(made, 0, 0) ? 0 : db_big(made, 0, 0);
    return rc;
}

static void note(struct dispatcher *d, int rc, int64_t sms_id)
{
    struct log_field fields[] = {L_STR("gateway", d->gateway->name), L_STR("error", db_error(d->db))};
    if (rc > 0)
        log_trouble_begins(&d->heartbeat.trouble,
                           "a heartbeat cannot be entered; it is tried again after its interval", fields,
                           COUNT_OF(fields));
    else if (sms_id == 0)
        log_trouble_begins(&d->heartbeat.trouble, "heartbeat_number is suppressed, so no heartbeat is sent",
                           fields, 1);
    else
        log_trouble_ends(&d->heartbeat.trouble, "heartbeats are entered again");
    log_debug("heartbeat", L_STR("gateway", d->gateway->name), L_INT("sms_id", sms_id));
}

int heartbeat_turn(struct dispatcher *d, int64_t now_ms)
{
    struct heartbeat *h = &d->heartbeat;
    bool works = place_may_claim(d) && d->taking == TAKING_ON && !d->ending && !d->leaving;
    int64_t run, sms_id = 0;
    if (d->gateway->heartbeat_ms == 0)
        return 0;
    if (!works || h->submits != d->counters.submits || h->idle_since_ms == 0) {
        h->submits = d->counters.submits;
        h->idle_since_ms = now_ms;
    }
    if (now_ms - h->idle_since_ms < d->gateway->heartbeat_ms)
        return 0;
    int rc = find_run(d, &run);
    if (rc == 0)
        rc = enter(d, run, &sms_id);
    if (rc < 0)
        return rc;
    h->idle_since_ms = now_ms;
    note(d, rc, sms_id);
    return 0; /* a database that refuses it is no reason to send nothing else */
}

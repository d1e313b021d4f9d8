/* Stores what the fold says: ids and events (insert only), then the rows (compare and set, a day at a time),
 * then the counters, whose rows are shared with other shards and therefore come last.
 *
 * Mostly ids and events are new: then they are copied straight into their tables, which is twice as fast as
 * looking for each one first. If one of them is there already the flush is done again the careful way, and so
 * are the next ones. */
#include "callback/apply_internal.h"
#include "event_write.sql.h"
#include "lib/fault.h"
#include "map_write.sql.h"
#include "message_write.sql.h"
#include "stats_minute_write.sql.h"
#include "stats_write.sql.h"

#define CAREFUL_FLUSHES 50
#define MAP_COLUMNS     "gateway, msg_id, number, sms_id, segment, attempt, raw_msg_id, accepted_at"
#define EVENT_COLUMNS                                                                                        \
    "sms_id, digest, segment, attempt, step, state, gateway, reason, gateway_at, at, error, origin"

static int copy_maps(struct apply *a, const struct fold *f)
{
    const char *to = a->careful ? "flush_map (" MAP_COLUMNS ", round)" : "msg_map (" MAP_COLUMNS ")";
    struct db_copy *c = NULL;
    int r = db_copy_begin(a->o.db, to, &c);
    if (r != 0)
        return r;
    for (size_t i = f->known_count; i < f->map_count; i++) {
        const struct map_row *m = &f->maps[i];
        db_copy_row(c, a->careful ? 9 : 8);
        db_copy_int(c, m->gateway);
        db_copy_text(c, m->msg_id);
        db_copy_big(c, m->number);
        db_copy_big(c, m->sms_id);
        db_copy_small(c, m->segment);
        db_copy_small(c, m->attempt);
        db_copy_text(c, strcmp(m->written, m->msg_id) == 0 ? NULL : m->written);
        db_copy_time(c, m->accepted_at);
        if (a->careful)
            db_copy_small(c, a->round);
    }
    return db_copy_end(a->o.db, c);
}

static void copy_event(struct apply *a, struct db_copy *c, const struct fold_event *e)
{
    const struct told *t = e->told;
    db_copy_row(c, a->careful ? 13 : 12);
    db_copy_big(c, e->sms_id);
    db_copy_big(c, e->digest);
    db_copy_small(c, (int16_t)t->id.segment);
    db_copy_small(c, (int16_t)t->id.attempt);
    db_copy_small(c, (int16_t)t->step);
    if (t->state == TOLD_NO_STATE)
        db_copy_null(c);
    else
        db_copy_small(c, t->state);
    db_copy_int(c, t->gateway->id);
    db_copy_int(c, t->reason->id);
    db_copy_time(c, t->gateway_at);
    db_copy_time(c, e->at);
    db_copy_text(c, t->error);
    db_copy_text(c, e->origin);
    if (a->careful)
        db_copy_small(c, a->round);
}

static int copy_events(struct apply *a, const struct fold *f)
{
    const char *to = a->careful ? "flush_event (" EVENT_COLUMNS ", round)" : "event (" EVENT_COLUMNS ")";
    struct db_copy *c = NULL;
    int r = db_copy_begin(a->o.db, to, &c);
    if (r != 0)
        return r;
    for (size_t i = 0; i < f->event_count; i++)
        copy_event(a, c, &f->events[i]);
    return db_copy_end(a->o.db, c);
}

static void copy_row(struct apply *a, struct db_copy *c, const struct fold_row *row)
{
    const struct fold_stand *now = &row->now;
    db_copy_row(c, 13);
    db_copy_small(c, a->round);
    db_copy_big(c, row->sms_id);
    db_copy_place(c, row->place);
    db_copy_int(c, row->transaction);
    db_copy_time(c, now->changed_at);
    db_copy_int(c, now->gateway);
    db_copy_int(c, now->reason);
    db_copy_small(c, now->attempt);
    db_copy_small(c, now->segments);
    db_copy_small(c, now->state);
    db_copy_int(c, now->version);
    db_copy_small(c, now->version_attempt);
    db_copy_small(c, now->parts);
}

static int copy_rows(struct apply *a, const struct fold *f)
{
    struct db_copy *c = NULL;
    int r = db_copy_begin(
        a->o.db,
        "flush_message (round, sms_id, place, transaction, changed_at, gateway, reason, attempt, segments, "
        "state, version, version_attempt, parts)",
        &c);
    if (r != 0)
        return r;
    FAULT("consumer.copying");
    for (size_t i = 0; i < f->row_count; i++) {
        if (!fold_stand_same(&f->rows[i].was, &f->rows[i].now))
            copy_row(a, c, &f->rows[i]);
    }
    return db_copy_end(a->o.db, c);
}

static int run_round(struct apply *a, const struct db_sql *sql, int64_t *ret_affected)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    db_add_int(p, a->round);
    int r = db_run(a->o.db, sql, p, &result);
    if (r == 0)
        *ret_affected += db_affected(result);
    return r;
}

static int write_day(struct apply *a, int day, size_t expected)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    db_add_int(p, a->round);
    apply_add_day(p, day);
    int r = db_run(a->o.db, &sql_message_write, p, &result);
    if (r != 0)
        return r;
    return db_affected(result) == (int64_t)expected ? 0 : APPLY_AGAIN;
}

static int write_rows(struct apply *a, const struct fold *f)
{
    int r = f->changed > 0 ? copy_rows(a, f) : 0;
    for (size_t from = 0, to; r == 0 && f->changed > 0 && from < f->row_count; from = to) {
        int day = sms_id_day(f->rows[from].sms_id);
        size_t changed = 0;
        for (to = from; to < f->row_count && sms_id_day(f->rows[to].sms_id) == day; to++)
            changed += !fold_stand_same(&f->rows[to].was, &f->rows[to].now);
        if (changed > 0)
            r = write_day(a, day, changed);
    }
    a->now.rows += f->changed;
    return r;
}

static int write_stats(struct apply *a, const struct fold *f)
{
    size_t n = f->delta_count;
    if (n == 0)
        return 0;
    auto_params p = db_params_new();
    auto_free int32_t *days = xcalloc(n, sizeof(*days)), *gateways = xcalloc(n, sizeof(*gateways));
    auto_free int32_t *states = xcalloc(n, sizeof(*states)), *reasons = xcalloc(n, sizeof(*reasons));
    auto_free int64_t *runs = xcalloc(n, sizeof(*runs)), *counts = xcalloc(n, sizeof(*counts));
    for (size_t i = 0; i < n; i++) {
        const struct fold_delta *d = &f->deltas[i];
        days[i] = d->day;
        runs[i] = d->run_id;
        gateways[i] = d->gateway;
        states[i] = d->state;
        reasons[i] = d->reason;
        counts[i] = d->count;
    }
    db_add_int_array(p, days, n);
    db_add_big_array(p, runs, n);
    db_add_int_array(p, gateways, n);
    db_add_int_array(p, states, n);
    db_add_int_array(p, reasons, n);
    db_add_big_array(p, counts, n);
    return db_run(a->o.db, &sql_stats_write, p, NULL);
}

static int write_minutes(struct apply *a, const struct fold *f)
{
    size_t n = f->minute_count;
    if (n == 0)
        return 0;
    auto_params p = db_params_new();
    auto_free int64_t *minutes = xcalloc(n, sizeof(*minutes)), *counts = xcalloc(n, sizeof(*counts));
    auto_free int32_t *gateways = xcalloc(n, sizeof(*gateways)), *states = xcalloc(n, sizeof(*states));
    for (size_t i = 0; i < n; i++) {
        minutes[i] = f->minutes[i].minute_ms;
        gateways[i] = f->minutes[i].gateway;
        states[i] = f->minutes[i].state;
        counts[i] = f->minutes[i].count;
        a->now.entered[states[i]] += counts[i];
    }
    db_add_time_array(p, minutes, n);
    db_add_int_array(p, gateways, n);
    db_add_int_array(p, states, n);
    db_add_big_array(p, counts, n);
    return db_run(a->o.db, &sql_stats_minute_write, p, NULL);
}

/* The answer to a straight copy: a key that is there already is no fault of any record. */
static int told_before(struct apply *a, int r)
{
    if (r != DB_CONSTRAINT || a->careful || strcmp(db_sqlstate(a->o.db), "23505") != 0)
        return r;
    a->careful = CAREFUL_FLUSHES;
    return APPLY_AGAIN;
}

static int write_truth(struct apply *a, const struct fold *f)
{
    size_t fresh = f->map_count - f->known_count;
    int64_t maps = a->careful ? 0 : (int64_t)fresh, events = a->careful ? 0 : (int64_t)f->event_count;
    int r = 0;
    if (fresh > 0)
        r = told_before(a, copy_maps(a, f));
    if (r == 0 && f->event_count > 0)
        r = told_before(a, copy_events(a, f));
    FAULT("consumer.copied");
    if (r == 0 && a->careful && fresh > 0)
        r = run_round(a, &sql_map_write, &maps);
    FAULT("consumer.msg_map");
    if (r == 0 && a->careful && f->event_count > 0)
        r = run_round(a, &sql_event_write, &events);
    FAULT("consumer.events");
    a->now.maps += (size_t)maps;
    a->now.events += (size_t)events;
    return r;
}

int apply_write(struct apply *a, const struct fold *f)
{
    int r = write_truth(a, f);
    if (r == 0)
        r = write_rows(a, f);
    if (r == 0)
        r = apply_write_parts(a, f);
    FAULT("consumer.projected");
    if (r == 0)
        r = write_stats(a, f);
    if (r == 0)
        r = write_minutes(a, f);
    return r;
}

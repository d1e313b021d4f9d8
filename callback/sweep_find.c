/* Open claims, accepted messages without a report, parked steps past their horizon, partitions. */
#include "callback/sweep_internal.h"
#include "lib/clock.h"
#include "lib/seq_id.h"
#include "no_report.sql.h"
#include "no_report_runs.sql.h"
#include "old_lookups.sql.h"
#include "old_minutes.sql.h"
#include "old_partitions.sql.h"
#include "open_claims.sql.h"
#include "park_give_up.sql.h"
#include "partitions.sql.h"
#include "sweep_mark_read.sql.h"
#include "sweep_mark_write.sql.h"

#define PAGE_ROWS 5000 /* as in the statements */

static char *writable(const char *s)
{
    return (char *)(uintptr_t)s; /* a record's strings are not const, though telling it only reads them */
}

static void read_mark(const struct db_result *r, int64_t *ret_from, int64_t *ret_to)
{
    *ret_from = db_time_ms(r, 0, 0);
    *ret_to = db_time_ms(r, 0, 1);
}

static int mark_read(struct sweep *s, const char *name, int64_t horizon_ms, int64_t *ret_from,
                     int64_t *ret_to)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    db_add_text(p, name);
    db_add_big(p, horizon_ms);
    int r = db_run(s->db, &sql_sweep_mark_read, p, &result);
    if (r == 0)
        read_mark(result, ret_from, ret_to);
    return r;
}

static int mark_write(struct sweep *s, const char *name, int64_t until)
{
    auto_params p = db_params_new();
    db_add_text(p, name);
    db_add_time(p, until);
    return db_run(s->db, &sql_sweep_mark_write, p, NULL);
}

/* Columns: sms_id, segment, attempt, gateway, lane, number, parts. */
static struct seq_id tell_row(struct sweep *s, const struct db_result *row, int i, enum state state,
                              const char *reason, const char *error)
{
    struct seq_id id = {
        .sms_id = db_big(row, i, 0), .segment = (int)db_big(row, i, 1), .attempt = (int)db_big(row, i, 2)};
    const char *gateway = db_text(row, i, 3);
    char seq_id[SEQ_ID_SIZE];
    struct step_record r = {.step = STEP_OUTCOME,
                            .at = clock_wall_ms(),
                            .seq_id = seq_id_format(&id, seq_id),
                            .gateway = *gateway ? writable(gateway) : NULL,
                            .number = db_big(row, i, 5),
                            .state = writable(state_word(state)),
                            .reason = writable(reason),
                            .error = writable(error),
                            .origin = writable("sweep")};
    r.parts = db_big(row, i, 6) > 1 ? db_big(row, i, 6) : 0;
    r.lane = db_big(row, i, 4) == 1 ? writable("instant") : NULL;
    sweep_tell(s, &r);
    return id;
}

/* ---- open claims ---- */

static int open_claims_page(struct sweep *s, int64_t from, int64_t to, struct seq_id *io_after, int *ret_rows)
{
    const struct conf_main *m = &gateways_conf(s->conf)->main;
    int oldest = MAX_OF(clock_day_2020(clock_wall_ms()) - (int)m->database.claims_keep_days, 0);
    auto_params p = db_params_new();
    auto_result result = NULL;
    db_add_time(p, from);
    db_add_time(p, to);
    db_add_big(p, sms_id_day_first(oldest));
    db_add_big(p, io_after->sms_id);
    db_add_int(p, io_after->segment);
    db_add_int(p, io_after->attempt);
    int r = db_run(s->db, &sql_open_claims, p, &result);
    if (r != 0)
        return r;
    *ret_rows = db_rows(result);
    for (int i = 0; i < *ret_rows; i++)
        *io_after = tell_row(s, result, i, STATE_IN_DOUBT, "no_outcome",
                             "claimed, and no outcome was told within claim_horizon");
    return *ret_rows > 0 ? sweep_flush(s) : 0;
}

int sweep_open_claims(struct sweep *s)
{
    int64_t from, to;
    struct seq_id after = {0};
    int rows = 0,
        r = mark_read(s, "open_claims", gateways_conf(s->conf)->main.dispatch.claim_horizon_ms, &from, &to);
    int64_t told = 0;
    if (r != 0 || to <= from)
        return r;
    do {
        r = open_claims_page(s, from, to, &after, &rows);
        if (r != 0)
            return r;
        told += rows;
    } while (rows >= PAGE_ROWS && !s->stopping);
    if (rows >= PAGE_ROWS)
        return 0; /* not at the end: the mark stays */
    if (told > 0)
        log_warn("claims without an outcome are in doubt now", L_INT("attempts", told));
    s->open_claims += told;
    return mark_write(s, "open_claims", to);
}

/* ---- accepted, and no report ---- */

static int no_report_page(struct sweep *s, int day, int64_t run_id, int64_t before, int64_t *io_after,
                          int *ret_rows)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    db_add_big(p, run_id);
    db_add_big(p, sms_id_day_first(day));
    db_add_big(p, sms_id_day_first(day + 1));
    db_add_time(p, before);
    db_add_big(p, *io_after);
    int r = db_run(s->db, &sql_no_report, p, &result);
    if (r != 0)
        return r;
    *ret_rows = db_rows(result);
    for (int i = 0; i < *ret_rows; i++)
        *io_after = tell_row(s, result, i, STATE_UNKNOWN, "no_report",
                             "accepted, and no report came within report_horizon")
                        .sms_id;
    return *ret_rows > 0 ? sweep_flush(s) : 0;
}

static int no_report_run(struct sweep *s, int day, int64_t run_id, int64_t before)
{
    int64_t after = 0;
    int rows = 0;
    do {
        int r = no_report_page(s, day, run_id, before, &after, &rows);
        if (r != 0)
            return r;
        s->no_report += rows;
    } while (rows >= PAGE_ROWS && !s->stopping);
    return 0;
}

/* The counters say which runs still have accepted messages: nothing else is read. */
int sweep_no_report(struct sweep *s)
{
    const struct conf_main *m = &gateways_conf(s->conf)->main;
    int64_t before = clock_wall_ms() - m->callback.report_horizon_ms;
    int last = clock_day_2020(before);
    auto_params p = db_params_new();
    auto_result runs = NULL;
    db_add_int(p, MAX_OF(last - (int)m->database.claims_keep_days, 0));
    db_add_int(p, last);
    int r = db_run(s->db, &sql_no_report_runs, p, &runs);
    for (int i = 0; r == 0 && i < db_rows(runs) && !s->stopping; i++)
        r = no_report_run(s, (int)db_big(runs, i, 0), db_big(runs, i, 1), before);
    return r;
}

/* ---- the rest ---- */

int sweep_give_up(struct sweep *s)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    db_add_big(p, gateways_conf(s->conf)->main.callback.park_horizon_ms);
    int r = db_run(s->db, &sql_park_give_up, p, &result);
    if (r != 0)
        return r;
    s->given_up += db_affected(result);
    if (db_affected(result) > 0)
        log_warn("parked steps have waited too long and are for a person now",
                 L_INT("steps", db_affected(result)));
    return 0;
}

int sweep_partitions(struct sweep *s)
{
    auto_params p = db_params_new();
    db_add_int(p, (int)gateways_conf(s->conf)->main.database.partitions_ahead_days);
    return db_run(s->db, &sql_partitions, p, NULL);
}

/* A few at a time, a second between them: dropping a table stops flushes for a moment. */
static int drop_partitions(struct sweep *s, int32_t keep_days)
{
    int64_t dropped = 0;
    int r = 0;
    do {
        auto_params p = db_params_new();
        auto_result result = NULL;
        db_add_int(p, keep_days);
        r = db_run(s->db, &sql_old_partitions, p, &result);
        dropped = r == 0 ? db_big(result, 0, 0) : 0;
        if (dropped > 0)
            log_info("old days are dropped", L_INT("partitions", dropped));
    } while (dropped > 0 && !s->stopping);
    return r;
}

int sweep_old(struct sweep *s)
{
    static const struct db_sql *const each[] = {&sql_old_lookups, &sql_old_minutes};
    int32_t keep_days = (int32_t)gateways_conf(s->conf)->main.database.claims_keep_days;
    int r = drop_partitions(s, keep_days);
    for (size_t i = 0; r == 0 && i < COUNT_OF(each); i++) {
        auto_params p = db_params_new();
        db_add_int(p, keep_days);
        r = db_run(s->db, each[i], p, NULL);
    }
    return r;
}

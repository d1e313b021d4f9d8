/* Looks for parked reports that can only be about one message in doubt, and tells them with that message's
 * name. */
#include "callback/infer.h"
#include "callback/sweep_internal.h"
#include "callback/told.h"
#include "infer_any.sql.h"
#include "infer_attempts.sql.h"
#include "infer_parked.sql.h"
#include "lib/clock.h"

#define PAGE_ROWS    1000 /* as in the statement */
#define PAGES_A_TURN 5
#define ATTEMPTS_MAX 10
#define DAY_MS       INT64_C(86400000)

static int read_attempts(struct sweep *s, int32_t gateway, int64_t number, int64_t received_at,
                         struct infer_attempt *ret, size_t *ret_count)
{
    int64_t back_ms = gateways_conf(s->conf)->main.callback.park_horizon_ms;
    int last = clock_day_2020(received_at), first = MAX_OF(last - (int)(back_ms / DAY_MS) - 1, 0);
    auto_params p = db_params_new();
    auto_result result = NULL;
    db_add_big(p, number);
    db_add_int(p, gateway);
    db_add_big(p, sms_id_day_first(first));
    db_add_big(p, sms_id_day_first(last + 1));
    int r = db_run(s->db, &sql_infer_attempts, p, &result);
    *ret_count = 0;
    for (int i = 0; r == 0 && i < db_rows(result) && i < ATTEMPTS_MAX; i++) {
        ret[(*ret_count)++] = (struct infer_attempt){.id = {.sms_id = db_big(result, i, 0),
                                                            .segment = (int)db_big(result, i, 1),
                                                            .attempt = (int)db_big(result, i, 2)},
                                                     .claimed_at = db_time_ms(result, i, 3),
                                                     .in_doubt = db_bool(result, i, 4)};
    }
    return r;
}

static int tell_if_clear(struct sweep *s, struct step_record *r, struct infer_report *report, int32_t gateway)
{
    struct infer_attempt attempts[ATTEMPTS_MAX];
    size_t count;
    char seq_id[SEQ_ID_SIZE], origin[] = "inferred";
    int result = read_attempts(s, gateway, r->number, r->at, attempts, &count);
    if (result != 0)
        return result;
    const struct infer_attempt *found = infer_match(report, attempts, count);
    if (!found)
        return 0;
    r->seq_id = seq_id_format(&found->id, seq_id);
    r->origin = origin;
    sweep_tell(s, r);
    s->inferred++;
    log_info("a report settles a message in doubt by inference", L_STR("gateway", r->gateway),
             L_INT("sms_id", found->id.sms_id));
    return 0;
}

/* Columns: id, body, gateway, number, parked_at, other ids. */
static int look_at(struct sweep *s, const struct db_result *row, int i)
{
    auto_buf b = {0};
    auto_chunk c = NULL;
    auto_free char *why = NULL;
    const char *body = db_text(row, i, 1);
    chunk_begin(&b, RECORD_STEPS);
    chunk_add_raw(&b, body, strlen(body));
    chunk_end(&b);
    if (chunk_decode(b.data, b.len, &c, &why) != 0 || c->count != 1)
        return 0;
    struct step_record *r = &c->steps[0];
    const struct gateway *g = gateways_find(s->conf, r->gateway);
    if (!g)
        return 0;
    struct infer_report report = {.received_at = r->at,
                                  .parked_at = db_time_ms(row, i, 4),
                                  .answer_timeout_ms = g->conf->answer_timeout_ms,
                                  .flush_interval_ms =
                                      gateways_conf(s->conf)->main.callback.flush_interval_ms,
                                  .other_ids = (size_t)db_big(row, i, 5)};
    if (!infer_ripe(&report, clock_wall_ms()))
        return 0;
    return tell_if_clear(s, r, &report, (int32_t)db_big(row, i, 2));
}

static int infer_page(struct sweep *s, int *ret_rows)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    db_add_big(p, 2 * gateways_conf(s->conf)->main.callback.flush_interval_ms);
    db_add_big(p, s->infer_after);
    int r = db_run(s->db, &sql_infer_parked, p, &result);
    *ret_rows = r == 0 ? db_rows(result) : 0;
    for (int i = 0; r == 0 && i < *ret_rows && !s->stopping; i++) {
        r = look_at(s, result, i);
        if (r == 0)
            s->infer_after = db_big(result, i, 0);
    }
    int told = sweep_flush(s); /* also what was found before an error: it is found again if this fails */
    return r != 0 ? r : told;
}

int sweep_infer(struct sweep *s)
{
    auto_result any = NULL;
    int rows = 0, r = db_run(s->db, &sql_infer_any, NULL, &any);
    if (r != 0 || !db_bool(any, 0, 0))
        return r;
    for (int page = 0; page < PAGES_A_TURN; page++) {
        r = infer_page(s, &rows);
        if (r != 0 || rows < PAGE_ROWS)
            break;
    }
    if (rows < PAGE_ROWS)
        s->infer_after = 0; /* from the first one again, next time */
    return r;
}

/* The meaning of the claim statement's answer, and its parameters. */
#include "dispatch/claim.h"
#include "claim.sql.h"
#include "claim_whole.sql.h"
#include "lib/log.h"
#include "lib/seq_id.h"
#include "lib/state.h"

const struct db_sql *claim_sql(const struct claim_group *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->parts[i] > 1)
            return &sql_claim;
    return &sql_claim_whole;
}

/* It has an outcome, or is in doubt, unless the gateway's look-up has proven since that what was in doubt was
 * not accepted: then it may go again. */
static bool is_done(const struct claim_facts *f)
{
    bool doubt_is_over = f->state == STATE_IN_DOUBT && f->looked_up && f->last_kind == 0 &&
                         (f->last_attempt == 0 || f->last_settled != 0);
    return f->state >= STATE_IN_DOUBT && !doubt_is_over;
}

struct claimed claim_verdict(const struct claim_facts *f)
{
    bool last_open = f->last_attempt > 0 && f->last_settled == 0;
    if (!f->found)
        return (struct claimed){.verdict = CLAIM_LOST};
    if (f->made_attempt > 0)
        return (struct claimed){.verdict = f->made_kind == 0 ? CLAIM_MADE : CLAIM_REFUSED,
                                .attempt = f->made_attempt,
                                .kind = f->made_kind,
                                .parts = f->parts};
    if (is_done(f))
        return (struct claimed){.verdict = CLAIM_DONE};
    /* Told once more: the one who made that claim may have died before it told. */
    if (f->last_attempt > 0 && f->last_kind != 0)
        return (struct claimed){.verdict = CLAIM_REFUSED,
                                .attempt = f->last_attempt,
                                .kind = f->last_kind,
                                .parts = f->last_parts};
    if (f->begun_parts > 1 && f->begun_elsewhere)
        return (struct claimed){.verdict = CLAIM_ELSEWHERE};
    if (f->begun_parts > 1 && (f->begun_parts != f->parts || f->begun_way != f->way))
        return (struct claimed){.verdict = CLAIM_CUT, .parts = f->begun_parts, .way = f->begun_way};
    if (last_open)
        return (struct claimed){.verdict = f->last_ours ? CLAIM_MADE : CLAIM_OPEN,
                                .attempt = f->last_attempt};
    if (f->begun_parts == 1)
        return (struct claimed){.verdict = CLAIM_OPEN}; /* as a whole, and we have cut it */
    if (f->hold == CLAIM_HOLD_GATEWAY)
        return (struct claimed){.verdict = CLAIM_STAYS};
    if (f->hold == CLAIM_HOLD_RUN)
        return (struct claimed){.verdict = CLAIM_PAUSED};
    return (struct claimed){.verdict = CLAIM_NOT_MADE};
}

void claim_params(const struct claim_group *g, struct db_params *p)
{
    for (size_t i = 0; i < g->count; i++) {
        bool ascends = i == 0 || g->sms_id[i - 1] < g->sms_id[i] ||
                       (g->sms_id[i - 1] == g->sms_id[i] && g->segment[i - 1] < g->segment[i]);
        if (!ascends || sms_id_day(g->sms_id[i]) != g->day) {
            /* One message twice in a group would be claimed once and sent twice. */
            log_error("a claim group's keys do not ascend within its day", L_INT("sms_id", g->sms_id[i]));
            abort();
        }
    }
    db_params_clear(p);
    db_add_big(p, sms_id_day_first(g->day));
    db_add_big(p, sms_id_day_first(g->day + 1));
    db_add_big_array(p, g->sms_id, g->count);
    db_add_int_array(p, g->segment, g->count);
    db_add_big_array(p, g->number, g->count);
    db_add_time_array(p, g->valid_until, g->count);
    db_add_text_array(p, g->rule, g->count);
    db_add_text_array(p, g->class, g->count);
    db_add_int(p, g->gateway_id);
    db_add_text(p, g->gateway);
    db_add_big(p, g->owner);
    db_add_time(p, g->claimed_at);
    db_add_bool(p, g->may_insert);
    db_add_int_array(p, g->parts, g->count);
    db_add_int_array(p, g->way, g->count);
}

struct claim_answer claim_read(const struct db_result *r, int row, const struct claim_group *g)
{
    size_t index = (size_t)db_big(r, row, 0) - 1;
    if (index >= g->count)
        abort(); /* not an answer to what was asked */
    struct claim_facts f = {.found = db_bool(r, row, 1),
                            .state = (int)db_big(r, row, 2),
                            .made_attempt = (int)db_big(r, row, 3),
                            .made_kind = (int)db_big(r, row, 4),
                            .last_attempt = (int)db_big(r, row, 5),
                            .last_kind = (int)db_big(r, row, 6),
                            .last_settled = (int)db_big(r, row, 7),
                            .last_ours = db_bool(r, row, 8),
                            .hold = (int)db_big(r, row, 9),
                            .looked_up = db_bool(r, row, 11),
                            .last_parts = (int)db_big(r, row, 12),
                            .parts = g->parts[index],
                            .way = g->way[index],
                            .begun_parts = (int)db_big(r, row, 13),
                            .begun_way = (int)db_big(r, row, 14),
                            .begun_elsewhere = *db_text(r, row, 15) != '\0'};
    return (struct claim_answer){.index = index,
                                 .claimed = claim_verdict(&f),
                                 .tries = (int)db_big(r, row, 10),
                                 .gateway = db_text(r, row, 15)};
}

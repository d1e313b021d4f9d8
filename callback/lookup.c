/* Look-ups: asks gateways what became of attempts that are in doubt, or accepted and without a report for
 * long. What is to be asked stands in the table `lookup`, so a kill forgets nothing; an answer is told as a
 * step like all others, and asked again until the message's row shows it, so a kill in between only repeats
 * it. */
#include "callback/call.h"
#include "callback/lookup_answer.h"
#include "callback/sweep_internal.h"
#include "callback/words.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/seq_id.h"
#include "lookup_due.sql.h"
#include "lookup_enter.sql.h"
#include "lookup_note.sql.h"
#include "lookup_over.sql.h"
#include "lookup_proof.sql.h"
#include "lookup_runs.sql.h"
#include "lookup_send_again.sql.h"

#include <stdio.h>

#define DAY_MS            INT64_C(86400000)
#define TURN_MAX_MS       10000 /* one gateway's part of a turn: a slow one does not keep the others waiting */
#define TELL_AGAIN_MIN_MS 5000

struct asker { /* one gateway */
    const struct conf_gateway *gateway;
    struct call *call;
    struct lookup_rules *rules;
    struct word *word;
    struct log_trouble trouble;
};
struct lookup {
    struct gateways *conf; /* that the askers are of */
    struct asker *askers;
    size_t count;
};
struct due { /* a row of lookup_due.sql */
    struct seq_id id;
    bool instant, past_until, over;
    int64_t number, claimed_at, doubt_ms;
    enum state state;
    int parts; /* of its message, as its claim says */
    unsigned tries;
    const char *msg_id;
};

static char *writable(const char *s)
{
    return (char *)(uintptr_t)s; /* a record's strings are not const, though telling it only reads them */
}

/* ---- the gateways ---- */

static void clear(struct lookup *l)
{
    for (size_t i = 0; i < l->count; i++) {
        call_free(l->askers[i].call);
        lookup_rules_free(l->askers[i].rules);
    }
    free(l->askers);
    gateways_unref(l->conf);
    *l = (struct lookup){0};
}

void lookup_free(struct lookup *l)
{
    if (!l)
        return;
    clear(l);
    free(l);
}

static bool asker_init(struct asker *a, const struct conf_gateway *g, struct words *words)
{
    auto_free char *why = NULL;
    *a = (struct asker){.gateway = g, .word = words_get(words, WORD_GATEWAY, g->name)};
    a->rules = lookup_rules_new(g, &why);
    a->call = a->rules ? call_new(g, &g->lookup.call, "lookup", &why) : NULL;
    if (a->call)
        return true;
    log_error("nothing is looked up at a gateway", L_STR("gateway", g->name), L_STR("why", why));
    lookup_rules_free(a->rules);
    return false;
}

/* Made anew with each configuration. */
static struct lookup *ready(struct sweep *s)
{
    const struct conf *c = gateways_conf(s->conf);
    if (!s->lookup)
        s->lookup = xcalloc(1, sizeof(*s->lookup));
    struct lookup *l = s->lookup;
    if (l->conf == s->conf)
        return l;
    clear(l);
    l->conf = gateways_ref(s->conf);
    l->askers = xcalloc(c->gateway_count + 1, sizeof(*l->askers));
    for (size_t i = 0; i < c->gateway_count; i++) {
        const struct conf_gateway *g = &c->gateways[i];
        if (g->lookup.call.url && *g->lookup.call.url && asker_init(&l->askers[l->count], g, s->words))
            l->count++;
    }
    return l;
}

/* ---- what is to be asked ---- */

static int enter(struct sweep *s, const struct asker *a, int day, int64_t run_id, enum state state,
                 int64_t wait_ms)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    db_add_int(p, a->word->id);
    db_add_big(p, run_id);
    db_add_big(p, sms_id_day_first(day));
    db_add_big(p, sms_id_day_first(day + 1));
    db_add_int(p, state);
    db_add_big(p, wait_ms);
    db_add_big(p, a->gateway->lookup.give_up_ms);
    return db_run(s->db, &sql_lookup_enter, p, &result);
}

/* The counters say which runs have such messages: nothing else is read. */
static int find(struct sweep *s, const struct asker *a, enum state state, int64_t wait_ms)
{
    int64_t back_ms =
        wait_ms + a->gateway->lookup.give_up_ms +
        gateways_conf(s->conf)->main.callback.park_horizon_ms; /* it may have waited before it was sent */
    auto_params p = db_params_new();
    auto_result runs = NULL;
    db_add_int(p, a->word->id);
    db_add_int(p, MAX_OF(clock_day_2020(clock_wall_ms()) - (int)(back_ms / DAY_MS) - 1, 0));
    db_add_int(p, state);
    int r = db_run(s->db, &sql_lookup_runs, p, &runs);
    for (int i = 0; r == 0 && i < db_rows(runs) && !s->stopping; i++)
        r = enter(s, a, (int)db_big(runs, i, 0), db_big(runs, i, 1), state, wait_ms);
    return r;
}

int lookup_find(struct sweep *s)
{
    struct lookup *l = ready(s);
    int r = l->count > 0 ? words_resolve(s->words, s->db) : 0;
    for (size_t i = 0; r == 0 && i < l->count && !s->stopping; i++) {
        const struct asker *a = &l->askers[i];
        r = find(s, a, STATE_IN_DOUBT, a->gateway->lookup.wait_ms);
        if (r == 0 && a->gateway->lookup.after_ms > 0)
            r = find(s, a, STATE_ACCEPTED, a->gateway->lookup.after_ms);
    }
    return r;
}

/* ---- what is known of one ---- */

static void add_key(struct db_params *p, const struct seq_id *id)
{
    db_add_big(p, id->sms_id);
    db_add_int(p, id->segment);
    db_add_int(p, id->attempt);
}

static int over(struct sweep *s, const struct due *d)
{
    auto_params p = db_params_new();
    add_key(p, &d->id);
    return db_run(s->db, &sql_lookup_over, p, NULL);
}

/* settled: an answer was told; if the row does not show it after a flush, it is told again. */
static int note(struct sweep *s, const struct asker *a, const struct due *d, const char *said, bool settled)
{
    const struct conf_lookup *c = &a->gateway->lookup;
    int64_t again_ms = clock_backoff_ms(d->tries + 1, c->retry_base_ms, c->retry_max_ms);
    auto_params p = db_params_new();
    if (settled)
        again_ms = MAX_OF(2 * gateways_conf(s->conf)->main.callback.flush_interval_ms, TELL_AGAIN_MIN_MS);
    bool given_up = d->past_until && !settled;
    add_key(p, &d->id);
    if (given_up)
        db_add_null(p);
    else
        db_add_big(p, again_ms);
    db_add_text(p, said);
    int r = db_run(s->db, &sql_lookup_note, p, NULL);
    if (r == 0 && given_up) {
        s->given_up++;
        log_warn("a look-up is given up: the message is for a person (smschain resolve)",
                 L_STR("gateway", a->gateway->name), L_INT("sms_id", d->id.sms_id), L_STR("said", said));
    }
    return r;
}

static int tell(struct sweep *s, const struct asker *a, const struct due *d, enum step step,
                const char *state, const char *msg_id, const char *reason)
{
    char seq_id[SEQ_ID_SIZE];
    struct step_record r = {.step = step,
                            .at = clock_wall_ms(),
                            .seq_id = seq_id_format(&d->id, seq_id),
                            .gateway = a->gateway->name,
                            .number = d->number,
                            .msg_id = writable(msg_id),
                            .state = writable(state),
                            .reason = writable(reason),
                            .origin = writable("lookup")};
    r.parts = d->parts > 1 ? d->parts : 0;
    r.lane = d->instant ? writable("instant") : NULL;
    sweep_tell(s, &r);
    return sweep_flush(s);
}

/* ---- sent again ---- */

/* The row that the message was made of, alone in a chunk. NULL: it is not in that body. */
static char *row_alone(const char *body, int64_t sms_id)
{
    auto_chunk c = NULL;
    auto_free char *why = NULL;
    auto_buf out = {0};
    if (chunk_decode(body, strlen(body), &c, &why) != 0 || c->kind != RECORD_ROWS)
        return NULL;
    for (size_t i = 0; i < c->count; i++) {
        if (c->rows[i].sms_id != sms_id)
            continue;
        chunk_begin(&out, RECORD_ROWS);
        chunk_add_row(&out, &c->rows[i]);
        chunk_end(&out);
        return buf_take(&out, NULL);
    }
    return NULL;
}

static void add_proof(struct db_params *p, const struct asker *a, const struct due *d)
{
    int day = sms_id_day(d->id.sms_id);
    add_key(p, &d->id);
    db_add_big(p, sms_id_day_first(day));
    db_add_big(p, sms_id_day_first(day + 1));
    db_add_big(p, a->gateway->lookup.proof_after_ms);
}

static int give_to_outbox(struct sweep *s, const struct asker *a, const struct due *d,
                          const struct db_result *row, const char *body)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    add_proof(p, a, d);
    db_add_text(p, db_text(row, 0, 0));
    db_add_text(p, body);
    db_add_big(p, db_big(row, 0, 1));
    FAULT("lookup.before_settle");
    int r = db_run(s->db, &sql_lookup_send_again, p, &result);
    FAULT("lookup.settled");
    if (r != 0 || db_affected(result) == 0)
        return r; /* 0: the proof has gone between the two statements */
    s->sent_again++;
    log_info("a message in doubt was not accepted, says the gateway: it is sent again",
             L_STR("gateway", a->gateway->name), L_INT("sms_id", d->id.sms_id),
             L_INT("attempt", d->id.attempt));
    return 0;
}

/* The event first: it changes no state, and told twice it is one. The settling statement looks at the proof
 * again. */
static int send_again(struct sweep *s, const struct asker *a, const struct due *d, bool *ret_settled)
{
    auto_params p = db_params_new();
    auto_result row = NULL;
    add_proof(p, a, d);
    int r = db_run(s->db, &sql_lookup_proof, p, &row);
    *ret_settled = r == 0 && db_rows(row) > 0;
    if (!*ret_settled)
        return r;
    auto_free char *body = db_is_null(row, 0, 2) ? NULL : row_alone(db_text(row, 0, 2), d->id.sms_id);
    if (!body) /* its row is kept no more (outbox_keep): that is its end */
        return tell(s, a, d, STEP_OUTCOME, state_word(STATE_REJECTED), NULL, "not_accepted");
    r = tell(s, a, d, STEP_OUTCOME, NULL, NULL, "not_accepted");
    return r == 0 ? give_to_outbox(s, a, d, row, body) : r;
}

/* ---- asking ---- */

static int act(struct sweep *s, const struct asker *a, const struct due *d,
               const struct lookup_answer *answer)
{
    struct lookup_about about = {.state = d->state,
                                 .doubt_ms = d->doubt_ms,
                                 .proof_after_ms = a->gateway->lookup.proof_after_ms,
                                 .now_ms = clock_wall_ms()};
    const char *msg_id = *answer->msg_id ? answer->msg_id : *d->msg_id ? d->msg_id : NULL;
    bool settled = true;
    int r = 0;
    switch (lookup_decide(answer, &about)) {
    case LOOKUP_ASK_LATER:
        settled = false;
        break;
    case LOOKUP_TELL_STATE:
        r = tell(s, a, d, STEP_STATUS, state_word(lookup_state(answer->is)), msg_id, answer->reason);
        break;
    case LOOKUP_TELL_ACCEPTED:
        r = msg_id ? tell(s, a, d, STEP_ACCEPTED, NULL, msg_id, NULL)
                   : tell(s, a, d, STEP_STATUS, NULL, NULL, answer->reason);
        break;
    case LOOKUP_SEND_AGAIN:
        r = send_again(s, a, d, &settled);
        break;
    }
    if (r != 0)
        return r;
    if (settled) {
        s->answered++;
        log_info("the gateway's look-up settles a message", L_STR("gateway", a->gateway->name),
                 L_INT("sms_id", d->id.sms_id), L_STR("is", lookup_word(answer->is)));
    }
    FAULT("lookup.told");
    return note(s, a, d, answer->fits ? lookup_word(answer->is) : "no line of lookup.answer fits", settled);
}

static bool go_on(void *arg)
{
    const struct sweep *s = arg;
    return !s->stopping;
}

static int ask(struct sweep *s, struct asker *a, const struct due *d)
{
    char seq_id[SEQ_ID_SIZE], time[CLOCK_ISO_SIZE], number[24];
    const char *why;
    struct http_result http;
    struct lookup_answer answer;
    if (d->over)
        return over(s, d);
    snprintf(number, sizeof(number), "%lld", (long long)d->number);
    const struct call_value values[] = {{"seq_id", seq_id_format(&d->id, seq_id)},
                                        {"number", number},
                                        {"msg_id", d->msg_id},
                                        {"time", clock_iso(d->claimed_at, time)}};
    bool answered = call_ask(a->call, values, COUNT_OF(values), go_on, s, &http, &why);
    if (s->stopping)
        return 0;
    FAULT("lookup.asked");
    s->asked++;
    if (!answered) {
        const struct log_field fields[] = {L_STR("gateway", a->gateway->name), L_STR("error", why)};
        log_trouble_begins(&a->trouble, "a look-up has no answer; it is asked again later", fields,
                           COUNT_OF(fields));
        return note(s, a, d, "no answer", false);
    }
    log_trouble_ends(&a->trouble, "look-ups are answered again");
    lookup_read(a->rules, http.status, http.body, http.body_len, &answer);
    return act(s, a, d, &answer);
}

static struct due due_of(const struct db_result *r, int i)
{
    return (struct due){
        .id = {.sms_id = db_big(r, i, 0), .segment = (int)db_big(r, i, 1), .attempt = (int)db_big(r, i, 2)},
        .instant = db_big(r, i, 3) == 1,
        .number = db_big(r, i, 4),
        .state = (enum state)db_big(r, i, 5),
        .tries = (unsigned)db_big(r, i, 6),
        .past_until = db_bool(r, i, 7),
        .claimed_at = db_time_ms(r, i, 8),
        .msg_id = db_text(r, i, 9),
        .doubt_ms = db_time_ms(r, i, 10),
        .over = db_bool(r, i, 11),
        .parts = (int)db_big(r, i, 12)};
}

static int ask_gateway(struct sweep *s, struct asker *a)
{
    int64_t until_ms = clock_mono_ms() + TURN_MAX_MS;
    auto_params p = db_params_new();
    auto_result rows = NULL;
    db_add_int(p, a->word->id);
    db_add_int(p, (int32_t)a->gateway->lookup.rate);
    int r = db_run(s->db, &sql_lookup_due, p, &rows);
    for (int i = 0; r == 0 && i < db_rows(rows) && !s->stopping && clock_mono_ms() < until_ms; i++) {
        struct due d = due_of(rows, i);
        r = ask(s, a, &d);
    }
    return r;
}

int lookup_turn(struct sweep *s)
{
    struct lookup *l = ready(s);
    int r = l->count > 0 ? words_resolve(s->words, s->db) : 0;
    for (size_t i = 0; r == 0 && i < l->count && !s->stopping; i++)
        r = ask_gateway(s, &l->askers[i]);
    return r;
}

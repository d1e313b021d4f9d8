/* From the first byte to the end of an attempt: marks, answers, plans, steps. */
#include "dispatch/dispatcher.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/seq_id.h"
#include "lib/state.h"

#include <math.h>

/* ---- steps ---- */

static struct step_record step_of(const struct dispatcher *d, const struct message *m, enum step step,
                                  int attempt, char seq_id[SEQ_ID_SIZE])
{
    struct seq_id id = {.sms_id = m->record->sms_id, .segment = m->segment, .attempt = attempt};
    return (struct step_record){.step = step,
                                .parts = message_whole(m) ? 0 : m->first->cut.parts,
                                .at = clock_wall_ms(),
                                .lane = m->record->lane,
                                .gateway = d->gateway->name,
                                .seq_id = seq_id_format(&id, seq_id),
                                .number = m->record->number};
}

static bool at_once(const struct message *m)
{
    return m->delivery->lane == LANE_INSTANT;
}

/* The wire's records own their strings and are not const; nothing here changes them. */
static char *words(const char *s)
{
    return s == NULL || *s == '\0' ? NULL : (char *)(uintptr_t)s;
}

void outcome_submitted(struct dispatcher *d, struct message *m)
{
    char seq_id[SEQ_ID_SIZE];
    struct step_record s = step_of(d, m, STEP_SUBMITTED, m->attempt, seq_id);
    s.segments = m->record->segments;
    s.version = m->record->version;
    tell_step(d->tell, &s, NULL, at_once(m));
}

void outcome_refused_claim(struct dispatcher *d, struct message *m, const struct claimed *c)
{
    char seq_id[SEQ_ID_SIZE];
    m->round.under_way = 1; /* the last of these steps ends it */
    for (int i = 1; i <= c->parts; i++) {
        struct step_record s = step_of(d, m, STEP_OUTCOME, c->attempt, seq_id);
        struct seq_id id = {.sms_id = m->record->sms_id, .segment = i, .attempt = c->attempt};
        s.seq_id = seq_id_format(&id, seq_id);
        s.parts = c->parts > 1 ? c->parts : 0;
        s.state = words(state_word((enum state)c->kind));
        s.reason = s.state;
        s.version = m->record->version;
        tell_step(d->tell, &s, i == c->parts ? m : NULL, at_once(m));
    }
}

/* state NULL: an event only. */
static void tell_outcome(struct dispatcher *d, struct message *m, const char *state, const char *reason,
                         const char *error)
{
    char seq_id[SEQ_ID_SIZE];
    struct step_record s = step_of(d, m, STEP_OUTCOME, m->attempt, seq_id);
    s.state = words(state);
    s.reason = words(reason);
    s.error = words(error);
    s.version = m->record->version;
    tell_step(d->tell, &s, state != NULL ? m : NULL, at_once(m));
}

static void tell_accepted(struct dispatcher *d, struct message *m, const char *msg_id)
{
    char seq_id[SEQ_ID_SIZE];
    struct step_record s = step_of(d, m, STEP_ACCEPTED, m->attempt, seq_id);
    s.msg_id = words(msg_id);
    tell_step(d->tell, &s, m, at_once(m));
}

/* ---- ends without an answer, or after it ---- */

static void reject(struct dispatcher *d, struct message *m, const char *reason, const char *error)
{
    slot_answer(m->slot, SLOT_ANSWER_REFUSED, NULL, reason, clock_wall_ms());
    m->first->failed = true;
    tell_outcome(d, m, state_word(STATE_REJECTED), reason, error);
}

void outcome_cannot(struct dispatcher *d, struct message *m)
{
    d->window.used[m->delivery->lane]--;
    rate_give_back(&d->rate, 1);
    d->counters.refused++;
    reject(d, m, m->first->cannot, "its text cannot be sent in this way by this gateway");
}

void outcome_refused_here(struct dispatcher *d, struct message *m)
{
    char reason[SLOT_REASON_SIZE];
    memcpy(reason, m->slot->reason, sizeof(reason));
    reject(d, m, reason, m->error);
}

void outcome_refused_for_now(struct dispatcher *d, struct message *m)
{
    tell_outcome(d, m, NULL, m->slot->reason, m->error);
    m->settle = SETTLED_RETRY;
    m->wait_ms = 0;
    m->in_outbox = false;
    list_add(&d->settling, m);
}

/* ---- the gateway's events ---- */

bool outcome_first_byte(void *arg, struct gateway_request *r)
{
    struct dispatcher *d = arg;
    /* Past half the horizon the sweep is not far: what it calls in doubt must not be sent after that. The
     * clock goes on while the process is stopped. */
    if (clock_mono_ms() - r->claimed_mono_ms > d->conf->main.dispatch.claim_horizon_ms / 2)
        return false;
    for (size_t i = 0; i < r->count; i++) {
        struct message *m = r->items[i].message;
        if (m->attempt == 0 || m->slot == NULL || m->slot->attempt != m->attempt)
            abort(); /* never without a committed claim of our own */
        FAULT("dispatch.before_mark");
        slot_mark(m->slot);
        series_observe_us(d->measure.wait[m->delivery->lane], (clock_mono_ms() - m->delivery->taken_ms) * 1000);
    }
    r->sent_us = clock_mono_us();
    FAULT("dispatch.marked");
    return true;
}

static void breaker_says(struct dispatcher *d, enum breaker_event event)
{
    if (!breaker_event(&d->breaker, event, clock_mono_ms()))
        return;
    log_info("breaker", L_STR("gateway", d->gateway->name), L_STR("state", breaker_word(d->breaker.state)),
             L_INT("failures", d->breaker.failures));
    if (d->breaker.state == BREAKER_CLOSED)
        d->stuck = false;
}

void outcome_probed(void *arg, bool connected)
{
    struct dispatcher *d = arg;
    d->probing = false;
    breaker_says(d, connected ? BREAKER_CONNECTED : BREAKER_FAILED);
}

/* Nothing is sent to it for a while. Answers of one burst that say the same count once. */
static void throttled(struct dispatcher *d, int64_t retry_after_ms)
{
    int64_t now = clock_mono_ms();
    if (now >= d->quiet_until_ms)
        d->throttles++;
    int64_t wait = retry_after_ms >= 0
                       ? retry_after_ms
                       : clock_backoff_ms((unsigned)MIN_OF(d->throttles, (int64_t)30),
                                          d->gateway->retry_base_ms, d->gateway->retry_max_ms);
    d->quiet_until_ms = MAX_OF(d->quiet_until_ms, now + wait);
}

static void count(struct dispatcher *d, const struct gateway_answer *a, size_t n)
{
    struct counters *c = &d->counters;
    int64_t *const by_outcome[] = {[OUTCOME_ACCEPTED] = &c->accepted,
                                   [OUTCOME_REFUSED] = &c->refused,
                                   [OUTCOME_RETRY] = a->throttled ? &c->throttled : &c->retried,
                                   [OUTCOME_NOT_SENT] = &c->not_sent,
                                   [OUTCOME_IN_DOUBT] = &c->in_doubt};
    *by_outcome[a->outcome] += (int64_t)n;
    if (a->outcome == OUTCOME_ACCEPTED)
        series_set(d->measure.last_accepted, clock_wall_ms());
}

/* What the answer says of one message, as if it had been alone in its request. */
static struct gateway_answer alone(const struct gateway_answer *a, const struct gateway_outcome *o)
{
    return (struct gateway_answer){.outcome = o->outcome,
                                   .single = true,
                                   .msg_id = o->own_id ? NULL : o->msg_id,
                                   .reason = o->reason,
                                   .error = o->error,
                                   .throttled = o->throttled,
                                   .retry_after_ms = a->retry_after_ms};
}

static bool named(const struct gateway_answer *a, int64_t number)
{
    for (size_t i = 0; i < a->refused_count; i++)
        if (a->refused[i] == number)
            return true;
    return false;
}

static bool all_known(const struct gateway_answer *a, const struct gateway_request *r)
{
    for (size_t i = 0; i < a->refused_count; i++) {
        bool found = false;
        for (size_t j = 0; j < r->count && !found; j++)
            found = r->items[j].number == a->refused[i];
        if (!found)
            return false;
    }
    return true;
}

static struct retry_plan plan_for(struct dispatcher *d, const struct message *m,
                                  const struct gateway_request *r, const struct gateway_answer *a)
{
    const struct conf_gateway *g = d->gateway;
    const struct delivery *x = m->delivery;
    struct retry_facts f = {.outcome = a->outcome,
                            .throttled = a->throttled,
                            .elsewhere = a->elsewhere,
                            .attempt = m->attempt,
                            .tries = m->tries,
                            .max_attempts = (int)g->max_attempts,
                            .numbers = a->single ? 1 : (unsigned)r->count,
                            .named = a->refused_count > 0 && all_known(a, r),
                            .this_one_named = named(a, m->record->number),
                            .retry_after_ms = a->retry_after_ms,
                            .base_ms = g->retry_base_ms,
                            .max_ms = g->retry_max_ms,
                            .unacked_ms = clock_mono_ms() - x->taken_ms,
                            .may_wait_in_memory = d->taking == TAKING_ON && x->epoch == d->epochs[x->lane]};
    return retry_plan(&f, (double)random() / (double)RAND_MAX);
}

/* What is written beside the mark survives us: the slot holds the answer before anybody is told. */
static void store_answer(const struct message *m, const struct retry_plan *p, const struct gateway_answer *a,
                         const char *msg_id, const char *reason)
{
    static const enum slot_answer answers[] = {[NEXT_ACCEPTED] = SLOT_ANSWER_ACCEPTED,
                                               [NEXT_REJECTED] = SLOT_ANSWER_REFUSED,
                                               [NEXT_IN_DOUBT] = SLOT_ANSWER_IN_DOUBT,
                                               [NEXT_AGAIN] = SLOT_ANSWER_RETRY,
                                               [NEXT_ELSEWHERE] = SLOT_ANSWER_RETRY};
    if (p->next == NEXT_AGAIN && a->outcome == OUTCOME_NOT_SENT)
        return; /* unmarked: that says it */
    slot_answer(m->slot, answers[p->next], p->next == NEXT_ACCEPTED ? msg_id : NULL, reason, clock_wall_ms());
}

static void settle_again(struct dispatcher *d, struct message *m, const struct retry_plan *p, bool refused)
{
    struct message *first = m->first;
    first->refused_here = refused || (!message_whole(m) && first->refused_here);
    if (p->numbers_cap > 0)
        first->numbers_cap = p->numbers_cap;
    m->settle = p->settle;
    m->wait_ms = p->wait_ms;
    m->in_outbox = p->in_outbox;
    list_add(&d->settling, m);
}

static void carry_out(struct dispatcher *d, struct message *m, const struct retry_plan *p,
                      const struct gateway_answer *a, const char *msg_id, const char *reason)
{
    switch (p->next) {
    case NEXT_ACCEPTED:
        m->first->begun = true;
        tell_accepted(d, m, msg_id);
        return;
    case NEXT_REJECTED:
        m->first->failed = true;
        tell_outcome(d, m, state_word(STATE_REJECTED), reason, a->error);
        return;
    case NEXT_IN_DOUBT:
        m->first->begun = true;
        tell_outcome(d, m, state_word(STATE_IN_DOUBT), reason, a->error);
        return;
    case NEXT_AGAIN:
        if (p->tell_refusal)
            tell_outcome(d, m, NULL, reason, a->error);
        settle_again(d, m, p, a->outcome != OUTCOME_NOT_SENT);
        return;
    case NEXT_ELSEWHERE:
        segment_elsewhere(d, m, a->error);
        return;
    }
}

static void answered_one(struct dispatcher *d, const struct gateway_item *item,
                         const struct gateway_request *r, const struct gateway_answer *a)
{
    struct message *m = item->message;
    struct retry_plan p = plan_for(d, m, r, a);
    const char *msg_id = a->msg_id != NULL ? a->msg_id : item->seq_id;
    const char *reason = p.reason != NULL ? p.reason : a->reason;
    list_remove(m);
    d->window.used[m->delivery->lane]--;
    store_answer(m, &p, a, msg_id, reason);
    FAULT("dispatch.answer_stored");
    carry_out(d, m, &p, a, msg_id, reason);
}

/* What one answer, or what it says of one message, means for the gateway as a whole. */
static void gateway_says(struct dispatcher *d, const struct gateway_answer *a, size_t n)
{
    if (a->unreachable)
        breaker_says(d, BREAKER_FAILED);
    else if (a->outcome != OUTCOME_NOT_SENT && a->outcome != OUTCOME_IN_DOUBT)
        breaker_says(d, BREAKER_CONNECTED);
    if (a->throttled) {
        throttled(d, a->retry_after_ms);
        rate_slower(&d->rate, clock_mono_ms());
    } else if (a->outcome == OUTCOME_ACCEPTED) {
        d->throttles = 0;
        rate_faster(&d->rate, clock_mono_ms());
    }
    count(d, a, n);
}

static void answered_each(struct dispatcher *d, const struct gateway_request *r,
                          const struct gateway_answer *a)
{
    for (size_t i = 0; i < r->count; i++) {
        struct gateway_answer one = alone(a, &a->each[i]);
        gateway_says(d, &one, 1);
        answered_one(d, &r->items[i], r, &one);
    }
}

static void answered_all(struct dispatcher *d, const struct gateway_request *r, struct gateway_answer a)
{
    if (a.outcome == OUTCOME_ACCEPTED && !all_known(&a, r)) {
        /* It refuses a number that was not asked for, so nobody can say which of ours it means. */
        a.outcome = OUTCOME_IN_DOUBT;
        a.reason = "refused_numbers_unknown";
    }
    gateway_says(d, &a, r->count);
    for (size_t i = 0; i < r->count; i++)
        answered_one(d, &r->items[i], r, &a);
}

void outcome_answered(void *arg, struct gateway_request *r, const struct gateway_answer *answer)
{
    struct dispatcher *d = arg;
    FAULT("dispatch.answer_read");
    if (r->sent_us > 0)
        series_observe_us(d->measure.submit, clock_mono_us() - r->sent_us);
    if (answer->each != NULL)
        answered_each(d, r, answer);
    else
        answered_all(d, r, *answer);
    free(r);
}

/* ---- what was told ---- */

void outcome_published(void *arg, struct told *t)
{
    (void)arg;
    if (t->kind == TOLD_STEPS && t->count > 0)
        FAULT("dispatch.outcome_published");
}

static void texts_told(struct dispatcher *d, struct told *t, bool confirmed)
{
    char own[LANE_COUNT][MQ_QUEUE_SIZE];
    bool handed_over = true;
    for (unsigned lane = 0; lane < LANE_COUNT; lane++)
        handed_over = handed_over &&
                      strcmp(t->queue, mq_queue_dispatch(d->gateway->name, lane_words[lane], own[lane])) != 0;
    for (size_t i = 0; i < t->count; i++) {
        struct message *m = t->messages[i];
        if (!confirmed) {
            m->stays = true; /* no such queue */
            message_ready(d, m);
            continue;
        }
        if (handed_over) {
            FAULT("dispatch.handed_over");
            d->counters.handed_over++;
        }
        message_done(d, m);
    }
}

bool outcome_told(void *arg, struct told *t, bool confirmed)
{
    struct dispatcher *d = arg;
    if (t->kind == TOLD_TEXTS) {
        texts_told(d, t, confirmed);
        return true;
    }
    if (!confirmed)
        return false;
    if (t->kind == TOLD_RECOVERED)
        d->recovery.told -= t->steps;
    if (t->kind == TOLD_STEPS && t->count > 0)
        FAULT("dispatch.outcome_confirmed");
    for (size_t i = 0; i < t->count; i++) {
        struct message *m = t->messages[i];
        slot_done(d, m);
        if (t->kind == TOLD_STEPS)
            segment_over(d, m);
        else
            message_done(d, m);
    }
    if (t->delivery != NULL)
        delivery_part_done(d, t->delivery, t->dead);
    return true;
}

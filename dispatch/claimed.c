/* What becomes of a claim group when its statement has answered: each message as a whole where the answer is
 * about the whole, else each of its segments by itself. */
#include "dispatch/dispatcher.h"
#include "dispatch/group.h"
#include "lib/fault.h"
#include "lib/seq_id.h"

#include <stdlib.h>

static const char *own_queue(const struct dispatcher *d, const struct message *m, char out[MQ_QUEUE_SIZE])
{
    return mq_queue_dispatch(d->gateway->name, lane_words[m->delivery->lane], out);
}

/* ---- sending ---- */

static struct gateway_request *request_new(const struct message *m, size_t room)
{
    struct gateway_request *q = xcalloc(1, sizeof(*q) + room * sizeof(q->items[0]));
    q->claimed_mono_ms = m->claimed_mono_ms;
    q->instant = m->delivery->lane == LANE_INSTANT; /* all of a claim group are of one lane */
    return q;
}

static void request_add(const struct dispatcher *d, struct gateway_request *q, struct message *m)
{
    const struct text_record *r = m->record;
    struct gateway_item *item = &q->items[q->count++];
    struct seq_id id = {.sms_id = r->sms_id, .segment = m->segment, .attempt = m->attempt};
    item->number = r->number;
    item->text = r->text;
    item->sender = r->sender != NULL && *r->sender != '\0' ? r->sender : d->gateway->sender;
    item->encoding = r->encoding;
    item->segments = r->segments;
    item->valid_until = r->valid_until;
    item->cut = m->first->cut;
    item->segment = m->segment;
    item->reference = message_reference(m);
    item->message = m;
    seq_id_format(&id, item->seq_id);
    q->claimed_mono_ms = MIN_OF(q->claimed_mono_ms, m->claimed_mono_ms);
}

static void send_claimed(struct dispatcher *d, struct message **claimed, size_t count)
{
    const struct conf_request *conf = &d->gateway->request;
    bool any_text = conf->messages_max > 1; /* each message of a request has a text of its own */
    unsigned max = (unsigned)MAX_OF(MAX_OF(conf->numbers_max, conf->messages_max), (int64_t)1);
    auto_free struct group_item *items = xcalloc(count, sizeof(*items));
    auto_free uint32_t *request_of = xcalloc(count, sizeof(*request_of));
    for (size_t i = 0; i < count; i++) {
        const struct text_record *r = claimed[i]->record;
        items[i] = (struct group_item){.text = any_text ? "" : r->text,
                                       .sender = any_text || r->sender == NULL ? "" : r->sender,
                                       .encoding = any_text ? "" : r->encoding,
                                       .number = r->number,
                                       .cap = message_whole(claimed[i]) ? claimed[i]->numbers_cap : 1};
    }
    size_t n = group_requests(items, count, max, request_of);
    auto_free struct gateway_request **requests = xcalloc(n, sizeof(*requests));
    for (size_t i = 0; i < count; i++) {
        struct gateway_request **q = &requests[request_of[i]];
        if (*q == NULL)
            *q = request_new(claimed[i], MIN_OF((size_t)max, count));
        request_add(d, *q, claimed[i]);
    }
    d->counters.submits += (int64_t)count;
    for (size_t i = 0; i < n; i++)
        d->driver->send(d->sender, requests[i]);
}

/* ---- one message ---- */

static void lost(struct dispatcher *d, struct message *m)
{
    char from[MQ_QUEUE_SIZE];
    log_error("a message without its row goes to sms.dead", L_STR("gateway", d->gateway->name),
              L_INT("sms_id", m->record->sms_id));
    d->counters.dead++;
    tell_dead_message(d->tell, m, own_queue(d, m, from), "no such message in the ledger");
}

/* Its other segments are with that gateway. Where that has no queue it waits here. */
static void to_its_gateway(struct dispatcher *d, struct message *m, const char *gateway)
{
    char queue[MQ_QUEUE_SIZE];
    if (m->stays) {
        m->round = (struct round){.wait_ms = DISPATCH_OPEN_AGAIN_MS};
        list_add(&d->outgoing, m);
        return;
    }
    tell_text(d->tell, mq_queue_dispatch(gateway, lane_words[m->delivery->lane], queue), m, NULL);
}

struct claim_group_answer {
    struct claimed claimed[DISPATCH_GROUP_MAX];
    const char *gateway[DISPATCH_GROUP_MAX];
    struct message *ours[DISPATCH_GROUP_MAX];
    size_t our_count;
};

/* Of the segments at..end, the first whose verdict is about the whole message; `end`: none. */
static size_t about_all(const struct claim_group_answer *a, size_t at, size_t end)
{
    for (; at < end; at++) {
        enum claim_verdict v = a->claimed[at].verdict;
        if (v == CLAIM_LOST || v == CLAIM_REFUSED || v == CLAIM_ELSEWHERE || v == CLAIM_CUT)
            break;
    }
    return at;
}

static void whole_message(struct dispatcher *d, struct message *m, const struct claimed *c,
                          const char *gateway)
{
    m->round = (struct round){0};
    switch (c->verdict) {
    case CLAIM_LOST:
        lost(d, m);
        return;
    case CLAIM_REFUSED:
        outcome_refused_claim(d, m, c);
        return;
    case CLAIM_ELSEWHERE:
        to_its_gateway(d, m, gateway);
        return;
    case CLAIM_CUT: {
        struct gateway_cut as = {.parts = (int16_t)c->parts, .way = (int16_t)c->way};
        message_cut(m, d->driver, d->gateway, &as);
        m->begun = true;
        message_ready(d, m);
        return;
    }
    case CLAIM_MADE:
    case CLAIM_DONE:
    case CLAIM_OPEN:
    case CLAIM_PAUSED:
    case CLAIM_STAYS:
    case CLAIM_NOT_MADE:
        break;
    }
    abort(); /* those are about a segment */
}

/* ---- one segment ---- */

static void made(struct dispatcher *d, struct message *m, int attempt, struct claim_group_answer *a)
{
    m->attempt = attempt;
    slot_set_attempt(m->slot, attempt);
    FAULT("dispatch.claimed");
    outcome_submitted(d, m);
    d->last_claim = (struct last_claim){.sms_id = m->record->sms_id,
                                        .segment = m->segment,
                                        .attempt = m->attempt,
                                        .claimed_at = d->claimed_at,
                                        .history_generation = history_generation(d->history)};
    if (m->first->cannot != NULL) {
        outcome_cannot(d, m);
        return;
    }
    list_add(&d->sending, m);
    a->ours[a->our_count++] = m;
}

static void not_ours(struct dispatcher *d, struct message *m, enum claim_verdict verdict)
{
    leave_window(d, m);
    m->first->begun = m->first->begun || verdict == CLAIM_DONE || verdict == CLAIM_OPEN;
    switch (verdict) {
    case CLAIM_DONE:
        segment_over(d, m);
        return;
    case CLAIM_PAUSED:
        segment_again(d, m, (struct again){.in_outbox = true, .run_holds = true});
        return;
    case CLAIM_OPEN:
        segment_again(d, m, (struct again){.in_outbox = true, .wait_ms = DISPATCH_OPEN_AGAIN_MS});
        return;
    case CLAIM_STAYS:
        d->place.paused = true; /* take_turn closes the channel: it goes back to the queue */
        segment_again(d, m, (struct again){0});
        return;
    case CLAIM_NOT_MADE:
        segment_again(d, m, (struct again){0});
        return;
    case CLAIM_MADE:
    case CLAIM_LOST:
    case CLAIM_REFUSED:
    case CLAIM_ELSEWHERE:
    case CLAIM_CUT:
        break;
    }
    abort(); /* those are seen to before */
}

/* ---- the group ---- */

static size_t message_end(const struct dispatcher *d, size_t at)
{
    const struct message *first = d->group[at]->first;
    while (at < d->group_count && d->group[at]->first == first)
        at++;
    return at;
}

static void one_message(struct dispatcher *d, size_t at, size_t end, struct claim_group_answer *a)
{
    size_t all = about_all(a, at, end);
    struct message *first = d->group[at]->first;
    for (size_t i = at; i < end; i++) {
        struct message *m = d->group[i];
        if (all < end)
            leave_window(d, m);
        else if (a->claimed[i].verdict == CLAIM_MADE)
            made(d, m, a->claimed[i].attempt, a);
        else
            not_ours(d, m, a->claimed[i].verdict);
    }
    if (all < end)
        whole_message(d, first, &a->claimed[all], a->gateway[all]);
}

void claim_done(struct dispatcher *d, const struct db_result *r, int64_t now_ms)
{
    auto_free struct claim_group_answer *a = xcalloc(1, sizeof(*a));
    struct claim_group asked = claim_asked(d);
    if (d->group_count > 0 && d->group[0]->delivery->lane == LANE_BULK)
        d->bulk_claim_end_ms = now_ms;
    for (int row = 0; row < db_rows(r); row++) {
        struct claim_answer one = claim_read(r, row, &asked);
        a->claimed[one.index] = one.claimed;
        a->gateway[one.index] = one.gateway;
        d->group[one.index]->tries = one.tries;
    }
    for (size_t at = 0, end; at < d->group_count; at = end) {
        end = message_end(d, at);
        one_message(d, at, end, a);
    }
    d->group_count = 0;
    if (a->our_count > 0)
        send_claimed(d, a->ours, a->our_count);
}

/* A value that the server cannot take: each message is asked for by itself, and the one that it is goes to
 * sms.dead. */
void claim_refused(struct dispatcher *d, const char *why)
{
    char from[MQ_QUEUE_SIZE];
    bool several = d->group_count > 0 && message_end(d, 0) < d->group_count;
    for (size_t at = 0, end; at < d->group_count; at = end) {
        struct message *m = d->group[at]->first;
        for (end = message_end(d, at); at < end; at++)
            leave_window(d, d->group[at]);
        m->round = (struct round){0};
        if (several) {
            m->alone = true;
            message_ready(d, m);
            continue;
        }
        log_error("a record that the database cannot take goes to sms.dead",
                  L_STR("gateway", d->gateway->name), L_INT("sms_id", m->record->sms_id),
                  L_STR("error", why));
        d->counters.dead++;
        tell_dead_message(d->tell, m, own_queue(d, m, from), why);
    }
    d->group_count = 0;
}

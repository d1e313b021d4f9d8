/* The claim group: which messages are asked for, and what becomes of them when the statement has answered. */
#include "dispatch/dispatcher.h"
#include "dispatch/group.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/seq_id.h"
#include "lib/state.h"
#include "session_over.sql.h"

#include <stdlib.h>

#define ASK_AGAIN_MS 200
#define FILL_WAIT_MS                                                                                         \
    20 /* a group waits so long to be filled: the statement costs as much for one as for twenty */

/* ---- slots ---- */

static size_t slots_left(const struct dispatcher *d)
{
    return slots_count(d->slots) - d->slots_used;
}

void slot_done(struct dispatcher *d, struct message *m)
{
    if (m->slot == NULL)
        return;
    slot_free(m->slot);
    FAULT("dispatch.slot_freed");
    m->slot = NULL;
    d->slots_used--;
}

/* ---- which ones ---- */

/* A tenth of the window is kept for the instant lane: it does not wait for bulk's answers. */
static size_t free_places(const struct dispatcher *d, enum lane lane)
{
    size_t window = d->window > d->unanswered ? d->window - d->unanswered : 0;
    size_t places = MIN_OF(window, slots_left(d)), kept = lane == LANE_BULK ? d->window / 10 : 0;
    return MIN_OF(places > kept ? places - kept : 0, (size_t)d->group_max);
}

/* So many may be asked for now; both lanes' places are counted from the same start. */
static size_t claimable(const struct dispatcher *d)
{
    size_t instant = MIN_OF(d->ready[LANE_INSTANT].count, free_places(d, LANE_INSTANT));
    size_t bulk = free_places(d, LANE_BULK);
    return instant + MIN_OF(d->ready[LANE_BULK].count, bulk > instant ? bulk - instant : 0);
}

static bool may_claim(const struct dispatcher *d, int64_t now_ms)
{
    return d->taking == TAKING_ON && place_may_claim(d) && d->breaker.state == BREAKER_CLOSED &&
           now_ms >= d->quiet_until_ms;
}

/* Back-off is over: they go before the others, which have not waited yet. */
static void due_again(struct dispatcher *d, int64_t now_ms)
{
    struct message_list due = {0};
    while (d->later.first != NULL && d->later.first->due_ms <= now_ms) {
        struct message *m = d->later.first;
        list_remove(m);
        list_add(&due, m);
    }
    while (due.last != NULL) {
        struct message *m = due.last;
        list_remove(m);
        list_add_first(&d->ready[m->delivery->lane], m);
    }
}

static bool too_old(const struct dispatcher *d, const struct message *m)
{
    int oldest = clock_day_2020(clock_wall_ms()) - (int)d->conf->main.database.claims_keep_days;
    return sms_id_day(m->record->sms_id) < oldest;
}

/* Claims of its day may be gone already, and with them the proof that it was not sent. */
static void drop_too_old(struct dispatcher *d, struct message *m)
{
    char from[MQ_QUEUE_SIZE];
    list_remove(m);
    d->counters.dead++;
    tell_dead_message(d->tell, m, mq_queue_dispatch(d->gateway->name, lane_words[m->delivery->lane], from),
                      "its sms_id is older than the claims are kept");
}

static void gather(struct dispatcher *d, enum lane lane, size_t max)
{
    for (struct message *m = d->ready[lane].first, *next; m != NULL && d->group_count < max; m = next) {
        next = m->next;
        if (too_old(d, m)) {
            drop_too_old(d, m);
            continue;
        }
        int day = sms_id_day(m->record->sms_id);
        if (d->group_count > 0 && (day != d->group_day || m->alone || d->group[0]->alone))
            return; /* the next group's */
        list_remove(m);
        d->group_day = day;
        d->group[d->group_count++] = m;
    }
}

static int by_key(const void *a, const void *b)
{
    const struct message *const *x = a, *const *y = b;
    int64_t i = (*x)->record->sms_id, j = (*y)->record->sms_id;
    return (i > j) - (i < j);
}

/* A second copy of a message waits for the next group: within one statement both would be found unclaimed. */
static void sort_group(struct dispatcher *d)
{
    size_t kept = 0;
    qsort(d->group, d->group_count, sizeof(struct message *), by_key);
    for (size_t i = 0; i < d->group_count; i++) {
        struct message *m = d->group[i];
        if (kept > 0 && d->group[kept - 1]->record->sms_id == m->record->sms_id)
            list_add(&d->ready[m->delivery->lane], m);
        else
            d->group[kept++] = m;
    }
    d->group_count = kept;
}

/* The group's name: later than every name this owner has used. */
static void name_group(struct dispatcher *d, int64_t now_ms)
{
    int64_t at = clock_wall_ms() + d->place.clock_ahead_ms;
    d->claimed_at = MAX_OF(at, d->claimed_at + 1);
    d->claimed_mono_ms = now_ms;
    d->claim_again = false;
    for (size_t i = 0; i < d->group_count; i++) {
        struct message *m = d->group[i];
        m->slot = slot_take(d->slots, m->record->sms_id, CLAIM_SEGMENT, m->record->number, d->claimed_at);
        if (m->slot == NULL)
            abort(); /* they were counted */
        FAULT("dispatch.slot_taken");
        d->slots_used++;
        m->delivery->touched = true;
        m->claimed_mono_ms = now_ms;
        m->attempt = 0;
    }
    d->unanswered += d->group_count;
    rate_take(&d->rate, (unsigned)d->group_count);
}

/* Few may go and more will soon: unless the instant lane waits, or nothing is under way. */
static bool worth_it(const struct dispatcher *d, size_t most, int64_t now_ms)
{
    return d->ready[LANE_INSTANT].count > 0 || d->unanswered == 0 || most >= MAX_OF(d->window / 4, 1u) ||
           now_ms - d->claim_end_ms >= FILL_WAIT_MS;
}

bool claim_begin(struct dispatcher *d, int64_t now_ms)
{
    if (!may_claim(d, now_ms))
        return false;
    due_again(d, now_ms);
    size_t most = MIN_OF(claimable(d), (size_t)rate_may(&d->rate, now_ms));
    if (most == 0 || !worth_it(d, most, now_ms))
        return false;
    d->group_count = 0;
    gather(d, LANE_INSTANT, most);
    gather(d, LANE_BULK, most);
    sort_group(d);
    if (d->group_count == 0)
        return false;
    name_group(d, now_ms);
    return true;
}

int64_t claim_wait_ms(struct dispatcher *d, int64_t now_ms)
{
    int64_t wait;
    if (d->work != WORK_NONE || d->taking != TAKING_ON || !place_may_claim(d) ||
        d->breaker.state != BREAKER_CLOSED)
        return -1;
    if (claimable(d) > 0)
        wait = MAX_OF(rate_wait_ms(&d->rate, now_ms), d->claim_end_ms + FILL_WAIT_MS - now_ms);
    else if (d->later.first != NULL)
        wait = d->later.first->due_ms - now_ms;
    else
        return -1;
    return MAX_OF(MAX_OF(wait, d->quiet_until_ms - now_ms), (int64_t)0);
}

/* ---- asking ---- */

int claim_start(struct dispatcher *d)
{
    struct group_arrays *a = d->arrays;
    for (size_t i = 0; i < d->group_count; i++) {
        const struct text_record *r = d->group[i]->record;
        a->sms_id[i] = r->sms_id;
        a->segment[i] = CLAIM_SEGMENT;
        a->number[i] = r->number;
        a->time[i] = r->valid_until;
        a->rule[i] = r->rule;
        a->class[i] = r->class;
    }
    struct claim_group g = {.day = d->group_day,
                            .count = d->group_count,
                            .sms_id = a->sms_id,
                            .number = a->number,
                            .valid_until = a->time,
                            .segment = a->segment,
                            .rule = a->rule,
                            .class = a->class,
                            .gateway_id = d->place.gateway_id,
                            .gateway = d->gateway->name,
                            .owner = slots_epoch(d->slots),
                            .claimed_at = d->claimed_at,
                            .may_insert = place_may_claim(d)};
    claim_params(&g, d->params);
    d->asked_by = d->place.session;
    int rc = db_start(d->db, claim_sql, d->params);
    FAULT("dispatch.claim_sent");
    return rc;
}

/* An answer was lost with its session, which may be at work on the statement still: it is asked again when
 * that session is over. Then all that it will ever have claimed can be seen, and what cannot is certainly not
 * claimed, whether the place is held by now or not. While the history is in question nothing is asked: the
 * claims may be sent. */
bool claim_may_ask_again(struct dispatcher *d, int64_t now_ms)
{
    auto_result r = NULL;
    if (!d->claim_again || d->asked_by.generation == db_generation(d->db))
        return true;
    d->work_again_ms = now_ms + ASK_AGAIN_MS;
    if (d->place.changed)
        return false;
    db_params_clear(d->params);
    db_add_int(d->params, d->asked_by.pid);
    db_add_text(d->params, d->asked_by.began);
    if (db_run(d->db, &sql_session_over, d->params, &r) != 0)
        return false;
    return db_bool(r, 0, 0);
}

/* ---- answered ---- */

static void leave_window(struct dispatcher *d, struct message *m)
{
    slot_done(d, m);
    d->unanswered--;
    rate_give_back(&d->rate, 1);
}

static void to_outbox(struct dispatcher *d, struct message *m, int64_t wait_ms, bool run_holds)
{
    m->wait_ms = wait_ms;
    m->run_holds = run_holds;
    list_add(&d->outgoing, m);
}

static void lost(struct dispatcher *d, struct message *m)
{
    char from[MQ_QUEUE_SIZE];
    log_error("a message without its row goes to sms.dead", L_STR("gateway", d->gateway->name),
              L_INT("sms_id", m->record->sms_id));
    d->counters.dead++;
    tell_dead_message(d->tell, m, mq_queue_dispatch(d->gateway->name, lane_words[m->delivery->lane], from),
                      "no such message in the ledger");
}

/* Everything but a claim of our own. */
static void not_ours(struct dispatcher *d, struct message *m, const struct claimed *c)
{
    leave_window(d, m);
    switch (c->verdict) {
    case CLAIM_REFUSED:
        outcome_refused_claim(d, m, c);
        return;
    case CLAIM_PAUSED:
        to_outbox(d, m, 0, true);
        return;
    case CLAIM_OPEN:
        to_outbox(d, m, DISPATCH_OPEN_AGAIN_MS, false);
        return;
    case CLAIM_DONE:
        message_done(d, m);
        return;
    case CLAIM_LOST:
        lost(d, m);
        return;
    case CLAIM_STAYS:
        d->place.paused = true; /* take_turn closes the channel: it goes back to the queue */
        message_ready(d, m);
        return;
    case CLAIM_NOT_MADE:
    case CLAIM_MADE:
        message_ready(d, m);
        return;
    }
}

static struct gateway_request *request_new(const struct message *m, size_t room)
{
    struct gateway_request *q = xcalloc(1, sizeof(*q) + room * sizeof(q->items[0]));
    q->claimed_mono_ms = m->claimed_mono_ms;
    return q;
}

static void request_add(const struct dispatcher *d, struct gateway_request *q, struct message *m)
{
    const struct text_record *r = m->record;
    struct gateway_item *item = &q->items[q->count++];
    struct seq_id id = {.sms_id = r->sms_id, .segment = CLAIM_SEGMENT, .attempt = m->attempt};
    item->number = r->number;
    item->text = r->text;
    item->sender = r->sender != NULL && *r->sender != '\0' ? r->sender : d->gateway->sender;
    item->encoding = r->encoding;
    item->segments = r->segments;
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
                                       .cap = claimed[i]->numbers_cap};
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

void claim_done(struct dispatcher *d, const struct db_result *r, int64_t now_ms)
{
    struct claimed claimed[DISPATCH_GROUP_MAX] = {0};
    struct message *ours[DISPATCH_GROUP_MAX];
    size_t our_count = 0;
    d->claim_end_ms = now_ms;
    for (int row = 0; row < db_rows(r); row++) {
        struct claim_answer a = claim_read(r, row);
        if (a.index >= d->group_count)
            abort(); /* not an answer to what was asked */
        claimed[a.index] = a.claimed;
        d->group[a.index]->tries = a.tries;
    }
    for (size_t i = 0; i < d->group_count; i++) {
        struct message *m = d->group[i];
        if (claimed[i].verdict != CLAIM_MADE) {
            not_ours(d, m, &claimed[i]);
            continue;
        }
        m->attempt = claimed[i].attempt;
        slot_set_attempt(m->slot, m->attempt);
        FAULT("dispatch.claimed");
        list_add(&d->sending, m);
        outcome_submitted(d, m);
        ours[our_count++] = m;
        d->last_claim = (struct last_claim){.sms_id = m->record->sms_id,
                                            .attempt = m->attempt,
                                            .claimed_at = d->claimed_at,
                                            .history_generation = history_generation(d->history)};
    }
    d->group_count = 0;
    if (our_count > 0)
        send_claimed(d, ours, our_count);
}

/* A value that the server cannot take: each is asked for by itself, and the one that it is goes to sms.dead.
 */
void claim_refused(struct dispatcher *d, const char *why)
{
    char from[MQ_QUEUE_SIZE];
    for (size_t i = d->group_count; i-- > 0;) {
        struct message *m = d->group[i];
        leave_window(d, m);
        if (d->group_count > 1) {
            m->alone = true;
            message_ready(d, m);
            continue;
        }
        log_error("a record that the database cannot take goes to sms.dead",
                  L_STR("gateway", d->gateway->name), L_INT("sms_id", m->record->sms_id),
                  L_STR("error", why));
        d->counters.dead++;
        tell_dead_message(d->tell, m,
                          mq_queue_dispatch(d->gateway->name, lane_words[m->delivery->lane], from), why);
    }
    d->group_count = 0;
}

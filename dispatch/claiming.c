/* The claim group: which messages are asked for, all segments of each that have no end yet, and the asking.
 */
#include "dispatch/dispatcher.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/seq_id.h"
#include "session_over.sql.h"

#include <stdlib.h>

#define ASK_AGAIN_MS 200
#define FILL_WAIT_MS                                                                                         \
    20 /* a group of bulk waits so long to be filled: the statement costs as much for one as for twenty */

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

/* ---- which lane, and how many ---- */

/* What waits in each lane, as the first message of it needs places. Bulk that waits behind the instant lane
 * is due when it is owed some of the rate. */
struct lanes {
    size_t needs[LANE_COUNT]; /* 0: nothing waits; of bulk also: it is not due */
    unsigned owed;
};

static size_t need(const struct dispatcher *d, enum lane lane)
{
    const struct message *m = d->ready[lane].first;
    return m != NULL ? message_open(m) : 0;
}

static struct lanes look_at_lanes(struct dispatcher *d, int64_t now_ms)
{
    size_t bulk = need(d, LANE_BULK);
    unsigned owed = rate_owed(&d->rate, bulk > 0, now_ms);
    return (struct lanes){
        .needs = {[LANE_INSTANT] = need(d, LANE_INSTANT), [LANE_BULK] = owed > 0 ? bulk : 0}, .owed = owed};
}

/* Slots are free again when an outcome is confirmed: of these, too, bulk leaves the instant lane its part. */
static size_t free_places(const struct dispatcher *d, const struct lanes *l, enum lane lane)
{
    size_t slots = slots_left(d), kept = lane == LANE_BULK ? d->window.kept[LANE_INSTANT] : 0;
    return MIN_OF(window_free(&d->window, lane, l->needs), slots > kept ? slots - kept : 0);
}

/* All segments of a message are asked for together. One with more of them than its lane may have goes with
 * the places of the other, too; one with more than the window, which can only have been begun when that was
 * wider, when nothing else is under way. */
static bool has_room(const struct dispatcher *d, const struct lanes *l, const struct message *m, size_t taken)
{
    enum lane lane = m->delivery->lane;
    size_t open = message_open(m);
    if (taken + open <= free_places(d, l, lane))
        return true;
    if (taken > 0 || open <= window_most(&d->window, lane))
        return false;
    return open <= MIN_OF(window_left(&d->window), slots_left(d)) ||
           (window_used(&d->window) == 0 && open <= slots_left(d));
}

static bool first_fits(const struct dispatcher *d, const struct lanes *l, enum lane lane)
{
    const struct message *m = d->ready[lane].first;
    return m != NULL && has_room(d, l, m, 0);
}

/* So many may be asked for now, at least. */
static size_t claimable(struct dispatcher *d, const struct lanes *l, enum lane lane, int64_t now_ms)
{
    bool behind = lane == LANE_BULK && l->needs[LANE_INSTANT] > 0;
    if (!first_fits(d, l, lane))
        return 0;
    size_t places = MIN_OF(d->ready[lane].count, MAX_OF(free_places(d, l, lane), (size_t)1));
    size_t tokens = behind ? l->owed : rate_may(&d->rate, lane, now_ms);
    return MIN_OF(MIN_OF(places, tokens), (size_t)d->group_max);
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

static void add_to_group(struct dispatcher *d, struct message *m)
{
    for (int i = 1; i <= m->cut.parts; i++) {
        struct message *segment = message_segment(m, i);
        if (!segment->over)
            d->group[d->group_count++] = segment;
    }
}

/* A group is of one lane. A message that has begun to use the rate is asked for whole. */
static void gather(struct dispatcher *d, const struct lanes *l, enum lane lane, size_t max)
{
    for (struct message *m = d->ready[lane].first, *next; m != NULL && d->group_count < max; m = next) {
        next = m->next;
        if (too_old(d, m)) {
            drop_too_old(d, m);
            continue;
        }
        int day = sms_id_day(m->record->sms_id);
        if (d->group_count > 0 && (day != d->group_day || m->alone || d->group[0]->first->alone))
            return; /* the next group's */
        if (!has_room(d, l, m, d->group_count) || d->group_count + message_open(m) > DISPATCH_GROUP_MAX)
            return;
        list_remove(m);
        d->group_day = day;
        add_to_group(d, m);
    }
}

static int by_key(const void *a, const void *b)
{
    const struct message *const *x = a, *const *y = b;
    int64_t i = (*x)->record->sms_id, j = (*y)->record->sms_id;
    if (i != j)
        return (i > j) - (i < j);
    /* Two copies of one message are kept apart. */
    if ((*x)->first != (*y)->first)
        return ((*x)->first > (*y)->first) - ((*x)->first < (*y)->first);
    return (*x)->segment - (*y)->segment;
}

/* A second copy of a message waits for the next group: within one statement both would be found unclaimed. */
static void sort_group(struct dispatcher *d)
{
    size_t kept = 0;
    const struct message *copy = NULL;
    qsort(d->group, d->group_count, sizeof(struct message *), by_key);
    for (size_t i = 0; i < d->group_count; i++) {
        struct message *m = d->group[i], *before = kept > 0 ? d->group[kept - 1] : NULL;
        if (before == NULL || before->record->sms_id != m->record->sms_id || before->first == m->first) {
            d->group[kept++] = m;
            continue;
        }
        if (copy != m->first)
            list_add(&d->ready[m->delivery->lane], m->first);
        copy = m->first;
    }
    d->group_count = kept;
}

/* The group's name: later than every name this owner has used. */
static void name_group(struct dispatcher *d, enum lane lane, int64_t now_ms)
{
    int64_t at = clock_wall_ms() + d->place.clock_ahead_ms;
    d->claimed_at = MAX_OF(at, d->claimed_at + 1);
    d->claimed_mono_ms = now_ms;
    d->claim_again = false;
    for (size_t i = 0; i < d->group_count; i++) {
        struct message *m = d->group[i];
        m->slot = slot_take(d->slots, m->record->sms_id, m->segment, m->first->cut.parts, m->record->number,
                            d->claimed_at);
        if (m->slot == NULL)
            abort(); /* they were counted */
        FAULT("dispatch.slot_taken");
        d->slots_used++;
        m->delivery->touched = true;
        m->claimed_mono_ms = now_ms;
        m->attempt = 0;
        segment_begins(m);
    }
    d->window.used[lane] += d->group_count;
    rate_take(&d->rate, lane, (unsigned)d->group_count);
}

/* Few of bulk may go and more will soon: unless nothing is under way. */
static bool worth_it(const struct dispatcher *d, size_t most, int64_t now_ms)
{
    return window_used(&d->window) == 0 || most >= MAX_OF(d->window.size / 4, 1u) ||
           now_ms - d->bulk_claim_end_ms >= FILL_WAIT_MS;
}

static bool claim_lane(struct dispatcher *d, const struct lanes *l, enum lane lane, int64_t now_ms)
{
    size_t most = claimable(d, l, lane, now_ms);
    bool alone = lane == LANE_BULK && l->needs[LANE_INSTANT] == 0;
    if (most == 0 || (alone && !worth_it(d, most, now_ms)))
        return false;
    d->group_count = 0;
    gather(d, l, lane, most);
    sort_group(d);
    if (d->group_count == 0)
        return false;
    name_group(d, lane, now_ms);
    return true;
}

/* What waits in the instant lane goes first, in a statement of its own, which is the shorter for it; but for
 * what bulk is owed. */
bool claim_begin(struct dispatcher *d, int64_t now_ms)
{
    if (!may_claim(d, now_ms))
        return false;
    due_again(d, now_ms);
    struct lanes l = look_at_lanes(d, now_ms);
    if (l.needs[LANE_INSTANT] == 0 || l.owed > 0)
        if (claim_lane(d, &l, LANE_BULK, now_ms))
            return true;
    return claim_lane(d, &l, LANE_INSTANT, now_ms);
}

int64_t claim_wait_ms(struct dispatcher *d, int64_t now_ms)
{
    int64_t wait;
    if (d->work != WORK_NONE || d->taking != TAKING_ON || !place_may_claim(d) ||
        d->breaker.state != BREAKER_CLOSED)
        return -1;
    struct lanes l = look_at_lanes(d, now_ms);
    if (first_fits(d, &l, LANE_INSTANT))
        wait = rate_wait_ms(&d->rate, LANE_INSTANT, now_ms);
    else if (d->ready[LANE_INSTANT].count > 0 && d->ready[LANE_BULK].count > 0)
        wait = FILL_WAIT_MS; /* bulk may be owed something by then */
    else if (first_fits(d, &l, LANE_BULK))
        wait =
            MAX_OF(rate_wait_ms(&d->rate, LANE_BULK, now_ms), d->bulk_claim_end_ms + FILL_WAIT_MS - now_ms);
    else if (d->later.first != NULL)
        wait = d->later.first->due_ms - now_ms;
    else
        return -1;
    return MAX_OF(MAX_OF(wait, d->quiet_until_ms - now_ms), (int64_t)0);
}

/* ---- asking ---- */

struct claim_group claim_asked(const struct dispatcher *d)
{
    const struct group_arrays *a = d->arrays;
    return (struct claim_group){.day = d->group_day,
                                .count = d->group_count,
                                .sms_id = a->sms_id,
                                .number = a->number,
                                .valid_until = a->time,
                                .segment = a->segment,
                                .parts = a->parts,
                                .way = a->way,
                                .rule = a->rule,
                                .class = a->class,
                                .gateway_id = d->place.gateway_id,
                                .gateway = d->gateway->name,
                                .owner = slots_epoch(d->slots),
                                .claimed_at = d->claimed_at,
                                .may_insert = place_may_claim(d)};
}

int claim_start(struct dispatcher *d)
{
    struct group_arrays *a = d->arrays;
    for (size_t i = 0; i < d->group_count; i++) {
        const struct message *m = d->group[i];
        const struct text_record *r = m->record;
        a->sms_id[i] = r->sms_id;
        a->segment[i] = m->segment;
        a->parts[i] = m->first->cut.parts;
        a->way[i] = m->first->cut.way;
        a->number[i] = r->number;
        a->time[i] = r->valid_until;
        a->rule[i] = r->rule;
        a->class[i] = r->class;
    }
    struct claim_group g = claim_asked(d);
    claim_params(&g, d->params);
    d->asked_by = d->place.session;
    d->measure.claim_us = clock_mono_us();
    int rc = db_start(d->db, claim_sql(&g), d->params);
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

void leave_window(struct dispatcher *d, struct message *m)
{
    slot_done(d, m);
    d->window.used[m->delivery->lane]--;
    rate_give_back(&d->rate, 1);
}

/* Deliveries: taken while there is a reason to, decoded, acked when every record has its end, given back when
 * not. */
#include "dispatch/dispatcher.h"
#include "lib/clock.h"
#include "lib/fault.h"

#define VALID_UNTIL_MAX INT64_C(100000000000000) /* the year 5138: what is above is no wall clock */

static const char *queue_from(const struct dispatcher *d, enum lane lane, char out[MQ_QUEUE_SIZE])
{
    return mq_queue_dispatch(d->gateway->name, lane_words[lane], out);
}

size_t waiting_count(const struct dispatcher *d)
{
    return d->ready[LANE_INSTANT].count + d->ready[LANE_BULK].count + d->later.count;
}

/* ---- ends ---- */

static void delivery_drop(struct dispatcher *d, struct delivery *x)
{
    *(x->prev != NULL ? &x->prev->next : &d->deliveries) = x->next;
    *(x->next != NULL ? &x->next->prev : &d->last_delivery) = x->prev;
    delivery_free(x);
}

void delivery_part_done(struct dispatcher *d, struct delivery *x, size_t count)
{
    x->open -= count;
    x->touched = true;
    if (x->open > 0)
        return;
    mq_consumer_ack(d->consumers[x->lane], x->epoch, x->tag, false);
    FAULT("dispatch.acked");
    delivery_drop(d, x);
}

void message_done(struct dispatcher *d, struct message *m)
{
    list_remove(m);
    d->messages--;
    delivery_part_done(d, m->delivery, 1);
}

void message_ready(struct dispatcher *d, struct message *m)
{
    struct delivery *x = m->delivery;
    if (x->epoch == d->epochs[x->lane]) {
        list_add(&d->ready[x->lane], m);
        return;
    }
    /* Its channel is gone and the broker gives it again. */
    d->messages--;
    if (--x->open == 0)
        delivery_drop(d, x);
}

/* The channel is gone, the broker gives these again: what has not been begun is forgotten. */
static void forget_waiting(struct dispatcher *d, enum lane lane, uint64_t but_epoch)
{
    for (struct delivery *x = d->deliveries, *next; x != NULL; x = next) {
        next = x->next;
        if (x->lane != lane || x->epoch == but_epoch)
            continue;
        for (size_t i = 0; i < x->count; i++) {
            struct message *m = &x->messages[i];
            if (m->list != &d->ready[lane] && m->list != &d->later)
                continue;
            list_remove(m);
            d->messages--;
            x->open--;
        }
        if (x->open == 0)
            delivery_drop(d, x);
    }
}

/* ---- beginnings ---- */

static const char *text_wrong(const struct text_record *r)
{
    if (r->sms_id <= 0 || r->number <= 0)
        return "sms_id or number is not above 0";
    if (r->segments < 1 || r->segments > 255)
        return "segments is not from 1 to 255";
    if (r->valid_until <= 0 || r->valid_until > VALID_UNTIL_MAX)
        return "valid_until is no moment";
    return NULL;
}

static void add_delivery(struct dispatcher *d, struct delivery *x)
{
    x->prev = d->last_delivery;
    *(d->last_delivery != NULL ? &d->last_delivery->next : &d->deliveries) = x;
    d->last_delivery = x;
}

/* dead letters of single records are confirmed one by one, each a part of the delivery */
static void take_records(struct dispatcher *d, struct delivery *x)
{
    char from[MQ_QUEUE_SIZE];
    const struct chunk *c = x->chunk;
    queue_from(d, x->lane, from);
    x->open = c->count + c->bad_count;
    for (size_t i = 0; i < c->bad_count; i++) {
        auto_buf one = {0}; /* a chunk of one, so that it can be given back to its queue as it is */
        chunk_begin(&one, RECORD_TEXTS);
        chunk_add_raw(&one, c->bad[i].json, strlen(c->bad[i].json));
        chunk_end(&one);
        tell_dead_body(d->tell, one.data, one.len, from, c->bad[i].why, x, 1);
    }
    for (size_t i = 0; i < c->count; i++) {
        struct message *m = &x->messages[i];
        const char *wrong = text_wrong(m->record);
        d->messages++;
        if (wrong != NULL) {
            tell_dead_message(d->tell, m, from, wrong);
            continue;
        }
        message_cut(m, d->driver, d->gateway, NULL);
        message_ready(d, m);
    }
}

static void take_dead(struct dispatcher *d, enum lane lane, const struct mq_delivery *in, const char *why)
{
    char from[MQ_QUEUE_SIZE];
    struct delivery *x = delivery_new(lane, in->epoch, in->tag, NULL, clock_mono_ms());
    x->open = 1;
    add_delivery(d, x);
    log_error("an unreadable chunk goes to sms.dead", L_STR("gateway", d->gateway->name), L_STR("why", why));
    tell_dead_body(d->tell, in->body, in->len, queue_from(d, lane, from), why, x, 1);
}

static void take_newer(struct dispatcher *d)
{
    if (!d->newer)
        log_error("a chunk of a newer version: this program must be upgraded before it goes on",
                  L_STR("gateway", d->gateway->name));
    d->newer = true;
}

static void take_chunk(struct dispatcher *d, enum lane lane, const struct mq_delivery *in)
{
    struct chunk *c = NULL;
    auto_free char *why = NULL;
    int rc = chunk_decode(in->body, in->len, &c, &why);
    if (rc == CHUNK_NEWER) {
        take_newer(d);
        return;
    }
    if (rc != 0 || c->kind != RECORD_TEXTS) {
        take_dead(d, lane, in, rc != 0 ? (why != NULL ? why : "unreadable") : "not a chunk of texts");
        chunk_free(c);
        return;
    }
    struct delivery *x = delivery_new(lane, in->epoch, in->tag, c, clock_mono_ms());
    add_delivery(d, x);
    FAULT("dispatch.chunk_taken");
    take_records(d, x);
    if (x->open == 0) { /* a chunk without records */
        x->open = 1;
        delivery_part_done(d, x, 1);
    }
}

/* Of bulk only a chunk a turn, which takes some milliseconds to read: what came for the instant lane
 * meanwhile does not wait for all of them. */
static void take_lane(struct dispatcher *d, enum lane lane)
{
    struct mq_delivery in;
    while (!d->newer && mq_consumer_next(d->consumers[lane], &in)) {
        take_chunk(d, lane, &in);
        mq_delivery_deinit(&in);
        d->more = lane == LANE_BULK;
        if (d->more)
            return;
    }
}

/* ---- on, rest, off ---- */

/* Why nothing may be taken now; NULL: take. */
static const char *why_not(const struct dispatcher *d, int64_t now_ms)
{
    if (d->ending)
        return "ending";
    if (d->newer)
        return "newer_version";
    if (d->place.generation == 0)
        return "database_away";
    if (d->place.changed)
        return "database_changed";
    if (!d->place.held)
        return "standing_by";
    if (d->place.paused)
        return "paused";
    if (!d->recovery.done_once)
        return "recovering";
    if (d->breaker.state != BREAKER_CLOSED && d->stuck)
        return "breaker_open";
    if (d->quiet_until_ms - now_ms > RETRY_IN_MEMORY_MAX_MS)
        return "throttled";
    return NULL;
}

/* Of a chunk that was begun, the rest goes to the end of our own queue: given back as a whole it would come
 * again with those that are done. */
static void requeue_rest(struct dispatcher *d, struct delivery *x)
{
    char queue[MQ_QUEUE_SIZE];
    queue_from(d, x->lane, queue);
    for (size_t i = 0; i < x->count; i++) {
        struct message *m = &x->messages[i];
        if (m->list != &d->ready[x->lane] && m->list != &d->later)
            continue;
        list_remove(m);
        tell_text(d->tell, queue, m, NULL);
    }
}

void take_rest(struct dispatcher *d, int64_t now_ms)
{
    d->taking = TAKING_REST;
    d->rest_until_ms = now_ms + (d->ending ? d->end_ms - now_ms : DISPATCH_REST_MS);
    if (!mq_publisher_connected(d->publisher))
        return;
    for (struct delivery *x = d->deliveries; x != NULL; x = x->next)
        if (x->touched)
            requeue_rest(d, x);
}

/* Are all deliveries either whole and untouched, or done? */
static bool rested(const struct dispatcher *d)
{
    return d->messages == waiting_count(d) && d->work != WORK_CLAIM;
}

static void take_off(struct dispatcher *d)
{
    for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
        mq_consumer_pause(d->consumers[lane]);
        forget_waiting(d, lane, 0);
        d->epochs[lane] = 0;
    }
    d->taking = TAKING_OFF;
}

static void take_on(struct dispatcher *d)
{
    for (unsigned lane = 0; lane < LANE_COUNT; lane++)
        mq_consumer_resume(d->consumers[lane]);
    d->taking = TAKING_ON;
}

/* An old delivery's rest leaves, so that none waits unacked for a clock longer than a minute. */
static void requeue_old(struct dispatcher *d, int64_t now_ms)
{
    for (struct delivery *x = d->deliveries; x != NULL && now_ms - x->taken_ms > DISPATCH_UNACKED_OLD_MS;
         x = x->next)
        if (mq_publisher_connected(d->publisher))
            requeue_rest(d, x);
}

void take_turn(struct dispatcher *d, int64_t now_ms)
{
    const char *why = why_not(d, now_ms);
    d->state = why != NULL ? why : d->breaker.state != BREAKER_CLOSED ? "breaker_open" : "sending";
    if (d->taking == TAKING_OFF && why == NULL)
        take_on(d);
    else if (d->taking == TAKING_ON && why != NULL)
        take_rest(d, now_ms);
    if (d->taking == TAKING_REST && (rested(d) || now_ms >= d->rest_until_ms))
        take_off(d);
    d->more = false;
    for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
        mq_consumer_pump(d->consumers[lane], 0);
        uint64_t epoch = mq_consumer_epoch(d->consumers[lane]);
        if (epoch != d->epochs[lane] && d->taking != TAKING_OFF) {
            forget_waiting(d, lane, epoch);
            d->epochs[lane] = epoch;
        }
        if (d->taking == TAKING_ON)
            take_lane(d, lane);
    }
    requeue_old(d, now_ms);
}

/* Consuming with manual acks on one channel, which has an epoch: delivery tags mean nothing on another
 * channel, so an ack of a past epoch is left alone and the broker gives the message again.
 *
 *   CLOSED -> (connect) -> IDLE -> (channel, consume) -> OPEN -> (pause, cancel, channel closed) -> CLOSING
 * -> IDLE
 *
 * While CLOSING everything is read away up to the broker's close-ok, so nothing old can be taken for the next
 * epoch. */
#include "lib/mq_connection.h"

#include <sys/queue.h>

#define BODY_MAX_BYTES   (128u << 20) /* RabbitMQ's own limit */
#define CLOSE_TIMEOUT_MS 10000
/* Deliveries that nobody has taken yet: above this a pump reads no more than it must, and what stays in the
 * socket holds the broker back. A prefetch counts messages, not bytes. It must read a little, or it would
 * never get to the heartbeats. */
#define READY_BYTES      (4u << 20)
#define READ_LEAST_BYTES (256u << 10)

enum consumer_state { CLOSED, IDLE, OPEN, CLOSING };

struct ready {
    STAILQ_ENTRY(ready) link;
    struct mq_delivery d;
};

struct mq_consumer {
    struct mq_connection c;
    char *queue;
    uint16_t prefetch;
    enum consumer_state state;
    bool paused;
    uint64_t epoch; /* of the last channel that was opened; counts up */
    unsigned channel_failures;
    int64_t next_open_mono_ms, closing_mono_ms;
    struct log_trouble queue_trouble;
    /* A delivery on its way: method, header, body frames. */
    struct mq_delivery coming;
    bool header_next, body_next;
    size_t got;
    STAILQ_HEAD(, ready) ready;
    size_t ready_count, ready_bytes;
};

void mq_delivery_deinit(struct mq_delivery *d)
{
    free(d->body);
    free(d->message_id);
    free(d->user);
    free(d->dead_from);
    free(d->dead_why);
    free(d->dead_at);
    *d = (struct mq_delivery){0};
}

struct mq_consumer *mq_consumer_new(const struct mq_options *opts, const char *queue, uint16_t prefetch)
{
    struct mq_consumer *c = xcalloc(1, sizeof(*c));

    mq_connection_init(&c->c, opts);
    c->queue = xstrdup(queue);
    c->prefetch = prefetch ? prefetch : 1; /* 0 would mean: without limit */
    STAILQ_INIT(&c->ready);
    return c;
}

/* What came on a channel that is gone will come again on another. */
static void forget_deliveries(struct mq_consumer *c)
{
    struct ready *r;

    while ((r = STAILQ_FIRST(&c->ready))) {
        STAILQ_REMOVE_HEAD(&c->ready, link);
        mq_delivery_deinit(&r->d);
        free(r);
    }
    c->ready_count = c->ready_bytes = 0;
    mq_delivery_deinit(&c->coming);
    c->header_next = c->body_next = false;
}

static void set_state(struct mq_consumer *c, enum consumer_state to)
{
    if (c->state == OPEN && to != OPEN)
        forget_deliveries(c);
    if (to == CLOSING)
        c->closing_mono_ms = clock_mono_ms();
    c->state = to;
}

void mq_consumer_free(struct mq_consumer *c)
{
    if (!c)
        return;
    set_state(c, CLOSED);
    mq_connection_deinit(&c->c);
    free(c->queue);
    free(c);
}

static void lose_connection(struct mq_consumer *c, const char *why)
{
    mq_connection_fail(&c->c, why);
    set_state(c, CLOSED);
}

/* The queue is missing, forbidden, or the broker has taken the consumer away: the connection stays. */
static void lose_channel(struct mq_consumer *c, const char *why, enum consumer_state to)
{
    const struct log_field fields[] = {L_STR("queue", c->queue), L_STR("error", why)};

    set_state(c, to);
    c->channel_failures++;
    c->next_open_mono_ms =
        clock_mono_ms() + clock_backoff_ms(c->channel_failures, MQ_BACKOFF_BASE_MS, MQ_BACKOFF_MAX_MS);
    log_trouble_begins(&c->queue_trouble, "queue cannot be read", fields, COUNT_OF(fields));
}

/* 0, or < 0: the connection is broken, or *ret_channel_code says why the broker closed the channel. */
static int open_channel(struct mq_consumer *c, int *ret_channel_code)
{
    amqp_connection_state_t amqp = c->c.amqp;
    int r;

    *ret_channel_code = 0;
    r = mq_connection_open_channel(&c->c);
    if (r < 0)
        return r;
    amqp_queue_declare(amqp, MQ_CHANNEL, amqp_cstring_bytes(c->queue), 1, 1, 0, 0, amqp_empty_table);
    r = mq_connection_reply(&c->c, amqp_get_rpc_reply(amqp), ret_channel_code);
    if (r < 0)
        return r;
    amqp_basic_qos(amqp, MQ_CHANNEL, 0, c->prefetch, 0);
    r = mq_connection_reply(&c->c, amqp_get_rpc_reply(amqp), ret_channel_code);
    if (r < 0)
        return r;
    amqp_basic_consume(amqp, MQ_CHANNEL, amqp_cstring_bytes(c->queue), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    return mq_connection_reply(&c->c, amqp_get_rpc_reply(amqp), ret_channel_code);
}

static void connect_if_due(struct mq_consumer *c)
{
    int64_t wait_ms;

    if (c->state == CLOSED && c->paused)
        link_unwanted(&c->c.link);
    if (c->state != CLOSED || c->paused || !mq_connection_due(&c->c, clock_mono_ms(), &wait_ms))
        return;
    if (mq_connection_open(&c->c) < 0) {
        mq_connection_fail(&c->c, c->c.why);
        return;
    }
    set_state(c, IDLE);
}

static void open_if_due(struct mq_consumer *c)
{
    int code;

    if (c->state != IDLE || c->paused || c->next_open_mono_ms > clock_mono_ms())
        return;
    if (open_channel(c, &code) == 0) {
        c->epoch++;
        mq_connection_up(&c->c);
        log_trouble_ends(&c->queue_trouble, "queue is read again");
        set_state(c, OPEN);
    } else if (code != 0) {
        mq_connection_up(&c->c);
        lose_channel(c, c->c.why, IDLE);
    } else {
        lose_connection(c, c->c.why);
    }
}

static void delivered(struct mq_consumer *c)
{
    struct ready *r = xmalloc(sizeof(*r));

    *r = (struct ready){.d = c->coming};
    r->d.body[r->d.len] = '\0';
    c->coming = (struct mq_delivery){0};
    c->body_next = false;
    c->channel_failures = 0;
    STAILQ_INSERT_TAIL(&c->ready, r, link);
    c->ready_count++;
    c->ready_bytes += r->d.len;
}

/* Why a dead letter stands there. A foreign publisher may have written anything, or nothing. */
static void take_dead_headers(struct mq_delivery *d, const amqp_basic_properties_t *p)
{
    const struct {
        const char *name;
        char **value;
    } wanted[] = {
        {"x-smschain-from", &d->dead_from}, {"x-smschain-why", &d->dead_why}, {"x-smschain-at", &d->dead_at}};

    if (!(p->_flags & AMQP_BASIC_HEADERS_FLAG))
        return;
    for (int i = 0; i < p->headers.num_entries; i++) {
        const amqp_table_entry_t *e = &p->headers.entries[i];

        for (size_t k = 0; k < COUNT_OF(wanted); k++) {
            if (*wanted[k].value || e->value.kind != AMQP_FIELD_KIND_UTF8 ||
                !mq_bytes_equal(e->key, wanted[k].name))
                continue;
            *wanted[k].value = xstrndup(e->value.value.bytes.bytes, e->value.value.bytes.len);
        }
    }
}

static void take_names(struct mq_delivery *d, const amqp_basic_properties_t *p)
{
    if (p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        d->message_id = xstrndup(p->message_id.bytes, p->message_id.len);
    if (p->_flags & AMQP_BASIC_USER_ID_FLAG)
        d->user = xstrndup(p->user_id.bytes, p->user_id.len);
}

static void take_header(struct mq_consumer *c, const amqp_frame_t *frame)
{
    const uint64_t size = frame->payload.properties.body_size;

    if (size > BODY_MAX_BYTES) {
        lose_connection(c, "a delivery's size is beyond reason");
        return;
    }
    take_names(&c->coming, frame->payload.properties.decoded);
    take_dead_headers(&c->coming, frame->payload.properties.decoded);
    c->header_next = false;
    c->body_next = true;
    c->got = 0;
    c->coming.len = (size_t)size;
    c->coming.body = xmalloc((size_t)size + 1);
    if (size == 0)
        delivered(c);
}

static void take_body(struct mq_consumer *c, const amqp_frame_t *frame)
{
    const amqp_bytes_t part = frame->payload.body_fragment;

    if (part.len > c->coming.len - c->got) {
        lose_connection(c, "a delivery is longer than it said");
        return;
    }
    memcpy(c->coming.body + c->got, part.bytes, part.len);
    c->got += part.len;
    if (c->got == c->coming.len)
        delivered(c);
}

static void take_method(struct mq_consumer *c, const amqp_frame_t *frame)
{
    switch (frame->payload.method.id) {
    case AMQP_BASIC_DELIVER_METHOD: {
        const amqp_basic_deliver_t *m = frame->payload.method.decoded;
        if (c->state != OPEN)
            break;
        mq_delivery_deinit(&c->coming);
        c->coming =
            (struct mq_delivery){.epoch = c->epoch, .tag = m->delivery_tag, .redelivered = m->redelivered};
        c->header_next = true;
        break;
    }
    case AMQP_BASIC_CANCEL_METHOD: {
        amqp_channel_close_t close = {.reply_code = AMQP_REPLY_SUCCESS};
        if (c->state != OPEN)
            break;
        lose_channel(c, "the broker cancelled the consumer (queue deleted, or its leader gone)", CLOSING);
        if (amqp_send_method(c->c.amqp, MQ_CHANNEL, AMQP_CHANNEL_CLOSE_METHOD, &close) != AMQP_STATUS_OK)
            lose_connection(c, "closing the channel failed");
        break;
    }
    case AMQP_CHANNEL_CLOSE_METHOD:
        /* Also while we are closing it: both sides at once. The broker then sends no close-ok of its own. */
        mq_connection_channel_closed(&c->c, frame);
        lose_channel(c, c->c.why, IDLE);
        break;
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
        if (c->state == CLOSING)
            set_state(c, IDLE);
        break;
    default:
        break;
    }
}

static void take_frame(struct mq_consumer *c, const amqp_frame_t *frame)
{
    if (frame->channel == 0) {
        if (mq_connection_control(&c->c, frame) == MQ_CONTROL_CLOSED)
            lose_connection(c, c->c.why);
    } else if (frame->frame_type == AMQP_FRAME_METHOD) {
        take_method(c, frame);
    } else if (frame->frame_type == AMQP_FRAME_HEADER && c->header_next) {
        take_header(c, frame);
    } else if (frame->frame_type == AMQP_FRAME_BODY && c->body_next) {
        take_body(c, frame);
    }
}

static void read_all(struct mq_consumer *c)
{
    const size_t least = c->ready_bytes + READ_LEAST_BYTES;
    amqp_frame_t frame;

    while (c->state != CLOSED && (c->ready_bytes < READY_BYTES || c->ready_bytes < least)) {
        int r = mq_connection_read(&c->c, &frame);

        if (r == MQ_NOTHING)
            break;
        if (r < 0)
            lose_connection(c, c->c.why);
        else
            take_frame(c, &frame);
    }
    if (c->state == CLOSING && clock_mono_ms() - c->closing_mono_ms > CLOSE_TIMEOUT_MS)
        lose_connection(c, "the broker does not close the channel");
}

static int64_t next_due_ms(const struct mq_consumer *c, int64_t now)
{
    int64_t wait_ms = INT64_MAX;

    if (c->state == CLOSING)
        return CLOSE_TIMEOUT_MS;
    if (c->paused || c->state == OPEN)
        return INT64_MAX;
    if (c->state == IDLE)
        return MAX_OF(c->next_open_mono_ms - now, 0);
    (void)mq_connection_due(&c->c, now, &wait_ms);
    return wait_ms;
}

void mq_consumer_pump(struct mq_consumer *c, int timeout_ms)
{
    const int64_t deadline = clock_mono_ms() + timeout_ms;

    for (;;) {
        connect_if_due(c);
        open_if_due(c);
        read_all(c);
        const int64_t now = clock_mono_ms(), left = deadline - now;
        if (c->ready_count > 0 || left <= 0)
            return;
        mq_connection_wait(&c->c, false, MIN_OF(left, next_due_ms(c, now)));
    }
}

bool mq_consumer_next(struct mq_consumer *c, struct mq_delivery *ret)
{
    struct ready *r = STAILQ_FIRST(&c->ready);

    if (!r)
        return false;
    STAILQ_REMOVE_HEAD(&c->ready, link);
    c->ready_count--;
    c->ready_bytes -= r->d.len;
    *ret = r->d;
    free(r);
    return true;
}

void mq_consumer_ack(struct mq_consumer *c, uint64_t epoch, uint64_t tag, bool multiple)
{
    if (c->state != OPEN || epoch != c->epoch || tag == 0)
        return;
    int status = amqp_basic_ack(c->c.amqp, MQ_CHANNEL, tag, multiple);
    if (status != AMQP_STATUS_OK)
        lose_connection(c, amqp_error_string2(status));
}

void mq_consumer_pause(struct mq_consumer *c)
{
    amqp_channel_close_t close = {.reply_code = AMQP_REPLY_SUCCESS};

    c->paused = true;
    if (c->state != OPEN)
        return;
    set_state(c, CLOSING);
    int status = amqp_send_method(c->c.amqp, MQ_CHANNEL, AMQP_CHANNEL_CLOSE_METHOD, &close);
    if (status != AMQP_STATUS_OK)
        lose_connection(c, amqp_error_string2(status));
}

void mq_consumer_resume(struct mq_consumer *c)
{
    c->paused = false;
}

bool mq_consumer_paused(const struct mq_consumer *c)
{
    return c->paused;
}

uint64_t mq_consumer_epoch(const struct mq_consumer *c)
{
    return c->state == OPEN ? c->epoch : 0;
}

bool mq_consumer_connected(const struct mq_consumer *c)
{
    return c->state != CLOSED;
}

int mq_consumer_fd(const struct mq_consumer *c)
{
    return c->c.fd;
}

/* Publishing with a window of unconfirmed messages. A message stays here, with its bytes, until the broker
 * has confirmed it or given it back as unroutable; a nack or a broken connection puts it back among those to
 * be sent.
 *
 *   waiting (to be sent, oldest first) -> sent (on the channel, in the order of their tags) -> outcomes
 *
 * After each new connection the first message goes alone: a broker under an alarm says so
 * (connection.blocked) only when something is published, and what is written behind that lies unread in the
 * socket, where heartbeats would stick behind it for ever. */
#include "lib/mq_connection.h"

#include <stdio.h>
#include <sys/queue.h>

#define DEFAULT_MESSAGES 1000
#define DEFAULT_BYTES    (2u << 20)
#define NO_CONFIRM_MS    30000 /* so long without any confirm is said in the log */
#define ROOM_LOOK_MS     5

struct entry {
    TAILQ_ENTRY(entry) link;
    uint64_t sequence; /* in the order they were taken; also the message id on the wire, by which returns are
                          known */
    uint64_t tag;      /* delivery tag on the channel now open */
    uint64_t cookie;
    int64_t not_before_mono_ms;
    unsigned nacks;
    bool returned, with_user;
    char *queue, *from, *why;
    size_t len;
    char body[];
};
TAILQ_HEAD(entries, entry);

struct mq_publisher {
    struct mq_connection c;
    struct mq_publish_limits limits;
    struct entries waiting, sent;
    size_t count, bytes;
    uint64_t next_sequence, next_tag;
    bool alone; /* the first message of this connection is not confirmed yet */
    bool blocked;
    uint64_t return_left;     /* bytes of a returned body still to come */
    bool return_header;       /* a return's header is next */
    int64_t progress_mono_ms; /* of the last confirm, or of the first message sent after a pause */
    struct log_trouble blocked_trouble, confirm_trouble, refused_trouble, returned_trouble;
    char *returned_queue;        /* that returned_trouble is about */
    struct mq_outcome *outcomes; /* a ring */
    size_t outcome_cap, outcome_first, outcome_count;
};

struct mq_publisher *mq_publisher_new(const struct mq_options *opts, const struct mq_publish_limits *limits)
{
    struct mq_publisher *p = xcalloc(1, sizeof(*p));

    mq_connection_init(&p->c, opts);
    p->limits.messages = limits && limits->messages ? limits->messages : DEFAULT_MESSAGES;
    p->limits.bytes = limits && limits->bytes ? limits->bytes : DEFAULT_BYTES;
    TAILQ_INIT(&p->waiting);
    TAILQ_INIT(&p->sent);
    return p;
}

static void entry_free(struct entry *e)
{
    free(e->queue);
    free(e->from);
    free(e->why);
    free(e);
}

static void entries_free(struct entries *list)
{
    struct entry *e;

    while ((e = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, e, link);
        entry_free(e);
    }
}

void mq_publisher_free(struct mq_publisher *p)
{
    if (!p)
        return;
    mq_connection_deinit(&p->c);
    entries_free(&p->waiting);
    entries_free(&p->sent);
    free(p->outcomes);
    free(p->returned_queue);
    free(p);
}

/* Back among those to be sent, at its place by age. */
static void wait_again(struct mq_publisher *p, struct entry *e)
{
    struct entry *after;

    e->tag = 0;
    e->returned = false;
    TAILQ_FOREACH(after, &p->waiting, link)
    {
        if (after->sequence > e->sequence) {
            TAILQ_INSERT_BEFORE(after, e, link);
            return;
        }
    }
    TAILQ_INSERT_TAIL(&p->waiting, e, link);
}

static void lose_connection(struct mq_publisher *p, const char *why)
{
    struct entry *e;

    mq_connection_fail(&p->c, why);
    /* From the newest: each goes before the one put back last, so finding its place takes one look. */
    while ((e = TAILQ_LAST(&p->sent, entries))) {
        TAILQ_REMOVE(&p->sent, e, link);
        wait_again(p, e);
    }
    p->return_left = 0;
    p->return_header = false;
    if (p->blocked)
        log_trouble_ends(&p->blocked_trouble, "broker's alarm is over, or its connection");
    p->blocked = false;
}

static int set_up(struct mq_publisher *p)
{
    int r = mq_connection_open(&p->c);

    if (r < 0)
        return r;
    r = mq_connection_open_channel(&p->c);
    if (r < 0)
        return r;
    /* Passive: the exchange is made by `smschain migrate`. */
    amqp_exchange_declare(p->c.amqp, MQ_CHANNEL, amqp_cstring_bytes(MQ_EXCHANGE),
                          amqp_cstring_bytes("direct"), 1, 1, 0, 0, amqp_empty_table);
    r = mq_connection_reply(&p->c, amqp_get_rpc_reply(p->c.amqp), NULL);
    if (r < 0)
        return r;
    amqp_confirm_select(p->c.amqp, MQ_CHANNEL);
    return mq_connection_reply(&p->c, amqp_get_rpc_reply(p->c.amqp), NULL);
}

static void connect_if_due(struct mq_publisher *p)
{
    int64_t wait_ms;

    if (p->c.amqp || !mq_connection_due(&p->c, clock_mono_ms(), &wait_ms))
        return;
    if (set_up(p) < 0) {
        mq_connection_fail(&p->c, p->c.why);
        return;
    }
    mq_connection_up(&p->c);
    p->next_tag = 1;
    p->alone = true;
    p->progress_mono_ms = clock_mono_ms();
}

static size_t dead_headers(const struct entry *e, char *at, amqp_table_entry_t out[3])
{
    size_t n = 0;
    const amqp_field_value_t text = {.kind = AMQP_FIELD_KIND_UTF8};

    if (!e->from && !e->why)
        return 0;
    out[n] = (amqp_table_entry_t){amqp_cstring_bytes("x-smschain-from"), text};
    out[n++].value.value.bytes = amqp_cstring_bytes(e->from ? e->from : "");
    out[n] = (amqp_table_entry_t){amqp_cstring_bytes("x-smschain-why"), text};
    out[n++].value.value.bytes = amqp_cstring_bytes(e->why ? e->why : "");
    out[n] = (amqp_table_entry_t){amqp_cstring_bytes("x-smschain-at"), text};
    out[n++].value.value.bytes = amqp_cstring_bytes(clock_iso(clock_wall_ms(), at));
    return n;
}

static int send_entry(struct mq_publisher *p, struct entry *e)
{
    char id[24], at[CLOCK_ISO_SIZE];
    amqp_table_entry_t headers[3];
    amqp_basic_properties_t props = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG,
        .content_type = amqp_cstring_bytes("application/json"),
        .delivery_mode = 2,
    };

    snprintf(id, sizeof(id), "%llu", (unsigned long long)e->sequence);
    props.message_id = amqp_cstring_bytes(id);
    props.headers.num_entries = (int)dead_headers(e, at, headers);
    props.headers.entries = headers;
    if (props.headers.num_entries > 0)
        props._flags |= AMQP_BASIC_HEADERS_FLAG;
    if (e->with_user) {
        props.user_id = amqp_cstring_bytes(p->c.user);
        props._flags |= AMQP_BASIC_USER_ID_FLAG;
    }
    return amqp_basic_publish(p->c.amqp, MQ_CHANNEL, amqp_cstring_bytes(MQ_EXCHANGE),
                              amqp_cstring_bytes(e->queue), 1, 0, &props,
                              (amqp_bytes_t){.len = e->len, .bytes = e->body});
}

/* Sends what is due while the socket takes it. True: something due is left for want of room. */
static bool send_waiting(struct mq_publisher *p)
{
    const int64_t now = clock_mono_ms();
    struct entry *e, *next;

    if (!p->c.amqp || p->blocked)
        return false;
    for (e = TAILQ_FIRST(&p->waiting); e; e = next) {
        next = TAILQ_NEXT(e, link);
        if (e->not_before_mono_ms > now)
            continue;
        if (p->alone && !TAILQ_EMPTY(&p->sent))
            return false;
        if (!mq_connection_writable(&p->c))
            return true;
        if (TAILQ_EMPTY(&p->sent))
            p->progress_mono_ms = now;
        int status = send_entry(p, e);
        if (status != AMQP_STATUS_OK) {
            lose_connection(p, amqp_error_string2(status));
            return false;
        }
        e->tag = p->next_tag++;
        TAILQ_REMOVE(&p->waiting, e, link);
        TAILQ_INSERT_TAIL(&p->sent, e, link);
    }
    return false;
}

static void add_outcome(struct mq_publisher *p, struct mq_outcome o)
{
    if (p->outcome_count == p->outcome_cap) {
        const size_t cap = p->outcome_cap ? p->outcome_cap * 2 : 64;
        struct mq_outcome *grown = xcalloc(cap, sizeof(*grown));

        for (size_t i = 0; i < p->outcome_count; i++)
            grown[i] = p->outcomes[(p->outcome_first + i) % p->outcome_cap];
        free(p->outcomes);
        p->outcomes = grown;
        p->outcome_cap = cap;
        p->outcome_first = 0;
    }
    p->outcomes[(p->outcome_first + p->outcome_count++) % p->outcome_cap] = o;
}

bool mq_publisher_next(struct mq_publisher *p, struct mq_outcome *ret)
{
    if (p->outcome_count == 0)
        return false;
    *ret = p->outcomes[p->outcome_first];
    p->outcome_first = (p->outcome_first + 1) % p->outcome_cap;
    p->outcome_count--;
    return true;
}

/* A queue that is missing is said once, not for each message to it. */
static void say_returned(struct mq_publisher *p, const struct entry *e)
{
    const bool same = p->returned_queue && strcmp(p->returned_queue, e->queue) == 0;
    const struct log_field fields[] = {L_STR("queue", e->queue), L_STR("connection", p->c.name)};

    if (e->returned && !same) {
        free(p->returned_queue);
        p->returned_queue = xstrdup(e->queue);
        p->returned_trouble = (struct log_trouble){0};
    }
    if (e->returned)
        log_trouble_begins(&p->returned_trouble, "messages are returned: no such queue", fields,
                           COUNT_OF(fields));
    else if (same)
        log_trouble_ends(&p->returned_trouble, "the missing queue is there");
}

static void settle(struct mq_publisher *p, struct entry *e, bool ack)
{
    TAILQ_REMOVE(&p->sent, e, link);
    if (!ack) {
        const struct log_field fields[] = {L_STR("queue", e->queue), L_STR("connection", p->c.name)};

        e->nacks++;
        e->not_before_mono_ms =
            clock_mono_ms() + clock_backoff_ms(e->nacks, MQ_BACKOFF_BASE_MS, MQ_BACKOFF_MAX_MS);
        log_trouble_begins(&p->refused_trouble, "broker refuses messages for now (nack)", fields,
                           COUNT_OF(fields));
        wait_again(p, e);
        return;
    }
    if (e->nacks > 0)
        log_trouble_ends(&p->refused_trouble, "broker takes refused messages now");
    say_returned(p, e);
    add_outcome(p, (struct mq_outcome){.cookie = e->cookie, .confirmed = !e->returned});
    p->count--;
    p->bytes -= e->len;
    entry_free(e);
}

/* An ack or nack of one tag, or of it and all before it. */
static void confirm(struct mq_publisher *p, uint64_t tag, bool multiple, bool ack)
{
    struct entry *e, *next;

    p->alone = false;
    p->progress_mono_ms = clock_mono_ms();
    log_trouble_ends(&p->confirm_trouble, "broker confirms again");
    for (e = TAILQ_FIRST(&p->sent); e && (tag == 0 || e->tag <= tag); e = next) {
        next = TAILQ_NEXT(e, link);
        if (multiple || e->tag == tag)
            settle(p, e, ack);
    }
}

/* A returned message comes as method, header (with our message id), body; its ack follows and settles it. */
static void returned(struct mq_publisher *p, const amqp_frame_t *frame)
{
    const amqp_basic_properties_t *props = frame->payload.properties.decoded;
    struct entry *e;
    char id[24];

    p->return_header = false;
    p->return_left = frame->payload.properties.body_size;
    if (!(props->_flags & AMQP_BASIC_MESSAGE_ID_FLAG))
        return;
    TAILQ_FOREACH(e, &p->sent, link)
    {
        snprintf(id, sizeof(id), "%llu", (unsigned long long)e->sequence);
        if (mq_bytes_equal(props->message_id, id)) {
            e->returned = true;
            return;
        }
    }
}

static void take_method(struct mq_publisher *p, const amqp_frame_t *frame)
{
    switch (frame->payload.method.id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *m = frame->payload.method.decoded;
        confirm(p, m->delivery_tag, m->multiple, true);
        break;
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *m = frame->payload.method.decoded;
        confirm(p, m->delivery_tag, m->multiple, false);
        break;
    }
    case AMQP_BASIC_RETURN_METHOD:
        p->return_header = true;
        break;
    case AMQP_CHANNEL_CLOSE_METHOD:
        mq_connection_channel_closed(&p->c, frame);
        lose_connection(p, p->c.why);
        break;
    default:
        break;
    }
}

static void take_control(struct mq_publisher *p, const amqp_frame_t *frame)
{
    switch (mq_connection_control(&p->c, frame)) {
    case MQ_CONTROL_BLOCKED: {
        const struct log_field fields[] = {L_STR("connection", p->c.name), L_STR("reason", p->c.why)};
        log_trouble_begins(&p->blocked_trouble, "broker takes no messages (alarm)", fields, COUNT_OF(fields));
        p->blocked = true;
        mq_connection_stall_allowed(&p->c, true);
        break;
    }
    case MQ_CONTROL_UNBLOCKED:
        log_trouble_ends(&p->blocked_trouble, "broker's alarm is over");
        p->blocked = false;
        p->progress_mono_ms = clock_mono_ms();
        mq_connection_stall_allowed(&p->c, false);
        break;
    case MQ_CONTROL_CLOSED:
        lose_connection(p, p->c.why);
        break;
    case MQ_CONTROL_NONE:
        break;
    }
}

static void take_frame(struct mq_publisher *p, const amqp_frame_t *frame)
{
    if (frame->channel == 0)
        take_control(p, frame);
    else if (frame->frame_type == AMQP_FRAME_METHOD)
        take_method(p, frame);
    else if (frame->frame_type == AMQP_FRAME_HEADER && p->return_header)
        returned(p, frame);
    else if (frame->frame_type == AMQP_FRAME_BODY)
        p->return_left -= MIN_OF(p->return_left, frame->payload.body_fragment.len);
}

static void read_all(struct mq_publisher *p)
{
    amqp_frame_t frame;

    while (p->c.amqp) {
        int r = mq_connection_read(&p->c, &frame);

        if (r == MQ_NOTHING)
            return;
        if (r < 0)
            lose_connection(p, p->c.why);
        else
            take_frame(p, &frame);
    }
}

/* When the next thing is due that no byte from the broker announces. */
static int64_t next_due_ms(const struct mq_publisher *p, int64_t now)
{
    int64_t due_ms = INT64_MAX, wait_ms;
    const struct entry *e;

    if (!p->c.amqp) {
        (void)mq_connection_due(&p->c, now, &wait_ms);
        return wait_ms;
    }
    if (p->alone && !TAILQ_EMPTY(&p->sent))
        return due_ms;
    TAILQ_FOREACH(e, &p->waiting, link)
    due_ms = MIN_OF(due_ms, MAX_OF(e->not_before_mono_ms - now, 0));
    return p->blocked ? INT64_MAX : due_ms;
}

static void watch(struct mq_publisher *p)
{
    if (TAILQ_EMPTY(&p->sent) || p->blocked || !p->c.amqp ||
        clock_mono_ms() - p->progress_mono_ms < NO_CONFIRM_MS)
        return;
    const struct log_field fields[] = {L_STR("connection", p->c.name),
                                       L_STR("queue", TAILQ_FIRST(&p->sent)->queue)};
    log_trouble_begins(&p->confirm_trouble, "broker confirms nothing", fields, COUNT_OF(fields));
}

void mq_publisher_pump(struct mq_publisher *p, int timeout_ms)
{
    const int64_t deadline = clock_mono_ms() + timeout_ms;
    const size_t unconfirmed = p->count;

    for (;;) {
        connect_if_due(p);
        bool want_room = send_waiting(p);
        read_all(p);
        /* A confirm may have ended `alone`, and an unblocking lets all go on. */
        if (p->c.amqp && !want_room)
            want_room = send_waiting(p);
        watch(p);
        const int64_t now = clock_mono_ms(), left = deadline - now;
        if (p->count < unconfirmed || left <= 0)
            return;
        const int64_t due = want_room ? ROOM_LOOK_MS : next_due_ms(p, now);
        mq_connection_wait(&p->c, want_room, MIN_OF(left, due));
    }
}

int mq_publish(struct mq_publisher *p, const struct mq_message *m)
{
    if (p->count >= p->limits.messages || (p->count > 0 && p->bytes + m->len > p->limits.bytes))
        return MQ_FULL;
    struct entry *e = xmalloc(sizeof(*e) + m->len + 1);
    *e = (struct entry){
        .sequence = ++p->next_sequence,
        .cookie = m->cookie,
        .with_user = m->with_user,
        .queue = xstrdup(m->queue),
        .from = xstrdup(m->dead_from),
        .why = xstrdup(m->dead_why),
        .len = m->len,
    };
    memcpy(e->body, m->body, m->len);
    e->body[m->len] = '\0';
    p->count++;
    p->bytes += e->len;
    TAILQ_INSERT_TAIL(&p->waiting, e, link);
    (void)send_waiting(p); /* what does not go now goes in the pump */
    return 0;
}

size_t mq_publisher_unconfirmed(const struct mq_publisher *p)
{
    return p->count;
}

bool mq_publisher_connected(const struct mq_publisher *p)
{
    return p->c.amqp != NULL;
}

bool mq_publisher_blocked(const struct mq_publisher *p)
{
    return p->blocked;
}

int mq_publisher_fd(const struct mq_publisher *p)
{
    return p->c.fd;
}

int mq_publisher_flush(struct mq_publisher *p, int timeout_ms)
{
    const int64_t deadline = clock_mono_ms() + timeout_ms;

    while (p->count > 0) {
        const int64_t left = deadline - clock_mono_ms();

        if (left <= 0)
            return -ETIMEDOUT;
        mq_publisher_pump(p, (int)left);
    }
    return 0;
}

/* One thread: a consumer and a publisher a lane, so that an instant chunk waits neither for room in a window
 * full of bulk nor behind its bytes. A chunk in hand keeps its outputs until the broker has confirmed each.
 */
#include "render/relay.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/health.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/stop.h"
#include "render/chunk.h"
#include <poll.h>

#define RETURNED_BASE_MS 500 /* a queue that does not exist is tried again after 0.5 to 30 s */
#define RETURNED_MAX_MS  30000
#define SAY_EVERY_MS     60000
#define COOKIE_BITS      24 /* of the output's place; the rest is the chunk's serial */

enum { LANE_INSTANT, LANE_BULK, LANES };

static const struct metric chunks_metric = {
    "smschain_render_chunks_total", "Chunks of rows taken.", METRIC_COUNTER, {"lane"}, 0};
static const struct metric records_metric = {
    "smschain_render_records_total", "Rows, by what became of them.", METRIC_COUNTER, {"outcome"}, 0};
static const struct metric in_hand_metric = {
    "smschain_render_chunks_in_hand", "Chunks taken and not acked yet.", METRIC_GAUGE, {"lane"}, 0};
static const struct metric seconds_metric = {
    "smschain_render_chunk_seconds", "How long making a chunk's texts takes.", METRIC_SECONDS, {"lane"}, 0};
static const struct metric in_hand_seconds_metric = {
    "smschain_render_chunk_in_hand_seconds", "From taking a chunk to its ack.", METRIC_SECONDS, {"lane"}, 0};
static const struct metric last_metric = {"smschain_render_last_chunk_timestamp_seconds",
                                          "When a chunk was acked last.",
                                          METRIC_GAUGE,
                                          {NULL},
                                          1000};

struct lane {
    struct series *chunks, *in_hand_now, *seconds, *in_hand_seconds;
    struct health *health; /* the check `version` */
    struct mq_consumer *consumer;
    struct mq_publisher *publisher;
    char queue[MQ_QUEUE_SIZE];
    bool newer;     /* a body of a newer version stands in this queue: nothing more is taken */
    size_t in_hand; /* chunks of it */
};

enum output_state { TO_SEND, SENT, CONFIRMED, RETURNED, SENT_AGAIN };
struct in_hand { /* a chunk that was taken and is not acked */
    struct in_hand *next;
    struct lane *lane;
    uint64_t serial, epoch, tag;
    int64_t taken_us;
    struct outputs outputs;
    uint8_t *states; /* enum output_state, one an output */
    size_t to_send, unconfirmed;
    int64_t retry_at; /* nothing of it is sent before; monotonic */
    unsigned retries;
};

struct relay {
    struct lane lanes[LANES];
    struct in_hand *first, *last;
    uint64_t serial;
    struct log_trouble returned;
    int64_t say_at;
    size_t chunks, texts, errors, bad; /* since the last line in the log */
    struct series *all_texts, *all_errors, *all_bad, *last_chunk;
};

static void measure_begin(struct relay *r, const char *const words[LANES])
{
    r->all_texts = series_new(&records_metric, "text", NULL);
    r->all_errors = series_new(&records_metric, "error", NULL);
    r->all_bad = series_new(&records_metric, "dead", NULL);
    r->last_chunk = series_new(&last_metric, NULL, NULL);
    for (int i = 0; i < LANES; i++) {
        struct lane *lane = &r->lanes[i];
        lane->chunks = series_new(&chunks_metric, words[i], NULL);
        lane->in_hand_now = series_new(&in_hand_metric, words[i], NULL);
        series_set(lane->in_hand_now, 0);
        lane->seconds = series_new(&seconds_metric, words[i], NULL);
        lane->in_hand_seconds = series_new(&in_hand_seconds_metric, words[i], NULL);
        lane->health = health_new(lane->queue, NULL);
        health_good(lane->health, "");
    }
}

static void measure_end(struct relay *r)
{
    series_free(r->all_texts);
    series_free(r->all_errors);
    series_free(r->all_bad);
    series_free(r->last_chunk);
    for (int i = 0; i < LANES; i++) {
        series_free(r->lanes[i].chunks);
        series_free(r->lanes[i].in_hand_now);
        series_free(r->lanes[i].seconds);
        series_free(r->lanes[i].in_hand_seconds);
        health_free(r->lanes[i].health);
    }
}

static void open_lane(struct lane *lane, const char *word, const struct conf *conf)
{
    auto_free char *name = xasprintf("render %s", word);
    const struct mq_options opts = {.host = conf->main.broker.host,
                                    .vhost = conf->main.broker.vhost,
                                    .user = conf->main.render.service.broker_user,
                                    .password = conf->main.render.service.broker_password,
                                    .port = (int)conf->main.broker.port,
                                    .name = name,
                                    .heartbeat_s = (int)MAX_OF(conf->main.broker.heartbeat_ms / 1000, 1),
                                    .tls = conf->main.broker.tls,
                                    .ca_file = *conf->main.broker.ca_file ? conf->main.broker.ca_file : NULL};

    mq_queue_render(word, lane->queue);
    lane->publisher = mq_publisher_new(&opts, NULL);
    lane->consumer = mq_consumer_new(&opts, lane->queue, (uint16_t)conf->main.render.prefetch);
}

struct relay *relay_new(const struct conf *conf)
{
    static const char *const words[LANES] = {[LANE_INSTANT] = "instant", [LANE_BULK] = "bulk"};
    struct relay *r = xcalloc(1, sizeof(*r));

    for (int i = 0; i < LANES; i++)
        open_lane(&r->lanes[i], words[i], conf);
    r->say_at = clock_mono_ms() + SAY_EVERY_MS;
    measure_begin(r, words);
    return r;
}

/* ---- chunks in hand ---- */

static void drop(struct relay *r, struct in_hand **link)
{
    struct in_hand *h = *link;

    *link = h->next;
    if (r->last == h) {
        r->last = r->first;
        while (r->last && r->last->next)
            r->last = r->last->next;
    }
    h->lane->in_hand--;
    series_add(h->lane->in_hand_now, -1);
    outputs_deinit(&h->outputs);
    free(h->states);
    free(h);
}

void relay_free(struct relay *r)
{
    if (!r)
        return;
    while (r->first)
        drop(r, &r->first);
    for (int i = 0; i < LANES; i++) {
        mq_consumer_free(r->lanes[i].consumer);
        mq_publisher_free(r->lanes[i].publisher);
    }
    measure_end(r);
    free(r);
}

bool relay_idle(const struct relay *r)
{
    return !r->first;
}

static struct in_hand *add_in_hand(struct relay *r, struct lane *lane, const struct mq_delivery *d,
                                   struct outputs *outputs)
{
    struct in_hand *h = xcalloc(1, sizeof(*h));

    *h = (struct in_hand){
        .lane = lane, .serial = ++r->serial, .epoch = d->epoch, .tag = d->tag, .outputs = *outputs};
    *outputs = (struct outputs){0};
    h->states = xcalloc(h->outputs.count + 1, sizeof(*h->states));
    h->to_send = h->unconfirmed = h->outputs.count;
    if (r->last)
        r->last->next = h;
    else
        r->first = h;
    r->last = h;
    lane->in_hand++;
    series_add(lane->in_hand_now, 1);
    return h;
}

/* Acks what is confirmed whole. A chunk whose channel is gone is the broker's again: it is given out anew, so
 * what is left of it here is of no use. */
static bool ack_done(struct relay *r)
{
    bool moved = false;

    for (struct in_hand **link = &r->first, *h; (h = *link);) {
        if (h->epoch != mq_consumer_epoch(h->lane->consumer)) {
            drop(r, link);
            moved = true;
        } else if (h->unconfirmed == 0) {
            FAULT("render.confirmed");
            mq_consumer_ack(h->lane->consumer, h->epoch, h->tag, false);
            FAULT("render.acked");
            series_observe_us(h->lane->in_hand_seconds, clock_mono_us() - h->taken_us);
            series_set(r->last_chunk, clock_wall_ms());
            drop(r, link);
            moved = true;
        } else {
            link = &h->next;
        }
    }
    return moved;
}

/* ---- publishing ---- */

static bool send_one(struct in_hand *h, size_t i)
{
    const struct output *o = &h->outputs.items[i];
    const struct mq_message m = {.queue = o->queue,
                                 .body = o->body,
                                 .len = o->len,
                                 .cookie = h->serial << COOKIE_BITS | i,
                                 .dead_from = o->kind == OUTPUT_DEAD ? h->lane->queue : NULL,
                                 .dead_why = o->dead_why};

    if (mq_publish(h->lane->publisher, &m) != 0)
        return false;
    h->states[i] = h->states[i] == RETURNED ? SENT_AGAIN : SENT;
    h->to_send--;
    if (o->kind == OUTPUT_TEXTS)
        FAULT("render.published_texts");
    else if (o->kind == OUTPUT_STEPS)
        FAULT("render.published_errors");
    return true;
}

/* In the order taken. True: something went. */
static bool send_lane(struct relay *r, const struct lane *lane, int64_t now)
{
    bool moved = false;

    for (struct in_hand *h = r->first; h; h = h->next) {
        if (h->lane != lane || h->to_send == 0 || h->retry_at > now)
            continue;
        for (size_t i = 0; i < h->outputs.count; i++) {
            if (h->states[i] != TO_SEND && h->states[i] != RETURNED)
                continue;
            if (!send_one(h, i))
                return moved;
            moved = true;
        }
    }
    return moved;
}

static bool something_waits(const struct relay *r, const struct lane *lane, int64_t now)
{
    for (const struct in_hand *h = r->first; h; h = h->next)
        if (h->lane == lane && h->to_send > 0 && h->retry_at <= now)
            return true;
    return false;
}

static void settle(struct relay *r, const struct mq_outcome *outcome, int64_t now)
{
    struct in_hand *h = r->first;
    size_t i = outcome->cookie & ((UINT64_C(1) << COOKIE_BITS) - 1);

    while (h && h->serial != outcome->cookie >> COOKIE_BITS)
        h = h->next;
    if (!h)
        return; /* dropped with its channel */
    if (outcome->confirmed) {
        if (h->states[i] == SENT_AGAIN)
            log_trouble_ends(&r->returned, "the queue exists now");
        h->states[i] = CONFIRMED;
        h->unconfirmed--;
        return;
    }
    const struct log_field fields[] = {L_STR("queue", h->outputs.items[i].queue)};
    log_trouble_begins(&r->returned, "a queue does not exist, its chunks wait: run smschain migrate", fields,
                       COUNT_OF(fields));
    h->states[i] = RETURNED;
    h->to_send++;
    if (h->retry_at <= now)
        h->retry_at = now + clock_backoff_ms(++h->retries, RETURNED_BASE_MS, RETURNED_MAX_MS);
}

/* ---- taking ---- */

/* The newer body and all that was taken after it go back to the queue when the older ones are acked. */
static void see_newer(struct lane *lane)
{
    if (!lane->newer)
        log_error("a newer version of the records stands in this queue: upgrade and restart this service",
                  L_STR("queue", lane->queue));
    lane->newer = true;
    health_bad(lane->health, "a newer version of the records stands in it: upgrade and restart render");
}

static void took(struct relay *r, struct lane *lane, const struct outputs *o, int64_t taken_us)
{
    r->chunks++;
    r->texts += o->texts;
    r->errors += o->errors;
    r->bad += o->bad;
    series_observe_us(lane->seconds, clock_mono_us() - taken_us);
    series_add(lane->chunks, 1);
    series_add(r->all_texts, (int64_t)o->texts);
    series_add(r->all_errors, (int64_t)o->errors);
    series_add(r->all_bad, (int64_t)o->bad);
}

static void take(struct relay *r, struct lane *lane, struct mq_delivery *d, const struct plan *plan)
{
    struct outputs outputs;
    int64_t taken_us = clock_mono_us();

    FAULT("render.chunk_taken");
    int code = render_body(plan, d->body, d->len, clock_wall_ms(), &outputs);
    if (code == RENDER_NEWER) {
        see_newer(lane);
    } else if (code == 0) {
        took(r, lane, &outputs, taken_us);
        if (outputs.bad > 0)
            log_warn("what cannot be read goes to " MQ_QUEUE_DEAD, L_STR("queue", lane->queue),
                     L_INT("records", outputs.bad));
        add_in_hand(r, lane, d, &outputs)->taken_us = taken_us;
    } else {
        log_error("a chunk could not be rendered, it stays in its queue", L_STR("queue", lane->queue),
                  L_ERRNO(code));
        lane->newer = true;
        health_bad(lane->health, "a chunk could not be rendered: %s", strerror(-code));
    }
    mq_delivery_deinit(d);
}

/* One chunk of one lane, instant ones first. A lane is rendered only one chunk ahead of its window: the next
 * one waits until the last one's outputs have gone. */
static bool take_next(struct relay *r, const struct plan *plan, int64_t now)
{
    struct mq_delivery d;

    for (int i = 0; i < LANES; i++) {
        struct lane *lane = &r->lanes[i];
        if (lane->newer || something_waits(r, lane, now) || !mq_consumer_next(lane->consumer, &d))
            continue;
        take(r, lane, &d, plan);
        return true;
    }
    return false;
}

static void pause_newer(struct lane *lane)
{
    if (lane->newer && lane->in_hand == 0 && !mq_consumer_paused(lane->consumer))
        mq_consumer_pause(lane->consumer);
}

/* ---- the turn ---- */

static void say(struct relay *r, int64_t now)
{
    if (now < r->say_at)
        return;
    r->say_at = now + SAY_EVERY_MS;
    if (r->chunks > 0)
        log_info("rendered", L_INT("chunks", r->chunks), L_INT("texts", r->texts), L_INT("errors", r->errors),
                 L_INT("dead", r->bad));
    r->chunks = r->texts = r->errors = r->bad = 0;
}

static bool settle_all(struct relay *r, int64_t now)
{
    struct mq_outcome outcome;
    bool moved = false;

    for (int i = 0; i < LANES; i++) {
        mq_publisher_pump(r->lanes[i].publisher, 0);
        while (mq_publisher_next(r->lanes[i].publisher, &outcome)) {
            settle(r, &outcome, now);
            moved = true;
        }
    }
    return moved;
}

bool relay_turn(struct relay *r, const struct plan *plan, bool draining)
{
    int64_t now = clock_mono_ms();
    bool moved;

    for (int i = 0; i < LANES; i++)
        mq_consumer_pump(r->lanes[i].consumer, 0);
    moved = settle_all(r, now);
    moved |= ack_done(r);
    for (int i = 0; i < LANES; i++) {
        pause_newer(&r->lanes[i]);
        moved |= send_lane(r, &r->lanes[i], now);
    }
    if (!draining)
        moved |= take_next(r, plan, now);
    say(r, now);
    return moved;
}

void relay_wait(struct relay *r, int timeout_ms)
{
    struct pollfd fds[1 + 2 * LANES] = {{.fd = stop_fd(), .events = POLLIN}};
    bool connected = true;

    for (int i = 0; i < LANES; i++) {
        const struct lane *lane = &r->lanes[i];
        int in = mq_consumer_fd(lane->consumer), out = mq_publisher_fd(lane->publisher);
        fds[1 + i] = (struct pollfd){.fd = in, .events = POLLIN};
        fds[1 + LANES + i] = (struct pollfd){.fd = out, .events = POLLIN};
        connected = connected && out >= 0 && (in >= 0 || lane->newer);
        if (mq_publisher_unconfirmed(lane->publisher) > 0)
            timeout_ms = MIN_OF(timeout_ms, 50); /* room in the socket is not seen by this poll */
    }
    if (!connected)
        timeout_ms = MIN_OF(timeout_ms, 100); /* connections come up in the pumps */
    for (const struct in_hand *h = r->first; h; h = h->next) {
        int64_t left = h->to_send > 0 ? h->retry_at - clock_mono_ms() : timeout_ms;
        timeout_ms = (int)MIN_OF((int64_t)timeout_ms, MAX_OF(left, INT64_C(10)));
    }
    (void)!poll(fds, COUNT_OF(fds), timeout_ms);
}

/* The consumer's thread. It serves the broker at all times, also while a flush is under way or the database
 * is away. */
#include "callback/consumer.h"
#include "callback/batch.h"
#include "callback/flush.h"
#include "callback/options.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/health.h"
#include "lib/log.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define TICK_MS 100
#define SERVE_MS                                                                                             \
    2000 /* a connection whose deliveries are not wanted now is pumped so often, for its heartbeats */
#define STOP_MS 10000
#define DEAD_MS 5000

struct consumer {
    pthread_t thread;
    struct gateways_now *gateways;
    struct gateways *start; /* the configuration it was started with: connections keep to it */
    struct words *words;
    struct mq_options mq_options;
    char *mq_name, *db_name;
    char queue[MQ_QUEUE_SIZE];
    int shard;
    struct mq_consumer *mq;
    struct flush *flush;
    struct batch *batch, *spare; /* the one being gathered; NULL: the other one is with the flush */
    struct gather_limits limits;
    int64_t keep_days, stop_by_ms, served_ms;
    bool again;                             /* this turn made room: look for deliveries at once */
    struct loop *loop;
    bool away;                              /* the channel is closed until the database is back */
    atomic_bool stopping, connected, newer; /* newer: a chunk of a version above ours stands in the queue */
    atomic_int_fast64_t waiting_steps, oldest_ms, oldest_at;
};

/* ---- gathering ---- */

static void begin_batch(struct consumer *c)
{
    batch_begin(c->batch, gateways_now_get(c->gateways));
    const struct conf_main *m = &gateways_conf(c->batch->gateways)->main;
    c->keep_days = m->database.claims_keep_days;
    c->limits = (struct gather_limits){.interval_ms = m->callback.flush_interval_ms,
                                       .records = (size_t)m->callback.flush_records,
                                       .bytes = (size_t)m->callback.flush_bytes,
                                       .prefetch = CONSUMER_PREFETCH};
}

/* Everything unacked goes back to the queue; what was gathered of it is forgotten. */
static void give_back(struct consumer *c)
{
    mq_consumer_pause(c->mq);
    begin_batch(c);
}

static void take_one(struct consumer *c, const struct mq_delivery *d)
{
    if (batch_add(c->batch, c->words, d, c->keep_days) != BATCH_NEWER)
        return;
    log_error("a chunk of a newer version waits: this consumer must be upgraded first; its channel is closed",
              L_STR("queue", c->queue));
    c->newer = true;
    give_back(c);
}

static void take_deliveries(struct consumer *c)
{
    struct mq_delivery d;
    while (!c->newer && !gather_full(&c->batch->gather, &c->limits) && mq_consumer_next(c->mq, &d)) {
        take_one(c, &d);
        mq_delivery_deinit(&d);
    }
}

/* ---- settling ---- */

static int publish_dead(struct consumer *c, const struct batch *b)
{
    struct mq_publisher *p = mq_publisher_new(&c->mq_options, NULL);
    struct mq_outcome outcome;
    int64_t deadline_ms = clock_mono_ms() + DEAD_MS;
    bool returned = false;
    int r = 0;
    for (size_t i = 0; i < b->dead_count && r == 0; i++) {
        struct mq_message m = {.queue = MQ_QUEUE_DEAD,
                               .body = b->dead[i].body,
                               .len = strlen(b->dead[i].body),
                               .dead_from = c->queue,
                               .dead_why = b->dead[i].why};
        while (mq_publish(p, &m) == MQ_FULL && r == 0) {
            mq_publisher_pump(p, TICK_MS);
            r = clock_mono_ms() > deadline_ms ? -ETIMEDOUT : 0;
        }
    }
    if (r == 0)
        r = mq_publisher_flush(p, DEAD_MS);
    while (mq_publisher_next(p, &outcome))
        returned |= !outcome.confirmed;
    mq_publisher_free(p);
    return r == 0 && returned ? -ENOENT : r;
}

static void settle(struct consumer *c, struct batch *b, enum flush_end end)
{
    if (end == FLUSH_COMMITTED && b->dead_count > 0) {
        int r = publish_dead(c, b);
        if (r != 0) {
            log_error("sms.dead does not take what cannot be applied: all of it is taken again later",
                      L_ERRNO(r));
            end = FLUSH_GIVEN_UP;
        }
    }
    if (end == FLUSH_COMMITTED) {
        mq_consumer_ack(c->mq, b->epoch, b->tag, true);
        FAULT("consumer.acked");
    } else {
        give_back(c);
        if (!c->newer && flush_trouble_ms(c->flush) == 0)
            mq_consumer_resume(c->mq);
        else
            c->away = true;
    }
    c->spare = b;
}

static int64_t outage_max_ms(void)
{
#ifdef SMSCHAIN_FAULTS /* a test cannot wait ten minutes */
    const char *ms = getenv("SMSCHAIN_TEST_DATABASE_OUTAGE_MS");
    if (ms)
        return strtoll(ms, NULL, 10);
#endif
    return CONSUMER_DB_OUTAGE_MS;
}

/* Both ways of the channel over a long outage of the database. */
static void watch_database(struct consumer *c)
{
    int64_t trouble_ms = flush_trouble_ms(c->flush);
    if (!c->away && trouble_ms > outage_max_ms()) {
        log_warn("database is away for long: the broker gets its messages back", L_STR("queue", c->queue),
                 L_INT("seconds", trouble_ms / 1000));
        c->away = true;
        give_back(c);
        flush_give_up(c->flush);
    } else if (c->away && trouble_ms == 0 && !c->newer) {
        log_info("database is back: the queue is read again", L_STR("queue", c->queue));
        c->away = false;
        mq_consumer_resume(c->mq);
    }
}

static void start_flush(struct consumer *c)
{
    struct batch *b = c->batch;
    c->batch = c->spare;
    c->spare = NULL;
    begin_batch(c);
    FAULT("consumer.gathered");
    flush_start(c->flush, b);
    c->again = true;
}

/* ---- the loop ---- */

static void note(struct consumer *c)
{
    const struct batch *b = c->batch;
    c->connected = mq_consumer_connected(c->mq);
    c->waiting_steps = (int64_t)b->gather.records;
    c->oldest_ms = b->gather.deliveries > 0 ? b->gather.oldest_ms : 0;
    c->oldest_at = b->oldest_at;
}

/* Deliveries are read only where there is room for them: what stays in the socket holds the broker back. */
static void serve_broker(struct consumer *c)
{
    int64_t now_ms = clock_mono_ms();
    if (gather_full(&c->batch->gather, &c->limits) && now_ms - c->served_ms < SERVE_MS)
        return;
    c->served_ms = now_ms;
    mq_consumer_pump(c->mq, 0);
    take_deliveries(c);
}

static void wait_for_something(struct consumer *c)
{
    if (c->again) {
        c->again = false;
        return;
    }
    bool idle = flush_idle(c->flush), full = gather_full(&c->batch->gather, &c->limits);
    int64_t wait_ms = idle ? gather_wait_ms(&c->batch->gather, &c->limits, clock_mono_ms()) : TICK_MS;
    struct pollfd fds[2] = {{.fd = flush_fd(c->flush), .events = POLLIN},
                            {.fd = full ? -1 : mq_consumer_fd(c->mq), .events = POLLIN}};
    (void)poll(fds, COUNT_OF(fds), (int)MIN_OF(wait_ms, TICK_MS));
}

/* One turn. False: everything is settled and it may end. */
static bool turn(struct consumer *c)
{
    enum flush_end end;
    bool stopping = c->stopping;
    loop_turned(c->loop);
    if (!stopping)
        serve_broker(c);
    else
        mq_consumer_pump(c->mq, 0);
    struct batch *done = flush_take(c->flush, &end);
    if (done)
        settle(c, done, end);
    watch_database(c);
    int64_t due_ms = gather_wait_ms(&c->batch->gather, &c->limits, clock_mono_ms());
    bool idle = flush_idle(c->flush);
    if (idle && (due_ms == 0 || (stopping && due_ms != GATHER_NEVER)))
        start_flush(c);
    note(c);
    if (!stopping)
        return true;
    if (c->stop_by_ms == 0)
        c->stop_by_ms = clock_mono_ms() + STOP_MS;
    if ((idle && due_ms == GATHER_NEVER) || clock_mono_ms() > c->stop_by_ms)
        return false;
    return true;
}

static void *consumer_thread(void *arg)
{
    struct consumer *c = arg;
    begin_batch(c);
    while (turn(c))
        wait_for_something(c);
    return NULL;
}

/* ---- from outside ---- */

struct consumer *consumer_start(struct gateways_now *gateways, int shard)
{
    struct consumer *c = xcalloc(1, sizeof(*c));
    c->start = gateways_now_get(gateways);
    const struct conf_main *m = &gateways_conf(c->start)->main;
    c->gateways = gateways;
    c->words = words_new();
    c->batch = batch_new((size_t)m->callback.flush_records);
    c->spare = batch_new((size_t)m->callback.flush_records);
    c->shard = shard;
    c->mq_name = xasprintf("callback consumer %d", shard);
    c->db_name = xasprintf("smschain callback %d", shard);
    mq_queue_update((unsigned)shard, c->queue);
    c->mq_options = callback_mq_options(m, c->mq_name);
    c->mq = mq_consumer_new(&c->mq_options, c->queue, CONSUMER_PREFETCH);
    c->flush = flush_new(&(struct flush_options){.db = callback_db_options(m, c->db_name),
                                                 .words = c->words,
                                                 .gateways = gateways,
                                                 .shard = shard,
                                                 .shards = (int)m->broker.update_shards});
    auto_free char *loop = xasprintf("consumer %d", shard);
    c->loop = loop_new(loop, HEALTH_LATE_MS);
    int r = pthread_create(&c->thread, NULL, consumer_thread, c);
    if (r != 0) {
        log_error("consumer thread cannot be started", L_ERRNO(-r));
        abort();
    }
    return c;
}

void consumer_stop(struct consumer *c)
{
    c->stopping = true;
}

void consumer_join(struct consumer *c)
{
    pthread_join(c->thread, NULL);
    loop_free(c->loop);
    flush_free(c->flush);
    mq_consumer_free(c->mq);
    batch_free(c->batch);
    batch_free(c->spare);
    words_free(c->words);
    gateways_unref(c->start);
    free(c->mq_name);
    free(c->db_name);
    free(c);
}

bool consumer_ready(struct consumer *c, const char **ret_why)
{
    *ret_why = NULL;
    if (c->newer)
        *ret_why = "a chunk of a newer version waits: upgrade this consumer";
    else if (flush_trouble_ms(c->flush) > 0)
        *ret_why = "the database does not take flushes";
    else if (!c->connected)
        *ret_why = "the broker is away";
    return *ret_why == NULL;
}

void consumer_put_figures(struct consumer *c, struct figures *f)
{
    struct flush_figures last = flush_figures(c->flush);
    int64_t oldest_ms = c->oldest_ms, oldest_at = c->oldest_at;
    figures_set(f, "waiting_steps", c->waiting_steps);
    figures_set(f, "waiting_ms", oldest_ms > 0 ? clock_mono_ms() - oldest_ms : 0);
    figures_set(f, "lag_ms", oldest_at > 0 ? MAX_OF(clock_wall_ms() - oldest_at, 0) : 0);
    figures_set(f, "flush_at", last.ended_at);
    figures_set(f, "flush_ms", last.ms);
    figures_set(f, "flush_steps", last.steps);
    figures_set(f, "flush_rows", last.rows);
    figures_set(f, "flushes", last.flushes);
    figures_set(f, "steps", last.all_steps);
    figures_set(f, "rows", last.all_rows);
    figures_set(f, "flushing_ms", last.all_ms);
    figures_set(f, "parked_steps", last.parked);
    figures_set(f, "dead", last.dead);
    figures_set(f, "inbound_told", last.inbound.told);
    figures_set(f, "inbound", last.inbound.entered);
    figures_set(f, "inbound_stop", last.inbound.stops);
    figures_set(f, "inbound_start", last.inbound.starts);
    figures_set(f, "replies", last.inbound.replies);
    figures_set(f, "replies_withheld", last.inbound.withheld);
    figures_set(f, "database_away_ms", last.trouble_ms);
    figures_set_str(f, "broker", c->connected ? "connected" : "away");
}

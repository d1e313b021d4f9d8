/* Figures every second, counts every ten. */
#include "callback/live.h"
#include "callback/heartbeats.h"
#include "callback/measure.h"
#include "callback/options.h"
#include "lib/clock.h"
#include "lib/health.h"
#include "lib/log.h"
#include "live_counts.sql.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define EVERY_MS        1000
#define COUNTS_EVERY_MS 10000
#define DAYS_AHEAD_MIN  2 /* below that nobody can enter tomorrow's messages */
#define PARTS_MAX       64

struct live {
    pthread_t thread;
    struct gateways *start;
    struct db *db;
    pthread_mutex_t lock; /* over what is watched */
    struct intake *intake;
    struct drain *drain;
    struct consumer **consumers;
    size_t consumer_count;
    struct sweep *sweep;
    struct forward *forward;
    struct poll_service *poll;
    struct figures *whole, *intake_figures, *parts[PARTS_MAX];
    struct health *checks[3];
    struct heartbeats *heartbeats;
    int64_t counts_due_ms;
    atomic_bool stopping, counted;
    atomic_int_fast64_t days_ahead;
};

static void read_counts(struct live *l)
{
    auto_result r = NULL;
    if (clock_mono_ms() < l->counts_due_ms || db_run(l->db, &sql_live_counts, NULL, &r) != 0)
        return;
    l->counts_due_ms = clock_mono_ms() + COUNTS_EVERY_MS;
    figures_set(l->whole, "parked", db_big(r, 0, 0));
    figures_set(l->whole, "parked_given_up", db_big(r, 0, 1));
    figures_set(l->whole, "quarantine", db_big(r, 0, 2));
    figures_set(l->whole, "partition_days_ahead", db_big(r, 0, 3));
    figures_set(l->whole, "forward_waiting", db_big(r, 0, 4));
    figures_set(l->whole, "inbound_parts_waiting", db_big(r, 0, 5));
    l->days_ahead = db_big(r, 0, 3);
    l->counted = true;
}

static void put_figures(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    if (l->intake)
        intake_put_figures(l->intake, l->intake_figures);
    if (l->drain)
        drain_put_figures(l->drain, l->intake_figures);
    if (l->poll)
        poll_put_figures(l->poll, l->intake_figures);
    if (l->sweep)
        sweep_put_figures(l->sweep, l->whole);
    if (l->forward)
        forward_put_figures(l->forward, l->whole);
    for (size_t i = 0; i < l->consumer_count && i < PARTS_MAX; i++) {
        if (!l->parts[i]) {
            char part[32];
            snprintf(part, sizeof(part), "consumer %zu", i);
            l->parts[i] = figures_new("callback", part);
            snprintf(part, sizeof(part), "%zu", i);
            figures_tell(l->parts[i], measure_consumer, part);
        }
        consumer_put_figures(l->consumers[i], l->parts[i]);
    }
    pthread_mutex_unlock(&l->lock);
}

static int write_figures(struct live *l)
{
    int r = figures_write(l->whole, l->db);
    if (r == 0 && l->intake)
        r = figures_write(l->intake_figures, l->db);
    for (size_t i = 0; i < PARTS_MAX && r == 0 && l->parts[i]; i++)
        r = figures_write(l->parts[i], l->db);
    return r;
}

static void *live_thread(void *arg)
{
    struct live *l = arg;
    while (!l->stopping) {
        put_figures(l); /* metrics are told without the database, too */
        if (db_ready(l->db) == 0) {
            read_counts(l);
            heartbeats_look(l->heartbeats, l->db);
            (void)!write_figures(l); /* < 0: the connection is gone, which db_ready says next time */
        }
        for (int64_t until_ms = clock_mono_ms() + EVERY_MS; !l->stopping && clock_mono_ms() < until_ms;)
            usleep(50000);
    }
    return NULL;
}

/* ---- what /readyz asks ---- */

static bool journal_keeps(void *live, struct buf *why)
{
    struct live *l = live;
    pthread_mutex_lock(&l->lock);
    bool good = !l->intake || intake_keeps(l->intake);
    pthread_mutex_unlock(&l->lock);
    if (!good)
        buf_add_str(why, "the journal keeps nothing");
    return good;
}

static bool consumers_work(void *live, struct buf *why)
{
    struct live *l = live;
    const char *text;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->consumer_count; i++)
        if (!consumer_ready(l->consumers[i], &text))
            buf_addf(why, "%sconsumer %zu: %s", why->len > 0 ? ", " : "", i, text);
    pthread_mutex_unlock(&l->lock);
    return why->len == 0;
}

static bool partitions_exist(void *live, struct buf *why)
{
    struct live *l = live;
    pthread_mutex_lock(&l->lock);
    bool consumes = l->consumer_count > 0;
    pthread_mutex_unlock(&l->lock);
    if (!consumes || !l->counted || l->days_ahead >= DAYS_AHEAD_MIN)
        return true;
    buf_addf(why, "partitions exist for %d days ahead only", (int)l->days_ahead);
    return false;
}

static health_asked *const asked[] = {journal_keeps, consumers_work, partitions_exist};

bool live_ready(void *live, struct buf *why)
{
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        auto_buf words = {0};
        if (!asked[i](live, &words))
            buf_addf(why, "%s\n", words.data);
    }
    return why->len == 0;
}

/* ---- beginning and end ---- */

struct live *live_start(struct gateways_now *gateways)
{
    static const char *const names[] = {"intake", "consumer", "partitions"};
    struct live *l = xcalloc(1, sizeof(*l));
    l->start = gateways_now_get(gateways);
    struct db_options o = callback_db_options(&gateways_conf(l->start)->main, "smschain callback figures");
    l->db = db_new(&o);
    l->whole = figures_new("callback", "");
    l->heartbeats = heartbeats_new();
    figures_tell(l->whole, measure_whole, NULL);
    l->intake_figures = figures_new("callback", "intake");
    figures_tell(l->intake_figures, measure_intake, NULL);
    pthread_mutex_init(&l->lock, NULL);
    for (size_t i = 0; i < COUNT_OF(asked); i++)
        l->checks[i] = health_ask(names[i], asked[i], l);
    int r = pthread_create(&l->thread, NULL, live_thread, l);
    if (r != 0) {
        log_error("figures thread cannot be started", L_ERRNO(-r));
        abort();
    }
    return l;
}

void live_watch_intake(struct live *l, struct intake *intake, struct drain *drain, struct poll_service *poll)
{
    pthread_mutex_lock(&l->lock);
    l->intake = intake;
    l->drain = drain;
    l->poll = poll;
    pthread_mutex_unlock(&l->lock);
}

void live_watch_consumers(struct live *l, struct consumer **consumers, size_t count, struct sweep *sweep)
{
    pthread_mutex_lock(&l->lock);
    l->consumers = consumers;
    l->consumer_count = count;
    l->sweep = sweep;
    pthread_mutex_unlock(&l->lock);
}

void live_watch_forward(struct live *l, struct forward *forward)
{
    pthread_mutex_lock(&l->lock);
    l->forward = forward;
    pthread_mutex_unlock(&l->lock);
}

void live_free(struct live *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < COUNT_OF(asked); i++)
        health_free(l->checks[i]);
    l->stopping = true;
    pthread_join(l->thread, NULL);
    db_free(l->db);
    heartbeats_free(l->heartbeats);
    figures_free(l->whole);
    figures_free(l->intake_figures);
    for (size_t i = 0; i < PARTS_MAX; i++)
        figures_free(l->parts[i]);
    gateways_unref(l->start);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

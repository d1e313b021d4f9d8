/* How much stands in the queues: see depths.h. */
#include "dashboard/depths.h"
#include "dashboard/options.h"
#include "dashboard/setting.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <pthread.h>
#include <stdio.h>

#define EVERY_MS  3000
#define WANTED_MS 10000 /* nobody has looked for so long: nothing is asked */

struct depths {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t come;
    bool stopping;
    int64_t wanted_until_ms; /* monotonic */
    struct depths_now now;
};

static size_t name_queues(const struct conf *c, struct depth *q)
{
    static const char *const lanes[] = {"instant", "bulk"};
    size_t n = 0;
    for (size_t l = 0; l < COUNT_OF(lanes); l++)
        mq_queue_render(lanes[l], q[n++].queue);
    for (size_t g = 0; g < c->gateway_count; g++)
        for (size_t l = 0; l < COUNT_OF(lanes); l++)
            mq_queue_dispatch(c->gateways[g].name, lanes[l], q[n++].queue);
    for (unsigned i = 0; i < (unsigned)c->main.broker.update_shards; i++)
        mq_queue_update(i, q[n++].queue);
    snprintf(q[n++].queue, MQ_QUEUE_SIZE, "%s", MQ_QUEUE_INBOUND);
    snprintf(q[n++].queue, MQ_QUEUE_SIZE, "%s", MQ_QUEUE_DEAD);
    return n;
}

static struct depths_now ask(void)
{
    auto_setting s = setting_get();
    const struct conf *c = s->conf;
    struct mq_options o = dashboard_mq_options(&c->main);
    size_t room = 4 + 2 * c->gateway_count + (size_t)c->main.broker.update_shards;
    struct depths_now n = {.list = xcalloc(room, sizeof(*n.list)), .at_ms = clock_wall_ms()};
    n.count = name_queues(c, n.list);
    auto_free const char **names = xcalloc(n.count, sizeof(*names));
    auto_free int64_t *ready = xcalloc(n.count, sizeof(*ready));
    for (size_t i = 0; i < n.count; i++)
        names[i] = n.list[i].queue;
    int r = mq_depths(&o, names, n.count, ready, &n.trouble);
    if (r < 0 && !n.trouble)
        n.trouble = xstrdup(strerror(-r));
    for (size_t i = 0; i < n.count; i++)
        n.list[i].ready = ready[i];
    return n;
}

static void wait_ms(struct depths *d, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    pthread_cond_timedwait(&d->come, &d->lock, &until);
}

static void *depths_thread(void *arg)
{
    struct depths *d = arg;
    pthread_mutex_lock(&d->lock);
    while (!d->stopping) {
        if (clock_mono_ms() >= d->wanted_until_ms) {
            pthread_cond_wait(&d->come, &d->lock);
            continue;
        }
        pthread_mutex_unlock(&d->lock);
        struct depths_now fresh = ask();
        pthread_mutex_lock(&d->lock);
        depths_now_deinit(&d->now);
        d->now = fresh;
        for (int64_t until_ms = clock_mono_ms() + EVERY_MS; !d->stopping && clock_mono_ms() < until_ms;)
            wait_ms(d, 1000);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

struct depths *depths_start(void)
{
    struct depths *d = xcalloc(1, sizeof(*d));
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->come, NULL);
    int r = pthread_create(&d->thread, NULL, depths_thread, d);
    if (r != 0) {
        log_error("a thread cannot be started", L_ERRNO(-r));
        abort();
    }
    return d;
}

void depths_stop(struct depths *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    pthread_cond_broadcast(&d->come);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    depths_now_deinit(&d->now);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->come);
    free(d);
}

void depths_look(struct depths *d, struct depths_now *ret)
{
    pthread_mutex_lock(&d->lock);
    bool was = clock_mono_ms() < d->wanted_until_ms;
    d->wanted_until_ms = clock_mono_ms() + WANTED_MS;
    if (!was)
        pthread_cond_broadcast(&d->come);
    *ret =
        (struct depths_now){.count = d->now.count, .at_ms = d->now.at_ms, .trouble = xstrdup(d->now.trouble)};
    ret->list = xcalloc(d->now.count + 1, sizeof(*ret->list));
    if (d->now.count > 0)
        memcpy(ret->list, d->now.list, d->now.count * sizeof(*ret->list));
    pthread_mutex_unlock(&d->lock);
}

void depths_now_deinit(struct depths_now *n)
{
    free(n->list);
    free(n->trouble);
    *n = (struct depths_now){0};
}

/* smschain-dispatch: one thread a gateway (docs/design.md, "dispatch"). This one starts them, ends them, and
 * loads the configuration again when it is told to. */
#include "dispatch/dispatcher.h"
#include "dispatch/same.h"
#include "lib/clock.h"
#include "lib/monitor.h"
#include "lib/stop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

#define GATEWAYS_MAX   256
#define DRAIN_STOP_MS  5000
#define DRAIN_AGAIN_MS 10000

struct loaded { /* a configuration lives as long as a thread uses it */
    struct conf *conf;
    unsigned users;
};

/* The process's journal, for gateways whose reports come over their own link. It is opened for the first of
 * them and ends with the last; threads that a reload starts under another broker or folder get another one.
 */
struct keep {
    struct drain *drain;
    struct loaded *loaded; /* that it was opened by */
    unsigned users;
};

struct thread {
    pthread_t id;
    struct loaded *loaded;
    struct keep *keep; /* NULL: nothing comes over its link */
    const struct conf_gateway *gateway;
    struct dispatcher *dispatcher;
    bool ending;
    _Atomic bool ended;
};

struct threads {
    struct thread *at[GATEWAYS_MAX];
    size_t count;
    struct keep *keep; /* that the next thread uses, if its surroundings are the same */
    int64_t keep_again_ms;
};

static void let_go(struct loaded *l)
{
    if (--l->users > 0)
        return;
    conf_free(l->conf);
    free(l);
}

static struct loaded *load(const char *dir)
{
    auto_buf report = {0};
    struct conf *conf = NULL;
    if (conf_load(dir, "dispatch", &conf, &report) < 0) {
        fputs(report.data != NULL ? report.data : "", stderr);
        return NULL;
    }
    struct loaded *l = xcalloc(1, sizeof(*l));
    *l = (struct loaded){.conf = conf, .users = 1};
    return l;
}

static void *thread_main(void *arg)
{
    struct thread *t = arg;
    dispatcher_run(t->dispatcher);
    t->ended = true;
    return NULL;
}

/* ---- the journal ---- */

/* NULL: it cannot be opened now, which was said. */
static struct keep *keep_open(struct threads *all, struct loaded *l)
{
    const struct conf_main *m = &l->conf->main;
    const struct drain_options o = {.broker = dispatcher_broker(l->conf, "dispatch drain"),
                                    .shards = (unsigned)MAX_OF(m->broker.update_shards, (int64_t)1),
                                    .state_dir = m->state_dir};
    struct keep *k = xcalloc(1, sizeof(*k));
    if (drain_open(&o, &k->drain) < 0) {
        all->keep_again_ms = clock_mono_ms() + DRAIN_AGAIN_MS;
        free(k);
        return NULL;
    }
    l->users++;
    k->loaded = l;
    return k;
}

static struct keep *keep_take(struct threads *all, struct loaded *l)
{
    if (all->keep == NULL || !same_surroundings(all->keep->loaded->conf, l->conf)) {
        struct keep *fresh = clock_mono_ms() < all->keep_again_ms ? NULL : keep_open(all, l);
        if (fresh == NULL)
            return NULL;
        all->keep = fresh;
    }
    all->keep->users++;
    return all->keep;
}

static void keep_leave(struct threads *all, struct keep *k)
{
    if (k == NULL || --k->users > 0)
        return;
    if (all->keep == k)
        all->keep = NULL;
    drain_close(k->drain, DRAIN_STOP_MS);
    let_go(k->loaded);
    free(k);
}

/* ---- threads ---- */

/* Nothing where the journal cannot be opened: without it no report may be taken. It is tried again. */
static void start(struct threads *all, struct loaded *l, const struct conf_gateway *g)
{
    const struct gateway_driver *driver = gateway_driver(g->driver);
    bool keeps = driver != NULL && driver->kept != NULL;
    struct keep *keep = keeps ? keep_take(all, l) : NULL;
    if (keeps && keep == NULL)
        return;
    struct thread *t = xcalloc(1, sizeof(*t));
    l->users++;
    t->loaded = l;
    t->keep = keep;
    t->gateway = g;
    t->dispatcher = dispatcher_new(l->conf, g, keep != NULL ? keep->drain : NULL);
    int rc = pthread_create(&t->id, NULL, thread_main, t);
    if (rc != 0) {
        log_error("no thread", L_STR("gateway", g->name), L_ERRNO(-rc));
        abort();
    }
    all->at[all->count++] = t;
}

static void end(struct thread *t)
{
    if (!t->ending)
        dispatcher_end(t->dispatcher);
    t->ending = true;
}

/* Threads that have ended are joined and forgotten; `wait`: all of them. */
static void join(struct threads *all, bool wait)
{
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        struct thread *t = all->at[i];
        if (!wait && !t->ended) {
            all->at[kept++] = t;
            continue;
        }
        pthread_join(t->id, NULL);
        dispatcher_free(t->dispatcher);
        keep_leave(all, t->keep);
        let_go(t->loaded);
        free(t);
    }
    all->count = kept;
}

static bool has_thread(const struct threads *all, const char *gateway)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->at[i]->gateway->name, gateway) == 0)
            return true;
    return false;
}

/* One gateway, one thread: a new one starts only when the old one has ended. */
static void start_missing(struct threads *all, struct loaded *l)
{
    for (size_t i = 0; i < l->conf->gateway_count && all->count < GATEWAYS_MAX; i++)
        if (!has_thread(all, l->conf->gateways[i].name))
            start(all, l, &l->conf->gateways[i]);
}

static void end_changed(struct threads *all, const struct loaded *l)
{
    for (size_t i = 0; i < all->count; i++) {
        struct thread *t = all->at[i];
        const struct conf_gateway *now = conf_gateway(l->conf, t->gateway->name);
        dispatcher_leave(t->dispatcher, now == NULL);
        if (!same_surroundings(t->loaded->conf, l->conf) || (now != NULL && !same_gateway(t->gateway, now)))
            end(t);
        else if (now == NULL)
            log_warn(
                "the gateway is not configured any more: its dispatcher goes on until its queues are empty",
                L_STR("gateway", t->gateway->name));
    }
}

static void reload(const char *dir, struct threads *all, struct loaded **current)
{
    struct loaded *l = load(dir);
    if (l == NULL) {
        log_error("the new configuration has errors, the old one stays", L_STR("conf", dir));
        return;
    }
    let_go(*current);
    *current = l;
    conf_set_log(l->conf, "dispatch");
    end_changed(all, l);
    log_info("configuration loaded again", L_INT("gateways", l->conf->gateway_count));
}

static void serve(const char *dir, struct loaded *current)
{
    struct threads all = {0};
    struct loop *loop = loop_new("main", HEALTH_LATE_MS);
    while (!stop_requested()) {
        loop_turned(loop);
        if (stop_reload_taken())
            reload(dir, &all, &current);
        join(&all, false);
        start_missing(&all, current);
        stop_wait_ms(1000);
    }
    loop_free(loop);
    for (size_t i = 0; i < all.count; i++)
        end(all.at[i]);
    join(&all, true);
    let_go(current);
}

/* Every place in a window may be a connection. */
static void allow_files(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
}

int main(int argc, char **argv)
{
    int code = 0;
    struct monitor *monitor;
    stop_init();
    log_init("dispatch", LOG_LOGFMT, LOG_LEVEL_INFO);
    const char *dir = conf_arguments(argc, argv, "smschain-dispatch",
                                     "sends each message to its gateway, at most once", &code);
    if (dir == NULL)
        return code;
    struct loaded *l = load(dir);
    if (l == NULL)
        return 2;
    conf_set_log(l->conf, "dispatch");
    if (l->conf->gateway_count > GATEWAYS_MAX) {
        log_error("too many gateways for one process", L_INT("most", GATEWAYS_MAX));
        let_go(l);
        return 2;
    }
    if (monitor_start(l->conf->main.dispatch.service.metrics_listen, "dispatch.metrics_listen", &monitor) <
        0) {
        let_go(l);
        return 2;
    }
    allow_files();
    srandom((unsigned)(clock_wall_ms() ^ getpid())); /* back-offs of two processes differ */
    log_info("started", L_STR("version", SMSCHAIN_VERSION), L_INT("gateways", l->conf->gateway_count));
    serve(dir, l);
    monitor_stop(monitor);
    log_info("ended");
    return 0;
}

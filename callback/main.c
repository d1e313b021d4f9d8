/* smschain-callback: reports in, statuses into the tables (docs/design.md, "callback"). --intake and
 * --consumer choose one of its two parts; without either both run in this process. */
#include "callback/live.h"
#include "callback/options.h"
#include "lib/clock.h"
#include "lib/health.h"
#include "lib/log.h"
#include "lib/monitor.h"
#include "lib/stop.h"

#include <malloc.h>
#include <stdio.h>

#define FLAT_BYTES     (1 << 20)
#define EXIT_CANNOT    1
#define EXIT_CONF      2
#define INTAKE_STOP_MS 3000
#define DRAIN_STOP_MS  5000

struct service {
    const char *conf_dir;
    bool intakes, consumes;
    struct gateways_now *gateways;
    struct live *live;
    struct drain *drain;
    struct intake *intake;
    struct poll_service *poll;
    struct consumer **consumers;
    size_t consumer_count;
    struct sweep *sweep;
    struct forward *forward;
};

/* NULL: what is wrong was printed. */
static struct gateways *load(const char *dir)
{
    auto_buf report = {0};
    auto_free char *why = NULL;
    struct conf *conf;
    if (conf_load(dir, "callback", &conf, &report) != 0) {
        fputs(report.data ? report.data : "the configuration cannot be read\n", stderr);
        return NULL;
    }
    struct gateways *g = gateways_new(conf, &why);
    if (!g)
        fprintf(stderr, "%s\n", why);
    return g;
}

/* A configuration that is not good changes nothing. */
static void reload(struct service *s)
{
    struct gateways *fresh = load(s->conf_dir);
    if (!fresh) {
        log_error("the new configuration has errors, the old one stays", L_STR("conf", s->conf_dir));
        return;
    }
    conf_set_log(gateways_conf(fresh), "callback");
    log_info("configuration loaded again (gateways, trusted proxies, certificate, horizons and flush limits; "
             "addresses and "
             "accounts need a restart)",
             L_INT("gateways", gateways_conf(fresh)->gateway_count));
    gateways_now_set(s->gateways, fresh);
    auto_free char *why = NULL;
    if (s->intake && !intake_reload(s->intake, &why))
        log_error("the new certificate cannot be used, the old one stays", L_STR("error", why));
}

/* ---- starting ---- */

static bool start_intake(struct service *s, const struct conf_main *m)
{
    auto_free char *why = NULL;
    const struct drain_options drain = {.broker = callback_mq_options(m, "callback drain"),
                                        .shards = (unsigned)MAX_OF(m->broker.update_shards, 1),
                                        .state_dir = m->state_dir,
                                        .record_max_bytes = intake_record_max(m->callback.body_bytes)};
    if (drain_open(&drain, &s->drain) < 0)
        return false;
    s->intake = intake_start(
        &(struct intake_options){
            .gateways = s->gateways, .drain = s->drain, .ready = live_ready, .ready_arg = s->live},
        &why);
    if (!s->intake) {
        log_error("intake cannot be started", L_STR("error", why));
        return false;
    }
    s->poll = poll_start(s->gateways, s->drain);
    live_watch_intake(s->live, s->intake, s->drain, s->poll);
    log_info("intake listens", L_STR("address", m->callback.listen), L_INT("port", intake_port(s->intake)));
    return true;
}

static void start_consumers(struct service *s, const struct conf_main *m)
{
    s->consumer_count = (size_t)MAX_OF(m->broker.update_shards, 1);
    s->consumers = xcalloc(s->consumer_count, sizeof(struct consumer *));
    for (size_t i = 0; i < s->consumer_count; i++)
        s->consumers[i] = consumer_start(s->gateways, (int)i);
    s->sweep = sweep_start(s->gateways);
    s->forward = forward_start(s->gateways);
    live_watch_consumers(s->live, s->consumers, s->consumer_count, s->sweep);
    live_watch_forward(s->live, s->forward);
    log_info("consumer reads", L_INT("shards", s->consumer_count));
}

/* ---- ending: first nothing new comes in, then what is at hand goes on its way ---- */

static void stop_all(struct service *s)
{
    live_watch_consumers(s->live, NULL, 0, NULL);
    live_watch_forward(s->live, NULL);
    if (s->poll)
        poll_stop(s->poll);
    if (s->intake)
        intake_stop(s->intake, INTAKE_STOP_MS);
    live_watch_intake(s->live, NULL, NULL, NULL);
    intake_free(s->intake);
    if (s->poll)
        poll_join(s->poll);
    drain_close(s->drain, DRAIN_STOP_MS);
    if (s->sweep) {
        sweep_stop(s->sweep);
        forward_stop(s->forward);
    }
    for (size_t i = 0; i < s->consumer_count; i++)
        consumer_stop(s->consumers[i]);
    for (size_t i = 0; i < s->consumer_count; i++)
        consumer_join(s->consumers[i]);
    if (s->sweep) {
        sweep_join(s->sweep);
        forward_join(s->forward);
    }
    live_free(s->live);
    free(s->consumers);
}

static int serve(struct service *s)
{
    auto_gateways g = gateways_now_get(s->gateways);
    const struct conf_main *m = &gateways_conf(g)->main;
    struct monitor *monitor;
    int result = 0;
    if (monitor_start(m->callback.service.metrics_listen, "callback.metrics_listen", &monitor) < 0)
        return EXIT_CANNOT;
    struct loop *loop = loop_new("main", HEALTH_LATE_MS);
    s->live = live_start(s->gateways);
    if (s->consumes)
        start_consumers(s, m);
    if (s->intakes && !start_intake(s, m))
        result = EXIT_CANNOT;
    while (result == 0 && !stop_requested()) {
        stop_wait_ms(1000);
        loop_turned(loop);
        if (stop_reload_taken())
            reload(s);
    }
    log_info("ending");
    loop_free(loop);
    stop_all(s);
    monitor_stop(monitor);
    return result;
}

/* Takes --intake and --consumer out of the arguments; the rest is common to all services. */
static int take_parts(int argc, char **argv, struct service *s)
{
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--intake") == 0)
            s->intakes = true;
        else if (strcmp(argv[i], "--consumer") == 0)
            s->consumes = true;
        else
            argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    if (!s->intakes && !s->consumes)
        s->intakes = s->consumes = true;
    return kept;
}

/* A flush needs large blocks for a moment. With each one that is freed glibc would raise the size from which
 * it gives blocks back at once, up to 32 MiB, and keep what it has: so the peak grew with the number of
 * flushes. */
static void keep_memory_flat(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, FLAT_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, FLAT_BYTES);
}

int main(int argc, char **argv)
{
    struct service s = {0};
    int result;
    keep_memory_flat();
    stop_init();
    argc = take_parts(argc, argv, &s);
    s.conf_dir = conf_arguments(
        argc, argv, "smschain-callback",
        "Takes the gateways' delivery reports (--intake) and keeps the tables up to date (--consumer).\n"
        "Without either of the two options both parts run in this process.",
        &result);
    if (!s.conf_dir)
        return result;
    struct gateways *first = load(s.conf_dir);
    if (!first)
        return EXIT_CONF;
    conf_set_log(gateways_conf(first), "callback");
    s.gateways = gateways_now_new(first);
    log_info("started", L_STR("conf", s.conf_dir), L_INT("intake", s.intakes), L_INT("consumer", s.consumes));
    result = serve(&s);
    gateways_now_free(s.gateways);
    log_info("ended");
    return result;
}

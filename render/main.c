/* smschain-render: rows in, texts out (docs/design.md, "render"). No database. */
#include "lib/clock.h"
#include "lib/health.h"
#include "lib/log.h"
#include "lib/monitor.h"
#include "lib/stop.h"
#include "render/relay.h"
#include "render/textrules.h"
#include <stdio.h>

#define WAIT_MS 1000
#define DRAIN_MS                                                                                             \
    20000 /* what is in hand gets so long to be confirmed; what is not is rendered again by the next */

/* A configuration that is not good changes nothing. */
static void reload(const char *dir, struct plan **plan)
{
    auto_buf report = {0};
    struct plan *fresh;

    if (plan_load(dir, &fresh, &report) < 0) {
        fputs(report.data ? report.data : "", stderr);
        log_error("the new configuration has errors, the old one stays", L_STR("conf", dir));
        return;
    }
    plan_free(*plan);
    *plan = fresh;
    conf_set_log(fresh->conf, "render");
    log_info("configuration loaded again", L_INT("rules", fresh->conf->rule_count),
             L_INT("templates", fresh->conf->template_count));
}

static void serve(const char *dir, struct plan **plan)
{
    struct relay *relay = relay_new((*plan)->conf);
    struct loop *loop = loop_new("relay", HEALTH_LATE_MS);
    int64_t drained_by = 0;

    for (;;) {
        bool draining = stop_requested();
        loop_turned(loop);
        if (draining && drained_by == 0)
            drained_by = clock_mono_ms() + DRAIN_MS;
        if (stop_reload_taken() && !draining)
            reload(dir, plan);
        bool moved = relay_turn(relay, *plan, draining);
        if (draining && (relay_idle(relay) || clock_mono_ms() > drained_by))
            break;
        if (!moved)
            relay_wait(relay, draining ? 50 : WAIT_MS);
    }
    if (!relay_idle(relay))
        log_warn("ended with chunks unconfirmed: they stay in their queue");
    loop_free(loop);
    relay_free(relay);
}

int main(int argc, char **argv)
{
    auto_buf report = {0};
    struct plan *plan;
    struct monitor *monitor;
    int code;

    stop_init();
    conf_set_checkers(&(struct conf_checkers){.text_rules = text_rules_check});
    log_init("render", LOG_LOGFMT, LOG_LEVEL_INFO);
    const char *dir = conf_arguments(argc, argv, "smschain-render",
                                     "Makes a text of each row and chooses its gateway.", &code);
    if (!dir)
        return code;
    if (plan_load(dir, &plan, &report) < 0) {
        fputs(report.data ? report.data : "", stderr);
        return 2;
    }
    conf_set_log(plan->conf, "render");
    if (monitor_start(plan->conf->main.render.service.metrics_listen, "render.metrics_listen", &monitor) <
        0) {
        plan_free(plan);
        return 2;
    }
    log_info("started", L_STR("version", SMSCHAIN_VERSION), L_INT("rules", plan->conf->rule_count),
             L_INT("templates", plan->conf->template_count));
    serve(dir, &plan);
    monitor_stop(monitor);
    plan_free(plan);
    log_info("ended");
    return 0;
}

/* smschain-dashboard: the page that shows where everything stands. It only reads. */
#include "dashboard/depths.h"
#include "dashboard/measure.h"
#include "dashboard/rates.h"
#include "dashboard/server.h"
#include "extract/cron.h"
#include "extract/source.h"
#include "lib/health.h"
#include "lib/log.h"
#include "lib/monitor.h"
#include "lib/stop.h"

#include <stdio.h>

#define STOP_MS     5000
#define EXIT_CANNOT 1
#define EXIT_CONF   2
/* Statuses come in with flushes: a rate over less than some of them would jump between nothing and too much.
 */
#define RATE_FLUSHES    3
#define RATE_WINDOW_MIN 10000
#define RATE_WINDOW_MAX 180000

struct service {
    const char *conf_dir;
    struct rates *rates;
    struct depths *depths;
    struct workers *workers;
    struct live *live;
    struct server *server;
};

/* NULL: what is wrong was printed. */
static struct setting *load(const char *dir)
{
    auto_buf report = {0};
    struct conf *conf;
    if (conf_load(dir, "dashboard", &conf, &report) != 0) {
        fputs(report.data ? report.data : "the configuration cannot be read\n", stderr);
        return NULL;
    }
    return setting_new(conf);
}

static void reload(struct service *s)
{
    struct setting *fresh = load(s->conf_dir);
    auto_free char *why = NULL;
    if (!fresh) {
        log_error("the new configuration has errors, the old one stays", L_STR("conf", s->conf_dir));
        return;
    }
    conf_set_log(fresh->conf, "dashboard");
    setting_put(fresh);
    live_end_all(s->live);
    if (server_reload(s->server, &why) < 0)
        log_error("the new certificate cannot be used, the old one stays", L_STR("error", why));
    log_info("configuration loaded again (rules, gateways, who may look, certificate; addresses and accounts "
             "need a "
             "restart)");
}

static int64_t rate_window_ms(const struct conf_main *m)
{
    int64_t wanted = RATE_FLUSHES * m->callback.flush_interval_ms;
    return MIN_OF(MAX_OF(wanted, RATE_WINDOW_MIN), RATE_WINDOW_MAX);
}

/* Nobody waits any more for what comes later: streams first, then the server, whose last questions the
 * workers still answer. */
static void stop_all(struct service *s)
{
    live_stop(s->live);
    if (s->server)
        server_stop(s->server, STOP_MS);
    workers_stop(s->workers);
    server_free(s->server);
    live_free(s->live);
    depths_stop(s->depths);
    rates_free(s->rates);
}

static int serve(struct service *s)
{
    auto_setting first = setting_get();
    const struct conf_main *m = &first->conf->main;
    auto_free char *why = NULL;
    struct monitor *monitor;
    int result = 0;
    if (monitor_start(m->dashboard.service.metrics_listen, "dashboard.metrics_listen", &monitor) < 0)
        return EXIT_CANNOT;
    measure_begin();
    s->rates = rates_new(rate_window_ms(m));
    s->depths = depths_start();
    s->workers = workers_start(m, s->rates, s->depths);
    s->live = live_start(m, s->rates, s->depths);
    if (server_start(&(struct server_options){.workers = s->workers, .live = s->live}, &s->server, &why) <
        0) {
        log_error("the page cannot be served", L_STR("error", why));
        result = EXIT_CANNOT;
    } else {
        log_info("page listens", L_STR("address", m->dashboard.listen),
                 L_INT("port", server_port(s->server)));
    }
    while (result == 0 && !stop_requested()) {
        stop_wait_ms(1000);
        loop_turned(measure.main);
        if (stop_reload_taken())
            reload(s);
    }
    log_info("ending");
    stop_all(s);
    monitor_stop(monitor);
    measure_end();
    return result;
}

int main(int argc, char **argv)
{
    struct service s = {0};
    int result;
    stop_init();
    s.conf_dir =
        conf_arguments(argc, argv, "smschain-dashboard",
                       "Serves the page that shows where everything stands. It only reads.", &result);
    if (!s.conf_dir)
        return result;
    conf_set_checkers(&(struct conf_checkers){.cron = cron_check, .source_driver = source_driver_check});
    struct setting *first = load(s.conf_dir);
    if (!first)
        return EXIT_CONF;
    conf_set_log(first->conf, "dashboard");
    setting_put(first);
    log_info("started", L_STR("conf", s.conf_dir));
    result = serve(&s);
    setting_clear();
    log_info("ended");
    return result;
}

/* smschain-extract: reads the rules' rows into the ledger and publishes what stands in the outbox. */
#include "extract/confhold.h"
#include "extract/cron.h"
#include "extract/history_guard.h"
#include "extract/measure.h"
#include "extract/on_demand.h"
#include "extract/outbox.h"
#include "extract/scheduler.h"
#include "extract/source.h"
#include "lib/conf.h"
#include "lib/log.h"
#include "lib/monitor.h"
#include "lib/stop.h"
#include <stdio.h>

#define DRAIN_MS 10000

static void reload(const char *dir, struct scheduler *scheduler, struct on_demand *on_demand)
{
    struct conf *conf;
    struct confhold *hold = NULL;
    auto_buf report = {0};

    if (conf_load(dir, "extract", &conf, &report) == 0)
        hold = confhold_new(conf);
    if (!hold || on_demand_reload(on_demand, hold, &report) < 0) {
        confhold_unref(hold);
        fputs(report.data ? report.data : "", stderr);
        log_error("the new configuration has errors, the old one stays", L_STR("conf", dir));
        return;
    }
    conf_set_log(conf, "extract");
    scheduler_reload(scheduler, hold);
    log_info(
        "configuration loaded again (runs being read keep theirs, connections change at the next start)");
}

/* Threads that hang in a source's database keep nothing that matters: their runs stay `reading`, and their
 * locks go with the process. */
static void leave_running(void)
{
    log_warn("ends while a source has not answered: its run is taken up again later");
    fflush(NULL);
    _exit(0);
}

/* What was asked on demand is committed: it leaves at once. */
static void wake(void *outbox)
{
    outbox_wake(outbox);
}

int main(int argc, char **argv)
{
    const char *dir;
    struct conf *conf;
    struct extract_shared shared = {0};
    struct confhold *hold;
    struct scheduler *scheduler;
    struct on_demand *on_demand;
    struct outbox *outbox;
    struct monitor *monitor;
    struct buf report = {0};
    int code = 0;

    stop_init();
    dir = conf_arguments(argc, argv, "extract", "reads the rules' rows into the ledger and publishes them",
                         &code);
    if (!dir)
        return code;
    conf_set_checkers(&(struct conf_checkers){.cron = cron_check, .source_driver = source_driver_check});
    if (conf_load(dir, "extract", &conf, &report) < 0) {
        fputs(report.data ? report.data : "", stderr);
        buf_deinit(&report);
        return 2;
    }
    conf_set_log(conf, "extract");
    if (monitor_start(conf->main.extract.service.metrics_listen, "extract.metrics_listen", &monitor) < 0) {
        buf_deinit(&report);
        conf_free(conf);
        return 2;
    }
    log_info("started", L_INT("rules", conf->rule_count), L_INT("sources", conf->source_count));
    shared.history = history_guard_new(conf->main.state_dir);
    shared.measure = measure_new();
    hold = confhold_new(conf);
    outbox = outbox_start(conf, &shared);
    on_demand = on_demand_start(
        &(struct on_demand_options){.hold = hold, .shared = &shared, .committed = wake, .arg = outbox},
        &report);
    if (!on_demand)
        fputs(report.data ? report.data : "", stderr);
    buf_deinit(&report);
    if (!on_demand)
        return 2;
    scheduler = scheduler_new(hold, &shared);
    while (!stop_requested()) {
        if (stop_reload_taken())
            reload(dir, scheduler, on_demand);
        stop_wait_ms(scheduler_turn(scheduler));
    }
    log_info("stopping: runs are left between two groups");
    on_demand_stop(on_demand);
    outbox_join(outbox);
    if (!scheduler_drain(scheduler, DRAIN_MS))
        leave_running();
    scheduler_free(scheduler);
    monitor_stop(monitor);
    history_guard_free(shared.history);
    measure_free(shared.measure);
    log_info("ended");
    return 0;
}

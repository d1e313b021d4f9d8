/* smschain status: reads the rollup tables and the queues' depths; never counts messages one by one. */
#include "control_list.sql.h"
#include "ctl/ctl.h"
#include "lib/stop.h"
#include "status_counts.sql.h"
#include "status_heartbeats.sql.h"
#include "status_runs.sql.h"
#include "status_services.sql.h"
#include "status_states.sql.h"
#include "status_tasks.sql.h"
#include <stdio.h>

#define WATCH_MS 1000

static void status_deinit(struct status *s)
{
    db_result_free(s->runs);
    db_result_free(s->states);
    db_result_free(s->services);
    db_result_free(s->counts);
    db_result_free(s->heartbeats);
    db_result_free(s->pauses);
    db_result_free(s->tasks);
    free(s->queues);
    free(s->broker_trouble);
    *s = (struct status){0};
}

int64_t status_state_count(const struct status *s, int64_t run_id, int state)
{
    for (int i = 0; i < db_rows(s->states); i++)
        if (db_big(s->states, i, 0) == run_id && db_big(s->states, i, 1) == state)
            return db_big(s->states, i, 2);
    return 0;
}

static int read_states(struct ctl *c, struct status *s)
{
    size_t n = (size_t)db_rows(s->runs);
    auto_free int64_t *ids = xcalloc(n + 1, sizeof(*ids));
    auto_params p = db_params_new();
    for (size_t i = 0; i < n; i++)
        ids[i] = db_big(s->runs, (int)i, RUN_ID);
    db_add_big_array(p, ids, n);
    return ctl_sql(c, &sql_status_states, p, &s->states);
}

static void name_queues(const struct ctl *c, struct status *s)
{
    static const char *const lanes[] = {"instant", "bulk"};
    size_t shards = (size_t)c->conf->main.broker.update_shards;
    s->queues = xcalloc(5 + 2 * c->conf->gateway_count + shards, sizeof(*s->queues));
    for (size_t l = 0; l < COUNT_OF(lanes); l++)
        mq_queue_render(lanes[l], s->queues[s->queue_count++].name);
    for (size_t g = 0; g < c->conf->gateway_count; g++)
        for (size_t l = 0; l < COUNT_OF(lanes); l++)
            mq_queue_dispatch(c->conf->gateways[g].name, lanes[l], s->queues[s->queue_count++].name);
    for (size_t i = 0; i < shards; i++)
        mq_queue_update((unsigned)i, s->queues[s->queue_count++].name);
    snprintf(s->queues[s->queue_count++].name, MQ_QUEUE_SIZE, "%s", MQ_QUEUE_REQUEST);
    snprintf(s->queues[s->queue_count++].name, MQ_QUEUE_SIZE, "%s", MQ_QUEUE_INBOUND);
    snprintf(s->queues[s->queue_count++].name, MQ_QUEUE_SIZE, "%s", MQ_QUEUE_DEAD);
}

static void read_queues(const struct ctl *c, struct status *s)
{
    const struct conf_service *o = &c->conf->main.operator_.service;
    struct mq_options options = ctl_mq_options(c, o->broker_user, o->broker_password);
    name_queues(c, s);
    auto_free const char **names = xcalloc(s->queue_count, sizeof(*names));
    auto_free int64_t *ready = xcalloc(s->queue_count, sizeof(*ready));
    for (size_t i = 0; i < s->queue_count; i++)
        names[i] = s->queues[i].name;
    int r = mq_depths(&options, names, s->queue_count, ready, &s->broker_trouble);
    if (r < 0 && s->broker_trouble == NULL)
        s->broker_trouble = xstrdup(strerror(-r));
    for (size_t i = 0; i < s->queue_count; i++)
        s->queues[i].ready = ready[i];
}

static int status_read(struct ctl *c, int64_t run, struct status *s)
{
    auto_params p = db_params_new();
    db_add_big(p, run);
    int code = ctl_sql(c, &sql_status_runs, p, &s->runs);
    if (code == 0)
        code = read_states(c, s);
    if (code == 0 && run != 0 && db_rows(s->runs) == 0)
        code = ctl_fail(EXIT_REFUSED, "no run %lld", (long long)run);
    if (code == 0)
        code = ctl_sql(c, &sql_status_services, NULL, &s->services);
    if (code == 0)
        code = ctl_sql(c, &sql_status_counts, NULL, &s->counts);
    if (code == 0)
        code = ctl_sql(c, &sql_status_heartbeats, NULL, &s->heartbeats);
    if (code == 0)
        code = ctl_sql(c, &sql_control_list, NULL, &s->pauses);
    if (code == 0)
        code = ctl_sql(c, &sql_status_tasks, NULL, &s->tasks);
    if (code == 0)
        read_queues(c, s);
    return code;
}

static int attention(const struct status *s, int64_t run)
{
    static const enum status_count_column waiting[] = {COUNT_IN_DOUBT, COUNT_HELD,       COUNT_FAILED,
                                                       COUNT_GIVEN_UP, COUNT_HELD_RULES, COUNT_DEAD};
    if (run != 0)
        return strcmp(db_text(s->runs, 0, RUN_STATE), "held") == 0 ? EXIT_ATTENTION : EXIT_DONE;
    if (s->broker_trouble != NULL)
        return EXIT_UNREACHABLE;
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        if (db_big(s->counts, 0, (int)waiting[i]) > 0)
            return EXIT_ATTENTION;
    for (int i = 0; i < db_rows(s->tasks); i++)
        if (strcmp(db_text(s->tasks, i, TASK_STATE), "waiting") == 0)
            return EXIT_ATTENTION;
    return db_rows(s->pauses) > 0 ? EXIT_ATTENTION : EXIT_DONE;
}

static void print_page(const struct conf_dashboard *d)
{
    printf("\nthe same and more on a page, where smschain-dashboard runs: %s://%s/\n",
           *d->tls_certificate ? "https" : "http", d->listen);
}

int cmd_status(struct ctl *c)
{
    bool json = ctl_take_flag(c, "--json"), watch = ctl_take_flag(c, "--watch");
    const char *run = NULL;
    int64_t run_id = 0;
    if (!ctl_take_value(c, "--run", &run) || !ctl_no_options_left(c) || c->argc != 1 ||
        (run && !ctl_parse_big(run, &run_id)))
        return ctl_usage("status");
    if (watch)
        stop_init();
    int code = ctl_db(c);
    while (code == 0) {
        struct status s = {0};
        code = status_read(c, run_id, &s);
        if (code == 0) {
            if (watch && !json)
                fputs("\033[H\033[2J", stdout);
            (json ? status_json : run ? status_print_one : status_print)(&s);
            if (!json && !run)
                print_page(&c->conf->main.dashboard);
            fflush(stdout);
            code = attention(&s, run_id);
        }
        status_deinit(&s);
        if (!watch)
            break;
        stop_wait_ms(WATCH_MS);
        if (stop_requested())
            break;
        if (code == EXIT_ATTENTION || code == EXIT_UNREACHABLE)
            code = db_ready(c->db) == 0 ? 0 : code;
    }
    return code;
}

/* The scheduler: see scheduler.h. */
#include "extract/scheduler.h"
#include "extract/crew.h"
#include "extract/firing.h"
#include "extract/history_guard.h"
#include "extract/measure.h"
#include "extract/rule.h"
#include "extract/task.h"
#include "extract/waves.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/lock.h"
#include "lib/log.h"
#include "lib/service.h"
#include "lib/stop.h"

#include "firing_enter.sql.h"
#include "outbox_clean.sql.h"
#include "outbox_waiting.sql.h"
#include "partitions.sql.h"
#include "request_clean.sql.h"
#include "rule_lock.sql.h"
#include "run_skip_clean.sql.h"
#include "runs_cancel.sql.h"
#include "runs_expired.sql.h"
#include "runs_open.sql.h"
#include "task_row_clean.sql.h"

#include <stdio.h>

#define TURN_MS             250
#define HOUSE_EVERY_MS      60000
#define PARTITIONS_EVERY_MS 3600000
#define SKIPS_EVERY_MS      3600000
#define HISTORY_EVERY_MS    4000
#define WAITING_EVERY_MS    2000
#define WAVES_EVERY_MS      1000

struct plan { /* one rule's firings */
    const struct conf_rule *rule;
    struct firing_plan firing;
    bool valid;
    int64_t next_ms; /* nothing to look for before that moment */
};

struct scheduler {
    struct confhold *conf;
    struct extract_shared *shared;
    struct crew *crew;
    struct db *db;
    struct db_params *params;
    struct figures *figures;
    struct plan *plans;
    size_t plan_count;
    struct firing *fired; /* FIRING_MAX, of one rule at a time */
    bool synced;          /* the configuration's rules have met their rows */
    struct tasks tasks;
    uint64_t generation;
    /* mono ms: when they are due again */
    int64_t house_at, skips_at, partitions_at, history_at, waiting_at, waves_at, stuck_at;
    int64_t figures_at, rows_before;
    struct loop *loop;
    struct log_trouble trouble;
};

static void drop_plans(struct scheduler *s)
{
    for (size_t i = 0; i < s->plan_count; i++)
        if (s->plans[i].valid)
            firing_plan_deinit(&s->plans[i].firing);
    free(s->plans);
    s->plans = NULL;
    s->plan_count = 0;
}

static void make_plans(struct scheduler *s)
{
    const struct conf *c = confhold_conf(s->conf);

    drop_plans(s);
    s->plans = xcalloc(c->rule_count + 1, sizeof(*s->plans));
    s->plan_count = c->rule_count;
    for (size_t i = 0; i < c->rule_count; i++) {
        struct plan *p = &s->plans[i];
        char message[CRON_MESSAGE_SIZE];

        p->rule = &c->rules[i];
        if (p->rule->tasks)
            continue; /* it fires by signs only: task.h */
        p->valid =
            firing_plan_init(&p->firing, p->rule->schedule, p->rule->at, p->rule->time_zone, message) == 0;
        if (!p->valid) /* the configuration's checks let none of these through, unless a zone's file was taken
                          away since */
            log_error("rule has no firings", L_STR("rule", p->rule->name), L_STR("why", message));
    }
    s->synced = false;
}

struct scheduler *scheduler_new(struct confhold *conf, struct extract_shared *shared)
{
    struct scheduler *s = xmalloc(sizeof(*s));
    const struct conf_main *m = &confhold_conf(conf)->main;

    *s = (struct scheduler){
        .conf = conf,
        .shared = shared,
        .crew = crew_new(shared),
        .params = db_params_new(),
        .loop = loop_new("scheduler", HEALTH_LATE_MS),
        .figures = figures_new("extract", ""),
        .fired = xcalloc(FIRING_MAX, sizeof(*s->fired)),
        .db = db_new(&(struct db_options){.conninfo = m->database.conninfo,
                                          .user = m->extract.service.database_user,
                                          .password = m->extract.service.database_password,
                                          .name = "smschain-extract scheduler",
                                          .idle_in_transaction_timeout_ms = DB_HELD_IDLE_MS}),
    };
    figures_tell(s->figures, measure_figures, NULL);
    make_plans(s);
    tasks_init(&s->tasks, confhold_conf(conf));
    return s;
}

void scheduler_reload(struct scheduler *s, struct confhold *conf)
{
    drop_plans(s);
    confhold_unref(s->conf);
    s->conf = conf;
    make_plans(s);
    tasks_reload(&s->tasks, confhold_conf(conf));
}

void scheduler_free(struct scheduler *s)
{
    drop_plans(s);
    tasks_deinit(&s->tasks);
    loop_free(s->loop);
    crew_free(s->crew);
    figures_free(s->figures);
    db_params_free(s->params);
    db_free(s->db);
    free(s->fired);
    confhold_unref(s->conf);
    free(s);
}

/* ---- firings ---- */

static int write_firings(struct scheduler *s, int64_t rule_id, const char *held_why, size_t count,
                         struct db_result **ret)
{
    auto_free int64_t *at = xcalloc(count, sizeof(*at));
    auto_free const char **text = xcalloc(3 * count, sizeof(*text));

    for (size_t i = 0; i < count; i++) {
        enum firing_verdict v = s->fired[i].verdict;
        bool held = *held_why && (v == FIRING_DUE || v == FIRING_MISSED);
        at[i] = s->fired[i].scheduled_ms;
        text[i] = firing_origin(v);
        text[count + i] = held ? "held" : firing_state(v);
        text[2 * count + i] = held ? held_why : firing_why(v);
    }
    db_params_clear(s->params);
    db_add_int(s->params, (int32_t)rule_id);
    db_add_time_array(s->params, at, count);
    for (size_t i = 0; i < 3; i++)
        db_add_text_array(s->params, text + i * count, count);
    return db_run(s->db, &sql_firing_enter, s->params, ret);
}

static void say_entered(const struct plan *p, const struct db_result *entered)
{
    for (int i = 0; i < db_rows(entered); i++)
        log_info("run entered", L_STR("rule", p->rule->name), L_INT("run", db_big(entered, i, 0)),
                 L_STR("state", db_text(entered, i, 1)));
}

/* Under the rule's row lock. */
static int enter_locked(struct scheduler *s, struct plan *p, int64_t now_ms, struct db_result **ret_entered)
{
    auto_result row = NULL;
    size_t count;
    int r;

    db_params_clear(s->params);
    db_add_text(s->params, p->rule->name);
    r = db_run(s->db, &sql_rule_lock, s->params, &row);
    if (r != 0 || db_rows(row) == 0)
        return r;
    count = firing_due(
        &p->firing,
        &(struct firing_question){.planned_from_ms = db_time_ms(row, 0, 1),
                                  .last_entered_ms = db_time_ms(row, 0, 3),
                                  .now_ms = now_ms,
                                  .look_back_ms = confhold_conf(s->conf)->main.extract.missed_look_back_ms,
                                  .missed = p->rule->missed},
        s->fired);
    return count == 0 ? 0 : write_firings(s, db_big(row, 0, 0), db_text(row, 0, 2), count, ret_entered);
}

static int enter_firings(struct scheduler *s, struct plan *p, int64_t now_ms)
{
    auto_result entered = NULL;
    int r = db_begin(s->db);

    if (r == 0)
        r = enter_locked(s, p, now_ms, &entered);
    if (r == 0)
        r = db_commit(s->db);
    if (r > 0)
        db_rollback(s->db);
    if (r != 0)
        return r;
    if (entered && db_rows(entered) > 0) {
        say_entered(p, entered);
        FAULT("extract.run_entered");
    }
    p->next_ms = firing_next(&p->firing, now_ms);
    return 0;
}

static int enter_due(struct scheduler *s)
{
    int64_t now_ms = clock_wall_ms();

    for (size_t i = 0; i < s->plan_count; i++) {
        struct plan *p = &s->plans[i];
        int r;
        if (!p->valid || now_ms < p->next_ms)
            continue;
        r = enter_firings(s, p, now_ms);
        if (r != 0)
            return r;
    }
    return 0;
}

static int sync_rules(struct scheduler *s)
{
    int r;

    if (s->synced)
        return 0;
    r = rule_sync_all(s->db, confhold_conf(s->conf), clock_wall_ms());
    for (size_t i = 0; i < s->plan_count; i++)
        s->plans[i].next_ms = 0; /* looked at once: something may have been missed */
    s->synced = r == 0;
    return r;
}

/* ---- runs ---- */

static bool is_instant(const struct scheduler *s, const char *rule)
{
    const struct conf_rule *r = conf_rule(confhold_conf(s->conf), rule);

    return r && strcmp(r->lane, "instant") == 0;
}

static int start_runs(struct scheduler *s)
{
    auto_result open = NULL;
    size_t most = (size_t)confhold_conf(s->conf)->main.extract.max_parallel_runs;
    int64_t now = clock_mono_ms();
    int r;

    r = db_run(s->db, &sql_runs_cancel, NULL, NULL);
    if (r != 0 || crew_busy(s->crew) >= most)
        return r;
    r = db_run(s->db, &sql_runs_open, NULL, &open);
    if (r != 0)
        return r;
    for (int instant = 1; instant >= 0; instant--) {
        for (int i = 0; i < db_rows(open) && crew_busy(s->crew) < most; i++) {
            int64_t id = db_big(open, i, 0);
            const char *rule = db_text(open, i, 1);
            if (is_instant(s, rule) == (instant == 1) && crew_may_start(s->crew, id, now))
                crew_start(s->crew, id, rule, s->conf);
        }
    }
    return 0;
}

/* ---- the house ---- */

static int run_big(struct scheduler *s, const struct db_sql *sql, int64_t value, struct db_result **ret)
{
    db_params_clear(s->params);
    db_add_big(s->params, value);
    return db_run(s->db, sql, s->params, ret);
}

static int make_partitions(struct scheduler *s, int64_t now)
{
    int r;

    if (now < s->partitions_at)
        return 0;
    db_params_clear(s->params);
    db_add_int(s->params, (int32_t)confhold_conf(s->conf)->main.database.partitions_ahead_days);
    r = db_run(s->db, &sql_partitions, s->params, NULL);
    if (r == 0)
        s->partitions_at = now + PARTITIONS_EVERY_MS;
    return r;
}

/* What is too old, some rows at a time. */
static int clean(struct scheduler *s, const struct db_sql *sql, int64_t keep)
{
    do {
        auto_result cleaned = NULL;
        int r = run_big(s, sql, keep, &cleaned);
        if (r != 0)
            return r;
        if (db_affected(cleaned) == 0)
            break;
        loop_turned(s->loop);
    } while (!stop_requested());
    return 0;
}

static int keep_house(struct scheduler *s, int64_t now)
{
    const struct conf_main *m = &confhold_conf(s->conf)->main;
    auto_result expired = NULL;
    int r;

    if (now < s->house_at)
        return 0;
    r = clean(s, &sql_outbox_clean, m->extract.outbox_keep_ms);
    if (r == 0 && now >= s->skips_at) {
        r = clean(s, &sql_run_skip_clean, m->database.claims_keep_days);
        if (r == 0)
            r = clean(s, &sql_request_clean, m->extract.request_keep_ms);
        if (r == 0)
            r = clean(s, &sql_task_row_clean, m->extract.task_keep_ms);
        s->skips_at = now + SKIPS_EVERY_MS;
    }
    if (r != 0)
        return r;
    r = db_run(s->db, &sql_runs_expired, NULL, &expired);
    for (int i = 0; r == 0 && i < db_rows(expired); i++)
        log_info("run's messages are past valid_for: they end as stale", L_INT("run", db_big(expired, i, 0)));
    if (r == 0)
        s->house_at = now + HOUSE_EVERY_MS;
    return r;
}

/* A run whose process was stopped while it sent a group is freed, for us or another to take up. */
static int end_stuck_runs(struct scheduler *s, int64_t now)
{
    if (now < s->stuck_at)
        return 0;
    s->stuck_at = now + LOCK_LOOK_MS;
    return lock_end_stuck(s->db, LOCK_RUN, LOCK_ANY);
}

static int look_at_waves(struct scheduler *s, int64_t now)
{
    if (now < s->waves_at)
        return 0;
    s->waves_at = now + WAVES_EVERY_MS;
    return waves_look(s->db);
}

static int tell_figures(struct scheduler *s, int64_t now)
{
    auto_result waiting = NULL;
    int64_t rows = atomic_load(&s->shared->rows);
    int r;

    if (now < s->waiting_at)
        return 0;
    r = db_run(s->db, &sql_outbox_waiting, NULL, &waiting);
    if (r != 0)
        return r;
    figures_set(s->figures, "runs_open", (int64_t)crew_busy(s->crew));
    figures_set(s->figures, "rows", rows);
    figures_set(s->figures, "rows_per_s",
                s->figures_at ? (rows - s->rows_before) * 1000 / MAX_OF(now - s->figures_at, 1) : 0);
    figures_set(s->figures, "chunks_published", atomic_load(&s->shared->published));
    figures_set(s->figures, "outbox_waiting", db_big(waiting, 0, 0));
    s->figures_at = now;
    s->rows_before = rows;
    s->waiting_at = now + WAITING_EVERY_MS;
    return figures_write(s->figures, s->db);
}

static void say_history(struct scheduler *s)
{
    if (history_guard_lost(s->shared->history))
        health_bad(s->shared->measure->history,
                   "the database has lost history: smschain accept-database, then extract goes on");
    else
        health_good(s->shared->measure->history, "");
}

static bool look_at_history(struct scheduler *s, int64_t now)
{
    if (s->generation == db_generation(s->db) && now < s->history_at)
        return !history_guard_lost(s->shared->history);
    bool fine = history_guard_fine(s->shared->history, s->db);
    if (fine || history_guard_lost(s->shared->history))
        say_history(s);
    if (!fine)
        return false;
    s->generation = db_generation(s->db);
    s->history_at = now + HISTORY_EVERY_MS;
    return true;
}

static void say_trouble(struct scheduler *s, int r)
{
    const char *words = db_error(s->db);

    if (r == DB_DENIED)
        log_trouble_begins(&s->trouble, "the database denies extract a right: smschain migrate gives them",
                           (const struct log_field[]){L_STR("error", words)}, 1);
    else
        log_trouble_begins(&s->trouble, "the database is away",
                           (const struct log_field[]){L_STR("error", words)}, 1);
}

int64_t scheduler_turn(struct scheduler *s)
{
    int64_t now = clock_mono_ms();
    int r;

    loop_turned(s->loop);
    crew_reap(s->crew, now);
    r = db_ready(s->db);
    if (r == 0 && !look_at_history(s, now))
        return TURN_MS;
    if (r == 0)
        r = make_partitions(s, now);
    if (r == 0)
        r = sync_rules(s);
    if (r == 0)
        r = enter_due(s);
    if (r == 0)
        r = tasks_turn(&s->tasks, s->db, now);
    if (r == 0)
        r = start_runs(s);
    if (r == 0)
        r = look_at_waves(s, now);
    if (r == 0)
        r = end_stuck_runs(s, now);
    if (r == 0)
        r = keep_house(s, now);
    if (r == 0)
        r = tell_figures(s, now);
    if (r != 0)
        say_trouble(s, r);
    else
        log_trouble_ends(&s->trouble, "the database is back");
    return TURN_MS;
}

bool scheduler_drain(struct scheduler *s, int64_t timeout_ms)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;

    for (;;) {
        crew_reap(s->crew, clock_mono_ms());
        if (crew_busy(s->crew) == 0)
            return true;
        if (clock_mono_ms() > deadline)
            return false;
        usleep(10000);
    }
}

/* Signs and runs of tasks: see task.h. No statement waits for a row's lock: whoever inserts rows, or signs,
 * may leave its transaction open as long as it likes. */
#include "extract/task.h"
#include "lib/fault.h"
#include "lib/log.h"

#include "rule_lock.sql.h"
#include "task_due.sql.h"
#include "task_enter.sql.h"
#include "task_known.sql.h"
#include "task_sign.sql.h"
#include "task_signed.sql.h"
#include "task_unknown.sql.h"

#include <stdio.h>

#define CHANNEL       "smschain_task"
#define LOOK_EVERY_MS 1000 /* signs that nobody heard, and tasks whose moment has come */
#define HEARD_MAX     1000 /* a turn */
#define ID_SHOWN      100
#define PHONE_DIGITS  7 /* so many together may be a telephone's */

int task_sign(struct db *d, const char *task_id)
{
    auto_params p = db_params_new();
    auto_result known = NULL;
    int r;

    db_add_text(p, task_id);
    r = db_run(d, &sql_task_sign, p, &known);
    return r == 0 && db_rows(known) == 0 ? TASK_UNKNOWN : r;
}

void tasks_init(struct tasks *t, const struct conf *conf)
{
    *t = (struct tasks){0};
    tasks_reload(t, conf);
}

void tasks_reload(struct tasks *t, const struct conf *conf)
{
    free(t->rules);
    t->conf = conf;
    t->rules = xcalloc(conf->rule_count + 1, sizeof(*t->rules));
    t->rule_count = 0;
    for (size_t i = 0; i < conf->rule_count; i++)
        if (conf->rules[i].tasks)
            t->rules[t->rule_count++] = conf->rules[i].name;
    t->rules_told = false;
    t->look_at = 0;
}

void tasks_deinit(struct tasks *t)
{
    free(t->rules);
    *t = (struct tasks){0};
}

/* Anybody who may log in can say anything there: shown is what could be a task's id, no more than two of the
 * digits of what could be a telephone's number. */
static void say_unknown(const char *payload)
{
    char shown[ID_SHOWN + 1];
    size_t n = 0;

    for (const char *s = payload; *s && n < ID_SHOWN;) {
        size_t digits = strspn(s, "0123456789"), run = MAX_OF(digits, (size_t)1);
        for (size_t i = 0; i < run && n < ID_SHOWN; i++)
            shown[n++] = digits >= PHONE_DIGITS && i >= 2 ? '*' : s[i];
        s += run;
    }
    shown[n] = '\0';
    log_warn("a sign for a task that there is not", L_STR("task", shown), L_STR("channel", CHANNEL),
             L_STR("next", "sign it once the transaction that makes it is committed"));
}

/* What was said since the last turn. */
static int hear(struct tasks *t, struct db *d)
{
    if (t->generation != db_generation(d)) {
        int r = db_listen(d, CHANNEL);
        if (r != 0)
            return r;
        t->generation = db_generation(d);
        t->look_at = 0;
    }
    for (int i = 0; i < HEARD_MAX; i++) {
        auto_free char *task_id = NULL;
        int r;
        if (!db_notified(d, &task_id))
            break;
        r = task_sign(d, task_id);
        if (r == TASK_UNKNOWN)
            say_unknown(task_id);
        else if (r != 0 && r != DB_BAD_DATA)
            return r;
        t->look_at = 0;
    }
    return 0;
}

static int run_with_rules(struct tasks *t, struct db *d, const struct db_sql *sql, struct db_result **ret)
{
    auto_params p = db_params_new();

    db_add_text_array(p, t->rules, t->rule_count);
    return db_run(d, sql, p, ret);
}

/* Tasks of rules that are not configured here wait, and those that waited for one that is now here do no
 * more. Two processes with different configurations: only a new configuration says the second, so they do not
 * contradict each other for ever, and the task is entered by the one that can. */
static int look_at_rules(struct tasks *t, struct db *d)
{
    auto_result unknown = NULL;
    int r = 0;

    if (!t->rules_told)
        r = run_with_rules(t, d, &sql_task_known, NULL);
    if (r != 0)
        return r;
    t->rules_told = true;
    r = run_with_rules(t, d, &sql_task_unknown, &unknown);
    for (int i = 0; r == 0 && i < db_rows(unknown); i++)
        log_warn("task waits: its rule is not configured, or has no 'tasks: true'",
                 L_STR("task", db_text(unknown, i, 0)), L_STR("rule", db_text(unknown, i, 1)));
    return r;
}

/* Under the rule's row lock, so that two tasks of one moment get moments of their own. */
static int enter_locked(struct db *d, const char *task_id, const char *rule, struct db_result **ret)
{
    auto_params p = db_params_new();
    auto_params q = db_params_new();
    auto_result row = NULL;
    int r;

    db_add_text(p, rule);
    r = db_run(d, &sql_rule_lock, p, &row);
    if (r != 0 || db_rows(row) == 0)
        return r;
    db_add_text(q, task_id);
    db_add_big(q, db_big(row, 0, 0));
    db_add_text(q, db_text(row, 0, 2));
    return db_run(d, &sql_task_enter, q, ret);
}

static int enter(struct db *d, const char *task_id, const char *rule)
{
    auto_result entered = NULL;
    int r = db_begin(d);

    if (r == 0)
        r = enter_locked(d, task_id, rule, &entered);
    if (r == 0)
        r = db_commit(d);
    if (r > 0)
        db_rollback(d);
    if (r == DB_CONSTRAINT) /* somebody's run stands at that very moment: looked for again */
        return 0;
    if (r == 0 && entered && db_rows(entered) > 0) {
        log_info("run entered", L_STR("rule", rule), L_INT("run", db_big(entered, 0, 0)),
                 L_STR("task", task_id), L_STR("state", db_text(entered, 0, 1)));
        FAULT("extract.task_entered");
    }
    return r;
}

int tasks_turn(struct tasks *t, struct db *d, int64_t now_mono_ms)
{
    auto_result due = NULL;
    int r = hear(t, d);

    if (r != 0 || now_mono_ms < t->look_at)
        return r;
    r = db_run(d, &sql_task_signed, NULL, NULL);
    if (r == 0)
        r = look_at_rules(t, d);
    if (r == 0)
        r = run_with_rules(t, d, &sql_task_due, &due);
    if (r == 0 && db_rows(due) > 0)
        FAULT("extract.task_found");
    for (int i = 0; r == 0 && i < db_rows(due); i++)
        r = enter(d, db_text(due, i, 0), db_text(due, i, 1));
    if (r == 0)
        t->look_at = now_mono_ms + LOOK_EVERY_MS;
    return r;
}

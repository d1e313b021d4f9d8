/* smschain accept-database: the database was restored or failed over, and what happened after `since` may be
 * missing in it. Nothing that may have been sent may be sent again: every message without an outcome gets an
 * open claim that nobody owns (so that no dispatcher can make one) and the telling that it is in doubt. All
 * in one transaction. */
#include "ctl/ctl.h"
#include "extract/firing.h"
#include "history_claims.sql.h"
#include "history_days.sql.h"
#include "history_generation.sql.h"
#include "history_hold.sql.h"
#include "history_hold_caller.sql.h"
#include "history_sequence.sql.h"
#include "history_skip.sql.h"
#include "history_steps.sql.h"
#include "lib/clock.h"
#include "lib/record.h"
#include "lib/seq_id.h"
#include <stdio.h>

#define CHUNK_RECORDS 500
#define SMS_N_AHEAD   (1 << 24)

struct tally {
    int64_t messages, rules, firings;
};

/* One day's messages that are queued or submitted: claims first, then what is told of them. */
static int doubt_day(struct ctl *c, int day, struct tally *t)
{
    auto_params p = db_params_new();
    auto_params q = db_params_new();
    auto_result claims = NULL;
    auto_result steps = NULL;
    db_add_big(p, sms_id_day_first(day));
    db_add_big(p, sms_id_day_first(day + 1));
    int code = ctl_sql(c, &sql_history_claims, p, &claims);
    if (code != 0)
        return code;
    db_add_big(q, sms_id_day_first(day));
    db_add_big(q, sms_id_day_first(day + 1));
    db_add_int(q, RECORD_VERSION);
    db_add_big(q, clock_wall_ms());
    db_add_int(q, CHUNK_RECORDS);
    db_add_int(q, (int32_t)c->conf->main.broker.update_shards);
    code = ctl_sql(c, &sql_history_steps, q, &steps);
    if (code == 0)
        t->messages += db_big(steps, 0, 0);
    return code;
}

static int doubt_all(struct ctl *c, struct tally *t)
{
    auto_params p = db_params_new();
    auto_result days = NULL;
    db_add_int(p, (int32_t)c->conf->main.database.claims_keep_days);
    int code = ctl_sql(c, &sql_history_days, p, &days);
    for (int i = 0; code == 0 && i < db_rows(days); i++)
        code = doubt_day(c, (int)db_big(days, i, 0), t);
    return code;
}

static int skip_firings(struct ctl *c, const struct firing_plan *plan, int64_t rule_id, int64_t since_ms,
                        struct tally *t)
{
    int64_t now = clock_wall_ms();
    for (int64_t at = firing_next(plan, since_ms - 1); at != FIRING_NEVER && at <= now;
         at = firing_next(plan, at)) {
        auto_params p = db_params_new();
        auto_result entered = NULL;
        db_add_big(p, rule_id);
        db_add_time(p, at);
        int code = ctl_sql(c, &sql_history_skip, p, &entered);
        if (code != 0)
            return code;
        t->firings += db_rows(entered);
    }
    return 0;
}

/* Firings that extract would make up for, were it asked, are entered as skipped. A rule with tasks has none:
 * what is signed is entered held, as long as the rule is. */
static int skip_missed(struct ctl *c, const struct conf_rule *rule, int64_t rule_id, int64_t since_ms,
                       struct tally *t)
{
    struct firing_plan plan;
    char message[CRON_MESSAGE_SIZE];
    if (rule->tasks)
        return 0;
    if (firing_plan_init(&plan, rule->schedule, rule->at, rule->time_zone, message) < 0)
        return ctl_fail(EXIT_CONF, "%s: %s", rule->file, message);
    int code = skip_firings(c, &plan, rule_id, since_ms - c->conf->main.extract.missed_look_back_ms, t);
    firing_plan_deinit(&plan);
    return code;
}

/* Any rule may have entered and sent rows that this database knows nothing of: by a firing in the lost time,
 * by one that was made up for or still being read then, or by hand. A person decides whether it may run
 * again. */
static int hold_rule(struct ctl *c, const struct conf_rule *rule, int64_t since_ms, const char *since,
                     struct tally *t)
{
    auto_params p = db_params_new();
    auto_result row = NULL;
    auto_free char *why = xasprintf("database accepted with history lost since %s", since);
    db_add_text(p, rule->name);
    db_add_text(p, why);
    int code = ctl_sql(c, &sql_history_hold, p, &row);
    if (code != 0 || db_rows(row) == 0)
        return code;
    t->rules++;
    return skip_missed(c, rule, db_big(row, 0, 0), since_ms, t);
}

/* So may any caller have asked for messages that this database knows nothing of; by the same keys they would be entered
 * again. */
static int hold_caller(struct ctl *c, const char *caller, const char *since, struct tally *t)
{
    auto_params p = db_params_new();
    auto_free char *rule = xasprintf(CALLER_RULE_PREFIX "%s", caller);
    auto_free char *why = xasprintf("database accepted with history lost since %s", since);
    db_add_text(p, rule);
    db_add_text(p, why);
    int code = ctl_sql(c, &sql_history_hold_caller, p, NULL);
    t->rules += code == 0;
    return code;
}

static int accept_all(struct ctl *c, int64_t since_ms, const char *since, struct tally *t)
{
    auto_params p = db_params_new();
    int code = ctl_begin(c);
    if (code == 0)
        code = doubt_all(c, t);
    for (size_t i = 0; code == 0 && i < c->conf->rule_count; i++)
        code = hold_rule(c, &c->conf->rules[i], since_ms, since, t);
    for (size_t i = 0; code == 0 && i < c->conf->caller_count; i++)
        code = hold_caller(c, c->conf->callers[i].name, since, t);
    db_add_big(p, SMS_N_AHEAD);
    if (code == 0)
        code = ctl_sql(c, &sql_history_sequence, p, NULL);
    if (code == 0)
        code = ctl_sql(c, &sql_history_generation, NULL, NULL);
    if (code == 0)
        code = ctl_commit(c);
    return code;
}

static bool confirmed(const char *since)
{
    char answer[8] = "";
    printf("Everything without an outcome is put in doubt, every rule is held until it is accepted, and what "
           "fired since\n"
           "%s is skipped. This cannot be taken back. Go on? [yes/no] ",
           since);
    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) != NULL && strcmp(answer, "yes\n") == 0;
}

int cmd_accept_database(struct ctl *c)
{
    const char *since = NULL;
    int64_t since_ms = 0;
    struct tally t = {0};
    bool yes = ctl_take_flag(c, "--yes");
    if (!ctl_take_value(c, "--since", &since) || !ctl_no_options_left(c) || c->argc != 1 || since == NULL)
        return ctl_usage("accept-database");
    if (!clock_parse_iso(since, &since_ms) || since_ms > clock_wall_ms())
        return ctl_fail(EXIT_USAGE, "--since wants a past moment like 2026-01-31T08:15:00Z");
    if (!yes && !confirmed(since))
        return ctl_fail(EXIT_REFUSED, "not confirmed; nothing was done");
    int code = ctl_db(c);
    if (code == 0)
        code = accept_all(c, since_ms, since, &t);
    if (code != 0)
        return code;
    printf("accepted: %lld messages put in doubt, %lld rules held, %lld firings skipped; the services go on "
           "within 5 s\n",
           (long long)t.messages, (long long)t.rules, (long long)t.firings);
    return t.messages > 0 || t.rules > 0 ? EXIT_ATTENTION : EXIT_DONE;
}

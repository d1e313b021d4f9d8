/* The rows of rules: see rule.h. */
#include "extract/rule.h"
#include "extract/key.h"
#include "lib/log.h"
#include "rule_sync.sql.h"
#include "template_seen.sql.h"

static int sync_one(struct db *d, const struct conf_rule *rule, int64_t now_ms)
{
    char hash[SQL_HASH_SIZE];
    auto_params p = db_params_new();
    auto_result res = NULL;
    /* A rule with tasks has no SQL that another could have as well, and no firings. */
    auto_free char *no_sql = xasprintf("tasks of rule %s", rule->name);
    auto_free char *schedule = rule->tasks
                                   ? xstrdup("tasks")
                                   : xasprintf("%s%s in %s", *rule->at ? "at " : "",
                                               *rule->at ? rule->at : rule->schedule, rule->time_zone);
    int r;

    db_add_text(p, rule->name);
    db_add_text(p, rule->tasks ? no_sql : sql_hash(rule->sql, hash));
    db_add_text_array(p, (const char *const *)rule->once_per.items, rule->once_per.count);
    db_add_text(p, schedule);
    db_add_time(p, now_ms);
    r = db_run(d, &sql_rule_sync, p, &res);
    if (r == 0 && db_rows(res) > 0 && *db_text(res, 0, 1))
        log_warn("rule is held", L_STR("rule", rule->name), L_STR("why", db_text(res, 0, 1)),
                 L_STR("next", "smschain accept"));
    return r;
}

/* Before any message of this configuration is entered: its templates' texts are kept. */
static int keep_template(struct db *d, const struct conf_template *t)
{
    auto_params p = db_params_new();

    db_add_text(p, t->version);
    db_add_text(p, t->name);
    db_add_text(p, t->whole);
    return db_run(d, &sql_template_seen, p, NULL);
}

int rule_sync_all(struct db *d, const struct conf *c, int64_t now_ms)
{
    for (size_t i = 0; i < c->template_count; i++) {
        int r = keep_template(d, &c->templates[i]);
        if (r != 0)
            return r;
    }
    for (size_t i = 0; i < c->rule_count; i++) {
        int r = sync_one(d, &c->rules[i], now_ms);
        if (r != 0)
            return r;
    }
    return 0;
}

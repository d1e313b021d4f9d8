/* smschain run: a firing of a rule by a person, now. */
#include "ctl/ctl.h"
#include "lib/clock.h"
#include "rule_row.sql.h"
#include "run_enter.sql.h"
#include <stdio.h>

#define RULE_WAIT_MS 5000

/* extract enters a rule's row within a second of seeing its file. */
static int rule_row(struct ctl *c, const char *rule, struct db_result **ret)
{
    auto_params p = db_params_new();
    db_add_text(p, rule);
    int64_t deadline = clock_mono_ms() + RULE_WAIT_MS;
    for (;;) {
        int code = ctl_sql(c, &sql_rule_row, p, ret);
        if (code != 0 || db_rows(*ret) > 0)
            return code;
        db_result_free(*ret);
        *ret = NULL;
        if (clock_mono_ms() > deadline)
            return ctl_fail(EXIT_REFUSED,
                            "extract has not seen rule %s yet: is it running with this configuration?", rule);
        usleep(100000);
    }
}

int cmd_run(struct ctl *c)
{
    auto_result rule = NULL;
    auto_result run = NULL;
    auto_params p = db_params_new();
    if (!ctl_no_options_left(c) || c->argc != 2)
        return ctl_usage("run");
    const char *name = c->argv[1];
    int code = ctl_db(c);
    if (code == 0 && conf_rule(c->conf, name) == NULL)
        code = ctl_fail(EXIT_REFUSED, "no rule %s in %s/rules", name, c->conf_dir);
    if (code == 0)
        code = ctl_has_sql(conf_rule(c->conf, name), "run");
    if (code == 0)
        code = rule_row(c, name, &rule);
    if (code != 0)
        return code;
    const char *held_why = db_text(rule, 0, 1);
    db_add_big(p, db_big(rule, 0, 0));
    db_add_text(p, held_why);
    code = ctl_sql(c, &sql_run_enter, p, &run);
    if (code != 0)
        return code;
    if (db_rows(run) == 0)
        return ctl_fail(EXIT_REFUSED, "rule %s has a run for this very moment already; say it again", name);
    printf("%s\n", db_text(run, 0, 0));
    if (*held_why == '\0')
        return EXIT_DONE;
    return ctl_fail(EXIT_ATTENTION, "run %s is held: %s; smschain accept %s lets it go", db_text(run, 0, 0),
                    held_why, name);
}

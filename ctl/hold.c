/* smschain release, cancel and accept: what a person decides about runs and rules. */
#include "control_set.sql.h"
#include "ctl/ctl.h"
#include "ctl/show_planned.h"
#include "message_find.sql.h"
#include "rule_accept.sql.h"
#include "rule_accept_runs.sql.h"
#include "run_cancel.sql.h"
#include "run_release.sql.h"
#include <pwd.h>
#include <stdio.h>

#define PERSON_SIZE 144

/* Who says so: the database knows only the operators' common role. */
static const char *person(char out[PERSON_SIZE])
{
    const char *sudo = getenv("SUDO_USER");
    const struct passwd *me = getpwuid(geteuid());
    char host[64] = "";

    (void)gethostname(host, sizeof(host) - 1);
    snprintf(out, PERSON_SIZE, "%.64s@%s", sudo && *sudo ? sudo : me ? me->pw_name : "?", host);
    return out;
}

/* What happens now, in the words of the run's figures. */
static void say_released(const struct db_result *r)
{
    enum { RULE, WHOLE, NEW, PLANNED, WAVES, WAVE_FIRST };
    struct planned *planned = planned_decode(db_text(r, 0, PLANNED), strlen(db_text(r, 0, PLANNED)));

    if (!db_bool(r, 0, WHOLE)) {
        printf("its source is read, now without that limit; what else may hold it is said then\n");
    } else {
        if (planned) {
            printf("it sends ");
            show_planned_line(planned);
            putchar('\n');
        }
        if (db_bool(r, 0, WAVES))
            printf("the first wave leaves now: %s of %s\n", db_text(r, 0, WAVE_FIRST), db_text(r, 0, NEW));
    }
    planned_free(planned);
}

int cmd_release(struct ctl *c)
{
    int64_t run;
    char who[PERSON_SIZE];
    auto_params p = db_params_new();
    auto_result released = NULL;
    if (!ctl_no_options_left(c) || c->argc != 2 || !ctl_parse_big(c->argv[1], &run))
        return ctl_usage("release");
    int code = ctl_db(c);
    if (code != 0)
        return code;
    db_add_big(p, run);
    db_add_text(p, person(who));
    code = ctl_sql(c, &sql_run_release, p, &released);
    if (code != 0)
        return code;
    if (db_rows(released) == 0)
        return ctl_fail(EXIT_REFUSED, "run %s is not held", c->argv[1]);
    printf("released: run %s\n", c->argv[1]);
    say_released(released);
    return EXIT_DONE;
}

static int control_cancel(struct ctl *c, const char *scope, const char *key, const char *reason)
{
    auto_params p = db_params_new();
    db_add_text(p, "cancel");
    db_add_text(p, scope);
    db_add_text(p, key);
    db_add_text(p, reason != NULL ? reason : "");
    return ctl_sql(c, &sql_control_set, p, NULL);
}

static int cancel_message(struct ctl *c, const char *key, const char *reason)
{
    int64_t sms_id;
    auto_params p = db_params_new();
    auto_result found = NULL;
    if (!ctl_parse_big(key, &sms_id))
        return ctl_usage("cancel");
    int code = ctl_db(c);
    if (code != 0)
        return code;
    db_add_big(p, sms_id);
    code = ctl_sql(c, &sql_message_find, p, &found);
    if (code == 0 && db_rows(found) == 0)
        code = ctl_fail(EXIT_REFUSED, "no message %s", key);
    if (code == 0)
        code = control_cancel(c, "message", key, reason);
    if (code == 0)
        printf("cancelled: message %s, if it was not claimed yet\n", key);
    return code;
}

/* The run's chunks may leave even if it was held: each of its messages then ends at the claim, as cancelled,
 * so that none stands open for ever. Its control row is there first, in the same transaction. */
static int cancel_run(struct ctl *c, const char *key, const char *reason)
{
    int64_t run;
    auto_params p = db_params_new();
    auto_result found = NULL;
    if (!ctl_parse_big(key, &run))
        return ctl_usage("cancel");
    int code = ctl_db(c);
    if (code == 0)
        code = ctl_begin(c);
    if (code == 0)
        code = control_cancel(c, "run", key, reason);
    db_add_big(p, run);
    if (code == 0)
        code = ctl_sql(c, &sql_run_cancel, p, &found);
    if (code == 0 && db_rows(found) == 0)
        code = ctl_fail(EXIT_REFUSED, "no run %s", key);
    if (code == 0)
        code = ctl_commit(c);
    if (code == 0)
        printf("cancelled: run %s (what was claimed already goes out)\n", key);
    return code;
}

int cmd_cancel(struct ctl *c)
{
    const char *message = NULL, *reason = NULL;
    if (!ctl_take_value(c, "--message", &message) || !ctl_take_value(c, "--reason", &reason) ||
        !ctl_no_options_left(c) || c->argc != (message != NULL ? 1 : 2))
        return ctl_usage("cancel");
    return message != NULL ? cancel_message(c, message, reason) : cancel_run(c, c->argv[1], reason);
}

int cmd_accept(struct ctl *c)
{
    auto_params rule_params = db_params_new();
    auto_params run_params = db_params_new();
    auto_result rule = NULL;
    auto_result runs = NULL;
    if (!ctl_no_options_left(c) || c->argc != 2)
        return ctl_usage("accept");
    const char *name = c->argv[1];
    int code = ctl_db(c);
    const struct conf_rule *conf = code == 0 ? conf_rule(c->conf, name) : NULL;
    if (code == 0 && conf == NULL && !ctl_is_caller_rule(c, name))
        code = ctl_fail(EXIT_REFUSED, "no rule %s in %s/rules", name, c->conf_dir);
    if (code == 0)
        code = ctl_begin(c);
    if (code != 0)
        return code;
    db_add_text(rule_params, name);
    db_add_text_array(rule_params, conf != NULL ? (const char *const *)conf->once_per.items : NULL,
                      conf != NULL ? conf->once_per.count : 0);
    code = ctl_sql(c, &sql_rule_accept, rule_params, &rule);
    if (code == 0 && db_rows(rule) == 0)
        code = ctl_fail(EXIT_REFUSED, "rule %s: nothing to accept", name);
    if (code != 0)
        return code;
    db_add_big(run_params, db_big(rule, 0, 0));
    db_add_text(run_params, db_text(rule, 0, 1));
    code = ctl_sql(c, &sql_rule_accept_runs, run_params, &runs);
    if (code == 0)
        code = ctl_commit(c);
    if (code == 0)
        printf("accepted: rule %s (was: %s); %d held runs go on\n", name, db_text(rule, 0, 1), db_rows(runs));
    return code;
}

/* smschain stop and start: rows in `control`, which the claim statement reads; so a pause counts from the
 * next claim on, in every process. */
#include "control_clear.sql.h"
#include "control_set.sql.h"
#include "ctl/ctl.h"
#include <stdio.h>

struct scope {
    const char *scope, *key, *reason;
};

/* all | RULE | --gateway GATEWAY [--reason TEXT] */
static int read_scope(struct ctl *c, const char *command, struct scope *ret)
{
    const char *gateway = NULL;
    *ret = (struct scope){.key = ""};
    if (!ctl_take_value(c, "--gateway", &gateway) || !ctl_take_value(c, "--reason", &ret->reason) ||
        !ctl_no_options_left(c) || c->argc != (gateway != NULL ? 1 : 2))
        return ctl_usage(command);
    int code = ctl_db(c);
    if (code != 0)
        return code;
    if (gateway != NULL) {
        ret->scope = "gateway";
        ret->key = gateway;
        if (conf_gateway(c->conf, gateway) == NULL)
            return ctl_fail(EXIT_REFUSED, "no gateway %s in %s/gateways", gateway, c->conf_dir);
    } else if (strcmp(c->argv[1], "all") == 0) {
        ret->scope = "all";
    } else {
        ret->scope = "rule";
        ret->key = c->argv[1];
        if (conf_rule(c->conf, ret->key) == NULL && strcmp(ret->key, INBOUND_RULE) != 0 &&
            !ctl_is_caller_rule(c, ret->key))
            return ctl_fail(EXIT_REFUSED, "no rule %s in %s/rules", ret->key, c->conf_dir);
    }
    return 0;
}

int cmd_stop(struct ctl *c)
{
    struct scope s;
    auto_params p = db_params_new();
    int code = read_scope(c, "stop", &s);
    if (code != 0)
        return code;
    db_add_text(p, "pause");
    db_add_text(p, s.scope);
    db_add_text(p, s.key);
    db_add_text(p, s.reason != NULL ? s.reason : "");
    code = ctl_sql(c, &sql_control_set, p, NULL);
    if (code == 0)
        printf("paused: %s %s\n", s.scope, s.key);
    return code;
}

int cmd_start(struct ctl *c)
{
    struct scope s;
    auto_params p = db_params_new();
    auto_result cleared = NULL;
    int code = read_scope(c, "start", &s);
    if (code != 0)
        return code;
    db_add_text(p, s.scope);
    db_add_text(p, s.key);
    code = ctl_sql(c, &sql_control_clear, p, &cleared);
    if (code == 0)
        printf(db_rows(cleared) > 0 ? "started: %s %s\n" : "was not paused: %s %s\n", s.scope, s.key);
    return code;
}

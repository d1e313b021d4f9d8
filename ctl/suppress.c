/* smschain suppress: numbers that get nothing (or no marketing). Read by extract, and again by the claim. */
#include "ctl/ctl.h"
#include "lib/number.h"
#include "suppress_add.sql.h"
#include "suppress_remove.sql.h"
#include <stdio.h>

int cmd_suppress(struct ctl *c)
{
    const char *scope = NULL, *reason = NULL;
    if (!ctl_take_value(c, "--scope", &scope) || !ctl_take_value(c, "--reason", &reason) ||
        !ctl_no_options_left(c) || c->argc != 3)
        return ctl_usage("suppress");
    bool add = strcmp(c->argv[1], "add") == 0;
    if (scope == NULL)
        scope = "all";
    if ((!add && strcmp(c->argv[1], "remove") != 0) ||
        (strcmp(scope, "all") != 0 && strcmp(scope, "marketing") != 0))
        return ctl_usage("suppress");
    int code = ctl_db(c);
    if (code != 0)
        return code;
    const char *country = c->conf->main.country_code;
    int64_t number = 0;
    enum number_fault fault =
        number_normalise(c->argv[2], country != NULL && *country != '\0' ? country : NULL, &number);
    if (fault != NUMBER_OK)
        return ctl_fail(EXIT_REFUSED, "that is no number: %s", number_fault_word(fault));
    auto_params p = db_params_new();
    auto_result changed = NULL;
    char masked[NUMBER_SIZE];
    db_add_big(p, number);
    db_add_text(p, scope);
    if (add)
        db_add_text(p, reason != NULL ? reason : "operator");
    code = ctl_sql(c, add ? &sql_suppress_add : &sql_suppress_remove, p, &changed);
    if (code == 0)
        printf("%s: %s, scope %s%s\n", add ? "suppressed" : "no longer suppressed",
               number_mask(number, masked), scope, db_rows(changed) == 0 ? " (as it was)" : "");
    return code;
}

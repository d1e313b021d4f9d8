/* smschain check and config: the configuration, its errors, its effective values. Touches no server. */
#include "ctl/ctl.h"
#include <stdio.h>

int cmd_check(struct ctl *c)
{
    const char *section = NULL;
    if (!ctl_take_value(c, "--section", &section) || !ctl_no_options_left(c) || c->argc != 1)
        return ctl_usage("check");
    int code = ctl_conf(c, section != NULL ? section : "");
    if (code == 0)
        printf("%s: good: %zu sources, %zu rules, %zu templates, %zu gateways\n", c->conf_dir,
               c->conf->source_count, c->conf->rule_count, c->conf->template_count, c->conf->gateway_count);
    return code;
}

int cmd_config(struct ctl *c)
{
    auto_buf out = {0};
    bool reference = ctl_take_flag(c, "--reference");
    if (!ctl_no_options_left(c) || c->argc != 1)
        return ctl_usage("config");
    if (reference) {
        conf_print_reference(&out);
    } else {
        /* Secrets are not shown, so nobody's need be there. */
        int code = ctl_conf(c, "none");
        if (code != 0)
            return code;
        conf_print(c->conf, &out);
    }
    if (out.len > 0)
        fwrite(out.data, 1, out.len, stdout);
    return EXIT_DONE;
}

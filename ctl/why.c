/* smschain why: every message to a number with its story, every row of it that became none, and what the
 * rules' runs made of it. Reads only. */
#include "ctl/why.h"
#include <stdio.h>

static int answer(struct ctl *c, struct why *w, bool whole, bool json)
{
    char number[NUMBER_SIZE];
    int code = ctl_db(c);
    if (code != 0)
        return code;
    w->conf = c->conf;
    if (*w->rule != '\0' && conf_rule(c->conf, w->rule) == NULL)
        fprintf(stderr, "smschain: rule %s is not in %s/rules; only what is known of it is shown\n", w->rule,
                c->conf_dir);
    code = ctl_db_code(c, why_read(c->db, w), "why");
    if (code != 0)
        return code;
    const char *shown = whole && w->number > 0 ? number_format(w->number, number) : w->masked;
    (json ? why_json : why_print)(w, shown);
    return EXIT_DONE;
}

int cmd_why(struct ctl *c)
{
    struct why w = {.since_ms = WHY_SINCE_MS, .limit = WHY_LIMIT};
    const char *since = NULL, *limit = NULL, *ext = NULL;
    bool json = ctl_take_flag(c, "--json"), whole = ctl_take_flag(c, "--whole-number");
    if (!ctl_take_value(c, "--rule", &w.rule) || !ctl_take_value(c, "--since", &since) ||
        !ctl_take_value(c, "--limit", &limit) || !ctl_take_value(c, "--ext", &ext) ||
        !ctl_no_options_left(c) || c->argc != (ext != NULL ? 1 : 2) ||
        (ext != NULL && (w.rule != NULL || since != NULL || whole)))
        return ctl_usage("why");
    if (since != NULL && !ctl_parse_duration(since, &w.since_ms))
        return ctl_fail(EXIT_USAGE, "--since wants a time like 90s, 15m, 2h or 3d");
    if (limit != NULL && !ctl_parse_big(limit, &w.limit))
        return ctl_fail(EXIT_USAGE, "--limit wants a number");
    if (ext != NULL)
        return why_ext(c, ext, w.limit, json);
    if (w.rule == NULL)
        w.rule = "";
    w.text = c->argv[1];
    int code = answer(c, &w, whole, json);
    why_deinit(&w);
    return code;
}

/* smschain why: every message to a number with its story, every row of it that became none, and what the
 * rules' runs made of it. Reads only. */
#include "ctl/why.h"
#include "suppress_find.sql.h"
#include "why_messages.sql.h"
#include "why_runs.sql.h"
#include "why_segments.sql.h"
#include "why_skips.sql.h"
#include "why_story.sql.h"
#include <stdio.h>

#define SINCE_MS (INT64_C(7) * 24 * 3600 * 1000)
#define LIMIT    50

struct choice {
    const char *text; /* as it was given */
    char digits[NUMBER_SIZE];
    int64_t number, since_ms, limit;
};

static void why_deinit(struct why *w)
{
    for (int i = 0; w->stories != NULL && i < db_rows(w->messages); i++) {
        db_result_free(w->stories[i]);
        db_result_free(w->segments[i]);
    }
    free(w->stories);
    free(w->segments);
    db_result_free(w->suppressed);
    db_result_free(w->messages);
    db_result_free(w->skips);
    db_result_free(w->runs);
}

static int read_story(struct ctl *c, struct why *w, int i)
{
    auto_params p = db_params_new();
    auto_params q = db_params_new();
    db_add_big(p, db_big(w->messages, i, M_SMS_ID));
    int code = ctl_sql(c, &sql_why_story, p, &w->stories[i]);
    if (code != 0 || db_big(w->messages, i, M_PARTS) <= 1)
        return code;
    db_add_big(q, db_big(w->messages, i, M_SMS_ID));
    db_add_int(q, (int32_t)db_big(w->messages, i, M_PARTS));
    return ctl_sql(c, &sql_why_segments, q, &w->segments[i]);
}

static int read_messages(struct ctl *c, const struct choice *a, struct why *w)
{
    auto_params p = db_params_new();
    auto_params q = db_params_new();
    db_add_big(p, a->number);
    db_add_text(p, "");
    int code = ctl_sql(c, &sql_suppress_find, p, &w->suppressed);
    db_add_big(q, a->number);
    db_add_text(q, w->rule);
    db_add_big(q, a->limit);
    if (code == 0)
        code = ctl_sql(c, &sql_why_messages, q, &w->messages);
    w->stories = xcalloc((size_t)db_rows(w->messages) + 1, sizeof(*w->stories));
    w->segments = xcalloc((size_t)db_rows(w->messages) + 1, sizeof(*w->segments));
    for (int i = 0; code == 0 && i < db_rows(w->messages); i++)
        code = read_story(c, w, i);
    return code;
}

/* Rows are found by the number, and by what stood in its place: as it was given. */
static void add_names(struct db_params *p, const struct choice *a)
{
    const char *const names[] = {a->text, a->digits};
    db_add_text_array(p, names, a->number > 0 ? 2 : 1);
}

static int read_runs(struct ctl *c, const struct choice *a, struct why *w)
{
    auto_params p = db_params_new();
    auto_params q = db_params_new();
    add_names(p, a);
    db_add_text(p, w->rule);
    db_add_big(p, a->limit);
    db_add_big(p, a->number);
    int code = ctl_sql(c, &sql_why_skips, p, &w->skips);
    add_names(q, a);
    db_add_big(q, a->number);
    db_add_text(q, w->rule);
    db_add_big(q, a->since_ms);
    db_add_big(q, a->limit);
    if (code == 0)
        code = ctl_sql(c, &sql_why_runs, q, &w->runs);
    return code;
}

static int read_number(struct ctl *c, struct choice *a, bool whole, struct why *w)
{
    const char *country = c->conf->main.country_code;
    enum number_fault fault =
        number_normalise(a->text, country != NULL && *country != '\0' ? country : NULL, &a->number);
    if (fault != NUMBER_OK) {
        a->number = 0;
        w->no_number = number_fault_word(fault);
        snprintf(w->number, sizeof(w->number), "%s", "-");
        return 0;
    }
    snprintf(a->digits, sizeof(a->digits), "%lld", (long long)a->number);
    (whole ? number_format : number_mask)(a->number, w->number);
    return 0;
}

static int answer(struct ctl *c, struct choice *a, bool whole, bool json, struct why *w)
{
    int code = ctl_db(c);
    if (code == 0 && *w->rule != '\0' && conf_rule(c->conf, w->rule) == NULL)
        fprintf(stderr, "smschain: rule %s is not in %s/rules; only what is known of it is shown\n", w->rule,
                c->conf_dir);
    if (code == 0)
        code = read_number(c, a, whole, w);
    if (code == 0)
        code = read_messages(c, a, w);
    if (code == 0)
        code = read_runs(c, a, w);
    if (code == 0)
        (json ? why_json : why_print)(w);
    return code;
}

int cmd_why(struct ctl *c)
{
    struct choice a = {.since_ms = SINCE_MS, .limit = LIMIT};
    struct why w = {.ctl = c};
    const char *since = NULL, *limit = NULL;
    bool json = ctl_take_flag(c, "--json"), whole = ctl_take_flag(c, "--whole-number");
    if (!ctl_take_value(c, "--rule", &w.rule) || !ctl_take_value(c, "--since", &since) ||
        !ctl_take_value(c, "--limit", &limit) || !ctl_no_options_left(c) || c->argc != 2)
        return ctl_usage("why");
    if (since != NULL && !ctl_parse_duration(since, &a.since_ms))
        return ctl_fail(EXIT_USAGE, "--since wants a time like 90s, 15m, 2h or 3d");
    if (limit != NULL && !ctl_parse_big(limit, &a.limit))
        return ctl_fail(EXIT_USAGE, "--limit wants a number");
    if (w.rule == NULL)
        w.rule = "";
    a.text = c->argv[1];
    int code = answer(c, &a, whole, json, &w);
    why_deinit(&w);
    return code;
}

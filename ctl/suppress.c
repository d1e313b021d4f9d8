/* smschain suppress: numbers that get nothing (or no marketing). Read by extract, and again by the claim. */
#include "ctl/ctl.h"
#include "lib/number.h"
#include "suppress_add.sql.h"
#include "suppress_find.sql.h"
#include "suppress_list.sql.h"
#include "suppress_remove.sql.h"
#include <stdio.h>

#define LIST_ROWS 100

struct words {
    const char *scope, *reason, *what; /* what: the number or file behind the verb, or NULL */
    bool scope_given, json, whole, skip_bad;
    int64_t limit;
};

static int read_number(const struct ctl *c, const char *text, int64_t *ret)
{
    const char *country = c->conf->main.country_code;
    enum number_fault fault =
        number_normalise(text, country != NULL && *country != '\0' ? country : NULL, ret);
    if (fault != NUMBER_OK)
        return ctl_fail(EXIT_REFUSED, "that is no number: %s", number_fault_word(fault));
    return 0;
}

static int change(struct ctl *c, const struct words *w, bool add)
{
    int64_t number = 0;
    int code = read_number(c, w->what, &number);
    if (code != 0)
        return code;
    auto_params p = db_params_new();
    auto_result changed = NULL;
    char masked[NUMBER_SIZE];
    db_add_big(p, number);
    db_add_text(p, w->scope);
    if (add)
        db_add_text(p, w->reason != NULL ? w->reason : "operator");
    code = ctl_sql(c, add ? &sql_suppress_add : &sql_suppress_remove, p, &changed);
    if (code == 0)
        printf("%s: %s, scope %s%s\n", add ? "suppressed" : "no longer suppressed",
               number_mask(number, masked), w->scope, db_rows(changed) == 0 ? " (as it was)" : "");
    return code;
}

static int add(struct ctl *c, const struct words *w)
{
    return change(c, w, true);
}

static int remove_number(struct ctl *c, const struct words *w)
{
    return change(c, w, false);
}

static void print_row(const struct db_result *r, int i, const struct words *w)
{
    char number[NUMBER_SIZE], since[SHOW_TIME_SIZE];
    auto_buf b = {0};
    (w->whole ? number_format : number_mask)(db_big(r, i, 0), number);
    if (w->json) {
        buf_add_char(&b, '{');
        show_json_text(&b, "number", number);
        show_json_text(&b, "scope", db_text(r, i, 1));
        show_json_text(&b, "reason", db_text(r, i, 2));
        show_json_time(&b, "since", db_time_ms(r, i, 3));
        printf("%s}\n", b.data);
        return;
    }
    printf("%-16s %-9s %s ", number, db_text(r, i, 1), show_time(db_time_ms(r, i, 3), since));
    show_cut(db_text(r, i, 2), SHOW_COLUMNS - 48);
    putchar('\n');
}

/* The newest first, or those of one number. */
static int list(struct ctl *c, const struct words *w)
{
    auto_params p = db_params_new();
    auto_result r = NULL;
    int64_t number = 0;
    int code = w->what != NULL ? read_number(c, w->what, &number) : 0;
    if (code != 0)
        return code;
    if (w->what != NULL)
        db_add_big(p, number);
    else
        db_add_big(p, w->limit);
    db_add_text(p, w->scope_given ? w->scope : "");
    code = ctl_sql(c, w->what != NULL ? &sql_suppress_find : &sql_suppress_list, p, &r);
    if (code != 0)
        return code;
    int64_t all = db_rows(r) > 0 ? db_big(r, 0, 4) : 0;
    if (!w->json && db_rows(r) > 0)
        printf("%-16s %-9s %-19s %s\n", "number", "scope", "since (UTC)", "reason");
    for (int i = 0; i < db_rows(r); i++)
        print_row(r, i, w);
    if (!w->json && all > db_rows(r))
        printf("the newest %d of %lld; --limit N shows more, smschain suppress export all\n", db_rows(r),
               (long long)all);
    if (!w->json && db_rows(r) == 0)
        printf("%s\n", w->what != NULL ? "that number is not suppressed" : "no number is suppressed");
    return EXIT_DONE;
}

static int import(struct ctl *c, const struct words *w)
{
    return suppress_import(c, w->what, w->skip_bad, w->scope, w->reason);
}

static int export(struct ctl *c, const struct words *w)
{
    return suppress_export(c, w->what != NULL ? w->what : "-");
}

static bool read_words(struct ctl *c, struct words *w)
{
    const char *limit = NULL;
    w->json = ctl_take_flag(c, "--json");
    w->whole = ctl_take_flag(c, "--whole-number");
    w->skip_bad = ctl_take_flag(c, "--skip-bad");
    if (!ctl_take_value(c, "--scope", &w->scope) || !ctl_take_value(c, "--reason", &w->reason) ||
        !ctl_take_value(c, "--limit", &limit) || !ctl_no_options_left(c) || c->argc < 2 || c->argc > 3)
        return false;
    w->scope_given = w->scope != NULL;
    if (w->scope == NULL)
        w->scope = "all";
    w->limit = LIST_ROWS;
    w->what = c->argc == 3 ? c->argv[2] : NULL;
    return suppress_scope(w->scope) && (limit == NULL || ctl_parse_big(limit, &w->limit));
}

int cmd_suppress(struct ctl *c)
{
    static const struct {
        const char *name;
        int (*run)(struct ctl *c, const struct words *w);
        bool needs_what;
    } verbs[] = {{"add", add, true},
                 {"remove", remove_number, true},
                 {"list", list, false},
                 {"import", import, true},
                 {"export", export, false}};
    struct words w = {0};
    size_t i = 0;
    if (!read_words(c, &w))
        return ctl_usage("suppress");
    while (i < COUNT_OF(verbs) && strcmp(verbs[i].name, c->argv[1]) != 0)
        i++;
    if (i == COUNT_OF(verbs) || (verbs[i].needs_what && w.what == NULL))
        return ctl_usage("suppress");
    int code = ctl_db(c);
    return code == 0 ? verbs[i].run(c, &w) : code;
}

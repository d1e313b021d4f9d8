/* All runs, newest first, fifty a page; of one rule or in one state. */
#include "dashboard/pages.h"
#include "dashboard/run_list.h"
#include "rule_names.sql.h"
#include "runs.sql.h"

#include <inttypes.h>

#define PAGE_RUNS 50

static const char *const states[][2] = {
    {"new", "waiting to be read"}, {"reading", "reading"},     {"read", "read"},      {"held", "held"},
    {"failed", "failed"},          {"cancelled", "cancelled"}, {"skipped", "skipped"}};

static void add_option(struct buf *out, const char *value, const char *text, const char *chosen)
{
    htmlf(out, "<option value=\"%s\"%s>%s</option>", value, strcmp(value, chosen) == 0 ? " selected" : "",
          text);
}

static void add_filter(struct page *p, const struct db_result *rules)
{
    const char *rule = query_get(p->query, "rule"), *state = query_get(p->query, "state");
    buf_add_str(&p->out, "<form class=\"ask\" method=\"get\" action=\"/runs\"><label>Rule <select "
                         "name=\"rule\"><option value=\"\">all</option>");
    for (int i = 0; i < db_rows(rules); i++)
        add_option(&p->out, db_text(rules, i, 1), db_text(rules, i, 1), rule);
    buf_add_str(&p->out,
                "</select></label><label>State <select name=\"state\"><option value=\"\">all</option>");
    for (size_t i = 0; i < COUNT_OF(states); i++)
        add_option(&p->out, states[i][0], states[i][1], state);
    buf_add_str(&p->out, "</select></label><button>Show</button></form>\n");
}

/* 0: no such rule. */
static int32_t rule_id(const struct db_result *rules, const char *name)
{
    for (int i = 0; i < db_rows(rules); i++)
        if (strcmp(db_text(rules, i, 1), name) == 0)
            return (int32_t)db_big(rules, i, 0);
    return 0;
}

static void add_more(struct page *p, const struct db_result *runs)
{
    const char *names[] = {"rule", "state"};
    if (db_rows(runs) < PAGE_RUNS)
        return;
    htmlf(&p->out, "<p class=\"more\"><a rel=\"next\" href=\"/runs?before=%s",
          db_text(runs, PAGE_RUNS - 1, RUN_ID));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *value = query_get(p->query, names[i]);
        if (!*value)
            continue;
        htmlf(&p->out, "&amp;%s=", names[i]);
        buf_add_url_encoded(&p->out, value, strlen(value));
    }
    buf_add_str(&p->out, "\">Older runs</a></p>\n");
}

static int find(struct page *p, const struct db_result *rules, int64_t before, struct db_result **ret)
{
    const char *rule = query_get(p->query, "rule"), *state = query_get(p->query, "state");
    auto_params params = db_params_new();
    if (*rule)
        db_add_int(params, rule_id(rules, rule));
    else
        db_add_null(params);
    db_add_text(params, *state ? state : NULL);
    db_add_big(params, before);
    db_add_int(params, PAGE_RUNS);
    return db_run(p->db, &sql_runs, params, ret);
}

int page_runs(struct page *p)
{
    auto_result rules = NULL;
    auto_result runs = NULL;
    auto_free struct run_counts *counts = NULL;
    int64_t before;
    page_title(p, "Runs");
    if (!query_number(p->query, "before", INT64_MAX, 1, INT64_MAX, &before))
        return page_refused(p, "before= wants the number of a run.");
    int r = db_run(p->db, &sql_rule_names, NULL, &rules);
    if (r == 0)
        r = find(p, rules, before, &runs);
    if (r == 0)
        r = run_counts_read(p, runs, RUN_ID, RUN_NEW, &counts);
    if (r != 0)
        return r;
    buf_add_str(&p->out, "<h1>Runs</h1>\n");
    add_filter(p, rules);
    part_begin(p, "list");
    if (run_table(p, runs, counts, true, NULL) == 0)
        buf_add_str(&p->out, "<p class=\"empty\">There is no such run.</p>\n");
    add_more(p, runs);
    part_end(p);
    return 0;
}

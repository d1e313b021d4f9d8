/* One rule: when it fires next, what it says to whom by which gateways, and its runs. */
#include "dashboard/charts.h"
#include "dashboard/pages.h"
#include "dashboard/run_list.h"
#include "dashboard/schedule.h"
#include "extract/firing.h"
#include "rule_row.sql.h"
#include "runs.sql.h"

#include <stdio.h>

#define RUNS    20
#define FIRINGS 5

enum { ROW_ID, ROW_HELD, ROW_SCHEDULE, ROW_SEEN, ROW_PLANNED, ROW_ONCE };

static void add_fact(struct buf *out, const char *word, const char *text)
{
    if (*text)
        htmlf(out, "<div><dt>%s</dt><dd>%s</dd></div>\n", word, text);
}

/* On the clock of the rule's zone, with UTC beside it where that differs. */
static void add_firing(struct buf *out, const struct zone *zone, int64_t at_ms)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    struct zone_civil c = zone_civil_at(zone, at_ms / 1000);
    char utc[SPELL_SIZE];
    htmlf(out, "<li><time>%s ", days[c.weekday]);
    buf_addf(out, "%04d-%02d-%02d %02d:%02d</time>", c.year, c.month, c.day, c.hour, c.minute);
    if (zone_offset_s(zone, at_ms / 1000) != 0)
        htmlf(out, " <small>%s UTC</small>", spell_time(at_ms, utc));
    buf_add_str(out, "</li>\n");
}

static void add_firings(struct page *p, const struct conf_rule *rule)
{
    struct firing_plan plan;
    char message[CRON_MESSAGE_SIZE];
    if (rule->tasks) {
        buf_add_str(&p->out, "<section class=\"sheet\"><h2>Fires</h2>\n"
                             "<p class=\"words\">with each list that another system signs</p>\n</section>\n");
        return;
    }
    struct zone *zone = zone_open(rule->time_zone);
    buf_add_str(&p->out, "<section class=\"sheet\"><h2>Fires</h2>\n<p class=\"words\">");
    if (*rule->at) {
        htmlf(&p->out, "once, at %s", rule->at);
    } else {
        auto_buf words = {0};
        schedule_words(rule->schedule, &words);
        htmlf(&p->out, "%s <small><code>%s</code></small>", words.data, rule->schedule);
    }
    htmlf(&p->out, ", %s</p>\n", rule->time_zone);
    if (zone && firing_plan_init(&plan, rule->schedule, rule->at, rule->time_zone, message) == 0) {
        int64_t at = p->now_ms;
        buf_add_str(&p->out, "<ol class=\"firings\">\n");
        for (int i = 0; i < FIRINGS && (at = firing_next(&plan, at)) != FIRING_NEVER; i++)
            add_firing(&p->out, zone, at);
        buf_add_str(&p->out, "</ol>\n");
        firing_plan_deinit(&plan);
    }
    zone_close(zone);
    buf_add_str(&p->out, "</section>\n");
}

static void add_route(struct buf *out, const struct conf_rule *rule)
{
    buf_add_str(out, "<div><dt>route</dt><dd>");
    for (size_t i = 0; i < rule->route_count; i++) {
        const struct conf_route *r = &rule->routes[i];
        htmlf(out, "%s%s", i > 0 ? ", " : "", r->gateway);
        if (r->weight != 1)
            htmlf(out, " ×%lld", (long long)r->weight);
        for (size_t k = 0; k < r->prefixes.count; k++)
            htmlf(out, "%s%s", k == 0 ? " for +" : ", +", r->prefixes.items[k]);
    }
    buf_add_str(out, "</dd></div>\n");
}

static void add_definition(struct page *p, const struct conf_rule *rule)
{
    char text[SPELL_SIZE];
    const struct conf_template *t = conf_template(p->conf, rule->template_name);
    buf_add_str(&p->out, "<section class=\"sheet\"><h2>Says</h2>\n<dl class=\"facts\">\n");
    add_fact(&p->out, "template", rule->template_name);
    add_fact(&p->out, "class", t ? t->class : "");
    add_fact(&p->out, "source", rule->tasks ? "tasks of other systems" : rule->source);
    add_fact(&p->out, "lane", rule->lane);
    add_fact(&p->out, "held above", spell_number(rule->max_recipients, text));
    add_fact(&p->out, "valid for", spell_duration(rule->valid_for_ms, text));
    add_fact(&p->out, "held if recipients differ by", rule->hold_if_recipients_differ);
    add_fact(&p->out, "held if render errors reach", rule->hold_render_errors);
    if (rule->approve)
        add_fact(&p->out, "every run", "waits for a person");
    add_fact(&p->out, "first wave", rule->waves.first);
    add_route(&p->out, rule);
    buf_add_str(&p->out, "</dl>\n</section>\n");
}

static void add_head(struct page *p, const struct conf_rule *rule, const struct db_result *row)
{
    htmlf(&p->out, "<h1>%s</h1>\n", p->id);
    if (db_rows(row) > 0 && *db_text(row, 0, ROW_HELD))
        htmlf(
            &p->out,
            "<p class=\"note attention\"><span class=\"sign\" aria-hidden=\"true\">▲</span> <b>Held:</b> %s. "
            "<code>smschain accept %s</code> lets it go on.</p>\n",
            db_text(row, 0, ROW_HELD), p->id);
    if (!rule) {
        buf_add_str(&p->out,
                    "<p class=\"note\">This rule has no file: it is built in, or its file is gone.</p>\n");
        return;
    }
    buf_add_str(&p->out, "<div class=\"sheets\">\n");
    add_firings(p, rule);
    add_definition(p, rule);
    buf_add_str(&p->out, "</div>\n");
    if (db_rows(row) == 0)
        buf_add_str(&p->out, "<p class=\"note\">extract has not seen this rule yet: it does when it loads "
                             "the configuration.</p>\n");
}

static int add_runs(struct page *p, int32_t id)
{
    auto_params params = db_params_new();
    auto_result runs = NULL;
    auto_free struct run_counts *c = NULL;
    db_add_int(params, id);
    db_add_null(params);
    db_add_big(params, INT64_MAX);
    db_add_int(params, RUNS);
    int r = db_run(p->db, &sql_runs, params, &runs);
    if (r == 0)
        r = run_counts_read(p, runs, RUN_ID, RUN_NEW, &c);
    if (r != 0)
        return r;
    part_begin(p, "runs");
    buf_add_str(&p->out, "<h2>Last runs</h2>\n");
    if (run_table(p, runs, c, false, NULL) == 0)
        buf_add_str(&p->out, "<p class=\"empty\">It has not run yet.</p>\n");
    if (db_rows(runs) == RUNS) {
        buf_add_str(&p->out, "<p class=\"more\">");
        html_link(&p->out, "/runs?rule=", p->id, "All its runs");
        buf_add_str(&p->out, "</p>\n");
    }
    part_end(p);
    return 0;
}

int page_rule(struct page *p)
{
    auto_params params = db_params_new();
    auto_result row = NULL;
    const struct conf_rule *rule = conf_rule(p->conf, p->id);
    page_title(p, "%s", p->id);
    db_add_text(params, p->id);
    int r = db_run(p->db, &sql_rule_row, params, &row);
    if (r != 0)
        return r;
    if (!rule && db_rows(row) == 0)
        return page_missing(p, "There is no rule %s.", p->id);
    add_head(p, rule, row);
    if (db_rows(row) > 0) {
        int32_t id = (int32_t)db_big(row, 0, ROW_ID);
        r = add_runs(p, id);
        if (r == 0)
            r = chart_days(p, &(struct chart_question){.title = "Messages of 14 days by state",
                                                       .by = CHART_BY_STATE,
                                                       .days = 14,
                                                       .rule = id});
    }
    return r;
}

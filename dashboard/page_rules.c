/* All rules: when they fire, in words and as the next moment, and how their last run went. */
#include "dashboard/pages.h"
#include "dashboard/run_list.h"
#include "dashboard/schedule.h"
#include "extract/balance.h"
#include "extract/firing.h"
#include "rules.sql.h"

enum {
    RULE_ID,
    RULE_NAME,
    RULE_HELD,
    RULE_SCHEDULE,
    RULE_RUN
}; /* from RULE_RUN on: the last run, in parts as run_column */
enum {
    LAST_STATE = RULE_RUN + 1,
    LAST_AT,
    LAST_PUBLISH,
    LAST_COMPLETE,
    LAST_ROWS,
    LAST_GONE,
    LAST_NEW,
    LAST_DUPLICATE,
    LAST_INVALID,
    LAST_SUPPRESSED,
    LAST_SEEN
};

static int row_of(const struct db_result *rules, const char *name)
{
    for (int i = 0; i < db_rows(rules); i++)
        if (strcmp(db_text(rules, i, RULE_NAME), name) == 0)
            return i;
    return -1;
}

static void add_when(struct page *p, const struct conf_rule *rule)
{
    struct firing_plan plan;
    char message[CRON_MESSAGE_SIZE], text[SPELL_SIZE];
    if (rule->tasks) {
        buf_add_str(&p->out,
                    "with each list of another system</td><td data-label=\"next\">when it is signed</td>");
        return;
    }
    if (*rule->at) {
        htmlf(&p->out, "once, at %s", rule->at);
    } else {
        auto_buf words = {0};
        schedule_words(rule->schedule, &words);
        htmlf(&p->out, "%s", words.data);
    }
    htmlf(&p->out, " <small>%s</small></td>", rule->time_zone);
    if (firing_plan_init(&plan, rule->schedule, rule->at, rule->time_zone, message) != 0) {
        htmlf(&p->out, "<td data-label=\"next\">%s</td>", message);
        return;
    }
    int64_t next = firing_next(&plan, p->now_ms);
    htmlf(&p->out, "<td data-label=\"next\"><time>%s</time></td>",
          next == FIRING_NEVER ? "never again" : spell_time(next, text));
    firing_plan_deinit(&plan);
}

static void add_last(struct page *p, const struct db_result *rules, int i, const struct run_counts *c)
{
    char text[SPELL_SIZE];
    enum phase phase;
    if (i < 0 || db_is_null(rules, i, RULE_RUN)) {
        buf_add_str(&p->out, "<td data-label=\"last run\">none yet</td><td></td><td></td>");
        return;
    }
    struct balance b = {.rows = db_big(rules, i, LAST_ROWS),
                        .gone = db_big(rules, i, LAST_GONE),
                        .new_ = db_big(rules, i, LAST_NEW),
                        .seen = db_big(rules, i, LAST_SEEN),
                        .duplicate = db_big(rules, i, LAST_DUPLICATE),
                        .invalid = db_big(rules, i, LAST_INVALID),
                        .suppressed = db_big(rules, i, LAST_SUPPRESSED)};
    struct run_stand s = {.state = db_text(rules, i, LAST_STATE),
                          .publish = db_bool(rules, i, LAST_PUBLISH),
                          .complete = db_bool(rules, i, LAST_COMPLETE),
                          .messages = b.new_,
                          .balance_holds = balance_holds(&b)};
    const char *words = run_phase(&s, c, &phase);
    htmlf(&p->out, "<td data-label=\"last run\"><a href=\"/runs/%s\"><time>%s</time></a> ",
          db_text(rules, i, RULE_RUN), spell_time(db_time_ms(rules, i, LAST_AT), text));
    add_phase(&p->out, words, phase);
    htmlf(&p->out, "</td><td class=\"n\" data-label=\"new\">%s</td>", spell_number(s.messages, text));
    htmlf(&p->out, "<td class=\"n\" data-label=\"delivered\">%s</td>",
          spell_share(c->bucket[BUCKET_DELIVERED], s.messages, text));
}

static void add_rule(struct page *p, const struct conf_rule *rule, const struct db_result *rules,
                     const struct run_counts *c)
{
    static const struct run_counts none;
    int i = row_of(rules, rule->name);
    buf_add_str(&p->out, "<tr><th scope=\"row\">");
    html_link(&p->out, "/rules/", rule->name, rule->name);
    if (i >= 0 && *db_text(rules, i, RULE_HELD))
        buf_add_str(&p->out, " <span class=\"phase attention\"><span class=\"sign\" "
                             "aria-hidden=\"true\">▲</span> held</span>");
    buf_add_str(&p->out, "</th><td data-label=\"fires\">");
    add_when(p, rule);
    add_last(p, rules, i, i >= 0 ? &c[i] : &none);
    buf_add_str(&p->out, "</tr>\n");
}

/* Rules without a file: built in, or taken away. */
static void add_others(struct page *p, const struct db_result *rules, const struct run_counts *c)
{
    int shown = 0;
    for (int i = 0; i < db_rows(rules); i++) {
        const char *name = db_text(rules, i, RULE_NAME);
        if (conf_rule(p->conf, name))
            continue;
        if (shown++ == 0)
            buf_add_str(&p->out, "<h2>Without a file</h2>\n<p class=\"hint\">Built-in rules (heartbeats, "
                                 "tests, answers to phones, what other "
                                 "systems ask for), and rules whose file is gone.</p>\n<div "
                                 "class=\"wide\"><table class=\"stack\"><thead><tr>"
                                 "<th scope=\"col\">Rule</th><th scope=\"col\">Last run</th><th "
                                 "scope=\"col\" class=\"n\">New</th>"
                                 "<th scope=\"col\" class=\"n\">Delivered</th></tr></thead><tbody>\n");
        buf_add_str(&p->out, "<tr><th scope=\"row\">");
        html_link(&p->out, "/rules/", name, name);
        buf_add_str(&p->out, "</th>");
        add_last(p, rules, i, &c[i]);
        buf_add_str(&p->out, "</tr>\n");
    }
    if (shown > 0)
        buf_add_str(&p->out, "</tbody></table></div>\n");
}

int page_rules(struct page *p)
{
    auto_result rules = NULL;
    auto_free struct run_counts *c = NULL;
    page_title(p, "Rules");
    int r = db_run(p->db, &sql_rules, NULL, &rules);
    if (r == 0)
        r = run_counts_read(p, rules, RULE_RUN, LAST_NEW, &c);
    if (r != 0)
        return r;
    buf_add_str(&p->out, "<h1>Rules</h1>\n");
    if (p->conf->rule_count == 0)
        buf_add_str(&p->out, "<p class=\"empty\">There is no rule yet: a rule is a file in "
                             "<code>rules/</code> of the configuration.</p>\n");
    else
        buf_add_str(&p->out, "<div class=\"wide\"><table class=\"stack\"><thead><tr><th "
                             "scope=\"col\">Rule</th><th scope=\"col\">Fires</th>"
                             "<th scope=\"col\">Next (UTC)</th><th scope=\"col\">Last run</th><th "
                             "scope=\"col\" class=\"n\">New</th>"
                             "<th scope=\"col\" class=\"n\">Delivered</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < p->conf->rule_count; i++)
        add_rule(p, &p->conf->rules[i], rules, c);
    if (p->conf->rule_count > 0)
        buf_add_str(&p->out, "</tbody></table></div>\n");
    add_others(p, rules, c);
    return 0;
}

/* Charts over time, by state, gateway, reason or rule; of one gateway or rule, if wanted. */
#include "dashboard/charts.h"
#include "dashboard/pages.h"
#include "gateway_names.sql.h"
#include "rule_names.sql.h"

static const struct span {
    const char *word, *title;
    int64_t back_ms;
    int column_s, days; /* days: by the day */
} spans[] = {{"1h", "the last hour", 3600000, 60, 0},
             {"24h", "the last 24 hours", 86400000, 900, 0},
             {"7d", "the last 7 days", 0, 0, 7},
             {"30d", "the last 30 days", 0, 0, 30}};
static const struct kind {
    const char *word, *title;
    enum chart_by by;
} kinds[] = {{"state", "state", CHART_BY_STATE},
             {"gateway", "gateway", CHART_BY_GATEWAY},
             {"reason", "reason", CHART_BY_REASON},
             {"rule", "rule", CHART_BY_RULE}};

static void add_option(struct buf *out, const char *value, const char *text, const char *chosen)
{
    htmlf(out, "<option value=\"%s\"%s>%s</option>", value, strcmp(value, chosen) == 0 ? " selected" : "",
          text);
}

static void add_names(struct buf *out, const char *label, const char *name, const struct db_result *rows,
                      const char *chosen)
{
    htmlf(out, "<label>%s <select name=\"%s\"><option value=\"\">all</option>", label, name);
    for (int i = 0; i < db_rows(rows); i++)
        add_option(out, db_text(rows, i, 1), db_text(rows, i, 1), chosen);
    buf_add_str(out, "</select></label>");
}

/* 0: none of that name, which no row has. */
static int32_t id_of(const struct db_result *rows, const char *name)
{
    for (int i = 0; i < db_rows(rows); i++)
        if (strcmp(db_text(rows, i, 1), name) == 0)
            return (int32_t)db_big(rows, i, 0);
    return *name ? -1 : 0;
}

static void add_form(struct page *p, const struct span *span, const struct kind *kind,
                     const struct db_result *rules, const struct db_result *gateways)
{
    buf_add_str(&p->out,
                "<form class=\"ask\" method=\"get\" action=\"/charts\"><label>Time <select name=\"time\">");
    for (size_t i = 0; i < COUNT_OF(spans); i++)
        add_option(&p->out, spans[i].word, spans[i].title, span->word);
    buf_add_str(&p->out, "</select></label><label>By <select name=\"by\">");
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        add_option(&p->out, kinds[i].word, kinds[i].title, kind->word);
    buf_add_str(&p->out, "</select></label>");
    add_names(&p->out, "Gateway", "gateway", gateways, query_get(p->query, "gateway"));
    add_names(&p->out, "Rule", "rule", rules, query_get(p->query, "rule"));
    buf_add_str(&p->out, "<button>Show</button></form>\n");
}

int page_charts(struct page *p)
{
    auto_result rules = NULL;
    auto_result gateways = NULL;
    const struct span *span = &spans[1];
    const struct kind *kind = &kinds[0];
    for (size_t i = 0; i < COUNT_OF(spans); i++)
        if (strcmp(spans[i].word, query_get(p->query, "time")) == 0)
            span = &spans[i];
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i].word, query_get(p->query, "by")) == 0)
            kind = &kinds[i];
    page_title(p, "Charts");
    int r = db_run(p->db, &sql_rule_names, NULL, &rules);
    if (r == 0)
        r = db_run(p->db, &sql_gateway_names, NULL, &gateways);
    if (r != 0)
        return r;
    struct chart_question q = {.by = kind->by,
                               .days = span->days,
                               .back_ms = span->back_ms,
                               .column_s = span->column_s,
                               .gateway = id_of(gateways, query_get(p->query, "gateway")),
                               .rule = id_of(rules, query_get(p->query, "rule"))};
    bool by_minute = span->days == 0;
    buf_add_str(&p->out, "<h1>Charts</h1>\n");
    add_form(p, span, kind, rules, gateways);
    if (by_minute && (q.by > CHART_BY_GATEWAY || q.rule != 0)) {
        by_minute = false;
        q.days = 7;
        span = &spans[2];
        buf_add_str(
            &p->out,
            "<p class=\"note\">By the minute only states and gateways are counted; these are days.</p>\n");
    }
    const char *what = !by_minute               ? "Messages by the day they were entered on, by"
                       : q.by == CHART_BY_STATE ? "Messages by the minute they came into a"
                                                : "Messages by the minute they changed, by";
    auto_free char *title = xasprintf("%s %s, %s", what, kind->title, span->title);
    q.title = title;
    return by_minute ? chart_minutes(p, &q) : chart_days(p, &q);
}

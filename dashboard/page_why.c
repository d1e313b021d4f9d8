/* Why did a number get it, or not? What `smschain why` says, for whoever has no terminal. Asked by POST: no
 * number stands in an address. */
#include "dashboard/pages.h"
#include "dashboard/runs.h"
#include "dashboard/shown.h"
#include "dashboard/timeline.h"
#include "lib/show.h"
#include "lib/why.h"
#include <stdio.h>

#define TEXT_MAX 200

static void add_form(struct page *p, const char *number, const char *rule, int64_t days)
{
    struct buf *out = &p->out;
    buf_add_str(out, "<h1>Why?</h1>\n<p>Why did a number get a message, or why not?</p>\n"
                     "<form class=\"ask\" method=\"post\" action=\"/why\">\n");
    htmlf(out,
          "<label>Number\n<input name=\"number\" value=\"%s\" required autocomplete=\"off\" "
          "placeholder=\"+49 171 1234567\" "
          "maxlength=\"%d\"></label>\n<label>Rule\n<select name=\"rule\"><option value=\"\">any</option>\n",
          number, TEXT_MAX);
    for (size_t i = 0; i < p->conf->rule_count; i++)
        htmlf(out, "<option%s>%s</option>\n", strcmp(p->conf->rules[i].name, rule) == 0 ? " selected" : "",
              p->conf->rules[i].name);
    htmlf(out,
          "</select></label>\n<label>Runs of the last … days\n<input name=\"days\" type=\"number\" min=\"1\" "
          "max=\"3650\" "
          "value=\"%lld\"></label>\n<button>Ask</button>\n</form>\n",
          (long long)days);
    if (*number == '\0')
        buf_add_str(out,
                    "<p class=\"empty\">Every message to the number with its story, every row of it that "
                    "became none, and what "
                    "the rules' last runs made of it. No number stands in an address, or in a log.</p>\n");
}

static void add_suppressions(struct buf *out, const struct why *w)
{
    char since[SHOW_TIME_SIZE];
    if (w->suppression_count == 0)
        buf_add_str(out, "<p>The number is not suppressed.</p>\n");
    for (size_t i = 0; i < w->suppression_count; i++)
        htmlf(out,
              "<p class=\"note\"><span class=\"sign\" aria-hidden=\"true\">–</span> Suppressed (%s) since "
              "%s: %s</p>\n",
              w->suppressions[i].scope, show_time(w->suppressions[i].since, since),
              w->suppressions[i].reason);
}

static void add_message(struct buf *out, const struct why *w, const struct story *s)
{
    char at[SHOW_TIME_SIZE];
    auto_free char *place = why_place(w->conf, s->rule);
    htmlf(out, "<article class=\"story\"><h3><time>%s</time> %s ", show_time(s->created_at, at), s->rule);
    shown_sms_id_link(out, s->sms_id);
    htmlf(out, "</h3>\n<p class=\"hint\">%s</p>\n", place);
    timeline_state(out, s);
    timeline_segments(out, s);
    timeline_told(out, s);
    buf_add_str(out, "</article>\n");
}

/* place: where the rule stands; "" where `because` says it. */
static void add_row(struct buf *out, int64_t run, int64_t at_ms, const char *rule, const char *because,
                    const char *place)
{
    char at[SHOW_TIME_SIZE], id[24];
    snprintf(id, sizeof(id), "%lld", (long long)run);
    htmlf(out, "<tr><td data-label=\"Scheduled\"><time>%s</time></td><td data-label=\"Run\" class=\"n\">",
          show_time(at_ms, at));
    html_link(out, "/runs/", id, id);
    htmlf(out,
          "</td><td data-label=\"Rule\">%s</td><td data-label=\"Why\"><span>%s "
          "<small>%s</small></span></td></tr>\n",
          rule, because, place);
}

static void table(struct buf *out)
{
    buf_add_str(out,
                "<div class=\"wide\"><table class=\"stack\">\n<thead><tr><th scope=\"col\">Scheduled</th><th "
                "scope=\"col\" class=\"n\">Run</th>"
                "<th scope=\"col\">Rule</th><th scope=\"col\">Why</th></tr></thead>\n<tbody>\n");
}

static void add_answer(struct buf *out, const struct why *w)
{
    if (w->no_number != NULL)
        htmlf(out,
              "<p class=\"note\">That is no number (%s): rows where exactly this stood are looked for.</p>\n",
              w->no_number);
    else
        htmlf(out, "<h2 class=\"number\">%s</h2>\n", w->masked);
    add_suppressions(out, w);
    buf_add_str(out, "<h2>Messages, the newest first</h2>\n");
    for (size_t i = 0; i < w->message_count; i++)
        add_message(out, w, w->messages[i]);
    if (w->message_count == 0)
        buf_add_str(out, "<p class=\"empty\">None.</p>\n");
    buf_add_str(out, "<h2>Rows that became no message</h2>\n");
    if (w->skip_count > 0)
        table(out);
    for (size_t i = 0; i < w->skip_count; i++) {
        auto_free char *place = why_place(w->conf, w->skips[i].rule);
        add_row(out, w->skips[i].run_id, w->skips[i].scheduled_at, w->skips[i].rule, w->skips[i].because,
                place);
    }
    buf_add_str(out, w->skip_count > 0 ? "</tbody></table></div>\n" : "<p class=\"empty\">None.</p>\n");
    htmlf(out, "<h2>%s%s</h2>\n", *w->rule != '\0' ? "Runs of rule " : "The last run of each rule", w->rule);
    if (w->run_count > 0)
        table(out);
    for (size_t i = 0; i < w->run_count; i++)
        add_row(out, w->runs[i].run_id, w->runs[i].scheduled_at, w->runs[i].rule, w->runs[i].because, "");
    buf_add_str(out, w->run_count > 0 ? "</tbody></table></div>\n"
                                      : "<p class=\"empty\">None in this time.</p>\n");
}

int page_why(struct page *p)
{
    bool asked = strcmp(p->route->method, "POST") == 0;
    const struct query *q = asked ? p->form : p->query;
    const char *number = query_get(q, "number"), *rule = query_get(q, "rule");
    int64_t days;
    page_title(p, "Why?");
    if (strlen(number) > TEXT_MAX || strlen(rule) > TEXT_MAX || !query_number(q, "days", 7, 1, 3650, &days))
        return page_refused(p, "A number, a rule's name, and 1 to 3650 days are what can be asked.");
    add_form(p, asked ? number : "", rule, days);
    if (!asked || *number == '\0')
        return 0;
    struct why w = {.conf = p->conf, .text = number, .rule = rule, .since_ms = days * 86400000, .limit = 20};
    int rc = why_read(p->db, &w);
    if (rc == 0)
        add_answer(&p->out, &w);
    why_deinit(&w);
    return rc;
}

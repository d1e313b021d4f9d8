/* One message's story as HTML: see timeline.h. */
#include "dashboard/timeline.h"
#include "dashboard/reasons.h"
#include "dashboard/runs.h"
#include "dashboard/shown.h"
#include "lib/clock.h"
#include "lib/show.h"
#include "lib/why.h"
#include <stdio.h>

void timeline_state(struct buf *out, const struct story *s)
{
    auto_free char *because = story_because(s);
    struct reason known;
    buf_add_str(out, "<p class=\"because\">");
    add_state(out, (int)s->state);
    if (*because != '\0') {
        buf_add_str(out, " because ");
        shown_masked(out, because);
    }
    buf_add_str(out, "</p>\n");
    if (*s->reason != '\0' && reason_find(s->reason, &known))
        htmlf(out, "<p class=\"hint\">%s: %s. What to do: %s. Again? %s.</p>\n", s->reason, known.cause,
              known.todo, reason_again_words[known.again]);
}

static void fact(struct buf *out, const char *name, const char *value)
{
    htmlf(out, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, *value != '\0' ? value : "–");
}

static void fact_time(struct buf *out, const char *name, int64_t ms)
{
    char at[SHOW_TIME_SIZE];
    fact(out, name, show_time(ms, at));
}

void timeline_facts(struct buf *out, const struct conf *c, const struct story *s)
{
    char text[64], run[24];
    auto_free char *place = why_place(c, s->rule);
    buf_add_str(out, "<dl class=\"facts\">\n");
    fact(out, "To", s->number);
    buf_add_str(out, "<div><dt>Rule</dt><dd>");
    shown_search_link(out, "rule", s->rule, s->rule);
    htmlf(out, " <span class=\"hint\">%s</span></dd></div>\n<div><dt>Run</dt><dd>", place);
    snprintf(run, sizeof(run), "%lld", (long long)s->run_id);
    html_link(out, "/runs/", run, run);
    buf_add_str(out, "</dd></div>\n");
    fact_time(out, "Entered", s->created_at);
    fact_time(out, "Valid until", s->valid_until);
    fact_time(out, "Last change", s->changed_at);
    fact(out, "Gateway", s->gateway);
    fact(out, "Lane", s->lane == 1 ? "instant" : "bulk");
    snprintf(text, sizeof(text), "%d", s->segments);
    fact(out, "Segments", s->segments > 0 ? text : "");
    snprintf(text, sizeof(text), "%d", s->attempt);
    fact(out, "Attempts", s->attempt > 0 ? text : "");
    snprintf(text, sizeof(text), "%s%s%s", s->template_name, *s->template_name != '\0' ? ", version " : "",
             s->version);
    fact(out, "Template", text);
    buf_add_str(out, "</dl>\n");
}

void timeline_segments(struct buf *out, const struct story *s)
{
    char at[SHOW_TIME_SIZE];
    if (s->in_parts == NULL)
        return;
    buf_add_str(out, "<h2>Segments</h2>\n<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\" "
                     "class=\"n\">Segment</th>"
                     "<th scope=\"col\">State</th><th scope=\"col\" class=\"n\">Attempt</th><th "
                     "scope=\"col\">Gateway</th>"
                     "<th scope=\"col\">Since</th><th scope=\"col\">Reason</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < s->parts; i++) {
        const struct story_segment *p = &s->in_parts[i];
        htmlf(out, "<tr><td class=\"n\">%d of %d</td><td>", p->segment, s->parts);
        add_state(out, (int)p->state);
        htmlf(out, "</td><td class=\"n\">%d</td><td>%s</td><td>%s</td><td>", p->attempt, p->gateway,
              show_time(p->changed_at, at));
        shown_masked(out, p->reason);
        buf_add_str(out, "</td></tr>\n");
    }
    buf_add_str(out, "</tbody></table></div>\n");
}

/* With milliseconds: what followed what is seen by them. */
static void add_clock(struct buf *out, int64_t ms)
{
    char iso[CLOCK_ISO_SIZE], shown[CLOCK_ISO_SIZE];
    clock_iso(ms, iso);
    snprintf(shown, sizeof(shown), "%.10s %.12s", iso, iso + 11);
    if (ms == 0)
        buf_add_str(out, "<span class=\"hint\">–</span>");
    else
        htmlf(out, "<time>%s</time>", shown);
}

static void add_told(struct buf *out, const struct story_told *t)
{
    auto_free char *what = story_what(t), *detail = story_detail(t);
    char owner[24];
    struct reason known;
    buf_add_str(out, "<tr><td>");
    add_clock(out, t->at);
    buf_add_str(out, "</td><td>");
    add_clock(out, t->gateway_at);
    htmlf(out, "</td><td class=\"what\">%s</td><td>%s</td><td class=\"n\">%s</td><td class=\"detail\">%s",
          what, t->gateway, t->seq_id, detail);
    snprintf(owner, sizeof(owner), "%llx", (unsigned long long)t->owner);
    if (t->step == STORY_CLAIM && t->owner != 0)
        htmlf(out, "%sby dispatcher <code>%s</code>", *detail != '\0' ? ", " : "", owner);
    if (reason_of_error(t->error, &known))
        htmlf(out, " <span class=\"hint\">(%s)</span>", known.cause);
    buf_add_str(out, "</td></tr>\n");
}

void timeline_told(struct buf *out, const struct story *s)
{
    if (s->told_count == 0) {
        buf_add_str(out,
                    "<p class=\"empty\">Nothing has happened to it yet: no dispatcher has claimed it.</p>\n");
        return;
    }
    buf_add_str(
        out, "<div class=\"wide\"><table class=\"timeline\">\n<thead><tr><th scope=\"col\">Our clock</th>"
             "<th scope=\"col\">The gateway's</th><th scope=\"col\">What</th><th scope=\"col\">Gateway</th>"
             "<th scope=\"col\" class=\"n\">seq_id</th><th scope=\"col\">More</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < s->told_count; i++)
        add_told(out, &s->told[i]);
    buf_add_str(out, "</tbody></table></div>\n");
}

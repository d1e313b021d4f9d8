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
    auto_free char *place = why_place(c, s->rule),
                   *version = xasprintf("%s%s%s", s->template_name,
                                        *s->template_name != '\0' ? ", version " : "", s->version);
    buf_add_str(out, "<div class=\"split\"><dl class=\"facts\">\n");
    buf_add_str(out, "<div><dt>To</dt><dd class=\"number\">");
    htmlf(out, "%s</dd></div>\n<div><dt>Rule</dt><dd>", s->number);
    shown_search_link(out, "rule", s->rule, s->rule);
    htmlf(out, "<br><small>%s</small></dd></div>\n<div><dt>Run</dt><dd>", place);
    snprintf(run, sizeof(run), "%lld", (long long)s->run_id);
    html_link(out, "/runs/", run, run);
    buf_add_str(out, "</dd></div>\n");
    fact(out, "Template", version);
    if (*s->task_id != '\0')
        fact(out, "Task", s->task_id);
    if (*s->ext_id != '\0')
        fact(out, "Their id", s->ext_id);
    buf_add_str(out, "</dl>\n<dl class=\"facts\">\n");
    fact_time(out, "Entered", s->created_at);
    fact_time(out, "Valid until", s->valid_until);
    fact_time(out, "Last change", s->changed_at);
    snprintf(text, sizeof(text), "%s, %s lane", *s->gateway != '\0' ? s->gateway : "none yet",
             s->lane == 1 ? "instant" : "bulk");
    fact(out, "Gateway", text);
    snprintf(text, sizeof(text), "%d / %d", s->segments, s->attempt);
    fact(out, "Segments / attempts", text);
    buf_add_str(out, "</dl></div>\n");
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
    buf_add_str(out, "<tr><td data-label=\"Our clock\">");
    add_clock(out, t->at);
    buf_add_str(out, "</td><td data-label=\"The gateway's\">");
    add_clock(out, t->gateway_at);
    htmlf(out,
          "</td><td data-label=\"What\" class=\"what\">%s</td><td data-label=\"Gateway\">%s</td>"
          "<td data-label=\"seq_id\" class=\"n\">%s</td><td data-label=\"More\" class=\"detail\"><span>%s",
          what, t->gateway, t->seq_id, detail);
    snprintf(owner, sizeof(owner), "%llx", (unsigned long long)t->owner);
    if (t->step == STORY_CLAIM && t->owner != 0)
        htmlf(out, "%sby dispatcher <code>%s</code>", *detail != '\0' ? ", " : "", owner);
    if (reason_of_error(t->error, &known))
        htmlf(out, " <small>(%s)</small>", known.cause);
    buf_add_str(out, "</span></td></tr>\n");
}

void timeline_told(struct buf *out, const struct story *s)
{
    if (s->told_count == 0) {
        buf_add_str(out,
                    "<p class=\"empty\">Nothing has happened to it yet: no dispatcher has claimed it.</p>\n");
        return;
    }
    buf_add_str(
        out,
        "<div class=\"wide\"><table class=\"timeline stack\">\n<thead><tr><th scope=\"col\">Our clock</th>"
        "<th scope=\"col\">The gateway's</th><th scope=\"col\">What</th><th scope=\"col\">Gateway</th>"
        "<th scope=\"col\" class=\"n\">seq_id</th><th scope=\"col\">More</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < s->told_count; i++)
        add_told(out, &s->told[i]);
    buf_add_str(out, "</tbody></table></div>\n");
}

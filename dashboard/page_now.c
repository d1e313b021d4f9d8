/* Now: what runs, by which gateways, and what waits. Everything of it is live. */
#include "dashboard/depths.h"
#include "dashboard/now.h"
#include "dashboard/pages.h"
#include "dashboard/rates.h"
#include "dashboard/run_list.h"
#include "now_runs.sql.h"

#include <inttypes.h>

enum { RUN_WAVE = RUN_COLUMNS, RUN_WAVE_FIRST, RUN_WAVE_DUE, RUN_IN_WAVES };

static void add_figure(struct buf *out, const char *class, const char *word, int64_t n)
{
    char number[SPELL_SIZE];
    htmlf(out, "<div class=\"%s%s\"><dt>%s</dt><dd>%s</dd></div>", class, n == 0 ? " none" : "", word,
          spell_number(n, number));
}

/* Rate and what is left of it: by what leaves while something waits to leave, else by what arrives. */
static void add_pace(struct page *p, const struct db_result *r, int i, const struct run_counts *c)
{
    char text[SPELL_SIZE];
    int64_t id = db_big(r, i, RUN_ID), started = db_time_ms(r, i, RUN_STARTED);
    int64_t waiting = c->bucket[BUCKET_QUEUED], left = waiting + c->bucket[BUCKET_SUBMITTED];
    double now = rates_note(p->rates, "run", id, run_submitted(c), p->now_ms);
    buf_add_str(&p->out, "<p class=\"pace\">");
    if (now >= 0 && left > 0)
        htmlf(&p->out, "<span>now <b>%s</b></span> ", spell_rate(now, text));
    if (c->changed_ms > started && started > 0 && run_submitted(c) > 0)
        htmlf(&p->out, "<span>mean <b>%s</b></span> ",
              spell_rate((double)run_submitted(c) * 1000 / (double)(c->changed_ms - started), text));
    if (now > 0 && left > 0)
        htmlf(&p->out, "<span>about <b>%s</b> left</span> ",
              spell_duration((int64_t)((double)left * 1000 / now), text));
    else if (waiting > 0 && db_bool(r, i, RUN_PUBLISH))
        buf_add_str(&p->out, "<span>time left not known yet</span> ");
    htmlf(&p->out, "<span>since <time>%s</time></span></p>\n",
          spell_time(started ? started : db_time_ms(r, i, RUN_SCHEDULED), text));
}

static void add_notes(struct page *p, const struct db_result *r, int i)
{
    char text[SPELL_SIZE];
    const char *state = db_text(r, i, RUN_STATE);
    if (strcmp(state, "held") == 0)
        htmlf(&p->out,
              "<p class=\"note attention\">%s. <code>smschain release %s</code> lets it go, <code>smschain "
              "cancel %s</code> "
              "ends it.</p>\n",
              db_text(r, i, RUN_WHY), db_text(r, i, RUN_ID), db_text(r, i, RUN_ID));
    else if (*db_text(r, i, RUN_WHY) && strcmp(state, "read") != 0)
        htmlf(&p->out, "<p class=\"note\">%s</p>\n", db_text(r, i, RUN_WHY));
    if (db_bool(r, i, RUN_IN_WAVES) && strcmp(state, "read") == 0)
        htmlf(&p->out, "<p class=\"note\">First wave: %s messages; the rest is decided about %s.</p>\n",
              db_text(r, i, RUN_WAVE_FIRST),
              db_is_null(r, i, RUN_WAVE_DUE) ? "when they have left"
                                             : spell_time(db_time_ms(r, i, RUN_WAVE_DUE), text));
}

static void add_card(struct page *p, const struct db_result *r, int i, const struct run_counts *c)
{
    struct run_stand s = run_stand_of(r, i);
    enum phase phase;
    const char *words = run_phase(&s, c, &phase);
    buf_add_str(&p->out, "<article class=\"card run\">\n<header><h3>");
    html_link(&p->out, "/rules/", db_text(r, i, RUN_RULE), db_text(r, i, RUN_RULE));
    htmlf(&p->out, " <a class=\"id\" href=\"/runs/%s\">run %s</a></h3>", db_text(r, i, RUN_ID),
          db_text(r, i, RUN_ID));
    add_phase(&p->out, words, phase);
    buf_add_str(&p->out, "</header>\n");
    add_bar(&p->out, c, s.messages);
    buf_add_str(&p->out, "<dl class=\"flow\">");
    add_figure(&p->out, "plain", "rows", db_big(r, i, RUN_ROWS));
    add_figure(&p->out, "plain", "new", s.messages);
    add_figure(&p->out, "submitted", "submitted", run_submitted(c));
    add_figure(&p->out, "accepted", "accepted", run_accepted(c));
    add_figure(&p->out, "delivered", "delivered", c->bucket[BUCKET_DELIVERED]);
    add_figure(&p->out, "undelivered", "undelivered", c->bucket[BUCKET_UNDELIVERED]);
    add_figure(&p->out, "in-doubt", "in doubt", c->bucket[BUCKET_IN_DOUBT]);
    buf_add_str(&p->out, "</dl>\n");
    add_pace(p, r, i, c);
    add_notes(p, r, i);
    buf_add_str(&p->out, "</article>\n");
}

/* Those at work have a card, the others a line. */
static bool is_at_work(const struct db_result *r, int i, const struct run_counts *c)
{
    enum phase phase;
    const char *state = db_text(r, i, RUN_STATE);
    (void)run_phase_of(r, i, c, &phase);
    return phase == PHASE_WORKS || phase == PHASE_BAD || strcmp(state, "held") == 0 ||
           strcmp(state, "new") == 0;
}

static bool is_earlier(const struct db_result *r, int i, const struct run_counts *c)
{
    return !is_at_work(r, i, c);
}

static void add_at_work(struct page *p, const struct db_result *r, const struct run_counts *c)
{
    int shown = 0;
    part_begin(p, "runs");
    buf_add_str(&p->out, "<h2>Runs at work</h2>\n<div class=\"cards\">\n");
    for (int i = 0; i < db_rows(r); i++) {
        if (is_at_work(r, i, &c[i])) {
            add_card(p, r, i, &c[i]);
            shown++;
        }
    }
    buf_add_str(&p->out, "</div>\n");
    if (shown == 0)
        buf_add_str(&p->out, "<p class=\"empty\">No run is at work. The <a href=\"/rules\">rules</a> tell "
                             "when the next one fires; "
                             "<code>smschain run RULE</code> fires one now.</p>\n");
    part_end(p);
}

static void add_earlier(struct page *p, const struct db_result *r, const struct run_counts *c)
{
    part_begin(p, "earlier");
    buf_add_str(&p->out, "<h2>Earlier today</h2>\n");
    if (run_table(p, r, c, true, is_earlier) == 0)
        buf_add_str(&p->out, "<p class=\"empty\">Nothing has ended in the last 24 hours.</p>\n");
    buf_add_str(&p->out, "<p class=\"more\"><a href=\"/runs\">All runs</a></p>\n");
    part_end(p);
}

int page_now(struct page *p)
{
    auto_result runs = NULL;
    auto_free struct run_counts *counts = NULL;
    page_title(p, "Now");
    buf_add_str(&p->out, "<h1>Now</h1>\n");
    int r = db_run(p->db, &sql_now_runs, NULL, &runs);
    if (r == 0)
        r = run_counts_read(p, runs, RUN_ID, RUN_NEW, &counts);
    if (r == 0)
        r = now_waits(p);
    if (r != 0)
        return r;
    add_at_work(p, runs, counts);
    r = now_gateways(p);
    if (r == 0)
        r = now_inside(p);
    if (r == 0)
        add_earlier(p, runs, counts);
    return r;
}

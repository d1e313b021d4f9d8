/* A run as a balance sheet: every row of its source, then every message, and what holds it. It can be
 * printed. */
#include "dashboard/pages.h"
#include "dashboard/run_list.h"
#include "extract/balance.h"
#include "render/planned.h"
#include "run.sql.h"
#include "run_reasons.sql.h"
#include "run_skips.sql.h"

#include <ctype.h>

enum {
    RUN_PASS = RUN_COLUMNS,
    RUN_HELD_BY,
    RUN_PLANNED,
    RUN_RELEASED_BY,
    RUN_RELEASED_AT,
    RUN_WAVE,
    RUN_WAVE_FIRST,
    RUN_WAVE_DUE,
    RUN_HAS_WAVES,
    RUN_CREATED
};
enum { SKIP_KIND, SKIP_REASON, SKIP_COUNT };
enum { REASON_STATE, REASON_GATEWAY, REASON_WORD, REASON_COUNT };

static void add_line(struct buf *out, const char *class, const char *sign, const char *word, int64_t n)
{
    char number[SPELL_SIZE];
    htmlf(out,
          "<tr class=\"%s\"><th scope=\"row\"><span class=\"op\">%s</span>%s</th><td "
          "class=\"n\">%s</td></tr>\n",
          class, sign, word, spell_number(n, number));
}

static void add_skips(struct buf *out, const struct db_result *skips, const char *kind)
{
    for (int i = 0; i < db_rows(skips); i++)
        if (strcmp(db_text(skips, i, SKIP_KIND), kind) == 0)
            add_line(out, "of", "", db_text(skips, i, SKIP_REASON), db_big(skips, i, SKIP_COUNT));
}

static void add_rows(struct page *p, const struct db_result *r, const struct db_result *skips)
{
    int64_t rows = db_big(r, 0, RUN_ROWS), gone = db_big(r, 0, RUN_GONE), new = db_big(r, 0, RUN_NEW);
    int64_t duplicate = db_big(r, 0, RUN_DUPLICATE), invalid = db_big(r, 0, RUN_INVALID),
            suppressed = db_big(r, 0, RUN_SUPPRESSED);
    bool complete = db_bool(r, 0, RUN_COMPLETE), holds = run_stand_of(r, 0).balance_holds;
    buf_add_str(&p->out, "<section class=\"sheet\"><h2>Rows</h2>\n<table>\n<tbody>\n");
    add_line(&p->out, "", "", "rows read", rows);
    add_line(&p->out, "", "+ ", "gone since an earlier pass", gone);
    add_line(&p->out, "total", "", "together", rows + gone);
    buf_add_str(&p->out, "</tbody>\n<tbody>\n");
    add_line(&p->out, "", "= ", "new messages", new);
    add_line(&p->out, "", "+ ", "duplicates", duplicate);
    add_line(&p->out, "", "+ ", "invalid", invalid);
    add_skips(&p->out, skips, "invalid");
    add_line(&p->out, "", "+ ", "suppressed", suppressed);
    add_skips(&p->out, skips, "suppressed");
    add_line(&p->out, "total", "", "together", new + duplicate + invalid + suppressed);
    buf_add_str(&p->out, "</tbody></table>\n");
    if (!complete)
        buf_add_str(&p->out, "<p class=\"verdict phase works\"><span class=\"sign\" "
                             "aria-hidden=\"true\">▸</span> not read to the end yet: the balance "
                             "is drawn then</p>\n");
    else if (holds)
        buf_add_str(&p->out, "<p class=\"verdict phase done\"><span class=\"sign\" "
                             "aria-hidden=\"true\">✓</span> the balance holds</p>\n");
    else
        buf_add_str(&p->out, "<p class=\"verdict phase bad\"><span class=\"sign\" "
                             "aria-hidden=\"true\">✕</span> the balance does not hold</p>\n");
    buf_add_str(&p->out, "</section>\n");
}

/* A state with its reasons below it, over all gateways. */
static void add_reasons(struct buf *out, const struct db_result *reasons, int state)
{
    for (int i = 0; i < db_rows(reasons); i++) {
        const char *word = db_text(reasons, i, REASON_WORD);
        int64_t sum = 0;
        bool first = db_big(reasons, i, REASON_STATE) == state && *word;
        for (int k = 0; k < db_rows(reasons) && first; k++) {
            bool same = db_big(reasons, k, REASON_STATE) == state &&
                        strcmp(db_text(reasons, k, REASON_WORD), word) == 0;
            first = !(same && k < i);
            sum += same ? db_big(reasons, k, REASON_COUNT) : 0;
        }
        if (first)
            add_line(out, "of", "", word, sum);
    }
}

static void add_message_line(struct buf *out, int state, int64_t n, bool first)
{
    char number[SPELL_SIZE];
    htmlf(out, "<tr><th scope=\"row\"><span class=\"op\">%s</span>", first ? "= " : "+ ");
    add_state(out, state);
    htmlf(out, "</th><td class=\"n\">%s</td></tr>\n", spell_number(n, number));
}

static void add_messages(struct page *p, const struct db_result *r, const struct run_counts *c,
                         const struct db_result *reasons)
{
    static const int states[] = {STATE_DELIVERED, STATE_UNDELIVERED, STATE_REJECTED,  STATE_EXPIRED,
                                 STATE_UNKNOWN,   STATE_IN_DOUBT,    STATE_ACCEPTED,  STATE_SUBMITTED,
                                 STATE_STALE,     STATE_SUPPRESSED,  STATE_CANCELLED, STATE_RENDER_ERROR};
    int64_t messages = db_big(r, 0, RUN_NEW);
    bool first = true;
    buf_add_str(&p->out, "<section class=\"sheet\"><h2>Messages</h2>\n<table>\n<tbody>\n");
    add_line(&p->out, "total", "", "new messages", messages);
    buf_add_str(&p->out, "</tbody>\n<tbody>\n");
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        if (c->by_state[states[i]] == 0)
            continue;
        add_message_line(&p->out, states[i], c->by_state[states[i]], first);
        add_reasons(&p->out, reasons, states[i]);
        first = false;
    }
    if (c->bucket[BUCKET_QUEUED] > 0)
        add_message_line(&p->out, STATE_QUEUED, c->bucket[BUCKET_QUEUED], first);
    add_line(&p->out, "total", "", "together", c->told + MAX_OF(c->bucket[BUCKET_QUEUED], 0));
    buf_add_str(&p->out, "</tbody></table>\n");
    if (c->bucket[BUCKET_QUEUED] < 0)
        buf_add_str(&p->out, "<p class=\"verdict phase bad\"><span class=\"sign\" "
                             "aria-hidden=\"true\">✕</span> more states than messages: tell the "
                             "developers</p>\n");
    else if (run_open(c) > 0)
        htmlf(&p->out,
              "<p class=\"verdict phase works\"><span class=\"sign\" aria-hidden=\"true\">▸</span> every "
              "message is in one state; of %s "
              "something is still expected</p>\n",
              run_open(c) == 1 ? "one" : "several");
    else
        buf_add_str(&p->out, "<p class=\"verdict phase done\"><span class=\"sign\" "
                             "aria-hidden=\"true\">✓</span> every message is accounted for</p>\n");
    if (c->partial > 0)
        buf_add_str(&p->out, "<p class=\"hint\">Some of the failed ones were long and have arrived in part "
                             "(reasons that begin with "
                             "“partial”).</p>\n");
    buf_add_str(&p->out, "</section>\n");
}

static void add_gateways(struct page *p, const struct db_result *reasons)
{
    char number[SPELL_SIZE];
    bool any = false;
    for (int i = 0; i < db_rows(reasons); i++) {
        const char *name = db_text(reasons, i, REASON_GATEWAY);
        struct run_counts c = {0};
        bool first = *name;
        for (int k = 0; k < db_rows(reasons) && first; k++) {
            if (strcmp(db_text(reasons, k, REASON_GATEWAY), name) != 0)
                continue;
            first = k >= i;
            run_counts_add(&c, (int)db_big(reasons, k, REASON_STATE), db_big(reasons, k, REASON_COUNT), 0);
        }
        if (!first)
            continue;
        if (!any)
            buf_add_str(&p->out, "<h2>By gateway</h2>\n<div class=\"wide\"><table "
                                 "class=\"stack\"><thead><tr><th scope=\"col\">Gateway</th>"
                                 "<th scope=\"col\" class=\"n\">Messages</th><th scope=\"col\" "
                                 "class=\"n\">Delivered</th><th scope=\"col\" class=\"n\">"
                                 "Undelivered</th><th scope=\"col\" class=\"n\">In doubt</th><th "
                                 "scope=\"col\">States</th></tr></thead><tbody>\n");
        any = true;
        htmlf(&p->out, "<tr><th scope=\"row\">%s</th><td class=\"n\" data-label=\"messages\">%s</td>", name,
              spell_number(c.told, number));
        htmlf(&p->out, "<td class=\"n\" data-label=\"delivered\">%s</td>",
              spell_number(c.bucket[BUCKET_DELIVERED], number));
        htmlf(&p->out, "<td class=\"n\" data-label=\"undelivered\">%s</td>",
              spell_number(c.bucket[BUCKET_UNDELIVERED], number));
        htmlf(&p->out, "<td class=\"n\" data-label=\"in doubt\">%s</td><td class=\"barred\">",
              spell_number(c.bucket[BUCKET_IN_DOUBT], number));
        add_bar(&p->out, &c, c.told);
        buf_add_str(&p->out, "</td></tr>\n");
    }
    if (any)
        buf_add_str(&p->out, "</tbody></table></div>\n");
}

/* ---- what it sends and costs ---- */

static void add_costs(struct buf *out, const struct planned_cost *costs, size_t count)
{
    char money[PLANNED_MONEY_SIZE];
    for (size_t i = 0; i < count; i++)
        htmlf(out, "%s%s %s", i > 0 ? " + " : "", planned_money(costs[i].micro, money), costs[i].currency);
}

static void add_planned(struct page *p, const struct db_result *r)
{
    const char *json = db_text(r, 0, RUN_PLANNED);
    struct planned *f = *json ? planned_decode(json, strlen(json)) : NULL;
    struct planned_cost costs[PLANNED_CURRENCIES];
    char text[SPELL_SIZE];
    if (!f)
        return;
    buf_add_str(&p->out, "<h2>As judged when it was read</h2>\n<dl class=\"facts\">\n");
    htmlf(&p->out, "<div><dt>messages that can be sent</dt><dd>%s</dd></div>\n",
          spell_number(f->messages, text));
    htmlf(&p->out, "<div><dt>segments</dt><dd>%s</dd></div>\n", spell_number(f->segments, text));
    htmlf(&p->out, "<div><dt>rows that cannot be rendered</dt><dd>%s</dd></div>\n",
          spell_number(f->errors, text));
    size_t n = planned_costs(f, costs, COUNT_OF(costs));
    if (n > 0) {
        buf_add_str(&p->out, "<div><dt>cost</dt><dd>");
        add_costs(&p->out, costs, n);
        buf_add_str(&p->out, "</dd></div>\n");
    }
    buf_add_str(&p->out, "</dl>\n");
    planned_free(f);
}

/* ---- the head ---- */

static void add_held(struct page *p, const struct db_result *r)
{
    const char *why = db_text(r, 0, RUN_WHY), *id = db_text(r, 0, RUN_ID);
    if (strcmp(db_text(r, 0, RUN_STATE), "held") != 0) {
        if (*why && strcmp(db_text(r, 0, RUN_STATE), "read") != 0)
            htmlf(&p->out, "<p class=\"note\">%s</p>\n", why);
        return;
    }
    buf_add_str(&p->out, "<div class=\"note attention\"><p><b>Held.</b></p><ul>\n");
    for (const char *end; *why; why = end) {
        const char *next = strstr(why, "; ");
        end = next ? next + 2 : why + strlen(why);
        auto_free char *one = xstrndup(why, (size_t)((next ? next : end) - why));
        htmlf(&p->out, "<li>%s</li>\n", one);
    }
    buf_add_str(&p->out, "</ul>\n");
    if (strstr(db_text(r, 0, RUN_HELD_BY), "wave"))
        buf_add_str(&p->out, "<p>Its first wave has left, the rest has not.</p>\n");
    else
        buf_add_str(&p->out, "<p>Nothing of it has left.</p>\n");
    if (*db_text(r, 0, RUN_HELD_BY))
        htmlf(&p->out,
              "<p><code>smschain release %s</code> lets it go, <code>smschain cancel %s</code> ends "
              "it.</p></div>\n",
              id, id);
    else
        htmlf(&p->out,
              "<p><code>smschain accept %s</code> lets the rule go on, <code>smschain cancel %s</code> ends "
              "the run.</p></div>\n",
              db_text(r, 0, RUN_RULE), id);
}

static void add_fact(struct buf *out, const char *word, const char *text)
{
    htmlf(out, "<div><dt>%s</dt><dd>%s</dd></div>\n", word, text);
}

static void add_facts(struct page *p, const struct db_result *r, const struct run_counts *c)
{
    char text[SPELL_SIZE];
    int64_t started = db_time_ms(r, 0, RUN_STARTED), ended = db_time_ms(r, 0, RUN_ENDED);
    buf_add_str(&p->out, "<dl class=\"facts\">\n");
    add_fact(&p->out, "scheduled", spell_time(db_time_ms(r, 0, RUN_SCHEDULED), text));
    add_fact(&p->out, "came about", run_origin_words(db_text(r, 0, RUN_ORIGIN)));
    add_fact(&p->out, "reading began", spell_time(started, text));
    add_fact(&p->out, "reading ended", spell_time(ended, text));
    add_fact(&p->out, "pass", db_text(r, 0, RUN_PASS));
    add_fact(&p->out, "last change", spell_time(c->changed_ms, text));
    if (*db_text(r, 0, RUN_RELEASED_BY)) {
        auto_free char *who = xasprintf("%s, %s", db_text(r, 0, RUN_RELEASED_BY),
                                        spell_time(db_time_ms(r, 0, RUN_RELEASED_AT), text));
        add_fact(&p->out, "released by", who);
    }
    if (db_bool(r, 0, RUN_HAS_WAVES)) {
        auto_free char *wave =
            xasprintf("%s messages; %s", db_text(r, 0, RUN_WAVE_FIRST),
                      db_big(r, 0, RUN_WAVE) > 1 ? "the rest has followed" : "the rest waits");
        add_fact(&p->out, "first wave", wave);
    }
    buf_add_str(&p->out, "</dl>\n");
}

static int read_all(struct page *p, int64_t id, struct db_result **run, struct db_result **skips,
                    struct db_result **reasons)
{
    auto_params by_id = db_params_new();
    auto_params by_pass = db_params_new();
    db_add_big(by_id, id);
    int r = db_run(p->db, &sql_run, by_id, run);
    if (r != 0 || db_rows(*run) == 0)
        return r;
    db_add_big(by_pass, id);
    db_add_int(by_pass, (int32_t)db_big(*run, 0, RUN_PASS));
    r = db_run(p->db, &sql_run_skips, by_pass, skips);
    return r != 0 ? r : db_run(p->db, &sql_run_reasons, by_id, reasons);
}

static void add_sheet(struct page *p, const struct db_result *run, const struct run_counts *c,
                      const struct db_result *skips, const struct db_result *reasons)
{
    enum phase phase;
    const char *words = run_phase_of(run, 0, c, &phase);
    part_begin(p, "run");
    htmlf(&p->out, "<h1>Run %s of ", db_text(run, 0, RUN_ID));
    html_link(&p->out, "/rules/", db_text(run, 0, RUN_RULE), db_text(run, 0, RUN_RULE));
    buf_add_str(&p->out, " <span class=\"beside\">");
    add_phase(&p->out, words, phase);
    buf_add_str(&p->out, "</span></h1>\n");
    add_held(p, run);
    add_bar(&p->out, c, db_big(run, 0, RUN_NEW));
    buf_add_str(&p->out, "<div class=\"sheets\">\n");
    add_rows(p, run, skips);
    add_messages(p, run, c, reasons);
    buf_add_str(&p->out, "<section class=\"sheet\"><h2>The run</h2>\n");
    add_facts(p, run, c);
    add_planned(p, run);
    buf_add_str(&p->out, "</section>\n</div>\n");
    add_gateways(p, reasons);
    part_end(p);
}

int page_run(struct page *p)
{
    auto_result run = NULL;
    auto_result skips = NULL;
    auto_result reasons = NULL;
    auto_free struct run_counts *c = NULL;
    char *end;
    errno = 0;
    int64_t id = strtoll(p->id, &end, 10);
    page_title(p, "Run %s", p->id);
    if (errno != 0 || *end != '\0' || !isdigit((unsigned char)*p->id))
        return page_missing(p, "A run has a number.");
    int r = read_all(p, id, &run, &skips, &reasons);
    if (r != 0)
        return r;
    if (db_rows(run) == 0)
        return page_missing(p, "There is no run %s.", p->id);
    r = run_counts_read(p, run, RUN_ID, RUN_NEW, &c);
    if (r == 0)
        add_sheet(p, run, c, skips, reasons);
    return r;
}

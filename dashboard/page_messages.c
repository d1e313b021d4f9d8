/* Messages: a search, its rows the newest first in pages by key, and the whole of it as CSV. A search for a
 * number is asked by POST and shown in its answer, so that no number stands in an address, which browsers and
 * proxies keep. */
#include "dashboard/answer.h"
#include "dashboard/csv.h"
#include "dashboard/pages.h"
#include "dashboard/runs.h"
#include "dashboard/search_read.h"
#include "dashboard/shown.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/seq_id.h"
#include "lib/show.h"
#include <stdatomic.h>
#include <stdio.h>

#define PAGE_ROWS       50
#define PAGE_MS         700 /* a page that has found too little by then says how far it has looked */
#define EXPORTS_MAX     1   /* each takes a worker for as long as it lasts */
#define STREAM_WRITE_MS 30000
#define DAY_2020        18262 /* days from 1970 to 2020 */

struct asked {
    const char *text;
    int64_t below;
    struct search search;
    char message[SEARCH_MESSAGE_MAX];
    bool good;
};

static const struct query *arguments(const struct page *p)
{
    return strcmp(p->route->method, "POST") == 0 ? p->form : p->query;
}

static struct asked read_asked(const struct page *p)
{
    struct asked a = {.text = query_get(arguments(p), "q")};
    a.good = search_parse(a.text, p->conf->main.country_code, p->now_ms, &a.search, a.message);
    if (!query_number(arguments(p), "below", 0, 0, INT64_MAX, &a.below)) {
        a.good = false;
        snprintf(a.message, sizeof(a.message), "the place where this page begins is none; search anew");
    }
    return a;
}

static void add_form(struct page *p, const struct asked *a)
{
    struct buf *out = &p->out;
    buf_add_str(out, "<h1>Messages</h1>\n<form class=\"ask search\" method=\"post\" action=\"/messages\" "
                     "role=\"search\">\n"
                     "<label class=\"long\">Search\n");
    htmlf(out,
          "<input id=\"q\" name=\"q\" type=\"search\" value=\"%s\" placeholder=\"state:undelivered rule:… "
          "after:2d\" "
          "autocomplete=\"off\" spellcheck=\"false\" "
          "maxlength=\"%d\"></label>\n<button>Search</button>\n</form>\n",
          a->text, SEARCH_TEXT_MAX);
    buf_add_str(out, "<details class=\"help\"><summary>What can be searched for</summary>\n<dl>\n");
    for (const struct search_qualifier *q = search_qualifiers; q->name != NULL; q++)
        htmlf(out, "<dt><code>%s:%s</code></dt><dd>%s</dd>\n", q->name, q->value, q->help);
    buf_add_str(
        out,
        "</dl>\n<p>Several of them narrow it down. A value with a space stands in quotes: "
        "<code>ext:\"A 1\"</code>. Of states any counts: <code>state:expired,undelivered</code>. "
        "A number alone means <code>to:</code>. A search for a number leaves no trace in the address.</p>\n"
        "</details>\n");
}

static void add_head(struct buf *out)
{
    buf_add_str(
        out,
        "<div class=\"wide\"><table class=\"messages stack\">\n<thead><tr><th scope=\"col\">Entered</th>"
        "<th scope=\"col\">State</th><th scope=\"col\">To</th><th scope=\"col\">Rule</th>"
        "<th scope=\"col\" class=\"n\">Run</th><th scope=\"col\">Gateway</th><th scope=\"col\">Reason</th>"
        "<th scope=\"col\">Message</th></tr></thead>\n<tbody>\n");
}

static void add_row(struct buf *out, const struct db_result *r, int i)
{
    char at[SHOW_TIME_SIZE];
    htmlf(out, "<tr><td data-label=\"Entered\"><time>%s</time></td><td data-label=\"State\">",
          show_time(db_time_ms(r, i, F_CREATED), at));
    add_state(out, (int)db_big(r, i, F_STATE));
    htmlf(out, "</td><td data-label=\"To\" class=\"number\">%s</td><td data-label=\"Rule\">",
          db_text(r, i, F_NUMBER));
    shown_search_link(out, "rule", db_text(r, i, F_RULE), db_text(r, i, F_RULE));
    buf_add_str(out, "</td><td data-label=\"Run\" class=\"n\">");
    html_link(out, "/runs/", db_text(r, i, F_RUN), db_text(r, i, F_RUN));
    htmlf(out, "</td><td data-label=\"Gateway\">%s</td><td data-label=\"Reason\">", db_text(r, i, F_GATEWAY));
    shown_masked(out, db_text(r, i, F_REASON));
    buf_add_str(out, "</td><td data-label=\"Message\"><span>");
    shown_sms_id_link(out, db_big(r, i, F_SMS_ID));
    if (*db_text(r, i, F_EXT) != '\0')
        htmlf(out, " <span class=\"ext\">%s</span>", db_text(r, i, F_EXT));
    buf_add_str(out, "</span></td></tr>\n");
}

/* The same search, from another place or as CSV: a link, or for a number a form (see above). */
static void add_way_on(struct page *p, const struct asked *a, const char *path, int64_t below,
                       const char *words)
{
    struct buf *out = &p->out;
    if (a->search.number != 0) {
        htmlf(out,
              "<form class=\"on\" method=\"post\" action=\"%s\"><input type=\"hidden\" name=\"q\" "
              "value=\"%s\">",
              path, a->text);
        if (below > 0)
            htmlf(out, "<input type=\"hidden\" name=\"below\" value=\"%lld\">", (long long)below);
        htmlf(out, "<button class=\"plain\">%s</button></form>\n", words);
        return;
    }
    htmlf(out, "<a class=\"on\" href=\"%s?q=", path);
    buf_add_url_encoded(out, a->text, strlen(a->text));
    if (below > 0)
        htmlf(out, "&amp;below=%lld", (long long)below);
    htmlf(out, "\">%s</a>\n", words);
}

struct found {
    int rows;
    bool ended, late;
    int64_t below;
};

static int add_rows(struct page *p, struct search_reader *r, struct found *f)
{
    int64_t until = clock_mono_ms() + PAGE_MS;
    while (f->rows < PAGE_ROWS && !search_ended(r) && !f->late) {
        auto_result rows = NULL;
        int rc = search_round(r, PAGE_ROWS - f->rows, &rows);
        if (rc != 0)
            return rc;
        if (f->rows == 0 && db_rows(rows) > 0)
            add_head(&p->out);
        for (int i = 0; i < db_rows(rows); i++)
            add_row(&p->out, rows, i);
        f->rows += db_rows(rows);
        f->late = clock_mono_ms() > until;
    }
    f->ended = search_ended(r);
    f->below = search_below(r);
    if (f->rows > 0)
        buf_add_str(&p->out, "</tbody></table></div>\n");
    return 0;
}

static void add_foot(struct page *p, const struct asked *a, const struct found *f)
{
    struct buf *out = &p->out;
    int year, month, date;
    clock_date_of((int64_t)sms_id_day(MAX_OF(f->below - 1, 0)) + DAY_2020, &year, &month, &date);
    auto_free char *day = xasprintf("%04d-%02d-%02d", year, month, date);
    if (f->rows == 0 && f->ended)
        htmlf(out,
              "<div class=\"empty\"><p><strong>%s</strong></p><p class=\"hint\">Messages are kept for %lld "
              "days.</p></div>\n",
              a->below > 0 ? "No older ones." : "No message fits.",
              (long long)p->conf->main.database.claims_keep_days);
    else if (f->rows < PAGE_ROWS && !f->ended)
        htmlf(out,
              "<p class=\"note\">Looked through all down to %s; such messages are rare. "
              "A rule, a run or a day narrows it down.</p>\n",
              day);
    buf_add_str(out, "<p class=\"ways\">");
    if (a->below > 0)
        add_way_on(p, a, "/messages", 0, "Newest");
    if (!f->ended)
        add_way_on(p, a, "/messages", f->below, f->rows < PAGE_ROWS ? "Go on looking" : "Older ones");
    if (f->rows > 0)
        add_way_on(p, a, "/messages.csv", 0, "All of them as CSV");
    buf_add_str(out, "</p>\n");
}

int page_messages(struct page *p)
{
    struct asked a = read_asked(p);
    struct found f = {0};
    page_title(p, "Messages");
    if (a.good && a.search.number == 0 &&
        strcmp(p->route->method, "POST") == 0) { /* an address that can be kept */
        auto_buf to = {0};
        buf_add_str(&to, "/messages?q=");
        buf_add_url_encoded(&to, a.text, strlen(a.text));
        answer(p->request, &(struct answer){.status = 303, .location = to.data, .body = "", .len = 0});
        p->answered = true;
        return 0;
    }
    add_form(p, &a);
    if (!a.good) {
        p->status = 400;
        htmlf(&p->out,
              "<p class=\"note bad\" role=\"alert\"><span class=\"sign\" aria-hidden=\"true\">✕</span> "
              "%s.</p>\n",
              a.message);
        return 0;
    }
    struct search_reader *r = search_reader_new(p->db, &a.search, a.below);
    int rc = add_rows(p, r, &f);
    if (rc == 0 && search_unknown(r) != NULL)
        htmlf(&p->out, "<p class=\"note\">%s.</p>\n", search_unknown(r));
    search_reader_free(r);
    if (rc == 0)
        add_foot(p, &a, &f);
    return rc;
}

/* ---- CSV ---- */

static const char *const csv_head[] = {"sms_id",  "ext_id",   "entered_at",      "changed_at", "to",
                                       "rule",    "run",      "state",           "reason",     "gateway",
                                       "attempt", "segments", "template_version"};

static void add_csv_row(struct buf *out, const struct db_result *r, int i)
{
    char entered[CLOCK_ISO_SIZE], changed[CLOCK_ISO_SIZE];
    const char *number = db_text(r, i, F_NUMBER), *state = state_word((enum state)db_big(r, i, F_STATE));
    auto_buf reason = {0};
    show_masked(db_text(r, i, F_REASON), strlen(db_text(r, i, F_REASON)), &reason);
    const char *const cells[] = {db_text(r, i, F_SMS_ID),
                                 db_text(r, i, F_EXT),
                                 clock_iso(db_time_ms(r, i, F_CREATED), entered),
                                 clock_iso(db_time_ms(r, i, F_CHANGED), changed),
                                 number + (*number == '+'), /* a plus would be taken for a formula */
                                 db_text(r, i, F_RULE),
                                 db_text(r, i, F_RUN),
                                 state != NULL ? state : "",
                                 reason.data != NULL ? reason.data : "",
                                 db_text(r, i, F_GATEWAY),
                                 db_text(r, i, F_ATTEMPT),
                                 db_text(r, i, F_SEGMENTS),
                                 db_text(r, i, F_VERSION)};
    csv_add_line(out, cells, COUNT_OF(cells));
}

/* Round by round: as much in memory as one round, however long the result. */
static void stream_rows(struct page *p, struct search_reader *r)
{
    auto_buf out = {0};
    int rc = 0;
    csv_add_line(&out, csv_head, COUNT_OF(csv_head));
    while (!search_ended(r)) {
        auto_result rows = NULL;
        if (out.len > 0 && httpd_stream_write(p->request, out.data, out.len, STREAM_WRITE_MS) < 0)
            return; /* whoever asked has gone away */
        buf_clear(&out);
        rc = search_round(r, SEARCH_BATCH, &rows);
        if (rc != 0)
            break;
        for (int i = 0; i < db_rows(rows); i++)
            add_csv_row(&out, rows, i);
    }
    if (rc != 0) {
        log_warn("export ended early", L_STR("error", db_error(p->db)));
        buf_add_str(&out, "the export ends here because the database failed: export again\r\n");
    }
    if (out.len > 0 && httpd_stream_write(p->request, out.data, out.len, STREAM_WRITE_MS) < 0)
        return;
}

int page_messages_csv(struct page *p)
{
    static atomic_int exports;
    struct asked a = read_asked(p);
    if (!a.good)
        return page_refused(p, "%s.", a.message);
    if (atomic_fetch_add(&exports, 1) >= EXPORTS_MAX) {
        atomic_fetch_sub(&exports, 1);
        p->status = 503;
        page_title(p, "Later");
        buf_add_str(&p->out, "<div class=\"instead\"><h1>Another export is on its way</h1><p>Wait until it "
                             "has ended.</p></div>\n");
        return 0;
    }
    struct search_reader *r = search_reader_new(p->db, &a.search, 0);
    answer_stream(p->request, &(struct answer){.status = 200,
                                               .type = "text/csv; charset=utf-8",
                                               .disposition = "attachment; filename=\"messages.csv\""});
    stream_rows(p, r);
    httpd_stream_end(p->request);
    p->answered = true;
    search_reader_free(r);
    atomic_fetch_sub(&exports, 1);
    return 0;
}

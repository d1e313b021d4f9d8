/* Reasons: what gateways gave as the reason of a failure, with its cause, what to do and whether trying again
 * can help; and the reports that fit no message, with the reading of their ids that would match them. */
#include "dashboard/pages.h"
#include "dashboard/reasons.h"
#include "dashboard/runs.h"
#include "dashboard/shown.h"
#include "dashboard/unmatched.h"
#include "lib/clock.h"
#include "lib/seq_id.h"
#include "reasons_counts.sql.h"
#include "reasons_errors.sql.h"
#include <stdio.h>

#define ERRORS_OF_EACH 200 /* newest failures of each state that are looked at for what the gateway wrote */
#define ERRORS_SHOWN   3

static char *day_before(int64_t now_ms, int64_t days, int64_t *ret_sms_id)
{
    int64_t at = now_ms - (days - 1) * 86400000;
    int year, month, day;
    clock_date_of(at / 86400000, &year, &month, &day);
    *ret_sms_id = sms_id_day_first(clock_day_2020(at));
    return xasprintf("%04d-%02d-%02d", year, month, day);
}

/* What the gateway wrote beside it, the commonest first. */
static void add_errors(struct buf *out, const struct db_result *e, const char *gateway, const char *reason)
{
    int shown = 0;
    for (int i = 0; i < db_rows(e) && shown < ERRORS_SHOWN; i++) {
        struct reason known;
        if (strcmp(db_text(e, i, 0), gateway) != 0 || strcmp(db_text(e, i, 1), reason) != 0)
            continue;
        buf_add_str(out, shown++ == 0 ? "<ul class=\"errors\"><li><code>" : "<li><code>");
        shown_masked(out, db_text(e, i, 2));
        buf_add_str(out, "</code>");
        if (reason_of_error(db_text(e, i, 2), &known))
            htmlf(out, " %s; again? %s <small>(%s)</small>", known.cause, reason_again_words[known.again],
                  known.source);
        buf_add_str(out, "</li>");
    }
    if (shown > 0)
        buf_add_str(out, "</ul>");
}

static void add_reason(struct buf *out, const struct db_result *r, int i, const struct db_result *errors)
{
    const char *gateway = db_text(r, i, 0), *word = db_text(r, i, 2);
    char n[SPELL_SIZE];
    struct reason known;
    auto_free char *search = xasprintf("/messages?q=state:%s%s%s", state_word((enum state)db_big(r, i, 1)),
                                       *gateway != '\0' ? "+gateway:" : "", gateway);
    htmlf(out, "<tr><td data-label=\"Gateway\">%s</td><td data-label=\"State\">",
          *gateway != '\0' ? gateway : "–");
    add_state(out, (int)db_big(r, i, 1));
    buf_add_str(out, "</td><td data-label=\"Reason\"><code>");
    shown_masked(out, word);
    htmlf(out,
          "</code></td><td data-label=\"Messages\" class=\"n\"><a href=\"%s\">%s</a></td><td "
          "data-label=\"Cause\"><span>",
          search, spell_number(db_big(r, i, 3), n));
    bool is_known = reason_find(word, &known);
    if (is_known)
        htmlf(out, "%s <small>%s</small>", known.cause, known.source);
    else
        buf_add_str(out, "<small>not in our table; the gateway's own documents say what it means</small>");
    add_errors(out, errors, gateway, word);
    htmlf(out, "</span></td><td data-label=\"What to do\">%s</td><td data-label=\"Again?\">%s</td></tr>\n",
          is_known ? known.todo : "ask the gateway", is_known ? reason_again_words[known.again] : "unknown");
}

static int add_reasons(struct page *p, int64_t days)
{
    auto_params q = db_params_new();
    auto_params e = db_params_new();
    auto_result counts = NULL;
    auto_result errors = NULL;
    int64_t from;
    auto_free char *day = day_before(p->now_ms, days, &from);
    db_add_text(q, day);
    int rc = db_run(p->db, &sql_reasons_counts, q, &counts);
    db_add_big(e, ERRORS_OF_EACH);
    db_add_big(e, from);
    if (rc == 0)
        rc = db_run(p->db, &sql_reasons_errors, e, &errors);
    if (rc != 0)
        return rc;
    if (db_rows(counts) == 0) {
        buf_add_str(&p->out, "<div class=\"empty\"><p><strong>Nothing has failed.</strong></p></div>\n");
        return 0;
    }
    buf_add_str(
        &p->out,
        "<div class=\"wide\"><table class=\"reasons stack\">\n<thead><tr><th scope=\"col\">Gateway</th><th "
        "scope=\"col\">State</th>"
        "<th scope=\"col\">Reason</th><th scope=\"col\" class=\"n\">Messages</th><th "
        "scope=\"col\">Cause</th>"
        "<th scope=\"col\">What to do</th><th scope=\"col\">Again?</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < db_rows(counts); i++)
        add_reason(&p->out, counts, i, errors);
    buf_add_str(&p->out, "</tbody></table></div>\n");
    return 0;
}

static void add_unmatched(struct buf *out, const struct unmatched_gateway *g)
{
    char n[SPELL_SIZE], m[SPELL_SIZE], age[SPELL_SIZE];
    bool any = false;
    htmlf(out,
          "<article class=\"unmatched\"><h3>%s</h3>\n<p>%s reports wait for a message with their id, %s of "
          "them given up; the "
          "oldest since %s.</p>\n<ul>\n",
          g->name, spell_number(g->parked, n), spell_number(g->given_up, m), spell_time(g->oldest_ms, age));
    for (int how = 0; how < UNMATCHED_READINGS; how++) {
        if (g->matched[how] == 0)
            continue;
        any = true;
        htmlf(out,
              "<li><strong>%s match %s</strong> <span class=\"hint\">(%lld of the newest %lld; "
              "<code>%s</code>)</span></li>\n",
              spell_share(g->matched[how], g->tried, n), unmatched_words[how].words,
              (long long)g->matched[how], (long long)g->tried, unmatched_words[how].setting);
    }
    if (!any)
        buf_add_str(out, "<li>No reading of the ids matches. The reports may be of messages that another "
                         "system sent by this "
                         "account, or the submit's answers may not have been seen.</li>\n");
    buf_add_str(out, "</ul></article>\n");
}

int page_reasons(struct page *p)
{
    struct unmatched_gateway *gateways = NULL;
    size_t count = 0;
    int64_t days;
    page_title(p, "Reasons");
    if (!query_number(p->query, "days", 7, 1, 90, &days))
        return page_refused(p, "days is a number from 1 to 90.");
    htmlf(&p->out,
          "<h1>Reasons</h1>\n<p>Why messages of the last %lld days did not arrive. <a "
          "href=\"/reasons?days=1\">Today</a> · "
          "<a href=\"/reasons?days=7\">7 days</a> · <a href=\"/reasons?days=30\">30 days</a></p>\n",
          (long long)days);
    int rc = add_reasons(p, days);
    if (rc == 0)
        rc = unmatched_list(p->db, &gateways, &count);
    if (rc == 0) {
        buf_add_str(&p->out, "<h2>Reports that fit no message</h2>\n");
        for (size_t i = 0; i < count; i++)
            add_unmatched(&p->out, &gateways[i]);
        if (count == 0)
            buf_add_str(&p->out, "<p class=\"empty\">None wait.</p>\n");
    }
    unmatched_free(gateways, count);
    return rc;
}

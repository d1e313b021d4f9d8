/* Now: each gateway with its link, rate, window and what it answers. */
#include "dashboard/now.h"
#include "dashboard/rates.h"
#include "now_delays.sql.h"
#include "now_gateways.sql.h"

enum {
    GW_NAME,
    GW_DISPATCHERS,
    GW_STANDING_BY,
    GW_STATE,
    GW_BREAKER,
    GW_RATE,
    GW_LIMIT,
    GW_USED,
    GW_WINDOW,
    GW_OLDEST,
    GW_SUBMITS,
    GW_ACCEPTED,
    GW_REFUSED,
    GW_THROTTLED,
    GW_DOUBT,
    GW_HANDED,
    GW_AGE
};
enum { DELAY_GATEWAY, DELAY_REPORTS, DELAY_P50, DELAY_P95 };

#define SILENT_S 10

static const struct link {
    const char *state, *words, *class, *sign;
} links[] = {{"sending", "open", "done", "✓"},
             {"starting", "starting", "works", "▸"},
             {"recovering", "settling what a dead dispatcher left", "works", "▸"},
             {"throttled", "throttled: waits", "attention", "▲"},
             {"paused", "paused", "attention", "▲"},
             {"breaker_open", "breaker open: the gateway is away", "bad", "✕"},
             {"standing_by", "standing by: no dispatcher has its place", "attention", "▲"},
             {"database_away", "database away", "bad", "✕"},
             {"database_changed", "history of the database in doubt", "bad", "✕"},
             {"newer_version", "a newer record: upgrade dispatch", "bad", "✕"},
             {"ending", "ending", "waits", "◌"}};

static void add_link(struct buf *out, const struct db_result *r, int i)
{
    static const struct link silent = {"", "silent", "bad", "✕"};
    static const struct link trial = {"", "breaker: trying once", "attention", "▲"};
    const char *state = db_text(r, i, GW_STATE);
    struct link unknown = {state, state, "waits", "◌"};
    const struct link *l = &unknown;
    for (size_t k = 0; k < COUNT_OF(links); k++)
        if (strcmp(links[k].state, state) == 0)
            l = &links[k];
    if (db_big(r, i, GW_AGE) > SILENT_S)
        l = &silent;
    else if (strcmp(db_text(r, i, GW_BREAKER), "trial") == 0)
        l = &trial;
    htmlf(out, "<span class=\"phase %s\"><span class=\"sign\" aria-hidden=\"true\">%s</span> %s</span>",
          l->class, l->sign, l->words);
    if (db_big(r, i, GW_DISPATCHERS) > 1)
        htmlf(out, "<small>%s dispatchers, %s standing by</small>", db_text(r, i, GW_DISPATCHERS),
              db_text(r, i, GW_STANDING_BY));
}

static void add_window(struct buf *out, int64_t used, int64_t room)
{
    char number[SPELL_SIZE];
    htmlf(out, "<td class=\"n\" data-label=\"window\">%s", spell_number(used, number));
    htmlf(out, " <small>of %s</small>", spell_number(room, number));
    if (room > 0)
        htmlf(out,
              "<svg class=\"meter\" viewBox=\"0 0 100 4\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
              "<rect class=\"room\" width=\"100\" height=\"4\"/><rect width=\"%.1f\" height=\"4\"/></svg>",
              100.0 * (double)MIN_OF(used, room) / (double)room);
    buf_add_str(out, "</td>");
}

static void add_delay(struct buf *out, const struct db_result *delays, const char *gateway)
{
    char p50[SPELL_SIZE], p95[SPELL_SIZE];
    buf_add_str(out, "<td class=\"n\" data-label=\"accept to report\">");
    for (int i = 0; i < db_rows(delays); i++) {
        if (strcmp(db_text(delays, i, DELAY_GATEWAY), gateway) != 0)
            continue;
        htmlf(out, "%s <small>95 %%: %s</small></td>", spell_duration(db_big(delays, i, DELAY_P50), p50),
              spell_duration(db_big(delays, i, DELAY_P95), p95));
        return;
    }
    buf_add_str(out, "– <small>no report in 15 min</small></td>");
}

/* What it refused in the last while; since the dispatcher's start in the small print. */
static void add_count(struct page *p, const char *label, const char *kind, int64_t id, int64_t total,
                      bool alarms)
{
    char text[SPELL_SIZE];
    double rate = rates_note(p->rates, kind, id, total, p->now_ms);
    htmlf(&p->out, "<td class=\"n%s\" data-label=\"%s\">%s",
          total == 0 ? " none"
          : alarms   ? " attention"
                     : "",
          label, spell_number(total, text));
    if (rate > 0)
        htmlf(&p->out, " <small>%s</small>", spell_rate(rate, text));
    buf_add_str(&p->out, "</td>");
}

static int64_t number_of(const char *name)
{
    uint64_t h = 1469598103934665603u; /* FNV-1a: only to tell counters apart */
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 1099511628211u;
    return (int64_t)h;
}

static void add_gateway(struct page *p, const struct db_result *r, int i, const struct db_result *delays)
{
    char text[SPELL_SIZE];
    const char *name = db_text(r, i, GW_NAME);
    int64_t id = number_of(name), oldest = db_big(r, i, GW_OLDEST);
    htmlf(&p->out, "<tr><th scope=\"row\">%s</th><td data-label=\"link\">", name);
    add_link(&p->out, r, i);
    htmlf(&p->out, "</td><td class=\"n\" data-label=\"rate\">%s",
          spell_rate((double)db_big(r, i, GW_RATE), text));
    htmlf(&p->out, " <small>of %s</small></td>", spell_rate((double)db_big(r, i, GW_LIMIT), text));
    add_window(&p->out, db_big(r, i, GW_USED), db_big(r, i, GW_WINDOW));
    htmlf(&p->out, "<td class=\"n\" data-label=\"oldest unanswered\">%s</td>",
          oldest > 0 ? spell_duration(oldest, text) : "–");
    add_delay(&p->out, delays, name);
    add_count(p, "accepted", "accepted", id, db_big(r, i, GW_ACCEPTED), false);
    add_count(p, "refused", "refused", id, db_big(r, i, GW_REFUSED), false);
    add_count(p, "throttled", "throttled", id, db_big(r, i, GW_THROTTLED), false);
    add_count(p, "in doubt", "doubt", id, db_big(r, i, GW_DOUBT), true);
    buf_add_str(&p->out, "</tr>\n");
}

int now_gateways(struct page *p)
{
    static const char *const heads[] = {"Window",  "Oldest unanswered", "Accept to report", "Accepted",
                                        "Refused", "Throttled",         "In doubt"};
    auto_result gateways = NULL;
    auto_result delays = NULL;
    int r = db_run(p->db, &sql_now_gateways, NULL, &gateways);
    if (r == 0)
        r = db_run(p->db, &sql_now_delays, NULL, &delays);
    if (r != 0)
        return r;
    part_begin(p, "gateways");
    buf_add_str(&p->out, "<h2>Gateways</h2>\n");
    if (db_rows(gateways) == 0)
        buf_add_str(&p->out, "<p class=\"empty\">No dispatcher has said anything in the last minute.</p>\n");
    else
        buf_add_str(&p->out, "<div class=\"wide\"><table class=\"stack\"><thead><tr><th "
                             "scope=\"col\">Gateway</th><th scope=\"col\">Link</th>"
                             "<th scope=\"col\" class=\"n\">Rate</th>");
    for (size_t i = 0; i < COUNT_OF(heads) && db_rows(gateways) > 0; i++)
        htmlf(&p->out, "<th scope=\"col\" class=\"n\">%s</th>", heads[i]);
    if (db_rows(gateways) > 0)
        buf_add_str(&p->out, "</tr></thead><tbody>\n");
    for (int i = 0; i < db_rows(gateways); i++)
        add_gateway(p, gateways, i, delays);
    if (db_rows(gateways) > 0)
        buf_add_str(
            &p->out,
            "</tbody></table></div>\n<p class=\"hint\">Counts are since each dispatcher's start.</p>\n");
    part_end(p);
    return 0;
}

/* Now: what waits for a person, what is paused, and which service has fallen silent. */
#include "dashboard/now.h"
#include "now_pauses.sql.h"
#include "now_services.sql.h"
#include "now_waits.sql.h"

#define MANY 10000 /* counted no further (now_waits.sql) */

static const struct tile {
    const char *word, *none, *what; /* what: what becomes of it, or the command that shows it */
    bool alarm;                     /* more than none waits for a person */
    bool bytes;
} tiles[] = {
    /* in the order of now_waits.sql's columns */
    {"outbox, now", "none", "chunks leaving", false, false},
    {"outbox, later", "none", "chunks wait for their time", false, false},
    {"parked", "none", "reports tried again", false, false},
    {"given up", "none", "reports nobody knows", true, false},
    {"quarantine", "empty", "smschain quarantine", true, false},
    {"dead letters", "none", "smschain dead list", true, false},
    {"in doubt", "none", "smschain resolve", true, false},
    {"held runs", "none", "smschain release", true, false},
    {"failed today", "none", "runs that failed", true, false},
    {"held rules", "none", "smschain accept", true, false},
    {"journal", "drained", "reports on disk", false, true},
};

static void add_tile(struct buf *out, const struct tile *t, int64_t n)
{
    char number[SPELL_SIZE];
    bool alarm = t->alarm && n > 0;
    htmlf(out, "<div class=\"tile%s\"><dt>%s</dt><dd>",
          alarm    ? " attention"
          : n == 0 ? " none"
                   : "",
          t->word);
    if (alarm)
        buf_add_str(out, "<span class=\"sign\" aria-hidden=\"true\">▲</span> ");
    if (t->bytes)
        htmlf(out, "<b>%s</b>", spell_bytes(n, number));
    else
        htmlf(out, "<b>%s%s</b>", n > MANY ? "more than " : "", spell_number(n > MANY ? MANY : n, number));
    htmlf(out, "<small>%s</small></dd></div>\n", n == 0 ? t->none : t->what);
}

static void add_pauses(struct page *p, const struct db_result *r)
{
    char at[SPELL_SIZE];
    for (int i = 0; i < db_rows(r); i++) {
        const char *scope = db_text(r, i, 1), *key = db_text(r, i, 2), *reason = db_text(r, i, 3);
        bool all = strcmp(scope, "all") == 0;
        buf_add_str(
            &p->out,
            "<p class=\"note attention\"><span class=\"sign\" aria-hidden=\"true\">▲</span> <b>Paused:</b> ");
        htmlf(&p->out, "%s%s%s since <time>%s</time> by %s%s%s. ", all ? "everything" : scope, all ? "" : " ",
              key, spell_time(db_time_ms(r, i, 5), at), db_text(r, i, 4), *reason ? ": " : "", reason);
        htmlf(&p->out, "<code>smschain start %s%s</code> goes on.</p>\n",
              strcmp(scope, "gateway") == 0 ? "--gateway " : "", all ? "all" : key);
    }
}

/* render has no database, so nothing is known of it here: its queue tells. */
static void add_silent(struct page *p, const struct db_result *r)
{
    static const char *const services[] = {"extract", "dispatch", "callback"};
    char age[SPELL_SIZE];
    for (size_t s = 0; s < COUNT_OF(services); s++) {
        int64_t youngest = INT64_MAX;
        for (int i = 0; i < db_rows(r); i++)
            if (strcmp(db_text(r, i, 0), services[s]) == 0)
                youngest = MIN_OF(youngest, db_big(r, i, 3));
        if (youngest <= 15)
            continue;
        htmlf(&p->out,
              "<p class=\"note bad\"><span class=\"sign\" aria-hidden=\"true\">✕</span> <b>smschain-%s</b> "
              "has said nothing for "
              "%s: it is down, or has lost the database. Its log tells.</p>\n",
              services[s],
              youngest == INT64_MAX ? "more than ten minutes" : spell_duration(youngest * 1000, age));
    }
}

int now_waits(struct page *p)
{
    auto_result counts = NULL;
    auto_result pauses = NULL;
    auto_result services = NULL;
    int r = db_run(p->db, &sql_now_waits, NULL, &counts);
    if (r == 0)
        r = db_run(p->db, &sql_now_pauses, NULL, &pauses);
    if (r == 0)
        r = db_run(p->db, &sql_now_services, NULL, &services);
    if (r != 0)
        return r;
    part_begin(p, "waits");
    add_silent(p, services);
    add_pauses(p, pauses);
    buf_add_str(&p->out, "<h2 class=\"unseen\">What waits</h2>\n<dl class=\"tiles\">\n");
    for (size_t i = 0; i < COUNT_OF(tiles); i++)
        add_tile(&p->out, &tiles[i], db_big(counts, 0, (int)i));
    buf_add_str(&p->out, "</dl>\n");
    part_end(p);
    return 0;
}

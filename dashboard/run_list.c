/* Lists of runs: see run_list.h. */
#include "dashboard/run_list.h"
#include "extract/balance.h"

struct run_stand run_stand_of(const struct db_result *r, int i)
{
    struct balance b = {.rows = db_big(r, i, RUN_ROWS),
                        .gone = db_big(r, i, RUN_GONE),
                        .new_ = db_big(r, i, RUN_NEW),
                        .seen = db_big(r, i, RUN_SEEN),
                        .duplicate = db_big(r, i, RUN_DUPLICATE),
                        .invalid = db_big(r, i, RUN_INVALID),
                        .suppressed = db_big(r, i, RUN_SUPPRESSED)};
    return (struct run_stand){.state = db_text(r, i, RUN_STATE),
                              .publish = db_bool(r, i, RUN_PUBLISH),
                              .complete = db_bool(r, i, RUN_COMPLETE),
                              .balance_holds = balance_holds(&b),
                              .messages = db_big(r, i, RUN_NEW)};
}

const char *run_phase_of(const struct db_result *r, int i, const struct run_counts *c, enum phase *ret)
{
    struct run_stand s = run_stand_of(r, i);
    return run_phase(&s, c, ret);
}

const char *run_origin_words(const char *origin)
{
    static const char *const words[][2] = {{"schedule", "by schedule"},
                                           {"missed", "late: the firing had been missed"},
                                           {"person", "fired by a person"},
                                           {"api", "asked for by the API"},
                                           {"inbound", "answers to messages from phones"},
                                           {"task", "a task's rows"},
                                           {"test", "test messages"},
                                           {"heartbeat", "heartbeats"}};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(words[i][0], origin) == 0)
            return words[i][1];
    return origin;
}

static void add_row(struct page *p, const struct db_result *r, int i, const struct run_counts *c,
                    bool with_rule)
{
    char text[SPELL_SIZE];
    enum phase phase;
    const char *words = run_phase_of(r, i, c, &phase);
    int64_t messages = db_big(r, i, RUN_NEW);
    htmlf(&p->out, "<tr><th scope=\"row\"><a href=\"/runs/%s\">run %s</a></th>", db_text(r, i, RUN_ID),
          db_text(r, i, RUN_ID));
    if (with_rule) {
        buf_add_str(&p->out, "<td data-label=\"rule\">");
        html_link(&p->out, "/rules/", db_text(r, i, RUN_RULE), db_text(r, i, RUN_RULE));
        buf_add_str(&p->out, "</td>");
    }
    htmlf(&p->out, "<td data-label=\"scheduled\"><time>%s</time></td><td data-label=\"state\">",
          spell_time(db_time_ms(r, i, RUN_SCHEDULED), text));
    add_phase(&p->out, words, phase);
    if (*db_text(r, i, RUN_WHY) && strcmp(db_text(r, i, RUN_STATE), "read") != 0)
        htmlf(&p->out, " <small>%s</small>", db_text(r, i, RUN_WHY));
    htmlf(&p->out, "</td><td class=\"n\" data-label=\"rows\">%s</td>",
          spell_number(db_big(r, i, RUN_ROWS), text));
    htmlf(&p->out, "<td class=\"n\" data-label=\"new\">%s</td>", spell_number(messages, text));
    htmlf(&p->out, "<td class=\"n\" data-label=\"delivered\">%s",
          spell_number(c->bucket[BUCKET_DELIVERED], text));
    htmlf(&p->out, " <small>%s</small></td>",
          messages > 0 ? spell_share(c->bucket[BUCKET_DELIVERED], messages, text) : "");
    htmlf(&p->out, "<td class=\"n%s\" data-label=\"undelivered\">%s</td>",
          c->bucket[BUCKET_UNDELIVERED] == 0 ? " none" : "",
          spell_number(c->bucket[BUCKET_UNDELIVERED], text));
    htmlf(&p->out, "<td class=\"n%s\" data-label=\"in doubt\">%s</td></tr>\n",
          c->bucket[BUCKET_IN_DOUBT] == 0 ? " none" : " attention",
          spell_number(c->bucket[BUCKET_IN_DOUBT], text));
}

int run_table(struct page *p, const struct db_result *r, const struct run_counts *c, bool with_rule,
              bool (*which)(const struct db_result *r, int i, const struct run_counts *c))
{
    int shown = 0;
    for (int i = 0; i < db_rows(r); i++) {
        if (which && !which(r, i, &c[i]))
            continue;
        if (shown++ == 0)
            htmlf(&p->out,
                  "<div class=\"wide\"><table class=\"stack\"><thead><tr><th scope=\"col\">Run</th>");
        if (shown == 1 && with_rule)
            buf_add_str(&p->out, "<th scope=\"col\">Rule</th>");
        if (shown == 1)
            buf_add_str(&p->out,
                        "<th scope=\"col\">Scheduled</th><th scope=\"col\">State</th><th scope=\"col\" "
                        "class=\"n\">Rows</th>"
                        "<th scope=\"col\" class=\"n\">New</th><th scope=\"col\" class=\"n\">Delivered</th>"
                        "<th scope=\"col\" class=\"n\">Undelivered</th><th scope=\"col\" class=\"n\">In "
                        "doubt</th></tr></thead><tbody>\n");
        add_row(p, r, i, &c[i], with_rule);
    }
    if (shown > 0)
        buf_add_str(&p->out, "</tbody></table></div>\n");
    return shown;
}

/* Now: the queues, and the batching consumer that keeps the tables. */
#include "dashboard/depths.h"
#include "dashboard/now.h"
#include "now_consumers.sql.h"

enum { PART, LAG, WAITING, FLUSH_AT, FLUSH_MS, FLUSH_STEPS, AWAY, BROKER };

static void add_depth(struct buf *out, const char *label, int64_t ready)
{
    char text[SPELL_SIZE];
    if (ready < 0)
        htmlf(out, "<td class=\"n attention\" data-label=\"%s\">missing: smschain migrate</td>", label);
    else
        htmlf(out, "<td class=\"n%s\" data-label=\"%s\">%s</td>", ready == 0 ? " none" : "", label,
              spell_number(ready, text));
}

/* The two lanes of a step side by side, bulk first; 0: the queue has no lanes. */
static size_t lane_word(const char *queue)
{
    const char *dot = strrchr(queue, '.');
    bool lanes = dot && (strcmp(dot, ".instant") == 0 || strcmp(dot, ".bulk") == 0);
    return lanes ? (size_t)(dot - queue) : 0;
}

static const struct depth *sibling(const struct depths_now *now, size_t i)
{
    size_t len = lane_word(now->list[i].queue);
    for (size_t k = 0; k < now->count; k++)
        if (k != i && len > 0 && lane_word(now->list[k].queue) == len &&
            strncmp(now->list[k].queue, now->list[i].queue, len) == 0)
            return &now->list[k];
    return NULL;
}

static void add_depths(struct buf *out, const struct depths_now *now)
{
    buf_add_str(out, "<div class=\"wide\"><table class=\"queues\"><thead><tr><th scope=\"col\">Queue</th><th "
                     "scope=\"col\" "
                     "class=\"n\">Bulk</th><th scope=\"col\" class=\"n\">Instant</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < now->count; i++) {
        const struct depth *d = &now->list[i], *other = sibling(now, i);
        size_t len = lane_word(d->queue);
        if (other && strcmp(d->queue + len, ".instant") == 0)
            continue; /* stands beside its bulk lane */
        auto_free char *name = xstrndup(d->queue, other ? len : strlen(d->queue));
        htmlf(out, "<tr><th scope=\"row\">%s</th>", name);
        add_depth(out, other ? "bulk" : "", d->ready);
        if (other)
            add_depth(out, "instant", other->ready);
        else
            buf_add_str(out, "<td></td>");
        buf_add_str(out, "</tr>\n");
    }
    buf_add_str(out, "</tbody></table></div>\n");
}

static void add_queues(struct page *p)
{
    struct depths_now now;
    depths_look(p->depths, &now);
    part_begin(p, "queues");
    buf_add_str(&p->out, "<h2>Queues</h2>\n");
    if (now.trouble)
        htmlf(&p->out,
              "<p class=\"note bad\"><span class=\"sign\" aria-hidden=\"true\">✕</span> The broker does not "
              "answer: %s</p>\n",
              now.trouble);
    else if (now.at_ms == 0)
        buf_add_str(&p->out, "<p class=\"empty loading\">Asking the broker …</p>\n");
    else
        add_depths(&p->out, &now);
    part_end(p);
    depths_now_deinit(&now);
}

static void add_fact(struct buf *out, const char *word, const char *text, bool bad)
{
    htmlf(out, "<div class=\"%s\"><dt>%s</dt><dd>%s</dd></div>\n", bad ? "attention" : "fine", word, text);
}

static void add_consumer(struct page *p, const struct db_result *r, int i)
{
    char text[SPELL_SIZE], took[SPELL_SIZE];
    int64_t lag = db_big(r, i, LAG), at = db_big(r, i, FLUSH_AT), away = db_big(r, i, AWAY);
    if (db_rows(r) > 1)
        htmlf(&p->out, "<h3>%s</h3>\n", db_text(r, i, PART));
    buf_add_str(&p->out, "<dl class=\"facts\">\n");
    add_fact(&p->out, "lag", lag > 0 ? spell_duration(lag, text) : "none",
             lag > 3 * p->conf->main.callback.flush_interval_ms + 10000);
    add_fact(&p->out, "steps waiting", spell_number(db_big(r, i, WAITING), text), false);
    add_fact(&p->out, "last flush", at > 0 ? spell_time(at, text) : "none yet", false);
    if (at > 0) {
        auto_free char *size = xasprintf("%s steps in %s", spell_number(db_big(r, i, FLUSH_STEPS), text),
                                         spell_duration(db_big(r, i, FLUSH_MS), took));
        add_fact(&p->out, "it wrote", size, false);
    }
    add_fact(&p->out, "broker", db_text(r, i, BROKER), strcmp(db_text(r, i, BROKER), "connected") != 0);
    if (away > 0)
        add_fact(&p->out, "database away for", spell_duration(away, text), true);
    buf_add_str(&p->out, "</dl>\n");
}

int now_inside(struct page *p)
{
    auto_result r = NULL;
    int code = db_run(p->db, &sql_now_consumers, NULL, &r);
    if (code != 0)
        return code;
    buf_add_str(&p->out, "<div class=\"two\">\n");
    add_queues(p);
    part_begin(p, "consumer");
    buf_add_str(&p->out, "<h2>Batching consumer</h2>\n");
    for (int i = 0; i < db_rows(r); i++)
        add_consumer(p, r, i);
    if (db_rows(r) == 0)
        buf_add_str(&p->out, "<p class=\"note bad\"><span class=\"sign\" aria-hidden=\"true\">✕</span> None "
                             "has said anything in the last "
                             "minute: statuses stand still, and are kept in the queues.</p>\n");
    part_end(p);
    buf_add_str(&p->out, "</div>\n");
    return 0;
}

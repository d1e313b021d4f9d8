/* A run in figures and words: see runs.h. */
#include "dashboard/runs.h"
#include "run_states.sql.h"

const struct bucket_look bucket_looks[BUCKETS] = {
    [BUCKET_DELIVERED] = {"delivered", "delivered", "✓"},
    [BUCKET_UNDELIVERED] = {"undelivered", "undelivered", "✕"},
    [BUCKET_UNKNOWN] = {"unknown", "unknown", "∅"},
    [BUCKET_IN_DOUBT] = {"in doubt", "in-doubt", "?"},
    [BUCKET_ACCEPTED] = {"accepted", "accepted", "◑"},
    [BUCKET_SUBMITTED] = {"submitted", "submitted", "↗"},
    [BUCKET_NOT_SENT] = {"not sent", "not-sent", "⊘"},
    [BUCKET_QUEUED] = {"queued", "queued", "…"},
};

enum bucket bucket_of(int state)
{
    switch (state) {
    case STATE_DELIVERED:
        return BUCKET_DELIVERED;
    case STATE_UNDELIVERED:
    case STATE_EXPIRED:
    case STATE_REJECTED:
        return BUCKET_UNDELIVERED;
    case STATE_UNKNOWN:
        return BUCKET_UNKNOWN;
    case STATE_IN_DOUBT:
        return BUCKET_IN_DOUBT;
    case STATE_ACCEPTED:
        return BUCKET_ACCEPTED;
    case STATE_SUBMITTED:
        return BUCKET_SUBMITTED;
    case STATE_QUEUED:
        return BUCKET_QUEUED;
    default:
        return BUCKET_NOT_SENT;
    }
}

void run_counts_add(struct run_counts *c, int state, int64_t count, int64_t changed_ms)
{
    c->changed_ms = MAX_OF(c->changed_ms, changed_ms);
    if (state == -1)
        c->partial += count;
    if (state <= STATE_QUEUED || state > STATE_DELIVERED)
        return;
    c->by_state[state] += count;
    c->bucket[bucket_of(state)] += count;
    c->told += count;
}

void run_counts_close(struct run_counts *c, int64_t messages)
{
    c->bucket[BUCKET_QUEUED] = messages - c->told;
}

int run_counts_read(struct page *p, const struct db_result *r, int id_column, int new_column,
                    struct run_counts **ret)
{
    size_t n = (size_t)db_rows(r);
    auto_free int64_t *ids = xcalloc(n + 1, sizeof(*ids));
    auto_params params = db_params_new();
    auto_result states = NULL;
    *ret = xcalloc(n + 1, sizeof(**ret));
    for (size_t i = 0; i < n; i++)
        ids[i] = db_big(r, (int)i, id_column);
    db_add_big_array(params, ids, n);
    int code = db_run(p->db, &sql_run_states, params, &states);
    if (code != 0)
        return code;
    for (int k = 0; k < db_rows(states); k++)
        for (size_t i = 0; i < n; i++)
            if (ids[i] == db_big(states, k, 0))
                run_counts_add(&(*ret)[i], (int)db_big(states, k, 1), db_big(states, k, 2),
                               db_time_ms(states, k, 3));
    for (size_t i = 0; i < n; i++)
        run_counts_close(&(*ret)[i], db_big(r, (int)i, new_column));
    return 0;
}

int64_t run_submitted(const struct run_counts *c)
{
    return c->told - c->bucket[BUCKET_NOT_SENT];
}

int64_t run_accepted(const struct run_counts *c)
{
    return c->bucket[BUCKET_DELIVERED] + c->bucket[BUCKET_UNKNOWN] + c->bucket[BUCKET_ACCEPTED] +
           c->by_state[STATE_UNDELIVERED] + c->by_state[STATE_EXPIRED];
}

int64_t run_open(const struct run_counts *c)
{
    return c->bucket[BUCKET_QUEUED] + c->bucket[BUCKET_SUBMITTED] + c->bucket[BUCKET_ACCEPTED];
}

static const char *phase_of_read(const struct run_stand *s, const struct run_counts *c, enum phase *ret)
{
    *ret = PHASE_WORKS;
    if ((s->complete && !s->balance_holds) || c->bucket[BUCKET_QUEUED] < 0) {
        *ret = PHASE_BAD;
        return "not accounted for";
    }
    if (c->bucket[BUCKET_QUEUED] > 0 || c->bucket[BUCKET_SUBMITTED] > 0)
        return s->publish ? "sending" : "waiting to be sent";
    if (c->bucket[BUCKET_ACCEPTED] > 0)
        return "waiting for reports";
    *ret = c->bucket[BUCKET_IN_DOUBT] > 0 ? PHASE_ATTENTION : PHASE_DONE;
    return c->bucket[BUCKET_IN_DOUBT] > 0 ? "finished, some in doubt" : "finished";
}

const char *run_phase(const struct run_stand *s, const struct run_counts *c, enum phase *ret)
{
    static const struct {
        const char *state, *words;
        enum phase phase;
    } plain[] = {{"new", "waiting to be read", PHASE_WAITS}, {"reading", "reading", PHASE_WORKS},
                 {"held", "held", PHASE_ATTENTION},          {"failed", "failed", PHASE_BAD},
                 {"skipped", "skipped", PHASE_WAITS},        {"cancelled", "cancelled", PHASE_WAITS}};
    if (strcmp(s->state, "cancelled") == 0 && run_open(c) > 0) {
        *ret = PHASE_WORKS;
        return "cancelled, ending";
    }
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        if (strcmp(s->state, plain[i].state) == 0) {
            *ret = plain[i].phase;
            return plain[i].words;
        }
    }
    return phase_of_read(s, c, ret);
}

void add_phase(struct buf *out, const char *words, enum phase phase)
{
    static const char *const looks[][2] = {[PHASE_WAITS] = {"waits", "◌"},
                                           [PHASE_WORKS] = {"works", "▸"},
                                           [PHASE_DONE] = {"done", "✓"},
                                           [PHASE_ATTENTION] = {"attention", "▲"},
                                           [PHASE_BAD] = {"bad", "✕"}};
    htmlf(out, "<span class=\"phase %s\"><span class=\"sign\" aria-hidden=\"true\">%s</span> %s</span>",
          looks[phase][0], looks[phase][1], words);
}

void add_state(struct buf *out, int state)
{
    const struct bucket_look *look = &bucket_looks[bucket_of(state)];
    auto_free char *word = xstrdup(state_word((enum state)state));
    for (char *c = word; c && *c; c++)
        if (*c == '_')
            *c = ' ';
    htmlf(out, "<span class=\"state %s\"><span class=\"sign\" aria-hidden=\"true\">%s</span> %s</span>",
          look->class, look->sign, word ? word : "?");
}

#define BAR_WIDTH 1000.0

void add_bar(struct buf *out, const struct run_counts *c, int64_t messages)
{
    char number[SPELL_SIZE];
    double x = 0;
    buf_add_str(
        out,
        "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"");
    bool any = false;
    for (int b = 0; b < BUCKETS; b++) {
        if (c->bucket[b] > 0)
            htmlf(out, "%s%s %s", any ? ", " : "", spell_number(c->bucket[b], number), bucket_looks[b].word);
        any = any || c->bucket[b] > 0;
    }
    buf_add_str(out, any ? "\">" : "no messages\">");
    for (int b = 0; b < BUCKETS && messages > 0; b++) {
        double width = BAR_WIDTH * (double)MAX_OF(c->bucket[b], 0) / (double)messages;
        if (width > 0)
            htmlf(out, "<rect class=\"%s\" x=\"%.2f\" width=\"%.2f\" height=\"10\"/>", bucket_looks[b].class,
                  x, width);
        x += width;
    }
    buf_add_str(out, "</svg>");
}

/* Messages in parts, between the tables and the fold: their rows are locked, since what two flushes learn of
 * two segments must meet in one row, then their segments are read, and written when the fold has raised them.
 * Nothing of this is asked for where all messages of a flush go whole. */
#include "callback/apply_internal.h"
#include "message_lock.sql.h"
#include "segment_read.sql.h"
#include "segment_write.sql.h"

#include <stdio.h>

#define PARTIAL "partial:"

/* ---- reading ---- */

/* The row as it stands now that nobody else can write it. */
static int lock_day(struct apply *a, const int64_t *ids, size_t count, struct apply_view *v)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    db_add_big_array(p, ids, count);
    apply_add_day(p, sms_id_day(ids[0]));
    int r = db_run(a->o.db, &sql_message_lock, p, &result);
    for (int i = 0; r == 0 && i < db_rows(result); i++) {
        struct fold_row *row = fold_find(v->rows, v->row_count, db_big(result, i, 0));
        if (!row)
            continue;
        apply_take_row(result, i, row);
        row->segmented = true;
    }
    return r;
}

static bool has_failed(int state)
{
    return state >= STATE_STALE && state != STATE_UNKNOWN && state < STATE_DELIVERED;
}

struct reasons { /* of segments that have failed, each once */
    struct word **words;
    size_t count, cap;
};

static void reasons_deinit(struct reasons *s)
{
    free(s->words);
}

static void add_reason(struct reasons *s, struct word *w)
{
    for (size_t i = s->count; i-- > 0;) {
        if (s->words[i] == w)
            return;
    }
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->words = xrealloc(s->words, s->cap * sizeof(struct word *));
    }
    s->words[s->count++] = w;
}

static int read_segments(struct apply *a, const int64_t *ids, size_t count, struct apply_view *v,
                         struct reasons *reasons)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    db_add_big_array(p, ids, count);
    apply_add_day(p, sms_id_day(ids[0]));
    int r = db_run(a->o.db, &sql_segment_read, p, &result);
    if (r != 0 || db_rows(result) == 0)
        return r;
    v->stored = xrealloc(v->stored, (v->stored_count + (size_t)db_rows(result)) * sizeof(*v->stored));
    for (int i = 0; i < db_rows(result); i++) {
        struct fold_stored *s = &v->stored[v->stored_count++];
        *s = (struct fold_stored){.sms_id = db_big(result, i, 0),
                                  .segment = (int16_t)db_big(result, i, 1),
                                  .stand = {.attempt = (int16_t)db_big(result, i, 2),
                                            .state = (int16_t)db_big(result, i, 3),
                                            .gateway = (int32_t)db_big(result, i, 4),
                                            .reason = (int32_t)db_big(result, i, 5),
                                            .changed_at = db_time_ms(result, i, 6)}};
        if (has_failed(s->stand.state))
            add_reason(reasons, words_get(a->o.words, WORD_REASON, db_text(result, i, 7)));
    }
    return 0;
}

/* ---- the words of what has failed in part ---- */

static int by_reason(const void *a, const void *b)
{
    const struct fold_partial *x = a, *y = b;
    return (x->reason > y->reason) - (x->reason < y->reason);
}

static int find_partials(struct apply *a, const struct told *steps, size_t count, struct reasons *reasons,
                         struct apply_view *v)
{
    for (size_t i = 0; i < count; i++) {
        if (has_failed(steps[i].state))
            add_reason(reasons, steps[i].reason);
    }
    if (reasons->count == 0)
        return 0;
    auto_free struct word **partials = xcalloc(reasons->count, sizeof(struct word *));
    for (size_t i = 0; i < reasons->count; i++) {
        char text[sizeof(PARTIAL) + WORD_BYTES_MAX];
        snprintf(text, sizeof(text), PARTIAL "%s", reasons->words[i]->text);
        partials[i] = words_get(a->o.words, WORD_REASON, text);
    }
    int r = words_resolve(a->o.words, a->o.db);
    if (r != 0)
        return r;
    v->partials = xcalloc(reasons->count, sizeof(*v->partials));
    for (size_t i = 0; i < reasons->count; i++)
        v->partials[v->partial_count++] =
            (struct fold_partial){.reason = reasons->words[i]->id, .partial = partials[i]->id};
    qsort(v->partials, v->partial_count, sizeof(*v->partials), by_reason);
    return 0;
}

int apply_read_parts(struct apply *a, const struct told *steps, size_t count, struct apply_view *v)
{
    cleanup_with(reasons_deinit) struct reasons reasons = {0};
    size_t marked = fold_mark_segmented(v->rows, v->row_count, steps, count, v->known, v->known_count), n = 0;
    int r = 0;
    if (marked == 0)
        return 0;
    auto_free int64_t *ids = xcalloc(marked, sizeof(*ids));
    for (size_t i = 0; i < v->row_count; i++) {
        if (v->rows[i].segmented)
            ids[n++] = v->rows[i].sms_id;
    }
    for (size_t from = 0, to; r == 0 && from < n; from = to) {
        for (to = from; to < n && sms_id_day(ids[to]) == sms_id_day(ids[from]);)
            to++;
        r = lock_day(a, ids + from, to - from, v);
        if (r == 0)
            r = read_segments(a, ids + from, to - from, v, &reasons);
    }
    return r == 0 ? find_partials(a, steps, count, &reasons, v) : r;
}

/* ---- writing ---- */

struct columns {
    size_t count;
    int64_t *sms_ids, *times;
    int32_t *segments, *attempts, *states, *gateways, *reasons;
};

static void columns_deinit(struct columns *c)
{
    free(c->sms_ids);
    free(c->times);
    free(c->segments);
    free(c->attempts);
    free(c->states);
    free(c->gateways);
    free(c->reasons);
}

static void put(struct columns *c, int64_t sms_id, int segment, const struct fold_stand *s)
{
    size_t n = c->count++;
    c->sms_ids[n] = sms_id;
    c->segments[n] = segment;
    c->attempts[n] = s->attempt;
    c->states[n] = s->state;
    c->gateways[n] = s->gateway;
    c->reasons[n] = s->reason;
    c->times[n] = s->changed_at;
}

int apply_write_parts(struct apply *a, const struct fold *f)
{
    if (f->segment_count == 0)
        return 0;
    size_t n = f->segment_count;
    cleanup_with(columns_deinit) struct columns c = {.sms_ids = xcalloc(n, sizeof(*c.sms_ids)),
                                                     .times = xcalloc(n, sizeof(*c.times)),
                                                     .segments = xcalloc(n, sizeof(*c.segments)),
                                                     .attempts = xcalloc(n, sizeof(*c.attempts)),
                                                     .states = xcalloc(n, sizeof(*c.states)),
                                                     .gateways = xcalloc(n, sizeof(*c.gateways)),
                                                     .reasons = xcalloc(n, sizeof(*c.reasons))};
    for (size_t i = 0; i < f->row_count; i++) {
        const struct fold_row *row = &f->rows[i];
        for (int s = 0; row->segmented && s < row->segment_count; s++) {
            if (fold_segment_is_stored(f, row, s))
                put(&c, row->sms_id, s + 1, &f->segments[row->segment_first + (size_t)s].now);
        }
    }
    if (c.count == 0)
        return 0;
    auto_params p = db_params_new();
    db_add_big_array(p, c.sms_ids, c.count);
    db_add_int_array(p, c.segments, c.count);
    db_add_int_array(p, c.attempts, c.count);
    db_add_int_array(p, c.states, c.count);
    db_add_int_array(p, c.gateways, c.count);
    db_add_int_array(p, c.reasons, c.count);
    db_add_time_array(p, c.times, c.count);
    return db_run(a->o.db, &sql_segment_write, p, NULL);
}

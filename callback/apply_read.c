/* What the fold needs from the tables: the message rows, which claims are missing, and what is known of the
 * ids that reports name. Every statement is for one day, so that it touches one partition. */
#include "callback/apply_internal.h"
#include "claim_first_dense.sql.h"
#include "claim_missing.sql.h"
#include "message_read.sql.h"
#include "message_read_dense.sql.h"

void apply_view_deinit(struct apply_view *v)
{
    free(v->rows);
    free(v->known);
    free(v->stored);
    free(v->partials);
    arena_deinit(&v->arena);
    *v = (struct apply_view){0};
}

/* A run's messages are neighbours, and so are the steps of one flush: where at least every other key between
 * the first and the last is wanted, one walk over all of them costs less than to look each one up. */
static bool is_dense(int64_t first, int64_t last, size_t count)
{
    return count >= 16 && last - first < (int64_t)count * 2;
}

/* ---- message rows ---- */

static int64_t *wanted_rows(const struct told *steps, size_t count, const struct apply_view *v,
                            size_t *ret_count)
{
    int64_t *ids = xcalloc(count + v->known_count + 1, sizeof(*ids));
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (steps[i].named)
            ids[n++] = steps[i].id.sms_id;
    }
    for (size_t i = 0; i < v->known_count; i++)
        ids[n++] = v->known[i].sms_id;
    *ret_count = apply_sort_unique(ids, n);
    return ids;
}

void apply_take_row(const struct db_result *r, int i, struct fold_row *row)
{
    *row = (struct fold_row){.sms_id = db_big(r, i, 0),
                             .run_id = db_big(r, i, 1),
                             .number = db_big(r, i, 2),
                             .place = db_place(r, i, 11),
                             .transaction = (int32_t)db_big(r, i, 12)};
    row->was = (struct fold_stand){.changed_at = db_time_ms(r, i, 3),
                                   .gateway = (int32_t)db_big(r, i, 4),
                                   .reason = (int32_t)db_big(r, i, 5),
                                   .attempt = (int16_t)db_big(r, i, 6),
                                   .segments = (int16_t)db_big(r, i, 7),
                                   .state = (int16_t)db_big(r, i, 8),
                                   .version = (int32_t)db_big(r, i, 9),
                                   .version_attempt = (int16_t)db_big(r, i, 10),
                                   .parts = (int16_t)db_big(r, i, 13)};
    row->now = row->was;
}

static int by_sms_id(const void *a, const void *b)
{
    const struct fold_row *x = a, *y = b;
    return (x->sms_id > y->sms_id) - (x->sms_id < y->sms_id);
}

static void sort_rows(struct fold_row *rows, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (rows[i - 1].sms_id > rows[i].sms_id) {
            qsort(rows, count, sizeof(*rows), by_sms_id);
            return;
        }
    }
}

/* `ids` are sorted and of one day. A dense read brings rows that nobody asked for: at most as many again; the
 * fold leaves them as they are. */
static int read_day(struct apply *a, const int64_t *ids, size_t count, struct apply_view *v)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    bool dense = is_dense(ids[0], ids[count - 1], count);
    if (dense) {
        db_add_big(p, ids[0]);
        db_add_big(p, ids[count - 1] + 1);
    } else {
        db_add_big_array(p, ids, count);
        apply_add_day(p, sms_id_day(ids[0]));
    }
    int r = db_run(a->o.db, dense ? &sql_message_read_dense : &sql_message_read, p, &result);
    if (r != 0)
        return r;
    size_t rows = (size_t)db_rows(result), from = v->row_count;
    v->rows = xrealloc(v->rows, (from + rows + 1) * sizeof(*v->rows));
    for (size_t i = 0; i < rows; i++)
        apply_take_row(result, (int)i, &v->rows[v->row_count++]);
    sort_rows(v->rows + from, rows);
    return 0;
}

static size_t day_end(const int64_t *ids, size_t from, size_t count)
{
    int64_t first_after = sms_id_day_first(sms_id_day(ids[from]) + 1);
    while (from < count && ids[from] < first_after)
        from++;
    return from;
}

static int read_rows(struct apply *a, const struct told *steps, size_t count, struct apply_view *v)
{
    size_t n;
    auto_free int64_t *ids = wanted_rows(steps, count, v, &n);
    for (size_t from = 0, to; from < n; from = to) {
        to = day_end(ids, from, n);
        int r = read_day(a, ids + from, to - from, v);
        if (r != 0)
            return r;
    }
    return 0;
}

/* ---- claims ---- */

static int by_attempt(const void *a, const void *b)
{
    const struct seq_id *x = a, *y = b;
    if (x->sms_id != y->sms_id)
        return x->sms_id < y->sms_id ? -1 : 1;
    if (x->segment != y->segment)
        return x->segment - y->segment;
    return x->attempt - y->attempt;
}

/* Steps come mostly in the order of their messages, so the wanted row is mostly beside the last one. */
static struct fold_row *row_near(const struct apply_view *v, int64_t sms_id, size_t *io_hint)
{
    for (size_t i = *io_hint; i < v->row_count && i < *io_hint + 2; i++) {
        if (v->rows[i].sms_id == sms_id) {
            *io_hint = i;
            return &v->rows[i];
        }
    }
    struct fold_row *row = fold_find(v->rows, v->row_count, sms_id);
    if (row)
        *io_hint = (size_t)(row - v->rows);
    return row;
}

static size_t sort_unique_attempts(struct seq_id *keys, size_t n)
{
    size_t kept = 0;
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++)
        sorted = by_attempt(&keys[i - 1], &keys[i]) <= 0;
    if (!sorted)
        qsort(keys, n, sizeof(*keys), by_attempt);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || by_attempt(&keys[kept - 1], &keys[i]) != 0)
            keys[kept++] = keys[i];
    }
    return kept;
}

/* The attempts that steps name, each once, sorted; without those whose row has been there already: no row
 * comes to an attempt but over its claim. */
static struct seq_id *named_attempts(struct told *steps, size_t count, struct apply_view *v,
                                     size_t *ret_count)
{
    struct seq_id *keys = xcalloc(count + 1, sizeof(*keys));
    auto_free int32_t *added = xcalloc(v->row_count + 1, sizeof(*added)); /* segment 1: this attempt */
    size_t n = 0, hint = 0;
    for (size_t i = 0; i < count; i++) {
        const struct seq_id *id = &steps[i].id;
        if (!steps[i].named || id->attempt == 0)
            continue;
        const struct fold_row *row = row_near(v, id->sms_id, &hint);
        steps[i].claimed = row != NULL; /* until the table says that the claim is missing */
        if (!row || (id->segment == 1 && added[hint] == id->attempt) ||
            (row->was.parts <= 1 && row->was.attempt == id->attempt && row->was.state >= STATE_SUBMITTED &&
             id->segment == 1))
            continue;
        keys[n++] = *id;
        if (id->segment == 1)
            added[hint] = id->attempt;
    }
    *ret_count = sort_unique_attempts(keys, n);
    return keys;
}

/* Takes those out of `keys` that a walk over the stretch finds claimed; the others keep their order. */
static int drop_first_claims(struct apply *a, struct seq_id *keys, size_t *io_count)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    size_t count = *io_count, kept = 0;
    db_add_big(p, keys[0].sms_id);
    db_add_big(p, keys[count - 1].sms_id + 1);
    int r = db_run(a->o.db, &sql_claim_first_dense, p, &result);
    if (r != 0)
        return r;
    size_t found_count = (size_t)db_rows(result);
    auto_free int64_t *found = xcalloc(found_count + 1, sizeof(*found));
    for (size_t i = 0; i < found_count; i++)
        found[i] = db_big(result, (int)i, 0);
    found_count = apply_sort_unique(found, found_count);
    for (size_t i = 0, at = 0; i < count; i++) {
        while (at < found_count && found[at] < keys[i].sms_id)
            at++;
        bool claimed = at < found_count && found[at] == keys[i].sms_id;
        if (!(claimed && keys[i].segment == 1 && keys[i].attempt == 1))
            keys[kept++] = keys[i];
    }
    *io_count = kept;
    return 0;
}

static int missing_of_day(struct apply *a, struct seq_id *keys, size_t count, struct seq_id *missing,
                          size_t *io_missing)
{
    if (is_dense(keys[0].sms_id, keys[count - 1].sms_id, count)) {
        int r = drop_first_claims(a, keys, &count);
        if (r != 0 || count == 0)
            return r;
    }
    auto_params p = db_params_new();
    auto_result result = NULL;
    auto_free int64_t *sms_ids = xcalloc(count, sizeof(*sms_ids));
    auto_free int32_t *segments = xcalloc(count, sizeof(*segments)),
                      *attempts = xcalloc(count, sizeof(*attempts));
    for (size_t i = 0; i < count; i++) {
        sms_ids[i] = keys[i].sms_id;
        segments[i] = keys[i].segment;
        attempts[i] = keys[i].attempt;
    }
    db_add_big_array(p, sms_ids, count);
    db_add_int_array(p, segments, count);
    db_add_int_array(p, attempts, count);
    apply_add_day(p, sms_id_day(keys[0].sms_id));
    int r = db_run(a->o.db, &sql_claim_missing, p, &result);
    if (r != 0)
        return r;
    for (int i = 0; i < db_rows(result); i++)
        missing[(*io_missing)++] = (struct seq_id){.sms_id = db_big(result, i, 0),
                                                   .segment = (int)db_big(result, i, 1),
                                                   .attempt = (int)db_big(result, i, 2)};
    return 0;
}

static int read_claims(struct apply *a, struct told *steps, size_t count, struct apply_view *v)
{
    size_t n, missing_count = 0;
    auto_free struct seq_id *keys = named_attempts(steps, count, v, &n);
    auto_free struct seq_id *missing = xcalloc(n + 1, sizeof(*missing));
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from; to < n && sms_id_day(keys[to].sms_id) == sms_id_day(keys[from].sms_id);)
            to++;
        int r = missing_of_day(a, keys + from, to - from, missing, &missing_count);
        if (r != 0)
            return r;
    }
    if (missing_count == 0)
        return 0;
    qsort(missing, missing_count, sizeof(*missing), by_attempt);
    for (size_t i = 0; i < count; i++) {
        if (steps[i].claimed && bsearch(&steps[i].id, missing, missing_count, sizeof(*missing), by_attempt))
            steps[i].claimed = false;
    }
    return 0;
}

int apply_read(struct apply *a, struct told *steps, size_t count, struct apply_view *ret)
{
    int r = apply_read_maps(a, steps, count, ret);
    if (r == 0)
        r = read_rows(a, steps, count, ret);
    if (r == 0)
        r = read_claims(a, steps, count, ret);
    if (r == 0)
        r = apply_read_foreign(a, steps, count, ret);
    if (r == 0)
        r = apply_read_parts(a, steps, count, ret);
    return r;
}

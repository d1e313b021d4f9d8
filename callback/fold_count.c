/* The counters of a fold: what each row's way from `was` to `now` does to stats, and the entries of each
 * minute. */
#include "callback/fold_internal.h"
#include "lib/seq_id.h"

static int compare_ints(const int64_t *a, const int64_t *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

static int by_delta_key(const void *a, const void *b)
{
    const struct fold_delta *x = a, *y = b;
    const int64_t p[] = {x->run_id, x->day, x->gateway, x->state, x->reason};
    const int64_t q[] = {y->run_id, y->day, y->gateway, y->state, y->reason};
    return compare_ints(p, q, COUNT_OF(p));
}

static int by_minute_key(const void *a, const void *b)
{
    const struct fold_minute *x = a, *y = b;
    const int64_t p[] = {x->minute_ms, x->gateway, x->state}, q[] = {y->minute_ms, y->gateway, y->state};
    return compare_ints(p, q, COUNT_OF(p));
}

/* Most rows of a flush do the same as the row before: those are added up at once, and few are left to sort.
 */
static void add_delta(struct fold *f, const struct fold_row *row, const struct fold_stand *at, int64_t count,
                      size_t look_back)
{
    struct fold_delta d = {.run_id = row->run_id,
                           .count = count,
                           .day = sms_id_day(row->sms_id),
                           .gateway = at->gateway,
                           .reason = at->reason,
                           .state = at->state};
    if (at->state == STATE_QUEUED)
        return; /* stats has no row for queued: it is what is left of the run */
    for (size_t i = f->delta_count; i > 0 && f->delta_count - i < look_back; i--) {
        if (by_delta_key(&f->deltas[i - 1], &d) == 0) {
            f->deltas[i - 1].count += count;
            return;
        }
    }
    f->deltas[f->delta_count++] = d;
}

static void sum_deltas(struct fold *f)
{
    size_t kept = 0;
    qsort(f->deltas, f->delta_count, sizeof(*f->deltas), by_delta_key);
    for (size_t i = 0; i < f->delta_count; i++) {
        if (kept > 0 && by_delta_key(&f->deltas[kept - 1], &f->deltas[i]) == 0)
            f->deltas[kept - 1].count += f->deltas[i].count;
        else if (kept > 0 && f->deltas[kept - 1].count == 0)
            f->deltas[kept - 1] = f->deltas[i];
        else
            f->deltas[kept++] = f->deltas[i];
    }
    if (kept > 0 && f->deltas[kept - 1].count == 0)
        kept--;
    f->delta_count = kept;
}

void fold_count(struct fold *f, const struct fold_minute *entries, size_t entry_count)
{
    f->deltas = xcalloc(f->row_count * 2 + 1, sizeof(*f->deltas));
    for (size_t i = 0; i < f->row_count; i++) {
        const struct fold_row *row = &f->rows[i];
        if (fold_stand_same(&row->was, &row->now))
            continue;
        f->changed++;
        if (row->was.state == row->now.state && row->was.gateway == row->now.gateway &&
            row->was.reason == row->now.reason)
            continue;
        add_delta(f, row, &row->was, -1, 8);
        add_delta(f, row, &row->now, 1, 8);
    }
    sum_deltas(f);
    f->minutes = xcalloc(entry_count + 1, sizeof(*f->minutes));
    memcpy(f->minutes, entries, entry_count * sizeof(*f->minutes));
    qsort(f->minutes, entry_count, sizeof(*f->minutes), by_minute_key);
    for (size_t i = 0; i < entry_count; i++) {
        if (f->minute_count > 0 && by_minute_key(&f->minutes[f->minute_count - 1], &f->minutes[i]) == 0)
            f->minutes[f->minute_count - 1].count += f->minutes[i].count;
        else
            f->minutes[f->minute_count++] = f->minutes[i];
    }
}

/* Messages in several parts: which rows those are, where their segments stand, and the message's stand as a
 * function of these. What a flush finds in the tables is the same whatever the order in which it came there,
 * so the function of it is, too. */
#include "callback/fold_internal.h"

/* ---- which rows ---- */

static bool mark(struct fold_row *rows, size_t row_count, int64_t sms_id)
{
    struct fold_row *row = fold_find(rows, row_count, sms_id);
    if (!row || row->segmented)
        return false;
    return row->segmented = true;
}

size_t fold_mark_segmented(struct fold_row *rows, size_t row_count, const struct told *steps, size_t count,
                           const struct map_row *known, size_t known_count)
{
    size_t marked = 0;
    for (size_t i = 0; i < row_count; i++) {
        rows[i].segmented = rows[i].was.parts > 1;
        marked += rows[i].segmented;
    }
    for (size_t i = 0; i < count; i++) {
        const struct told *t = &steps[i];
        if (t->named && (t->parts > 1 || t->id.segment > 1) && (t->claimed || t->id.attempt == 0))
            marked += mark(rows, row_count, t->id.sms_id);
    }
    for (size_t i = 0; i < known_count; i++) {
        if (known[i].segment > 1)
            marked += mark(rows, row_count, known[i].sms_id);
    }
    return marked;
}

/* ---- their segments ---- */

static void want(struct fold *f, int64_t sms_id, int count)
{
    struct fold_row *row = fold_find(f->rows, f->row_count, sms_id);
    if (row && row->segmented && count > row->segment_count)
        row->segment_count = (uint16_t)count;
}

static void count_segments(struct fold *f)
{
    for (size_t i = 0; i < f->step_count; i++) {
        const struct told *t = &f->steps[i];
        if (t->named)
            want(f, t->id.sms_id, MAX_OF(t->id.segment, t->parts));
    }
    for (size_t i = 0; i < f->known_count; i++)
        want(f, f->known[i].sms_id, f->known[i].segment);
    for (size_t i = 0; i < f->stored_count; i++)
        want(f, f->stored[i].sms_id, f->stored[i].segment);
}

static struct fold_stand only_the_stand(const struct fold_stand *s)
{
    return (struct fold_stand){.changed_at = s->changed_at,
                               .gateway = s->gateway,
                               .reason = s->reason,
                               .attempt = s->attempt,
                               .state = s->state};
}

/* Of a message that was whole until now, all that was told was told of segment 1. */
static void take_whole_row(struct fold *f, const struct fold_row *row)
{
    struct fold_segment *first = &f->segments[row->segment_first];
    if (row->was.parts > 1 || row->was.state == STATE_QUEUED)
        return;
    first->now = only_the_stand(&row->was);
    first->changed = true;
}

void fold_lay_segments(struct fold *f)
{
    size_t marked = 0;
    for (size_t i = 0; i < f->row_count; i++) {
        marked += f->rows[i].segmented;
        f->rows[i].segment_count = (uint16_t)MAX_OF(f->rows[i].was.parts, 1);
    }
    if (marked == 0)
        return;
    count_segments(f);
    for (size_t i = 0; i < f->row_count; i++) {
        if (!f->rows[i].segmented)
            continue;
        f->rows[i].segment_first = f->segment_count;
        f->segment_count += f->rows[i].segment_count;
    }
    f->segments = xcalloc(f->segment_count, sizeof(*f->segments));
    for (size_t i = 0; i < f->stored_count; i++) {
        const struct fold_stored *s = &f->stored[i];
        const struct fold_row *row = fold_find(f->rows, f->row_count, s->sms_id);
        if (row && row->segmented && s->segment >= 1)
            f->segments[row->segment_first + (size_t)s->segment - 1].now = s->stand;
    }
    for (size_t i = 0; i < f->row_count; i++) {
        if (f->rows[i].segmented)
            take_whole_row(f, &f->rows[i]);
    }
}

bool fold_segment_is_stored(const struct fold *f, const struct fold_row *row, int segment)
{
    return f->segments[row->segment_first + (size_t)segment].changed && (segment > 0 || row->now.parts > 1);
}

/* ---- the message of them ---- */

static bool may_have_left(int state)
{
    return state == STATE_IN_DOUBT || state == STATE_ACCEPTED || state >= STATE_UNKNOWN;
}

static bool is_not_sent(int state)
{
    return state >= STATE_STALE && state < STATE_UNKNOWN;
}

static bool may_arrive(int state)
{
    return state == STATE_ACCEPTED || state == STATE_UNKNOWN || state == STATE_DELIVERED;
}

/* The state that this segment makes of the message; 0: it has not failed. One that is not sent while another
 * was makes the message one that nobody can read. */
static int16_t failed_state(const struct fold_stand *s, bool others_left)
{
    if (is_not_sent(s->state))
        return others_left ? STATE_UNDELIVERED : 0;
    return s->state > STATE_UNKNOWN && s->state < STATE_DELIVERED ? s->state : 0;
}

static struct fold_stand of_failed(const struct fold_segment *segments, int parts, bool left)
{
    struct fold_stand worst = {0};
    for (int i = 0; i < parts; i++) {
        const struct fold_stand *s = &segments[i].now;
        int16_t state = failed_state(s, left);
        if (state == 0 || state < worst.state || (state == worst.state && s->changed_at >= worst.changed_at))
            continue;
        worst = only_the_stand(s);
        worst.state = state;
    }
    return worst;
}

static struct fold_stand of_lowest(const struct fold_segment *segments, int parts)
{
    struct fold_stand lowest = {0};
    int told = 0;
    for (int i = 0; i < parts; i++) {
        const struct fold_stand *s = &segments[i].now;
        if (s->state == STATE_QUEUED)
            continue;
        if (told++ == 0 || s->state < lowest.state ||
            (s->state == lowest.state && s->changed_at > lowest.changed_at))
            lowest = only_the_stand(s);
    }
    if (told > 0 && told < parts && lowest.state > STATE_SUBMITTED) {
        lowest.state = STATE_SUBMITTED;
        lowest.reason = 0;
    }
    return lowest;
}

struct fold_stand fold_of_segments(const struct fold_segment *segments, int parts, bool *ret_partial)
{
    bool left = false, arrives = false;
    for (int i = 0; i < parts; i++) {
        left |= may_have_left(segments[i].now.state);
        arrives |= may_arrive(segments[i].now.state);
    }
    struct fold_stand stand = of_failed(segments, parts, left);
    *ret_partial = stand.state != 0 && arrives;
    return stand.state != 0 ? stand : of_lowest(segments, parts);
}

static int by_reason(const void *a, const void *b)
{
    const struct fold_partial *x = a, *y = b;
    return (x->reason > y->reason) - (x->reason < y->reason);
}

static int32_t partial_reason(const struct fold *f, int32_t reason)
{
    const struct fold_partial key = {.reason = reason};
    const struct fold_partial *found =
        f->partial_count > 0 ? bsearch(&key, f->partials, f->partial_count, sizeof(key), by_reason) : NULL;
    return found ? found->partial : reason;
}

static void make_row(const struct fold *f, struct fold_row *row)
{
    const struct fold_segment *first = &f->segments[row->segment_first];
    bool partial = false;
    struct fold_stand next =
        row->now.parts > 1 ? fold_of_segments(first, row->now.parts, &partial) : only_the_stand(&first->now);
    if (next.state == STATE_QUEUED)
        return;
    if (partial)
        next.reason = partial_reason(f, next.reason);
    next.segments = row->now.segments;
    next.version = row->now.version;
    next.version_attempt = row->now.version_attempt;
    next.parts = row->now.parts;
    row->now = next;
}

/* A message of which nothing left may be cut anew for another gateway: all its segments are claimed together,
 * so segment 1's highest attempt knows; until that is told, whoever else has told something. */
static void take_parts(struct fold_row *row, const struct fold_stand *first, const struct told *t)
{
    if (t->parts == 0)
        return;
    if (t->id.segment == 1 && t->id.attempt >= first->attempt)
        row->now.parts = t->parts;
    else if (first->state == STATE_QUEUED)
        row->now.parts = MAX_OF(row->now.parts, t->parts);
}

void fold_raise_segment(struct fold *f, struct fold_row *row, const struct told *t,
                        const struct fold_stand *told)
{
    struct fold_segment *first = &f->segments[row->segment_first];
    struct fold_segment *segment = first + t->id.segment - 1;
    row->now.segments = MAX_OF(row->now.segments, told->segments);
    take_parts(row, &first->now, t);
    if (fold_higher(told, &segment->now)) {
        segment->now = only_the_stand(told);
        segment->changed = true;
    }
    make_row(f, row);
}

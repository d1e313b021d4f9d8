/* First the steps that name their attempt, then the map of ids, then the reports that need it: so 100s come
 * before 101s before 102s whatever the order in which they arrived. */
#include "callback/fold.h"
#include "callback/fold_internal.h"
#include "callback/hash.h"

#define CANDIDATES_MAX 256 /* rows of one id that are looked at where no number is equal */
#define MINUTE_MS      60000

struct folding {
    struct fold *f;
    struct hash_index by_id, by_number; /* over f->maps */
    struct fold_minute *entries;        /* one an entry into a state, added up at the end */
    size_t entry_count;
    size_t hint; /* row of the last step: the next one is often beside it */
};

bool fold_higher(const struct fold_stand *told, const struct fold_stand *row)
{
    if (state_replaces(told->attempt, (enum state)told->state, row->attempt, (enum state)row->state))
        return true;
    if (state_replaces(row->attempt, (enum state)row->state, told->attempt, (enum state)told->state))
        return false;
    if (told->changed_at != row->changed_at)
        return told->changed_at < row->changed_at;
    if (told->attempt != row->attempt)
        return told->attempt < row->attempt;
    if (told->reason != row->reason)
        return told->reason < row->reason;
    return told->gateway < row->gateway;
}

bool fold_stand_same(const struct fold_stand *a, const struct fold_stand *b)
{
    return a->changed_at == b->changed_at && a->gateway == b->gateway && a->reason == b->reason &&
           a->attempt == b->attempt && a->segments == b->segments && a->state == b->state &&
           a->version == b->version && a->version_attempt == b->version_attempt && a->parts == b->parts;
}

struct fold_row *fold_find(struct fold_row *rows, size_t count, int64_t sms_id)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rows[middle].sms_id < sms_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && rows[low].sms_id == sms_id ? &rows[low] : NULL;
}

static struct fold_row *find_row(struct folding *w, int64_t sms_id)
{
    struct fold *f = w->f;
    for (size_t i = w->hint; i < f->row_count && i < w->hint + 2; i++) {
        if (f->rows[i].sms_id == sms_id) {
            w->hint = i;
            return &f->rows[i];
        }
    }
    struct fold_row *row = fold_find(f->rows, f->row_count, sms_id);
    if (row)
        w->hint = (size_t)(row - f->rows);
    return row;
}

/* ---- the row ---- */

static unsigned state_bit(int state)
{
    if (state < STATE_STALE)
        return (unsigned)state / 10;
    return state < STATE_UNKNOWN ? 4 + (unsigned)(state - STATE_STALE)
                                 : 8 + (unsigned)(state - STATE_UNKNOWN) / 10;
}

/* A state on the way counts as entered even if the row goes further in the same flush: whether steps meet in
 * one flush or in three, the minutes show the same. */
static void enter_state(struct folding *w, struct fold_row *row, const struct fold_stand *stand)
{
    unsigned bit = 1u << state_bit(stand->state);
    bool higher = row->segmented ? stand->state > row->was.state /* attempts are the segments' */
                                 : state_replaces(stand->attempt, (enum state)stand->state, row->was.attempt,
                                                  (enum state)row->was.state);
    if (!higher || row->entered & bit)
        return;
    row->entered |= (uint16_t)bit;
    w->entries[w->entry_count++] =
        (struct fold_minute){.minute_ms = stand->changed_at - stand->changed_at % MINUTE_MS,
                             .gateway = stand->gateway,
                             .state = stand->state,
                             .count = 1};
}

static void raise_row(struct folding *w, struct fold_row *row, const struct fold_stand *told)
{
    struct fold_stand next = *told;
    next.segments = MAX_OF(row->now.segments, told->segments);
    row->now.segments = next.segments;
    next.version = row->now.version;
    next.version_attempt = row->now.version_attempt;
    next.parts = row->now.parts;
    enter_state(w, row, told);
    if (fold_higher(told, &row->now))
        row->now = next;
}

/* Copies of one message may have been rendered before and after a reload: the version is that of the highest
 * attempt which told one, so that it does not depend on the order either. */
static void raise_version(struct fold_row *row, const struct told *t)
{
    int16_t attempt = (int16_t)t->id.attempt;
    bool higher = row->now.version == 0 || attempt > row->now.version_attempt ||
                  (attempt == row->now.version_attempt && t->version->id < row->now.version);

    if (t->version->id == 0 || !higher)
        return;
    row->now.version = t->version->id;
    row->now.version_attempt = attempt;
}

static void tell(struct folding *w, struct told *t, struct fold_row *row)
{
    struct fold_stand told = {.changed_at = t->at,
                              .gateway = t->gateway->id,
                              .attempt = (int16_t)t->id.attempt,
                              .segments = t->segments};
    t->fate = TOLD_APPLIED;
    raise_version(row, t);
    if (t->step == STEP_SUBMITTED)
        told.state = STATE_SUBMITTED;
    else if (t->step == STEP_ACCEPTED || (t->step == STEP_STATUS && t->state == TOLD_NO_STATE))
        told.state = STATE_ACCEPTED; /* a gateway that reports progress has accepted it */
    else if (t->state == TOLD_NO_STATE)
        return;
    else {
        told.state = t->state;
        told.reason = t->reason->id;
    }
    if (!row->segmented) {
        raise_row(w, row, &told);
        return;
    }
    fold_raise_segment(w->f, row, t, &told);
    enter_state(w, row, &row->now);
}

/* ---- the map of ids ---- */

static uint64_t id_hash(int32_t gateway, const char *msg_id)
{
    return hash_str((uint64_t)(uint32_t)gateway, msg_id);
}

static uint64_t number_hash(uint64_t id, int64_t number)
{
    return id ^ ((uint64_t)number * UINT64_C(0x9e3779b97f4a7c15));
}

static bool same_id(const struct map_row *m, int32_t gateway, const char *msg_id)
{
    return m->gateway == gateway && strcmp(m->msg_id, msg_id) == 0;
}

static void index_map(struct folding *w, size_t at)
{
    const struct map_row *m = &w->f->maps[at];
    uint64_t id = id_hash(m->gateway, m->msg_id);
    hash_index_add(&w->by_id, id, at);
    hash_index_add(&w->by_number, number_hash(id, m->number), at);
}

/* An accepted id, or a report that names both the attempt and the id. */
static void enter_map(struct folding *w, const struct told *t, const struct fold_row *row)
{
    struct fold *f = w->f;
    struct map_row m = {.number = row->number,
                        .sms_id = row->sms_id,
                        .accepted_at = t->at,
                        .msg_id = t->msg_id,
                        .written = t->written,
                        .gateway = t->gateway->id,
                        .segment = (int16_t)t->id.segment,
                        .attempt = (int16_t)t->id.attempt,
                        .fresh = true};
    uint64_t hash = number_hash(id_hash(m.gateway, m.msg_id), m.number);
    for (size_t i = hash_index_first(&w->by_number, hash); i != HASH_NONE;
         i = hash_index_next(&w->by_number, i)) {
        struct map_row *is = &f->maps[i];
        if (is->sms_id != m.sms_id || is->segment != m.segment || is->attempt != m.attempt ||
            !same_id(is, m.gateway, m.msg_id))
            continue;
        if (is->fresh && m.accepted_at < is->accepted_at)
            is->accepted_at = m.accepted_at;
        return;
    }
    f->maps[f->map_count] = m;
    index_map(w, f->map_count++);
}

static size_t candidates(struct folding *w, const struct told *t, const struct map_row **ret)
{
    const struct fold *f = w->f;
    size_t count = 0;
    uint64_t id = id_hash(t->gateway->id, t->msg_id), exact = number_hash(id, t->number);
    for (size_t i = hash_index_first(&w->by_number, exact); i != HASH_NONE && count < CANDIDATES_MAX;
         i = hash_index_next(&w->by_number, i)) {
        if (same_id(&f->maps[i], t->gateway->id, t->msg_id))
            ret[count++] = &f->maps[i];
    }
    if (count > 0)
        return count; /* rows of the report's own number win anyway */
    for (size_t i = hash_index_first(&w->by_id, id); i != HASH_NONE && count < CANDIDATES_MAX;
         i = hash_index_next(&w->by_id, i)) {
        if (same_id(&f->maps[i], t->gateway->id, t->msg_id))
            ret[count++] = &f->maps[i];
    }
    return count;
}

/* ---- the passes ---- */

static void park(struct folding *w, struct told *t)
{
    t->fate = TOLD_PARKED;
    w->f->parked++;
}

/* A step that names its attempt: needs the message row, and the claim of that attempt. */
static void fold_named(struct folding *w, struct told *t)
{
    struct fold_row *row = find_row(w, t->id.sms_id);
    bool before_any = t->step == STEP_OUTCOME && t->id.attempt == 0;
    if (!row || (!before_any && !t->claimed)) {
        park(w, t);
        return;
    }
    if (t->foreign) {
        t->fate = TOLD_FOREIGN;
        return;
    }
    if (t->msg_id && (t->step == STEP_ACCEPTED || t->step == STEP_STATUS))
        enter_map(w, t, row);
    tell(w, t, row);
}

static void fold_report(struct folding *w, struct told *t)
{
    const struct map_row *rows[CANDIDATES_MAX];
    const struct map_row *found = park_match(rows, candidates(w, t, rows), t->number, t->at);
    struct fold_row *row = found ? find_row(w, found->sms_id) : NULL;
    if (!row) {
        park(w, t);
        return;
    }
    t->id = (struct seq_id){.sms_id = found->sms_id, .segment = found->segment, .attempt = found->attempt};
    tell(w, t, row);
}

static int by_event_key(const void *a, const void *b)
{
    const struct fold_event *x = a, *y = b;
    if (x->sms_id != y->sms_id)
        return x->sms_id < y->sms_id ? -1 : 1;
    if (x->digest != y->digest)
        return x->digest < y->digest ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static bool events_sorted(const struct fold *f)
{
    for (size_t i = 1; i < f->event_count; i++) {
        if (by_event_key(&f->events[i - 1], &f->events[i]) > 0)
            return false;
    }
    return true;
}

static const char *stronger_origin(const char *a, const char *b)
{
    if (!a || !b)
        return a ? a : b;
    return strcmp(a, b) <= 0 ? a : b;
}

static void collect_events(struct fold *f)
{
    f->events = xcalloc(f->step_count + 1, sizeof(*f->events));
    for (size_t i = 0; i < f->step_count; i++) {
        const struct told *t = &f->steps[i];
        if (t->fate != TOLD_APPLIED || (t->step != STEP_STATUS && t->step != STEP_OUTCOME))
            continue;
        f->events[f->event_count++] = (struct fold_event){.sms_id = t->id.sms_id,
                                                          .digest = told_event_digest(t),
                                                          .at = t->at,
                                                          .origin = t->origin,
                                                          .told = t};
    }
    if (!events_sorted(f)) /* mostly they come as they were sent */
        qsort(f->events, f->event_count, sizeof(*f->events), by_event_key);
    size_t kept = 0;
    for (size_t i = 0; i < f->event_count; i++) {
        struct fold_event *last = kept > 0 ? &f->events[kept - 1] : NULL;
        if (last && last->sms_id == f->events[i].sms_id && last->digest == f->events[i].digest)
            last->origin = stronger_origin(last->origin, f->events[i].origin);
        else
            f->events[kept++] = f->events[i];
    }
    f->event_count = kept;
}

static void pass(struct folding *w, enum step step, bool named)
{
    for (size_t i = 0; i < w->f->step_count; i++) {
        struct told *t = &w->f->steps[i];
        if (t->step != step || t->named != named)
            continue;
        if (named)
            fold_named(w, t);
        else
            fold_report(w, t);
    }
}

void fold_run(struct fold *f)
{
    struct folding w = {.f = f};
    size_t capacity = f->known_count + f->step_count;
    f->maps = xcalloc(capacity + 1, sizeof(*f->maps));
    if (f->known_count > 0)
        memcpy(f->maps, f->known, f->known_count * sizeof(*f->maps));
    hash_index_init(&w.by_id, capacity);
    hash_index_init(&w.by_number, capacity);
    w.entries = xcalloc(f->step_count + 1, sizeof(*w.entries));
    for (f->map_count = 0; f->map_count < f->known_count; f->map_count++)
        index_map(&w, f->map_count);
    fold_lay_segments(f);
    pass(&w, STEP_SUBMITTED, true);
    pass(&w, STEP_ACCEPTED, true);
    pass(&w, STEP_OUTCOME, true);
    pass(&w, STEP_STATUS, true); /* before the reports by id: they may bring the id */
    pass(&w, STEP_STATUS, false);
    collect_events(f);
    fold_count(f, w.entries, w.entry_count);
    free(w.entries);
    hash_index_deinit(&w.by_id);
    hash_index_deinit(&w.by_number);
}

void fold_deinit(struct fold *f)
{
    free(f->maps);
    free(f->events);
    free(f->deltas);
    free(f->minutes);
    free(f->segments);
    f->segments = NULL;
    f->segment_count = 0;
    f->maps = NULL;
    f->events = NULL;
    f->deltas = NULL;
    f->minutes = NULL;
    f->map_count = f->event_count = f->delta_count = f->minute_count = f->changed = f->parked = 0;
}

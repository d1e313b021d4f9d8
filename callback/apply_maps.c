/* Looks up the ids that reports name, newest day first, as far back as a report may come; what this flush
 * brings itself is not asked for. */
#include "callback/apply_internal.h"
#include "callback/hash.h"
#include "lib/clock.h"
#include "map_read.sql.h"

#define DAY_MS INT64_C(86400000)

struct wanted { /* one an id and number */
    int32_t gateway;
    const char *msg_id;
    int64_t number, at;
};

static uint64_t key_hash(int32_t gateway, const char *msg_id, int64_t number)
{
    return hash_int(hash_str((uint64_t)(uint32_t)gateway, msg_id), number);
}

/* Ids that steps of this very flush bring for a number: nothing older can be meant. */
static void index_own(const struct told *steps, size_t count, struct hash_index *own)
{
    hash_index_init(own, count);
    for (size_t i = 0; i < count; i++) {
        const struct told *t = &steps[i];
        if (t->named && t->msg_id && t->step == STEP_ACCEPTED)
            hash_index_add(own, key_hash(t->gateway->id, t->msg_id, t->number), i);
    }
}

static bool brought_here(const struct told *steps, const struct hash_index *own, const struct told *t,
                         uint64_t hash)
{
    for (size_t i = hash_index_first(own, hash); i != HASH_NONE; i = hash_index_next(own, i)) {
        if (steps[i].gateway == t->gateway && steps[i].number == t->number &&
            strcmp(steps[i].msg_id, t->msg_id) == 0)
            return true;
    }
    return false;
}

static bool already_wanted(const struct wanted *w, const struct hash_index *seen, const struct told *t,
                           uint64_t hash)
{
    for (size_t i = hash_index_first(seen, hash); i != HASH_NONE; i = hash_index_next(seen, i)) {
        if (w[i].gateway == t->gateway->id && w[i].number == t->number && strcmp(w[i].msg_id, t->msg_id) == 0)
            return true;
    }
    return false;
}

static struct wanted *wanted_ids(const struct told *steps, size_t count, size_t *ret_count)
{
    cleanup_with(hash_index_deinit) struct hash_index own = {0}, seen = {0};
    size_t n = 0, reports = 0;
    for (size_t i = 0; i < count; i++)
        reports += steps[i].step == STEP_STATUS && !steps[i].named;
    struct wanted *w = xcalloc(reports + 1, sizeof(*w));
    *ret_count = 0;
    if (reports == 0)
        return w;
    index_own(steps, count, &own);
    hash_index_init(&seen, reports);
    for (size_t i = 0; i < count; i++) {
        const struct told *t = &steps[i];
        if (t->step != STEP_STATUS || t->named)
            continue;
        uint64_t hash = key_hash(t->gateway->id, t->msg_id, t->number);
        if ((t->number && brought_here(steps, &own, t, hash)) || already_wanted(w, &seen, t, hash))
            continue;
        w[n] = (struct wanted){t->gateway->id, t->msg_id, t->number, t->at};
        hash_index_add(&seen, hash, n++);
    }
    *ret_count = n;
    return w;
}

static void take_map(const struct db_result *r, int i, struct apply_view *v)
{
    if (v->known_count == v->known_cap) {
        v->known_cap = v->known_cap ? v->known_cap * 2 : 256;
        v->known = xrealloc(v->known, v->known_cap * sizeof(*v->known));
    }
    v->known[v->known_count++] = (struct map_row){.gateway = (int32_t)db_big(r, i, 0),
                                                  .msg_id = arena_copy(&v->arena, db_text(r, i, 1)),
                                                  .number = db_big(r, i, 2),
                                                  .sms_id = db_big(r, i, 3),
                                                  .segment = (int16_t)db_big(r, i, 4),
                                                  .attempt = (int16_t)db_big(r, i, 5),
                                                  .accepted_at = db_time_ms(r, i, 6)};
}

static int read_day(struct apply *a, const struct wanted *w, size_t count, int day, struct apply_view *v)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    auto_free int32_t *gateways = xcalloc(count, sizeof(*gateways));
    auto_free const char **msg_ids = xcalloc(count, sizeof(*msg_ids));
    auto_free int64_t *numbers = xcalloc(count, sizeof(*numbers));
    for (size_t i = 0; i < count; i++) {
        gateways[i] = w[i].gateway;
        msg_ids[i] = w[i].msg_id;
        numbers[i] = w[i].number;
    }
    db_add_int_array(p, gateways, count);
    db_add_text_array(p, msg_ids, count);
    db_add_big_array(p, numbers, count);
    apply_add_day(p, day);
    int r = db_run(a->o.db, &sql_map_read, p, &result);
    if (r != 0)
        return r;
    for (int i = 0; i < db_rows(result); i++)
        take_map(result, i, v);
    return 0;
}

/* Drops what the rows read since `from` answer. */
static size_t still_wanted(struct wanted *w, size_t count, const struct apply_view *v, size_t from)
{
    cleanup_with(hash_index_deinit) struct hash_index found = {0};
    size_t rows = v->known_count - from, kept = 0;
    if (rows == 0)
        return count;
    hash_index_init(&found, rows);
    for (size_t i = 0; i < rows; i++)
        hash_index_add(&found, key_hash(v->known[from + i].gateway, v->known[from + i].msg_id, 0), i);
    for (size_t i = 0; i < count; i++) {
        bool answered = false;
        uint64_t hash = key_hash(w[i].gateway, w[i].msg_id, 0);
        for (size_t k = hash_index_first(&found, hash); k != HASH_NONE && !answered;
             k = hash_index_next(&found, k)) {
            const struct map_row *m = &v->known[from + k];
            answered = m->gateway == w[i].gateway && strcmp(m->msg_id, w[i].msg_id) == 0 &&
                       park_number_fits(w[i].number, m->number);
        }
        if (!answered)
            w[kept++] = w[i];
    }
    return kept;
}

int apply_read_maps(struct apply *a, const struct told *steps, size_t count, struct apply_view *v)
{
    size_t n;
    auto_free struct wanted *w = wanted_ids(steps, count, &n);
    int today = clock_day_2020(clock_wall_ms());
    int64_t back_ms = MAX_OF(a->o.park_horizon_ms, a->o.report_horizon_ms);
    int oldest = today - (int)(back_ms / DAY_MS) - 1;
    for (int day = today; n > 0 && day >= oldest && day >= 0; day--) {
        size_t from = v->known_count;
        int r = read_day(a, w, n, day, v);
        if (r != 0)
            return r;
        n = still_wanted(w, n, v, from);
    }
    return 0;
}

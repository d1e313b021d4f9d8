/* The transaction of a flush, round by round: first the steps themselves, then steps that were parked for
 * what these brought. */
#include "callback/apply_internal.h"
#include "flush_lock.sql.h"
#include "flush_lock_timeout.sql.h"
#include "flush_lock_wait.sql.h"
#include "flush_tables.sql.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/lock.h"
#include "lib/log.h"
#include "template_keep.sql.h"

struct apply *apply_new(const struct apply_options *o)
{
    struct apply *a = xcalloc(1, sizeof(*a));
    a->o = *o;
    return a;
}

void apply_free(struct apply *a)
{
    free(a);
}

const struct apply_figures *apply_last(const struct apply *a)
{
    return &a->last;
}

static int compare_big(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

size_t apply_sort_unique(int64_t *v, size_t count)
{
    size_t kept = 0;
    bool sorted = true;
    for (size_t i = 1; i < count && sorted; i++)
        sorted = v[i - 1] <= v[i];
    if (!sorted)
        qsort(v, count, sizeof(*v), compare_big);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || v[kept - 1] != v[i])
            v[kept++] = v[i];
    }
    return kept;
}

void apply_keys_deinit(struct apply_keys *k)
{
    free(k->gateways);
    free(k->msg_ids);
    free(k->sms_ids);
    *k = (struct apply_keys){0};
}

/* What this round brought that a parked step may wait for. The ids' strings belong to the steps. */
static void collect_keys(const struct fold *f, struct apply_keys *k)
{
    size_t fresh = f->map_count - f->known_count;
    *k = (struct apply_keys){.gateways = xcalloc(fresh + 1, sizeof(*k->gateways)),
                             .msg_ids = xcalloc(fresh + 1, sizeof(*k->msg_ids)),
                             .sms_ids = xcalloc(f->step_count + 1, sizeof(*k->sms_ids))};
    for (size_t i = f->known_count; i < f->map_count; i++) {
        k->gateways[k->id_count] = f->maps[i].gateway;
        k->msg_ids[k->id_count++] = f->maps[i].msg_id;
    }
    for (size_t i = 0; i < f->step_count; i++) {
        if (f->steps[i].named && f->steps[i].fate == TOLD_APPLIED)
            k->sms_ids[k->sms_count++] = f->steps[i].id.sms_id;
    }
    k->sms_count = apply_sort_unique(k->sms_ids, k->sms_count);
}

static void forget_matches(struct told *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        steps[i].fate = TOLD_OPEN;
        steps[i].claimed = steps[i].foreign = false;
        if (!steps[i].named)
            steps[i].id = (struct seq_id){0};
        if (steps[i].step == STEP_STATUS)
            steps[i].parts = 0; /* its claim says it */
    }
}

int apply_round(struct apply *a, struct told *steps, size_t count, struct apply_keys *ret_keys)
{
    cleanup_with(apply_view_deinit) struct apply_view view = {0};
    cleanup_with(fold_deinit) struct fold f = {.steps = steps, .step_count = count};
    forget_matches(steps, count);
    int r = apply_read(a, steps, count, &view);
    if (r != 0)
        return r;
    f.rows = view.rows;
    f.row_count = view.row_count;
    f.known = view.known;
    f.known_count = view.known_count;
    f.stored = view.stored;
    f.stored_count = view.stored_count;
    f.partials = view.partials;
    f.partial_count = view.partial_count;
    fold_run(&f);
    a->round++;
    r = apply_write(a, &f);
    if (r == 0)
        r = apply_park(a, steps, count);
    if (r == 0)
        collect_keys(&f, ret_keys);
    return r;
}

/* Extract keeps the texts of what it loads; where render was told of a template and extract was not, a
 * version appears here that may be ours. Not part of the flush: texts harm nobody. */
static int keep_templates(struct apply *a, const struct conf *conf)
{
    size_t versions = words_versions(a->o.words), n = conf->template_count;
    auto_free const char **columns = xcalloc(3 * n + 1, sizeof(*columns));
    auto_params p = db_params_new();

    if (versions == a->versions)
        return 0;
    for (size_t i = 0; i < n; i++) {
        columns[i] = conf->templates[i].version;
        columns[n + i] = conf->templates[i].name;
        columns[2 * n + i] = conf->templates[i].whole;
    }
    for (size_t i = 0; i < 3; i++)
        db_add_text_array(p, columns + i * n, n);
    int r = db_run(a->o.db, &sql_template_keep, p, NULL);
    if (r == 0)
        a->versions = versions;
    return r;
}

/* A connection is new: its temporary tables have to be made, outside the flush. */
static int prepare(struct apply *a, const struct gateways *gateways)
{
    if (a->generation != db_generation(a->o.db)) {
        int r = db_script(a->o.db, sql_flush_tables.text);
        if (r != 0)
            return r;
        a->generation = db_generation(a->o.db);
    }
    int r = keep_templates(a, gateways_conf(gateways));
    return r == 0 ? words_resolve(a->o.words, a->o.db) : r;
}

/* Another process has the shard's lock: it is in the middle of its flush, or it was stopped there. Idle
 * sessions the server ends by itself, one in a COPY it does not. DB_RETRY: not yet. */
static int wait_for_lock(struct apply *a, const struct db_params *shard)
{
    int r = lock_end_stuck(a->o.db, LOCK_SHARD, a->o.shard);
    if (r == 0)
        r = db_run(a->o.db, &sql_flush_lock_timeout, NULL, NULL);
    return r == 0 ? db_run(a->o.db, &sql_flush_lock_wait, shard, NULL) : r;
}

static int begin(struct apply *a, const struct gateways *gateways)
{
    auto_params p = db_params_new();
    auto_result locked = NULL;
    int r = prepare(a, gateways);
    if (r == 0)
        r = db_begin(a->o.db);
    if (r != 0)
        return r;
    db_add_int(p, a->o.shard);
    r = db_run(a->o.db, &sql_flush_lock, p, &locked);
    if (r == 0 && !db_bool(locked, 0, 0))
        r = wait_for_lock(a, p);
    FAULT("consumer.begun");
    return r;
}

bool apply_is_data_error(int answer)
{
    return answer == DB_CONSTRAINT || answer == DB_BAD_DATA;
}

/* *ret_parked: it was a parked step that failed, not one of ours. */
static int in_transaction(struct apply *a, const struct gateways *gateways, struct told *steps, size_t count,
                          bool *ret_parked)
{
    cleanup_with(apply_keys_deinit) struct apply_keys keys = {0};
    int r = apply_round(a, steps, count, &keys);
    if (r != 0 || a->leave_parked)
        return r;
    r = apply_unpark(a, gateways, &keys);
    *ret_parked = r != 0;
    return r;
}

static void roll_back(struct apply *a)
{
    db_rollback(a->o.db);
    words_forget(a->o.words);
}

static int try_flush(struct apply *a, const struct gateways *gateways, struct told *steps, size_t count,
                     bool *ret_parked)
{
    int64_t began_ms = clock_mono_ms();
    a->now = (struct apply_figures){.steps = count};
    a->round = 0;
    int r = begin(a, gateways);
    if (r == 0)
        r = in_transaction(a, gateways, steps, count, ret_parked);
    FAULT("consumer.before_commit");
    if (r == 0)
        r = db_commit(a->o.db);
    if (r > 0)
        roll_back(a);
    if (r != 0)
        return r;
    FAULT("consumer.committed");
    a->now.ms = clock_mono_ms() - began_ms;
    a->last = a->now;
    a->careful -= a->careful > 0;
    return 0;
}

int apply_flush(struct apply *a, const struct gateways *gateways, struct told *steps, size_t count)
{
    bool parked_failed = false;
    int r = try_flush(a, gateways, steps, count, &parked_failed);
    if (!parked_failed || !apply_is_data_error(r))
        return r;
    /* Not the fault of these steps: they go in, the parked one is looked at when all parked ones are tried
     * again. */
    log_error("a parked step cannot be applied", L_STR("error", db_error(a->o.db)));
    a->leave_parked = true;
    r = try_flush(a, gateways, steps, count, &parked_failed);
    a->leave_parked = false;
    return r;
}

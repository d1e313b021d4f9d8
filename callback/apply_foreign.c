/* A report may only speak of its own gateway's attempts. By id it cannot do otherwise, ids being looked up by
 * gateway; but one that names our reference could name any attempt, and another gateway's customer knows how
 * references look. The same claim says how many parts the message has, where nothing else has said it yet. */
#include "callback/apply_internal.h"
#include "claim_gateway.sql.h"

struct named { /* an attempt, and the gateway that a step says it is of */
    struct seq_id id;
    int32_t gateway;
    bool foreign;  /* its claim is another gateway's */
    int16_t parts; /* of its claim */
};

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    if (x->id.sms_id != y->id.sms_id)
        return x->id.sms_id < y->id.sms_id ? -1 : 1;
    if (x->id.segment != y->id.segment)
        return x->id.segment - y->id.segment;
    if (x->id.attempt != y->id.attempt)
        return x->id.attempt - y->id.attempt;
    return (x->gateway > y->gateway) - (x->gateway < y->gateway);
}

static struct named name_of(const struct told *t)
{
    return (struct named){.id = t->id, .gateway = t->gateway->id};
}

/* Does the row say already that this attempt is this gateway's? It got there over the claim. (The row of a
 * message in parts speaks of the segment that decides.) */
static bool row_says(const struct apply_view *v, const struct told *t)
{
    const struct fold_row *row = fold_find(v->rows, v->row_count, t->id.sms_id);
    return row && row->was.parts <= 1 && row->was.attempt == t->id.attempt &&
           row->was.state >= STATE_SUBMITTED && row->was.gateway == t->gateway->id && t->id.segment == 1;
}

static bool is_doubtful(const struct apply_view *v, const struct told *t)
{
    return t->step == STEP_STATUS && t->named && t->claimed && !row_says(v, t);
}

/* What dispatch told of its own attempts in this very flush. */
static struct named *told_by_dispatch(const struct told *steps, size_t count, size_t *ret_count)
{
    struct named *own = xcalloc(count + 1, sizeof(*own));
    *ret_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (steps[i].named && (steps[i].step == STEP_SUBMITTED || steps[i].step == STEP_ACCEPTED))
            own[(*ret_count)++] = name_of(&steps[i]);
    }
    qsort(own, *ret_count, sizeof(*own), by_name);
    return own;
}

/* The doubtful ones that only the claim can tell about, sorted. */
static struct named *doubtful_names(const struct told *steps, size_t count, const struct apply_view *v,
                                    size_t *ret_count)
{
    size_t own_count = 0, n = 0, kept = 0;
    auto_free struct named *own = NULL;
    struct named *names = xcalloc(count + 1, sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        if (!is_doubtful(v, &steps[i]))
            continue;
        struct named name = name_of(&steps[i]);
        if (!own)
            own = told_by_dispatch(steps, count, &own_count);
        if (!bsearch(&name, own, own_count, sizeof(*own), by_name))
            names[n++] = name;
    }
    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || by_name(&names[kept - 1], &names[i]) != 0)
            names[kept++] = names[i];
    }
    *ret_count = kept;
    return names;
}

static int claims_of_day(struct apply *a, const struct named *names, size_t count, struct named *found,
                         size_t *io_found)
{
    auto_params p = db_params_new();
    auto_result result = NULL;
    auto_free int64_t *sms_ids = xcalloc(count, sizeof(*sms_ids));
    auto_free int32_t *segments = xcalloc(count, sizeof(*segments)),
                      *attempts = xcalloc(count, sizeof(*attempts)),
                      *gateways = xcalloc(count, sizeof(*gateways));
    for (size_t i = 0; i < count; i++) {
        sms_ids[i] = names[i].id.sms_id;
        segments[i] = names[i].id.segment;
        attempts[i] = names[i].id.attempt;
        gateways[i] = names[i].gateway;
    }
    db_add_big_array(p, sms_ids, count);
    db_add_int_array(p, segments, count);
    db_add_int_array(p, attempts, count);
    db_add_int_array(p, gateways, count);
    apply_add_day(p, sms_id_day(names[0].id.sms_id));
    int r = db_run(a->o.db, &sql_claim_gateway, p, &result);
    if (r != 0)
        return r;
    for (int i = 0; i < db_rows(result); i++)
        found[(*io_found)++] = (struct named){.id = {.sms_id = db_big(result, i, 0),
                                                     .segment = (int)db_big(result, i, 1),
                                                     .attempt = (int)db_big(result, i, 2)},
                                              .gateway = (int32_t)db_big(result, i, 3),
                                              .foreign = db_bool(result, i, 4),
                                              .parts = (int16_t)db_big(result, i, 5)};
    return 0;
}

int apply_read_foreign(struct apply *a, struct told *steps, size_t count, const struct apply_view *v)
{
    size_t n, found_count = 0;
    auto_free struct named *names = doubtful_names(steps, count, v, &n);
    auto_free struct named *found = xcalloc(n + 1, sizeof(*found));
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from; to < n && sms_id_day(names[to].id.sms_id) == sms_id_day(names[from].id.sms_id);)
            to++;
        int r = claims_of_day(a, names + from, to - from, found, &found_count);
        if (r != 0)
            return r;
    }
    if (found_count == 0)
        return 0;
    qsort(found, found_count, sizeof(*found), by_name);
    for (size_t i = 0; i < count; i++) {
        if (!is_doubtful(v, &steps[i]))
            continue;
        const struct named name = name_of(&steps[i]),
                           *claim = bsearch(&name, found, found_count, sizeof(*found), by_name);
        if (!claim)
            continue;
        steps[i].foreign = claim->foreign;
        steps[i].parts = claim->parts;
    }
    return 0;
}

/* Parked steps: kept with the flush that could not use them, brought back with the one that brings their key,
 * and tried all together every hour. Bodies that nobody can read go to quarantine in the same transactions.
 */
#include "callback/apply_internal.h"
#include "callback/hash.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mq.h"
#include "park_any.sql.h"
#include "park_by_id.sql.h"
#include "park_by_sms.sql.h"
#include "park_delete.sql.h"
#include "park_give_up_one.sql.h"
#include "park_page.sql.h"
#include "park_write.sql.h"
#include "quarantine_write.sql.h"

#define PAGE_ROWS 5000 /* as in the statements */
#define DEPTH_MAX 3    /* a parked 101 brings the id that a parked 102 waits for; nothing waits for a 102 */

/* ---- keeping ---- */

struct columns { /* one array a column, as the statements take them */
    size_t count;
    int32_t *steps, *gateways;
    const char **texts[4];
    int64_t *numbers, *sms_ids, *digests, *times;
    struct buf *bodies;
};

static void columns_init(struct columns *c, size_t capacity)
{
    *c = (struct columns){.steps = xcalloc(capacity, sizeof(*c->steps)),
                          .gateways = xcalloc(capacity, sizeof(*c->gateways)),
                          .numbers = xcalloc(capacity, sizeof(*c->numbers)),
                          .sms_ids = xcalloc(capacity, sizeof(*c->sms_ids)),
                          .digests = xcalloc(capacity, sizeof(*c->digests)),
                          .times = xcalloc(capacity, sizeof(*c->times)),
                          .bodies = xcalloc(capacity, sizeof(*c->bodies))};
    for (size_t i = 0; i < COUNT_OF(c->texts); i++)
        c->texts[i] = xcalloc(capacity, sizeof(*c->texts[i]));
}

static void columns_deinit(struct columns *c)
{
    for (size_t i = 0; i < c->count; i++)
        buf_deinit(&c->bodies[i]);
    for (size_t i = 0; i < COUNT_OF(c->texts); i++)
        free(c->texts[i]);
    free(c->steps);
    free(c->gateways);
    free(c->numbers);
    free(c->sms_ids);
    free(c->digests);
    free(c->times);
    free(c->bodies);
}

static int write_parked(struct apply *a, const struct told *steps, size_t count, size_t capacity)
{
    cleanup_with(columns_deinit) struct columns c;
    auto_params p = db_params_new();
    columns_init(&c, capacity);
    for (size_t i = 0; i < count; i++) {
        const struct told *t = &steps[i];
        if (t->fate != TOLD_PARKED || t->parked_id > 0)
            continue;
        size_t n = c.count++;
        told_encode(t, &c.bodies[n]);
        c.steps[n] = t->step;
        c.gateways[n] = t->gateway->id;
        c.texts[0][n] = t->msg_id;
        c.texts[1][n] = c.bodies[n].data;
        c.numbers[n] = t->number;
        c.sms_ids[n] = t->named ? t->id.sms_id : 0;
        c.digests[n] = told_park_digest(t);
    }
    db_add_int_array(p, c.steps, c.count);
    db_add_int_array(p, c.gateways, c.count);
    db_add_text_array(p, c.texts[0], c.count);
    db_add_big_array(p, c.numbers, c.count);
    db_add_big_array(p, c.sms_ids, c.count);
    db_add_text_array(p, c.texts[1], c.count);
    db_add_big_array(p, c.digests, c.count);
    a->now.parked += c.count;
    return db_run(a->o.db, &sql_park_write, p, NULL);
}

/* Once, however often it is told: who posts such a thing posts it more than once. */
static void put_foreign(const struct told *t, struct columns *c)
{
    size_t n = c->count++;
    told_encode(t, &c->bodies[n]);
    c->texts[0][n] = t->gateway->text;
    c->texts[1][n] = "wrong_gateway";
    c->texts[2][n] = "the report names an attempt that was made through another gateway; it changes nothing";
    c->texts[3][n] = c->bodies[n].data;
    c->digests[n] = (int64_t)hash_int((uint64_t)told_event_digest(t), t->id.sms_id);
    c->times[n] = t->at;
}

static int write_quarantine(struct apply *a, const struct told *steps, size_t count, size_t capacity)
{
    cleanup_with(columns_deinit) struct columns c;
    auto_params p = db_params_new();
    columns_init(&c, capacity);
    for (size_t i = 0; i < count; i++) {
        const struct told *t = &steps[i];
        if (t->fate == TOLD_FOREIGN)
            put_foreign(t, &c);
        if (t->step != STEP_QUARANTINE)
            continue;
        size_t n = c.count++;
        c.texts[0][n] = t->gateway->text;
        c.texts[1][n] = t->reason->text;
        c.texts[2][n] = t->error ? t->error : "";
        c.texts[3][n] = t->raw ? t->raw : "";
        c.digests[n] = told_park_digest(t);
        c.times[n] = t->at;
    }
    for (size_t i = 0; i < 4; i++)
        db_add_text_array(p, c.texts[i], c.count);
    db_add_big_array(p, c.digests, c.count);
    db_add_time_array(p, c.times, c.count);
    a->now.quarantined += c.count;
    return db_run(a->o.db, &sql_quarantine_write, p, NULL);
}

static int delete_applied(struct apply *a, const struct told *steps, size_t count)
{
    auto_params p = db_params_new();
    auto_free int64_t *ids = xcalloc(count + 1, sizeof(*ids));
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (steps[i].parked_id > 0 && (steps[i].fate == TOLD_APPLIED || steps[i].fate == TOLD_FOREIGN))
            ids[n++] = steps[i].parked_id;
    }
    if (n == 0)
        return 0;
    db_add_big_array(p, ids, n);
    a->now.unparked += n;
    return db_run(a->o.db, &sql_park_delete, p, NULL);
}

int apply_park(struct apply *a, const struct told *steps, size_t count)
{
    size_t parked = 0, quarantined = 0;
    int r = 0;
    for (size_t i = 0; i < count; i++) {
        parked += steps[i].fate == TOLD_PARKED && steps[i].parked_id == 0;
        quarantined += steps[i].step == STEP_QUARANTINE || steps[i].fate == TOLD_FOREIGN;
    }
    if (parked > 0)
        r = write_parked(a, steps, count, parked);
    if (r == 0 && quarantined > 0)
        r = write_quarantine(a, steps, count, quarantined);
    if (r == 0)
        r = delete_applied(a, steps, count);
    return r;
}

/* ---- bringing back ---- */

struct page {
    struct told *steps;
    size_t count;
    int64_t last_id;
    int rows;
    bool own_shard; /* a key that came is used by whoever it came to; the hourly trial is shared out */
    struct arena arena;
};

static void page_deinit(struct page *p)
{
    free(p->steps);
    arena_deinit(&p->arena);
    *p = (struct page){.own_shard = p->own_shard};
}

/* One parked body, which we wrote ourselves: if it cannot be read any more it stays for a person. */
static void take_parked(struct apply *a, const struct gateways *gateways, const char *body, int64_t id,
                        struct page *page)
{
    auto_buf b = {0};
    auto_chunk c = NULL;
    auto_free char *why = NULL;
    chunk_begin(&b, RECORD_STEPS);
    chunk_add_raw(&b, body, strlen(body));
    chunk_end(&b);
    if (chunk_decode(b.data, b.len, &c, &why) != 0 || c->count != 1)
        return;
    const struct step_record *r = &c->steps[0];
    struct told_rules rules = {.now_ms = clock_wall_ms(),
                               .keep_days = a->o.keep_days,
                               .form = gateways_form(gateways, r->gateway, (enum step)r->step)};
    struct told *t = &page->steps[page->count];
    if (page->own_shard && mq_update_shard(r->gateway, (unsigned)a->o.shards) != (unsigned)a->o.shard)
        return; /* another shard's consumer tries it */
    if (told_from_record(r, &rules, a->o.words, &page->arena, t) != NULL)
        return;
    t->parked_id = id;
    page->count++;
}

static int read_page(struct apply *a, const struct gateways *gateways, const struct db_sql *sql,
                     struct db_params *p, struct page *ret)
{
    auto_result result = NULL;
    page_deinit(ret);
    int r = db_run(a->o.db, sql, p, &result);
    if (r != 0)
        return r;
    ret->rows = db_rows(result);
    ret->steps = xcalloc((size_t)ret->rows + 1, sizeof(*ret->steps));
    for (int i = 0; i < ret->rows; i++) {
        ret->last_id = db_big(result, i, 0);
        take_parked(a, gateways, db_text(result, i, 1), ret->last_id, ret);
    }
    return ret->count > 0 ? words_resolve(a->o.words, a->o.db) : 0;
}

static void add_keys(struct apply_keys *to, struct apply_keys *from, struct arena *arena)
{
    to->gateways = xrealloc(to->gateways, (to->id_count + from->id_count + 1) * sizeof(*to->gateways));
    to->msg_ids = xrealloc(to->msg_ids, (to->id_count + from->id_count + 1) * sizeof(*to->msg_ids));
    for (size_t i = 0; i < from->id_count; i++) {
        to->gateways[to->id_count] = from->gateways[i];
        to->msg_ids[to->id_count++] = arena_copy(arena, from->msg_ids[i]);
    }
}

/* Applies all parked steps of one kind of key, page by page; what they bring themselves is added to `more`.
 */
static int unpark_kind(struct apply *a, const struct gateways *gateways, const struct apply_keys *keys,
                       bool by_sms, struct apply_keys *more, struct arena *arena)
{
    cleanup_with(page_deinit) struct page page = {0};
    int64_t after = 0;
    do {
        auto_params p = db_params_new();
        cleanup_with(apply_keys_deinit) struct apply_keys brought = {0};
        if (by_sms) {
            db_add_big_array(p, keys->sms_ids, keys->sms_count);
        } else {
            db_add_int_array(p, keys->gateways, keys->id_count);
            db_add_text_array(p, keys->msg_ids, keys->id_count);
        }
        db_add_big(p, after);
        int r = read_page(a, gateways, by_sms ? &sql_park_by_sms : &sql_park_by_id, p, &page);
        if (r == 0 && page.count > 0)
            r = apply_round(a, page.steps, page.count, &brought);
        if (r != 0)
            return r;
        add_keys(more, &brought, arena);
        after = page.last_id;
    } while (page.rows >= PAGE_ROWS);
    return 0;
}

int apply_unpark(struct apply *a, const struct gateways *gateways, const struct apply_keys *keys)
{
    cleanup_with(arena_deinit) struct arena arena = {0};
    cleanup_with(apply_keys_deinit) struct apply_keys more = {0};
    auto_result any = NULL;
    if (keys->id_count == 0 && keys->sms_count == 0)
        return 0;
    int r = db_run(a->o.db, &sql_park_any, NULL, &any);
    if (r != 0 || !db_bool(any, 0, 0))
        return r;
    if (db_bool(any, 0, 1) && keys->sms_count > 0)
        r = unpark_kind(a, gateways, keys, true, &more, &arena);
    if (r == 0 && keys->id_count > 0)
        r = unpark_kind(a, gateways, keys, false, &more, &arena);
    for (int depth = 0; r == 0 && more.id_count > 0 && depth < DEPTH_MAX; depth++) {
        cleanup_with(apply_keys_deinit) struct apply_keys these = more;
        more = (struct apply_keys){0};
        r = unpark_kind(a, gateways, &these, false, &more, &arena);
    }
    return r;
}

/* A parked step that the tables refuse would fail with every page: a person has to look at it. */
static int give_up(struct apply *a, int64_t id)
{
    auto_params p = db_params_new();
    log_error("a parked step cannot be applied and is given up", L_INT("parked_id", id),
              L_STR("error", db_error(a->o.db)));
    db_add_big(p, id);
    return db_run(a->o.db, &sql_park_give_up_one, p, NULL);
}

int apply_parked_page(struct apply *a, const struct gateways *gateways, int64_t *io_after)
{
    cleanup_with(page_deinit) struct page page = {.own_shard = true};
    auto_params p = db_params_new();
    db_add_big(p, *io_after);
    int r = read_page(a, gateways, &sql_park_page, p, &page);
    if (r == 0 && page.count > 0)
        r = apply_flush(a, gateways, page.steps, page.count);
    for (size_t i = 0; i < page.count && apply_is_data_error(r); i++) {
        int one = apply_flush(a, gateways, &page.steps[i], 1);
        if (apply_is_data_error(one))
            one = give_up(a, page.steps[i].parked_id);
        if (one != 0)
            return one;
        r = i + 1 == page.count ? 0 : r;
    }
    if (r == 0)
        *io_after = page.rows > 0 ? page.last_id : 0;
    return r;
}

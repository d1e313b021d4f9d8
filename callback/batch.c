/* From deliveries to steps. A decoded chunk lives only until its records are copied into the batch's arena.
 */
#include "callback/batch.h"
#include "lib/clock.h"
#include "lib/mq.h"

#define STRINGS_BYTES 80 /* of an ordinary step */

struct batch *batch_new(size_t records)
{
    struct batch *b = xcalloc(1, sizeof(*b));
    b->cap = records;
    b->steps = xmalloc(records * sizeof(*b->steps));
    memset(b->steps, 0, records * sizeof(*b->steps)); /* so that the pages are there */
    arena_keep(&b->arena, records * STRINGS_BYTES);
    return b;
}

static void empty(struct batch *b)
{
    for (size_t i = 0; i < b->dead_count; i++) {
        free(b->dead[i].body);
        free(b->dead[i].why);
    }
    free(b->dead);
    gateways_unref(b->gateways);
}

void batch_begin(struct batch *b, struct gateways *gateways)
{
    empty(b);
    arena_reset(&b->arena);
    *b = (struct batch){.steps = b->steps,
                        .cap = b->cap,
                        .inbound = b->inbound,
                        .inbound_cap = b->inbound_cap,
                        .arena = b->arena,
                        .gateways = gateways};
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    empty(b);
    free(b->steps);
    free(b->inbound);
    arena_deinit(&b->arena);
    free(b);
}

static void add_dead(struct batch *b, char *body, char *why)
{
    b->dead = xrealloc(b->dead, (b->dead_count + 1) * sizeof(*b->dead));
    b->dead[b->dead_count++] = (struct batch_dead){body, why};
}

/* A record alone is written as a chunk of one: so it can be given back to its queue as it is. */
static void add_dead_record(struct batch *b, enum record_kind kind, const char *json, const char *why)
{
    auto_buf body = {0};
    chunk_begin(&body, kind);
    chunk_add_raw(&body, json, strlen(json));
    chunk_end(&body);
    add_dead(b, buf_take(&body, NULL), xstrdup(why));
}

void batch_add_dead(struct batch *b, const struct told *t, const char *why)
{
    auto_buf json = {0};
    told_encode(t, &json);
    add_dead_record(b, RECORD_STEPS, json.data, why);
}

void batch_add_dead_inbound(struct batch *b, const struct inbound *in, const char *why)
{
    auto_buf json = {0};
    inbound_encode(in, &json);
    add_dead_record(b, RECORD_INBOUND, json.data, why);
}

static void add_record(struct batch *b, struct words *words, const struct step_record *r, int64_t keep_days)
{
    struct told_rules rules = {.now_ms = clock_wall_ms(),
                               .keep_days = keep_days,
                               .form = gateways_form(b->gateways, r->gateway, (enum step)r->step)};
    if (b->count == b->cap) {
        b->cap = b->cap ? b->cap + b->cap / 2 : 1024;
        b->steps = xrealloc(b->steps, b->cap * sizeof(*b->steps));
    }
    struct told *t = &b->steps[b->count];
    const char *wrong = told_from_record(r, &rules, words, &b->arena, t);
    if (wrong) {
        auto_buf json = {0};
        chunk_add_step(&json, r);
        add_dead_record(b, RECORD_STEPS, json.data, wrong);
        return;
    }
    if (b->oldest_at == 0 || t->at < b->oldest_at)
        b->oldest_at = t->at;
    b->count++;
}

static void add_inbound(struct batch *b, struct words *words, const struct inbound_record *r)
{
    if (b->inbound_count == b->inbound_cap) {
        b->inbound_cap = b->inbound_cap ? b->inbound_cap + b->inbound_cap / 2 : 64;
        b->inbound = xrealloc(b->inbound, b->inbound_cap * sizeof(*b->inbound));
    }
    const char *country = gateways_conf(b->gateways)->main.country_code;
    const char *wrong = inbound_from_record(r, country, words, &b->arena, &b->inbound[b->inbound_count]);
    if (wrong) {
        auto_buf json = {0};
        chunk_add_inbound(&json, r);
        add_dead_record(b, RECORD_INBOUND, json.data, wrong);
        return;
    }
    if (b->oldest_at == 0 || r->at < b->oldest_at)
        b->oldest_at = r->at;
    b->inbound_count++;
}

static void take_chunk(struct batch *b, struct words *words, const struct chunk *c, int64_t keep_days)
{
    for (size_t i = 0; i < c->bad_count; i++)
        add_dead_record(b, c->kind, c->bad[i].json, c->bad[i].why);
    for (size_t i = 0; i < c->count; i++) {
        if (c->kind == RECORD_STEPS)
            add_record(b, words, &c->steps[i], keep_days);
        else
            add_inbound(b, words, &c->inbounds[i]);
    }
}

int batch_add(struct batch *b, struct words *words, const struct mq_delivery *d, int64_t keep_days)
{
    auto_chunk c = NULL;
    auto_free char *why = NULL;
    size_t before = b->count, inbound_before = b->inbound_count;
    int r = chunk_decode(d->body, d->len, &c, &why);
    if (r == CHUNK_NEWER)
        return BATCH_NEWER;
    if (r != 0 || (c->kind != RECORD_STEPS && c->kind != RECORD_INBOUND))
        add_dead(b, xstrndup(d->body, d->len),
                 xstrdup(why ? why : "not a chunk of steps or inbound messages"));
    else
        take_chunk(b, words, c, keep_days);
    bool instant = b->inbound_count > inbound_before; /* whoever says STOP waits for its answer */
    for (size_t i = before; i < b->count && !instant; i++)
        instant = b->steps[i].instant;
    gather_add(&b->gather, b->count - before + b->inbound_count - inbound_before, d->len, instant,
               clock_mono_ms());
    b->epoch = d->epoch;
    b->tag = d->tag;
    return 0;
}

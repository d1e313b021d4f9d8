/* One body: decode, render row by row, gather by gateway and lane. A row's fault is that row's alone. */
#include "render/chunk.h"
#include "lib/record.h"
#include "lib/seq_id.h"
#include "render/route.h"
#include "render/text.h"
#include <stdio.h>

#define ERROR_SIZE 501 /* step's `error`: at most 500 bytes */

struct gathered { /* the records on their way to one queue */
    enum output_kind kind;
    char queue[MQ_QUEUE_SIZE];
    struct buf body;
};

struct rendering {
    const struct plan *plan;
    int64_t now_ms;
    struct outputs *outputs;
    struct gathered *queues;
    size_t queue_count;
    struct buf text;
    /* Rows of a chunk nearly always share their rule and template. */
    const struct conf_rule *rule;
    const struct plan_template *tmpl;
};

/* ---- gathering ---- */

static struct output *add_output(struct outputs *o, enum output_kind kind, const char *queue)
{
    o->items = xrealloc(o->items, (o->count + 1) * sizeof(*o->items));
    struct output *out = &o->items[o->count++];

    *out = (struct output){.kind = kind};
    snprintf(out->queue, sizeof(out->queue), "%s", queue);
    return out;
}

static void end_body(struct rendering *w, struct gathered *g)
{
    if (g->body.len == 0)
        return;
    struct output *out = add_output(w->outputs, g->kind, g->queue);
    chunk_end(&g->body);
    out->body = buf_take(&g->body, &out->len);
}

/* The body under way to this queue, with room for a record more. */
static struct buf *body_for(struct rendering *w, enum output_kind kind, const char *queue)
{
    struct gathered *g = NULL;

    for (size_t i = 0; i < w->queue_count && !g; i++)
        if (strcmp(w->queues[i].queue, queue) == 0)
            g = &w->queues[i];
    if (!g) {
        w->queues = xrealloc(w->queues, (w->queue_count + 1) * sizeof(*w->queues));
        g = &w->queues[w->queue_count++];
        *g = (struct gathered){.kind = kind};
        snprintf(g->queue, sizeof(g->queue), "%s", queue);
    }
    if (g->body.len >= RENDER_BODY_BYTES)
        end_body(w, g);
    if (g->body.len == 0)
        chunk_begin(&g->body, kind == OUTPUT_TEXTS ? RECORD_TEXTS : RECORD_STEPS);
    return &g->body;
}

/* ---- one row ---- */

static struct template_value cell_value(const void *data, const char *name)
{
    const struct row *row = data;

    for (size_t i = 0; i < row->count; i++) {
        if (strcmp(row->cells[i].name, name) != 0)
            continue;
        if (!row->cells[i].value)
            return (struct template_value){.type = TEMPLATE_NULL};
        return (struct template_value){.type = TEMPLATE_STR, .str = row->cells[i].value};
    }
    return (struct template_value){.type = TEMPLATE_MISSING};
}

static const char *cell_name(const void *data, size_t i)
{
    const struct row *row = data;

    return i < row->count ? row->cells[i].name : NULL;
}

/* The row's end: its reason, and words that hold nothing of the row's own. */
static void add_error(struct rendering *w, const struct row_record *row, const char *reason,
                      const char *format, ...) printf_like(4, 5);
static void add_error(struct rendering *w, const struct row_record *row, const char *reason,
                      const char *format, ...)
{
    struct seq_id id = {.sms_id = row->sms_id, .segment = 1, .attempt = 0};
    char seq[SEQ_ID_SIZE], error[ERROR_SIZE], queue[MQ_QUEUE_SIZE];
    struct step_record step = {.step = STEP_OUTCOME,
                               .at = w->now_ms,
                               .lane = row->lane,
                               .seq_id = seq_id_format(&id, seq),
                               .number = row->number,
                               .state = (char *)(uintptr_t)state_word(STATE_RENDER_ERROR),
                               .reason = (char *)(uintptr_t)reason,
                               .error = error};
    va_list ap;

    va_start(ap, format);
    vsnprintf(error, sizeof(error), format, ap);
    va_end(ap);
    if (w->tmpl)
        step.version = w->tmpl->conf->version;
    unsigned shard = mq_update_shard(NULL, (unsigned)w->plan->conf->main.broker.update_shards);
    chunk_add_step(body_for(w, OUTPUT_STEPS, mq_queue_update(shard, queue)), &step);
    w->outputs->errors++;
}

static void add_dead(struct outputs *o, char *why, char *body, size_t len)
{
    struct output *out = add_output(o, OUTPUT_DEAD, MQ_QUEUE_DEAD);

    out->dead_why = why;
    out->body = body;
    out->len = len;
    o->bad++;
}

/* A record alone goes to the dead letters as a chunk of one, so that it can be given back to its queue as it
 * is. */
static void add_dead_record(struct outputs *o, char *why, const char *json, const struct row_record *row)
{
    auto_buf body = {0};
    size_t len;

    chunk_begin(&body, RECORD_ROWS);
    if (json)
        chunk_add_raw(&body, json, strlen(json));
    else
        chunk_add_row(&body, row);
    chunk_end(&body);
    char *bytes = buf_take(&body, &len);
    add_dead(o, why, bytes, len);
}

static bool find_rule_and_template(struct rendering *w, const struct row_record *row)
{
    bool own_route = row->route.count > 0; /* it belongs to no configured rule */
    if (own_route)
        w->rule = NULL;
    else if (!w->rule || strcmp(w->rule->name, row->rule) != 0)
        w->rule = conf_rule(w->plan->conf, row->rule);
    if (!w->tmpl || strcmp(w->tmpl->conf->name, row->tmpl) != 0)
        w->tmpl = plan_template(w->plan, row->tmpl);
    if (!w->rule && !own_route)
        add_error(w, row, "unknown_rule", "there is no rule '%.100s' in the configuration", row->rule);
    else if (!w->tmpl)
        add_error(w, row, "unknown_template", "there is no template '%.100s' in the configuration",
                  row->tmpl);
    return (w->rule || own_route) && w->tmpl;
}

static bool make_text(struct rendering *w, const struct row_record *row, struct text_shape *ret)
{
    const struct conf_template *conf = w->tmpl->conf;
    const struct template_scope scope = {.get = cell_value,
                                         .name_at = cell_name,
                                         .data = &row->row,
                                         .zone = w->tmpl->zone,
                                         .now_ms = w->now_ms,
                                         .currency_decimal = conf->currency_decimal,
                                         .currency_group = conf->currency_group};
    struct template_error e;
    char words[ERROR_SIZE];

    buf_clear(&w->text);
    if (template_render(w->tmpl->compiled, &scope, &w->text, &e) < 0) {
        add_error(w, row, "template", "%s:%d:%d: %s", conf->file, e.line, e.column, e.message);
        return false;
    }
    if (w->text.len == 0) {
        add_error(w, row, "empty_text", "%s:%d: the text is empty", conf->file, conf->text_line);
        return false;
    }
    const char *reason = text_rules_apply(w->tmpl->rules, conf, &w->text, ret, words, sizeof(words));
    if (reason)
        add_error(w, row, reason, "%s", words);
    return reason == NULL;
}

/* Gateways in the order to try, whom it is from. Returns how many gateways; 0: none fits, which is told. */
static size_t choose(struct rendering *w, const struct row_record *row, char *gateways[ROUTE_MAX],
                     char **ret_sender)
{
    char *own = w->tmpl->conf->sender && *w->tmpl->conf->sender ? w->tmpl->conf->sender : NULL;

    if (!w->rule) {
        size_t count = MIN_OF(row->route.count, (size_t)ROUTE_MAX);
        memcpy(gateways, row->route.items, count * sizeof(*gateways));
        *ret_sender = row->sender ? row->sender : own;
        return count;
    }
    *ret_sender = *w->rule->sender ? w->rule->sender : own;
    size_t count = route_choose(w->rule->routes, w->rule->route_count, row->sms_id, row->number, gateways);
    if (count == 0)
        add_error(w, row, "no_route", "%s: no entry of the route fits this number", w->rule->file);
    return count;
}

static void render_row(struct rendering *w, const struct row_record *row, const char *lane)
{
    char *gateways[ROUTE_MAX], *sender, queue[MQ_QUEUE_SIZE];
    struct text_shape shape;

    if (!find_rule_and_template(w, row) || !make_text(w, row, &shape))
        return;
    size_t count = choose(w, row, gateways, &sender);
    if (count == 0)
        return;
    const struct text_record text = {.sms_id = row->sms_id,
                                     .number = row->number,
                                     .run = row->run,
                                     .rule = row->rule,
                                     .lane = row->lane,
                                     .valid_until = row->valid_until,
                                     .text = w->text.data,
                                     .encoding = (char *)(uintptr_t)text_encoding_word(shape.encoding),
                                     .segments = (int64_t)shape.segments,
                                     .sender = sender,
                                     .class = w->tmpl->conf->class,
                                     .version = w->tmpl->conf->version,
                                     .route = {.items = gateways, .count = count}};
    chunk_add_text(body_for(w, OUTPUT_TEXTS, mq_queue_dispatch(gateways[0], lane, queue)), &text);
    w->outputs->texts++;
}

static void take_row(struct rendering *w, const struct row_record *row)
{
    const char *lane = row->lane ? row->lane : "bulk";

    if (strcmp(lane, "bulk") != 0 && strcmp(lane, "instant") != 0)
        add_dead_record(w->outputs, xstrdup("the lane is neither bulk nor instant"), NULL, row);
    else
        render_row(w, row, lane);
}

/* ---- one body ---- */

static void take_rows(struct rendering *w, const struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->count; i++)
        take_row(w, &chunk->rows[i]);
    for (size_t i = 0; i < w->queue_count; i++)
        if (w->queues[i].kind == OUTPUT_TEXTS)
            end_body(w, &w->queues[i]);
    for (size_t i = 0; i < w->queue_count; i++)
        end_body(w, &w->queues[i]);
    for (size_t i = 0; i < chunk->bad_count; i++)
        add_dead_record(w->outputs, xstrdup(chunk->bad[i].why), chunk->bad[i].json, NULL);
    for (size_t i = 0; i < w->queue_count; i++)
        buf_deinit(&w->queues[i].body);
    free(w->queues);
    buf_deinit(&w->text);
}

static char *copy_bytes(const void *bytes, size_t len)
{
    return len > 0 ? memcpy(xmalloc(len), bytes, len) : xmalloc(1);
}

int render_body(const struct plan *plan, const void *body, size_t len, int64_t now_ms, struct outputs *ret)
{
    struct rendering w = {
        .plan = plan, .now_ms = now_ms, .outputs = ret, .text = {.max = RENDER_TEXT_BYTES_MAX}};
    auto_chunk chunk = NULL;
    char *why = NULL;
    int r = chunk_decode(body, len, &chunk, &why);

    *ret = (struct outputs){0};
    if (r < 0)
        return r;
    if (r == CHUNK_NEWER) {
        free(why);
        return RENDER_NEWER;
    }
    if (r == CHUNK_UNREADABLE)
        add_dead(ret, why, copy_bytes(body, len), len);
    else if (chunk->kind != RECORD_ROWS)
        add_dead(ret, xstrdup("not a chunk of rows"), copy_bytes(body, len), len);
    else
        take_rows(&w, chunk);
    return 0;
}

void outputs_deinit(struct outputs *o)
{
    for (size_t i = 0; i < o->count; i++) {
        free(o->items[i].body);
        free(o->items[i].dead_why);
    }
    free(o->items);
    *o = (struct outputs){0};
}

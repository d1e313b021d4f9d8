/* One body: decode, render row by row, gather by gateway and lane. A row's fault is that row's alone. */
#include "render/chunk.h"
#include "lib/record.h"
#include "lib/seq_id.h"
#include "render/judge.h"
#include <stdio.h>

struct gathered { /* the records on their way to one queue */
    enum output_kind kind;
    char queue[MQ_QUEUE_SIZE];
    struct buf body;
    size_t records; /* in it */
};

struct rendering {
    const struct plan *plan;
    int64_t now_ms;
    struct outputs *outputs;
    struct gathered *queues;
    size_t queue_count;
    struct judge judge;
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
    g->records = 0;
}

/* The body under way to this queue, for a record more; at most so many in one. */
static struct buf *body_for(struct rendering *w, enum output_kind kind, const char *queue, size_t most)
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
    if (g->body.len >= RENDER_BODY_BYTES || g->records >= most)
        end_body(w, g);
    if (g->body.len == 0)
        chunk_begin(&g->body, kind == OUTPUT_TEXTS ? RECORD_TEXTS : RECORD_STEPS);
    g->records++;
    return &g->body;
}

/* ---- one row ---- */

/* The row's end: its reason, and words that hold nothing of the row's own. */
static void add_error(struct rendering *w, const struct row_record *row, struct judgement *j)
{
    struct seq_id id = {.sms_id = row->sms_id, .segment = 1, .attempt = 0};
    char seq[SEQ_ID_SIZE], queue[MQ_QUEUE_SIZE];
    struct step_record step = {.step = STEP_OUTCOME,
                               .at = w->now_ms,
                               .lane = row->lane,
                               .seq_id = seq_id_format(&id, seq),
                               .number = row->number,
                               .state = (char *)(uintptr_t)state_word(STATE_RENDER_ERROR),
                               .reason = (char *)(uintptr_t)j->reason,
                               .error = j->error};

    if (j->tmpl)
        step.version = j->tmpl->version;
    unsigned shard = mq_update_shard(NULL, (unsigned)w->plan->conf->main.broker.update_shards);
    chunk_add_step(body_for(w, OUTPUT_STEPS, mq_queue_update(shard, queue), SIZE_MAX), &step);
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

static void render_row(struct rendering *w, const struct row_record *row, const char *lane)
{
    char queue[MQ_QUEUE_SIZE];
    struct judgement j;

    if (!judge_row(&w->judge, row, w->now_ms, &j)) {
        add_error(w, row, &j);
        return;
    }
    const struct text_record text = {.sms_id = row->sms_id,
                                     .number = row->number,
                                     .run = row->run,
                                     .rule = row->rule,
                                     .lane = row->lane,
                                     .valid_until = row->valid_until,
                                     .text = (char *)(uintptr_t)j.text,
                                     .encoding = (char *)(uintptr_t)text_encoding_word(j.shape.encoding),
                                     .segments = (int64_t)j.shape.segments,
                                     .sender = j.sender,
                                     .class = j.tmpl->class,
                                     .version = j.tmpl->version,
                                     .route = {.items = j.gateways, .count = j.gateway_count}};
    size_t most = strcmp(lane, "instant") == 0 ? RENDER_INSTANT_RECORDS : SIZE_MAX;
    chunk_add_text(body_for(w, OUTPUT_TEXTS, mq_queue_dispatch(j.gateways[0], lane, queue), most), &text);
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
    judge_deinit(&w->judge);
}

static char *copy_bytes(const void *bytes, size_t len)
{
    return len > 0 ? memcpy(xmalloc(len), bytes, len) : xmalloc(1);
}

int render_body(const struct plan *plan, const void *body, size_t len, int64_t now_ms, struct outputs *ret)
{
    struct rendering w = {.plan = plan, .now_ms = now_ms, .outputs = ret};
    auto_chunk chunk = NULL;
    char *why = NULL;
    int r = chunk_decode(body, len, &chunk, &why);

    judge_init(&w.judge, plan);
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

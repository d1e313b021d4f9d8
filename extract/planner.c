/* Judges groups of rows: see planner.h. */
#include "extract/planner.h"
#include "lib/clock.h"
#include <stdlib.h>

struct planner {
    const struct conf *conf;
    const struct conf_rule *rule;
    struct plan *plan;
    struct judge judge;
    struct planned *planned;
    struct buf body, record;
};

struct planner *planner_new(const struct conf *conf, const struct conf_rule *rule, struct buf *why)
{
    struct plan *plan = NULL;
    struct planner *p;

    if (plan_make(conf, &plan, why) < 0)
        return NULL;
    p = xmalloc(sizeof(*p));
    *p = (struct planner){.conf = conf, .rule = rule, .plan = plan, .planned = planned_new()};
    judge_init(&p->judge, plan);
    return p;
}

void planner_free(struct planner *p)
{
    if (!p)
        return;
    judge_deinit(&p->judge);
    planned_free(p->planned);
    plan_free(p->plan);
    buf_deinit(&p->body);
    buf_deinit(&p->record);
    free(p);
}

const struct planned *planner_planned(const struct planner *p)
{
    return p->planned;
}

static void judge_record(struct planner *p, const struct row_record *row, int64_t now_ms)
{
    char key[PLANNED_KEY_SIZE] = "";
    struct judgement j;

    if (!judge_row(&p->judge, row, now_ms, &j))
        planned_key(row, p->rule, p->conf->main.country_code, key);
    planned_add(p->planned, p->plan, &j, row->number, key);
}

/* The very bytes that stand in the chunk, but for their sms_id, of which nothing depends: what render will
 * read. */
static void add_record(struct planner *p, const struct group *g, size_t i)
{
    buf_clear(&p->record);
    buf_add_str(&p->record, "{\"sms_id\":1");
    buf_add_str(&p->record, g->bodies.data + g->bodies_at[i]);
    chunk_add_raw(&p->body, p->record.data, p->record.len);
}

bool planner_add(struct planner *p, const struct group *g, const char *no, struct buf *why)
{
    auto_chunk chunk = NULL;
    auto_free char *words = NULL;
    int64_t now_ms = clock_wall_ms();
    size_t added = 0;

    buf_clear(&p->body);
    chunk_begin(&p->body, RECORD_ROWS);
    for (size_t i = 0; i < g->count; i++) {
        char *end;
        if (strtoull(no, &end, 10) == i + 1) {
            no = end + (*end == ',');
            continue;
        }
        add_record(p, g, i);
        added++;
    }
    chunk_end(&p->body);
    if (added == 0)
        return true;
    if (chunk_decode(p->body.data, p->body.len, &chunk, &words) != 0 || chunk->bad_count > 0) {
        buf_addf(why, "rows of this rule cannot be read back: %s", words ? words : chunk->bad[0].why);
        return false;
    }
    for (size_t i = 0; i < chunk->count; i++)
        judge_record(p, &chunk->rows[i], now_ms);
    return true;
}

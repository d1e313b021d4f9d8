/* Reading one message's story: see story.h. */
#include "lib/story.h"
#include "story_head.sql.h"
#include "story_segments.sql.h"
#include "story_told.sql.h"

enum head { /* columns of story_head.sql */
            H_RUN,
            H_RULE,
            H_SCHEDULED,
            H_NUMBER,
            H_CREATED,
            H_VALID_UNTIL,
            H_CHANGED,
            H_STATE,
            H_GATEWAY,
            H_REASON,
            H_ATTEMPT,
            H_SEGMENTS,
            H_PARTS,
            H_LANE,
            H_VERSION,
            H_EXT,
            H_TEMPLATE,
            H_RUN_STATE,
            H_RUN_WHY,
            H_PUBLISH,
            H_CONTROLS,
            H_OUTBOX_DUE,
            H_FOR_WAVE,
            H_TASK
};
enum told {
    T_STEP,
    T_AT,
    T_SEGMENT,
    T_ATTEMPT,
    T_GATEWAY,
    T_STATE,
    T_KIND,
    T_SETTLED,
    T_OWNER,
    T_MSG_ID,
    T_REASON,
    T_ERROR,
    T_ORIGIN,
    T_GATEWAY_AT
};
enum part { P_SEGMENT, P_STATE, P_ATTEMPT, P_GATEWAY, P_REASON, P_CHANGED }; /* story_segments.sql */

void story_free(struct story *s)
{
    if (s == NULL)
        return;
    db_result_free(s->head);
    db_result_free(s->told_rows);
    db_result_free(s->segment_rows);
    free(s->told);
    free(s->in_parts);
    free(s);
}

static void fill_head(struct story *s)
{
    const struct db_result *h = s->head;
    s->run_id = db_big(h, 0, H_RUN);
    s->rule = db_text(h, 0, H_RULE);
    s->number = db_text(h, 0, H_NUMBER);
    s->scheduled_at = db_time_ms(h, 0, H_SCHEDULED);
    s->created_at = db_time_ms(h, 0, H_CREATED);
    s->valid_until = db_time_ms(h, 0, H_VALID_UNTIL);
    s->changed_at = db_time_ms(h, 0, H_CHANGED);
    s->state = (enum state)db_big(h, 0, H_STATE);
    s->gateway = db_text(h, 0, H_GATEWAY);
    s->reason = db_text(h, 0, H_REASON);
    s->attempt = (int)db_big(h, 0, H_ATTEMPT);
    s->segments = (int)db_big(h, 0, H_SEGMENTS);
    s->parts = (int)db_big(h, 0, H_PARTS);
    s->lane = (int)db_big(h, 0, H_LANE);
    s->version = db_text(h, 0, H_VERSION);
    s->ext_id = db_text(h, 0, H_EXT);
    s->template_name = db_text(h, 0, H_TEMPLATE);
    s->run_state = db_text(h, 0, H_RUN_STATE);
    s->run_why = db_text(h, 0, H_RUN_WHY);
    s->controls = db_text(h, 0, H_CONTROLS);
    s->run_publishes = db_bool(h, 0, H_PUBLISH);
    s->waits_for_wave = db_bool(h, 0, H_FOR_WAVE);
    s->outbox_due = db_time_ms(h, 0, H_OUTBOX_DUE);
    s->task_id = db_text(h, 0, H_TASK);
}

static void fill_told(struct story *s)
{
    const struct db_result *r = s->told_rows;
    s->told_count = (size_t)db_rows(r);
    s->told = xcalloc(s->told_count + 1, sizeof(*s->told));
    for (int i = 0; i < db_rows(r); i++) {
        struct story_told *t = &s->told[i];
        *t = (struct story_told){.step = (enum story_step)db_big(r, i, T_STEP),
                                 .at = db_time_ms(r, i, T_AT),
                                 .gateway_at = db_time_ms(r, i, T_GATEWAY_AT),
                                 .segment = (int)db_big(r, i, T_SEGMENT),
                                 .attempt = (int)db_big(r, i, T_ATTEMPT),
                                 .gateway = db_text(r, i, T_GATEWAY),
                                 .claim = (int)db_big(r, i, T_KIND),
                                 .settled = (int)db_big(r, i, T_SETTLED),
                                 .owner = db_big(r, i, T_OWNER),
                                 .msg_id = db_text(r, i, T_MSG_ID),
                                 .has_state = !db_is_null(r, i, T_STATE),
                                 .state = (enum state)db_big(r, i, T_STATE),
                                 .reason = db_text(r, i, T_REASON),
                                 .error = db_text(r, i, T_ERROR),
                                 .origin = db_text(r, i, T_ORIGIN)};
        seq_id_format(&(struct seq_id){s->sms_id, t->segment, t->attempt}, t->seq_id);
    }
}

static void fill_parts(struct story *s)
{
    const struct db_result *r = s->segment_rows;
    s->in_parts = xcalloc((size_t)db_rows(r) + 1, sizeof(*s->in_parts));
    for (int i = 0; i < db_rows(r); i++)
        s->in_parts[i] = (struct story_segment){.segment = (int)db_big(r, i, P_SEGMENT),
                                                .attempt = (int)db_big(r, i, P_ATTEMPT),
                                                .state = (enum state)db_big(r, i, P_STATE),
                                                .gateway = db_text(r, i, P_GATEWAY),
                                                .reason = db_text(r, i, P_REASON),
                                                .changed_at = db_time_ms(r, i, P_CHANGED)};
}

int story_read(struct db *d, int64_t sms_id, struct story **ret)
{
    auto_params p = db_params_new();
    auto_params q = db_params_new();
    auto_story s = xcalloc(1, sizeof(*s));
    s->sms_id = sms_id;
    *ret = NULL;
    db_add_big(p, sms_id);
    int rc = db_run(d, &sql_story_head, p, &s->head);
    if (rc != 0 || db_rows(s->head) == 0)
        return rc;
    fill_head(s);
    rc = db_run(d, &sql_story_told, p, &s->told_rows);
    if (rc != 0)
        return rc;
    fill_told(s);
    if (s->parts > 1) {
        db_add_big(q, sms_id);
        db_add_int(q, s->parts);
        rc = db_run(d, &sql_story_segments, q, &s->segment_rows);
        if (rc != 0)
            return rc;
        fill_parts(s);
    }
    *ret = s;
    s = NULL;
    return 0;
}

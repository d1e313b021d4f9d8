/* GET and DELETE of one message. Of others' messages the API knows nothing: 404. */
#include "extract/api_internal.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/mq.h"
#include "lib/record.h"
#include "lib/seq_id.h"
#include "lib/story.h"

#include "api_cancel.sql.h"
#include "api_look.sql.h"

#include <stdio.h>

#define REASON "api" /* of the step that tells a cancellation */

struct looked { /* what decides what may be done with it */
    int64_t number;
    enum state state;
    bool instant, claimed;
    int kind; /* of its first claim */
};
enum { LOOKED_NONE = 1 }; /* no such message of this caller */

static void add_day(struct db_params *p, int64_t sms_id)
{
    int day = sms_id_day(sms_id);
    db_add_big(p, sms_id_day_first(day));
    db_add_big(p, sms_id_day_first(day + 1));
}

/* 0, LOOKED_NONE, or -EIO: the database is away. */
static int look(struct api_request *r, struct db *d, struct looked *ret)
{
    auto_params p = db_params_new();
    auto_result row = NULL;
    auto_free char *rule = xasprintf("%s%s", CALLER_RULE_PREFIX, r->caller->name);
    db_add_big(p, r->sms_id);
    db_add_text(p, rule);
    add_day(p, r->sms_id);
    int result = api_work_said(r->api, d, db_run(d, &sql_api_look, p, &row));
    if (result != 0)
        return result;
    if (db_rows(row) == 0)
        return LOOKED_NONE;
    *ret = (struct looked){.number = db_big(row, 0, 0),
                           .state = (enum state)db_big(row, 0, 1),
                           .instant = db_big(row, 0, 2) == 1,
                           .claimed = !db_is_null(row, 0, 3),
                           .kind = (int)db_big(row, 0, 3)};
    return 0;
}

/* The claim is what decides; the message's row follows within a flush. */
static enum state state_of(const struct looked *l)
{
    return l->claimed && l->kind == STATE_CANCELLED && l->state < STATE_CANCELLED ? STATE_CANCELLED
                                                                                  : l->state;
}

static void answer_trouble(struct api_request *r, int looked)
{
    if (looked == LOOKED_NONE)
        api_problem_to(r->http, 404, "not_found", "there is no message of this sms_id among the caller's",
                       NULL);
    else
        api_answer_retry(r, 503, "away", 5, "the database did not answer");
}

/* ---- DELETE ---- */

static void answer_cancelled(struct api_request *r)
{
    auto_buf json = {0};
    buf_addf(&json, "{\"sms_id\":%lld,\"state\":\"cancelled\",\"url\":\"/v1/messages/%lld\"}",
             (long long)r->sms_id, (long long)r->sms_id);
    api_answer(r, 200, &json);
}

static void answer_too_late(struct api_request *r, const struct looked *l)
{
    auto_free char *detail =
        xasprintf("it is %s: only what nobody has begun to send can be cancelled",
                  l->claimed && l->state == STATE_QUEUED ? "being sent" : state_word(l->state));
    api_problem_to(r->http, 409, "too_late", detail, NULL);
}

static int cancel(struct api_request *r, struct db *d, const struct looked *l, bool *ret_made)
{
    const struct conf_main *m = r->api->main;
    struct seq_id id = {.sms_id = r->sms_id, .segment = 1, .attempt = 1};
    char seq[SEQ_ID_SIZE], queue[MQ_QUEUE_SIZE];
    struct step_record step = {.step = STEP_OUTCOME,
                               .at = clock_wall_ms(),
                               .lane = l->instant ? (char *)(uintptr_t) "instant" : NULL,
                               .seq_id = seq_id_format(&id, seq),
                               .number = l->number,
                               .state = (char *)(uintptr_t)state_word(STATE_CANCELLED),
                               .reason = (char *)(uintptr_t)REASON};
    auto_buf body = {0};
    auto_params p = db_params_new();
    auto_result row = NULL;
    chunk_begin(&body, RECORD_STEPS);
    chunk_add_step(&body, &step);
    chunk_end(&body);
    db_add_big(p, r->sms_id);
    db_add_text(p, mq_queue_update(mq_update_shard(NULL, (unsigned)m->broker.update_shards), queue));
    db_add_text(p, body.data);
    FAULT("api.cancelling");
    int result = api_work_said(r->api, d, db_run(d, &sql_api_cancel, p, &row));
    if (result != 0)
        return result;
    FAULT("api.cancelled");
    *ret_made = db_rows(row) == 1;
    return 0;
}

/* A message that has an end without a claim (its text could not be made) is as it is. */
static bool may_be_cancelled(const struct looked *l)
{
    return !l->claimed && l->state == STATE_QUEUED;
}

static void delete_it(struct api_request *r, struct db *d)
{
    struct looked l;
    bool made = false;
    int result = look(r, d, &l);
    if (result == 0 && may_be_cancelled(&l)) {
        result = cancel(r, d, &l, &made);
        if (result == 0 && !made) /* somebody was faster: who? */
            result = look(r, d, &l);
    }
    if (result != 0)
        answer_trouble(r, result);
    else if (made || state_of(&l) == STATE_CANCELLED)
        answer_cancelled(r);
    else
        answer_too_late(r, &l);
}

void api_delete(struct api_request *r)
{
    api_work_take(r->api->work, r, true, delete_it);
}

/* ---- GET ---- */

static void add_str(struct buf *b, const char *name, const char *value)
{
    buf_addf(b, ",\"%s\":", name);
    buf_add_json_str(b, value, strlen(value));
}

static void add_time(struct buf *b, const char *name, int64_t at)
{
    char text[CLOCK_ISO_SIZE];
    if (at != 0)
        add_str(b, name, clock_iso(at, text));
}

static void add_told(struct buf *b, const struct story_told *t)
{
    auto_free char *what = story_what(t), *detail = story_detail(t);
    char at[CLOCK_ISO_SIZE];
    buf_addf(b, "{\"at\":\"%s\"", clock_iso(t->at, at));
    add_str(b, "what", what);
    if (t->has_state)
        add_str(b, "state", state_word(t->state));
    buf_addf(b, ",\"segment\":%d,\"attempt\":%d", t->segment, t->attempt);
    if (t->gateway && *t->gateway)
        add_str(b, "gateway", t->gateway);
    add_time(b, "gateway_at", t->gateway_at);
    if (*detail)
        add_str(b, "detail", detail);
    buf_add_char(b, '}');
}

static void answer_story(struct api_request *r, const struct story *s, enum state state)
{
    auto_buf b = {0};
    buf_addf(&b, "{\"sms_id\":%lld", (long long)s->sms_id);
    add_str(&b, "state", state_word(state));
    buf_addf(&b, ",\"final\":%s", state_is_final(state) ? "true" : "false");
    add_str(&b, "lane", s->lane == 1 ? "instant" : "bulk");
    if (*s->gateway)
        add_str(&b, "gateway", s->gateway);
    if (*s->reason)
        add_str(&b, "reason", s->reason);
    if (s->segments > 0)
        buf_addf(&b, ",\"segments\":%d", s->segments);
    if (*s->ext_id)
        add_str(&b, "ext_id", s->ext_id);
    add_time(&b, "created_at", s->created_at);
    add_time(&b, "valid_until", s->valid_until);
    add_time(&b, "changed_at", s->changed_at);
    buf_add_str(&b, ",\"timeline\":[");
    for (size_t i = 0; i < s->told_count; i++) {
        if (i > 0)
            buf_add_char(&b, ',');
        add_told(&b, &s->told[i]);
    }
    buf_add_str(&b, "]}");
    api_answer(r, 200, &b);
}

static void get_it(struct api_request *r, struct db *d)
{
    struct looked l;
    auto_story s = NULL;
    int result = look(r, d, &l);
    if (result == 0)
        result = api_work_said(r->api, d, story_read(d, r->sms_id, &s));
    if (result == 0 && !s)
        result = LOOKED_NONE;
    if (result != 0)
        answer_trouble(r, result);
    else
        answer_story(r, s, state_of(&l));
}

void api_get(struct api_request *r)
{
    api_work_take(r->api->work, r, true, get_it);
}

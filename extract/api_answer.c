/* What the API answers: JSON, and problem documents as RFC 9457 has them. */
#include "extract/api_internal.h"

#include <ctype.h>
#include <stdio.h>

#define PROBLEM_TYPE "application/problem+json"

static void add_str(struct buf *b, const char *name, const char *value)
{
    buf_addf(b, "\"%s\":", name);
    buf_add_json_str(b, value, strlen(value));
}

/* "unknown_template" -> "Unknown template": the same words for every problem of a type, as the RFC asks. */
static void add_title(struct buf *b, const char *type)
{
    auto_free char *title = xstrdup(type);
    for (char *c = title; *c; c++)
        *c = *c == '_' ? ' ' : *c;
    *title = (char)toupper((unsigned char)*title);
    add_str(b, "title", title);
}

static void add_errors(struct buf *b, const struct asked_problem *items, size_t count)
{
    buf_add_str(b, ",\"errors\":[");
    for (size_t i = 0; i < count; i++) {
        buf_add_str(b, i > 0 ? ",{" : "{");
        add_str(b, "pointer", items[i].pointer);
        buf_add_char(b, ',');
        add_str(b, "type", items[i].type);
        buf_add_char(b, ',');
        add_str(b, "detail", items[i].detail);
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}

static void add_problem(struct buf *b, unsigned status, const char *type, const char *detail,
                        const struct asked_problem *items, size_t count)
{
    buf_addf(b, "{\"type\":\"urn:smschain:problem:%s\",", type);
    add_title(b, type);
    buf_addf(b, ",\"status\":%u,", status);
    add_str(b, "detail", detail);
    if (count > 0)
        add_errors(b, items, count);
    buf_add_char(b, '}');
}

static void send_json(struct httpd_request *http, unsigned status, const char *type, const struct buf *json,
                      const struct httpd_field *field)
{
    const struct httpd_field fields[] = {{"Cache-Control", "no-store"},
                                         field ? *field : (struct httpd_field){0}};
    httpd_answer(http, &(struct httpd_answer){.status = status,
                                              .type = type,
                                              .fields = fields,
                                              .field_count = field ? 2 : 1,
                                              .body = json->data,
                                              .len = json->len});
}

void api_answer(struct api_request *r, unsigned status, struct buf *json)
{
    buf_add_char(json, '\n');
    send_json(r->http, status, "application/json", json, NULL);
}

static void send_problem(struct httpd_request *http, unsigned status, const char *type, const char *detail,
                         const struct asked_problem *items, size_t count, const struct httpd_field *field)
{
    auto_buf json = {0};
    add_problem(&json, status, type, detail, items, count);
    buf_add_char(&json, '\n');
    send_json(http, status, PROBLEM_TYPE, &json, field);
}

void api_problem_to(struct httpd_request *http, unsigned status, const char *type, const char *detail,
                    const struct httpd_field *field)
{
    send_problem(http, status, type, detail, NULL, 0, field);
}

void api_problem(struct api_request *r, unsigned status, const char *type, const char *pointer,
                 const char *detail)
{
    struct asked_problem one = {.status = status,
                                .type = type,
                                .pointer = (char *)(uintptr_t)pointer,
                                .detail = (char *)(uintptr_t)detail};
    send_problem(r->http, status, type, detail, &one, pointer ? 1 : 0, NULL);
}

void api_answer_retry(struct api_request *r, unsigned status, const char *type, int64_t after_s,
                      const char *detail)
{
    char seconds[24];
    snprintf(seconds, sizeof(seconds), "%lld", (long long)MAX_OF(after_s, (int64_t)1));
    api_problem_to(r->http, status, type, detail, &(struct httpd_field){"Retry-After", seconds});
}

/* ---- of messages ---- */

struct verdict { /* what an item's answer comes to */
    unsigned status;
    const char *type, *detail; /* of a problem */
    int64_t retry_after_s;     /* 0: none */
};

/* A request with problems whose key is not known, or that has none. */
static struct verdict verdict_of_problems(const struct asked_problems *p)
{
    return (struct verdict){
        .status = p->items[0].status, .type = p->items[0].type, .detail = p->items[0].detail};
}

static struct verdict verdict_of(const struct api_item *i)
{
    const struct asked_answer *a = &i->answer;
    if (i->full)
        return (struct verdict){503, "too_many_waiting", "too many requests wait to be entered", 1};
    switch (a->outcome) {
    case ASKED_NEW:
    case ASKED_SAME:
        return (struct verdict){.status = 202};
    case ASKED_OTHER:
        return (struct verdict){422, "key_of_another_request",
                                "this idempotency key was used for a request that says something else", 0};
    case ASKED_USED:
        return (struct verdict){422, "key_used", "this idempotency key was used long ago", 0};
    case ASKED_SUPPRESSED:
        return (struct verdict){422, "suppressed", "this recipient gets no messages of this kind", 0};
    case ASKED_CAPPED:
        return (struct verdict){429, "daily_cap", "the caller's daily cap is reached", a->retry_after_s};
    case ASKED_HELD:
        return (struct verdict){503, "held", a->why, 60};
    case ASKED_UNKNOWN:
        return verdict_of_problems(&i->problems);
    case ASKED_AWAY:
        return (struct verdict){503, "away", a->why, 5};
    case ASKED_FAILED:
        break;
    }
    return (struct verdict){500, "failed", a->why, 0};
}

static size_t problems_shown(const struct api_item *i)
{
    return !i->full && i->answer.outcome == ASKED_UNKNOWN ? i->problems.count : 0;
}

void api_answer_one(struct api_request *r)
{
    const struct api_item *i = &r->items[0];
    struct verdict v = verdict_of(i);
    auto_buf json = {0};
    char text[64];
    if (v.status == 202) {
        snprintf(text, sizeof(text), "/v1/messages/%lld", (long long)i->answer.sms_id);
        buf_addf(&json, "{\"sms_id\":%lld,\"state\":\"queued\",\"url\":\"%s\"}\n",
                 (long long)i->answer.sms_id, text);
        send_json(r->http, 202, "application/json", &json, &(struct httpd_field){"Location", text});
        return;
    }
    if (v.retry_after_s > 0) {
        api_answer_retry(r, v.status, v.type, v.retry_after_s, v.detail);
        return;
    }
    send_problem(r->http, v.status, v.type, v.detail, i->problems.items, problems_shown(i), NULL);
}

void api_answer_batch(struct api_request *r)
{
    auto_buf json = {0};
    buf_add_str(&json, "{\"messages\":[");
    for (size_t n = 0; n < r->item_count; n++) {
        const struct api_item *i = &r->items[n];
        struct verdict v = verdict_of(i);
        buf_addf(&json, "%s{\"index\":%zu,\"status\":%u,", n > 0 ? "," : "", n, v.status);
        if (v.status == 202) {
            buf_addf(&json, "\"sms_id\":%lld,\"url\":\"/v1/messages/%lld\"}", (long long)i->answer.sms_id,
                     (long long)i->answer.sms_id);
            continue;
        }
        if (v.retry_after_s > 0)
            buf_addf(&json, "\"retry_after\":%lld,", (long long)v.retry_after_s);
        buf_add_str(&json, "\"problem\":");
        add_problem(&json, v.status, v.type, v.detail, i->problems.items, problems_shown(i));
        buf_add_char(&json, '}');
    }
    buf_add_str(&json, "]}");
    api_answer(r, 202, &json);
}

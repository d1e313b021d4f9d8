/* What a delivery from sms.request asks for, and the words of a refusal: see door_job.h.
 *
 * A refused request goes to sms.dead as
 * {"v":1,"kind":"request","caller":"webshop","key":"4711","request":{…}}: a dead letter that is given back
 * has lost the headers that it came with. Such a body is believed from our own user only. */
#include "extract/door_job.h"
#include "lib/record.h"
#include <json-c/json.h>

static int refuse(char **ret_why, char *why)
{
    *ret_why = why;
    return DOOR_REFUSED;
}

static const char *text_of(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;

    return json_object_object_get_ex(object, name, &value) ? asked_string(value) : NULL;
}

/* A request that was refused once, given back. */
static int read_given_back(struct door_job *j, const struct asked_conf *c, struct json_object *body,
                           char **ret_why)
{
    const char *caller = text_of(body, "caller"), *key = text_of(body, "key");
    struct json_object *request = NULL;

    if (!caller || !key || !json_object_object_get_ex(body, "request", &request) || !request)
        return refuse(ret_why, xstrdup("it was given back without 'caller', 'key' or 'request'"));
    if (!conf_caller(asked_conf_conf(c), caller))
        return refuse(ret_why, xasprintf("there is no caller %.64s any more", caller));
    j->caller = xstrdup(caller);
    j->key = xstrdup(key);
    j->request = json_object_get(request);
    return 0;
}

static int read_new(struct door_job *j, const struct asked_conf *c, struct json_object *body, char **ret_why)
{
    const char *user = j->delivery.user;
    const struct conf_caller *caller = asked_caller_by_user(c, user);
    struct json_object *task_id = NULL;

    if (!caller && user)
        return refuse(ret_why, xasprintf("no caller's broker_user is '%.100s'", user));
    if (!caller)
        return refuse(
            ret_why, xstrdup("the message has no user-id, and extract.door_caller names no caller for such"));
    j->caller = xstrdup(caller->name);
    if (json_object_is_type(body, json_type_object) && json_object_object_get_ex(body, "task_id", &task_id)) {
        if (!asked_string(task_id) || json_object_object_length(body) != 1)
            return refuse(ret_why, xstrdup("a task's sign: expected {\"task_id\": \"…\"} and nothing else"));
        j->task_id = xstrdup(asked_string(task_id));
        return 0;
    }
    if (!j->delivery.message_id || !*j->delivery.message_id)
        return refuse(
            ret_why,
            xstrdup(
                "the message has no message-id, which is its idempotency key: the queue may bring it twice"));
    j->key = xstrdup(j->delivery.message_id);
    j->request = json_object_get(body);
    return 0;
}

int door_job_read(struct door_job *j, const struct asked_conf *c, const char *our_user, char **ret_why)
{
    struct json_object *body = NULL;
    const char *kind;
    int r;

    if (j->delivery.len > 2 * ASKED_BODY_MAX)
        return refuse(ret_why, xasprintf("it is longer than %u KiB", ASKED_BODY_MAX >> 10));
    if (asked_parse(j->delivery.body, j->delivery.len, &body, ret_why) < 0)
        return DOOR_REFUSED;
    kind = j->delivery.user && strcmp(j->delivery.user, our_user) == 0 ? text_of(body, "kind") : NULL;
    if (kind && strcmp(kind, "request") == 0)
        r = read_given_back(j, c, body, ret_why);
    else if (j->delivery.len > ASKED_BODY_MAX)
        r = refuse(ret_why, xasprintf("it is longer than %u KiB", ASKED_BODY_MAX >> 10));
    else
        r = read_new(j, c, body, ret_why);
    json_object_put(body);
    return r;
}

static char *all_problems(const struct door_job *j)
{
    auto_buf b = {0};

    for (size_t i = 0; i < j->problems.count; i++) {
        const struct asked_problem *p = &j->problems.items[i];
        buf_addf(&b, "%s%s%s%s: %s", b.len ? "; " : "", p->type, *p->pointer ? " " : "", p->pointer,
                 p->detail);
    }
    return buf_take(&b, NULL);
}

char *door_job_refusal(const struct door_job *j)
{
    const struct asked_answer *a = &j->answer;

    switch (a->outcome) {
    case ASKED_NEW:
    case ASKED_SAME:
    case ASKED_AWAY:
        return NULL;
    case ASKED_UNKNOWN:
        return all_problems(j);
    case ASKED_OTHER:
        return xstrdup("another_request: by this message-id another request came before");
    case ASKED_USED:
        return xasprintf("key_used: by this message-id message %lld was entered, so long ago that its "
                         "request is not kept any more",
                         (long long)a->sms_id);
    case ASKED_SUPPRESSED:
        return xasprintf("suppressed: %s", a->why);
    case ASKED_CAPPED:
        return xasprintf("daily_cap: caller %s has all its messages of today (UTC)", j->caller);
    case ASKED_HELD:
        return xasprintf("held: %s", a->why);
    case ASKED_FAILED:
        return xasprintf("database: %s", a->why);
    }
    abort();
}

void door_job_dead_body(const struct door_job *j, struct buf *out)
{
    const char *text;

    if (!j->request || !j->caller || !j->key) {
        buf_add(out, j->delivery.body, j->delivery.len);
        return;
    }
    text = json_object_to_json_string_ext(j->request, JSON_C_TO_STRING_PLAIN);
    buf_add_str(out, "{\"v\":1,\"kind\":\"request\",\"caller\":");
    buf_add_json_str(out, j->caller, strlen(j->caller));
    buf_add_str(out, ",\"key\":");
    buf_add_json_str(out, j->key, strlen(j->key));
    buf_add_str(out, ",\"request\":");
    buf_add_str(out, text);
    buf_add_char(out, '}');
}

void door_job_free(struct door_job *j)
{
    if (!j)
        return;
    LIST_REMOVE(j, link);
    mq_delivery_deinit(&j->delivery);
    free(j->key);
    free(j->caller);
    free(j->task_id);
    json_object_put(j->request);
    asked_problems_deinit(&j->problems);
    asked_free(j->asked);
    free(j);
}

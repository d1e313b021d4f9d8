/* POST: one message, or up to API_BATCH_MAX of which each is answered for itself. Nothing is answered before
 * it is committed. */
#include "extract/api_internal.h"
#include "lib/clock.h"
#include "lib/fault.h"

#include <json-c/json.h>
#include <stdio.h>

#define MISSING_KEY "missing_idempotency_key"
#define INDEX_MAX   5 /* "/999" behind a batch's key */

void api_items_free(struct api_request *r)
{
    for (size_t i = 0; i < r->item_count; i++)
        asked_problems_deinit(&r->items[i].problems);
    free(r->items);
}

/* All that was handed over is answered. */
static void item_is_answered(struct api_request *r)
{
    if (atomic_fetch_sub(&r->open, 1) > 1)
        return;
    FAULT("api.committed");
    if (r->route->take == api_post_one)
        api_answer_one(r);
    else
        api_answer_batch(r);
}

/* From the writer's thread. */
static void on_answer(void *arg, const struct asked_answer *answer)
{
    struct api_item *i = arg;
    i->answer = *answer;
    item_is_answered(i->request);
}

/* What has problems and no key of its own was never asked before: its problems are the answer. */
static void hand_over(struct api_item *i, struct asked *a, bool has_key)
{
    struct api_request *r = i->request;
    i->answer.outcome = ASKED_UNKNOWN;
    if (i->problems.count > 0 && !has_key) {
        asked_free(a);
        return;
    }
    r->open++;
    if (asked_submit(r->api->o.writer, a, on_answer, i) == 0)
        return;
    asked_free(a);
    i->full = true;
    r->open--;
}

static void make_items(struct api_request *r, size_t count)
{
    r->items = xcalloc(count, sizeof(*r->items));
    r->item_count = count;
    for (size_t i = 0; i < count; i++)
        r->items[i] = (struct api_item){.request = r, .index = i};
    r->open = 1; /* until all are handed over */
}

/* False: too fast, and said so. */
static bool may_ask(struct api_request *r, size_t count)
{
    int64_t wait_ms = asked_rate_take(r->api->o.rates, r->caller, (int64_t)count, clock_mono_ms());
    if (wait_ms == 0)
        return true;
    auto_free char *detail =
        xasprintf("the caller's rate is %lld messages a second", (long long)r->caller->rate);
    api_answer_retry(r, 429, "rate", (wait_ms + 999) / 1000, detail);
    return false;
}

/* True: *ret is it, or NULL without one. False: it is no key, and that was said. */
static bool read_key(struct api_request *r, size_t most, char **ret)
{
    struct buf key = {0};
    httpd_header_joined(r->http, "Idempotency-Key", &key);
    *ret = NULL;
    if (!httpd_header(r->http, "Idempotency-Key"))
        return true;
    bool good = key.len > 0 && key.len <= most;
    for (size_t i = 0; i < key.len; i++)
        good = good && key.data[i] > ' ' && key.data[i] < 0x7f;
    if (!good) {
        buf_deinit(&key);
        auto_free char *detail =
            xasprintf("Idempotency-Key: expected 1 to %zu visible ASCII characters without a space", most);
        api_problem(r, 400, "bad_idempotency_key", NULL, detail);
        return false;
    }
    *ret = buf_take(&key, NULL);
    return true;
}

/* NULL: it is no JSON, and that was said. */
static struct json_object *parse(struct api_request *r)
{
    size_t len;
    const void *body = httpd_body(r->http, &len);
    struct json_object *json = NULL;
    auto_free char *why = NULL;
    if (asked_parse(body, len, &json, &why) == 0)
        return json;
    api_problem(r, 400, "not_json", NULL, why);
    return NULL;
}

void api_post_one(struct api_request *r)
{
    auto_free char *key = NULL;
    if (!read_key(r, ASKED_KEY_MAX, &key))
        return;
    if (!key && r->caller->require_idempotency_key) {
        api_problem(r, 400, MISSING_KEY, NULL, "this caller must give the header Idempotency-Key");
        return;
    }
    struct json_object *json = parse(r);
    if (!json)
        return;
    if (may_ask(r, 1)) {
        make_items(r, 1);
        struct asked *a = asked_read(r->conf, r->caller, json, key, clock_wall_ms(), &r->items[0].problems);
        hand_over(&r->items[0], a, key != NULL);
        item_is_answered(r);
    }
    json_object_put(json);
}

/* ---- a batch ---- */

/* The array in it, or NULL: it is none, and that was said. */
static struct json_object *messages_of(struct api_request *r, struct json_object *json)
{
    struct json_object *messages = NULL;
    if (!json_object_is_type(json, json_type_object) ||
        !json_object_object_get_ex(json, "messages", &messages) ||
        !json_object_is_type(messages, json_type_array)) {
        api_problem(r, 422, "wrong_type", "/messages", "expected an object with the array \"messages\"");
        return NULL;
    }
    json_object_object_foreach(json, name, value)
    {
        if (value == messages && strcmp(name, "messages") == 0)
            continue;
        api_problem(r, 422, "unknown_member", "", "expected \"messages\" and nothing else");
        return NULL;
    }
    size_t count = json_object_array_length(messages);
    if (count == 0 || count > API_BATCH_MAX) {
        auto_free char *detail = xasprintf("expected 1 to %d messages, got %zu", API_BATCH_MAX, count);
        api_problem(r, 422, "too_many", "/messages", detail);
        return NULL;
    }
    return messages;
}

/* The item's own key, which is taken out of it, or the header's with its place. NULL: it has none. */
static char *key_of(struct json_object *item, const char *header, size_t index, bool *ret_bad)
{
    struct json_object *own = NULL;
    *ret_bad = false;
    if (!json_object_is_type(item, json_type_object) ||
        !json_object_object_get_ex(item, "idempotency_key", &own))
        return header ? xasprintf("%s/%zu", header, index) : NULL;
    const char *text = json_object_is_type(own, json_type_string) ? json_object_get_string(own) : "";
    size_t len = (size_t)json_object_get_string_len(own);
    *ret_bad = len == 0 || len > ASKED_KEY_MAX || strlen(text) != len;
    for (size_t i = 0; i < len && !*ret_bad; i++)
        *ret_bad = text[i] <= ' ' || text[i] >= 0x7f;
    char *key = xstrdup(text);
    json_object_object_del(item, "idempotency_key");
    return key;
}

static void add_key_problem(struct asked_problems *p, const char *type, const char *detail)
{
    p->items = xrealloc(p->items, (p->count + 1) * sizeof(*p->items));
    p->items[p->count++] = (struct asked_problem){
        .status = 422, .type = type, .pointer = xstrdup("/idempotency_key"), .detail = xstrdup(detail)};
}

static void take_item(struct api_item *i, struct json_object *item, const char *header)
{
    struct api_request *r = i->request;
    bool bad;
    auto_free char *key = key_of(item, header, i->index, &bad);
    struct asked *a = asked_read(r->conf, r->caller, item, bad ? NULL : key, clock_wall_ms(), &i->problems);
    if (bad)
        add_key_problem(&i->problems, "bad_idempotency_key",
                        "expected 1 to 255 visible ASCII characters without a space");
    else if (!key && r->caller->require_idempotency_key)
        add_key_problem(&i->problems, MISSING_KEY,
                        "this caller must give one, or the header Idempotency-Key");
    hand_over(i, a, key && !bad);
}

/* On a thread of its own: a thousand messages take longer to read than another's one may wait. */
static void read_batch(struct api_request *r, struct db *none)
{
    auto_free char *key = NULL;
    if (!read_key(r, ASKED_KEY_MAX - INDEX_MAX, &key))
        return;
    struct json_object *json = parse(r), *messages = json ? messages_of(r, json) : NULL;
    if (messages && may_ask(r, json_object_array_length(messages))) {
        make_items(r, json_object_array_length(messages));
        for (size_t i = 0; i < r->item_count; i++)
            take_item(&r->items[i], json_object_array_get_idx(messages, i), key);
        item_is_answered(r);
    }
    json_object_put(json);
}

void api_post_batch(struct api_request *r)
{
    api_work_take(r->api->work, r, false, read_batch);
}

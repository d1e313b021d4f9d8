/* A gateway like Infobip: JSON posted to /sms/2/text/advanced, many messages of different texts a request,
 * each with an id that we give. The answer has a line for each of them, the last first, as their order means
 * nothing; its reports come several in a call. */
#include "test/sim/sim.h"
#include <json-c/json.h>

#define JSON_TYPE    "application/json"
#define MESSAGES_MAX 1000

#define REQUEST_ERROR(id, text)                                                                              \
    "{\"requestError\":{\"serviceException\":{\"messageId\":\"" id "\",\"text\":\"" text "\"}}}"
static const struct answer throttled = {429, JSON_TYPE,
                                        REQUEST_ERROR("TOO_MANY_REQUESTS", "Too many requests")},
                           unknown_key = {401, JSON_TYPE,
                                          REQUEST_ERROR("UNAUTHORIZED", "Invalid login details")},
                           bad_request = {400, JSON_TYPE, REQUEST_ERROR("BAD_REQUEST", "Bad request")};

struct request {
    struct accepted messages[MESSAGES_MAX];
    char numbers[MESSAGES_MAX][NUMBER_TEXT_SIZE];
    bool refused[MESSAGES_MAX];
    size_t count, refused_count;
};

static const char *member(struct json_object *o, const char *name)
{
    struct json_object *v;
    return json_object_object_get_ex(o, name, &v) ? json_object_get_string(v) : NULL;
}

static struct json_object *array(struct json_object *o, const char *name)
{
    struct json_object *v;
    return json_object_object_get_ex(o, name, &v) && json_object_is_type(v, json_type_array) ? v : NULL;
}

/* One message may have several destinations, each a message of its own. */
static bool read_message(struct json_object *m, struct request *q)
{
    struct json_object *destinations = array(m, "destinations");
    const char *text = member(m, "text"), *url = member(m, "notifyUrl");
    size_t n = destinations != NULL ? json_object_array_length(destinations) : 0;
    if (n == 0 || text == NULL || *text == '\0')
        return false;
    for (size_t i = 0; i < n; i++) {
        struct json_object *d = json_object_array_get_idx(destinations, i);
        const char *to = member(d, "to"), *id = member(d, "messageId");
        if (to == NULL || id == NULL || strlen(to) >= NUMBER_TEXT_SIZE || strlen(id) >= REFERENCE_SIZE ||
            q->count == MESSAGES_MAX)
            return false;
        memcpy(q->numbers[q->count], to, strlen(to) + 1);
        const char *number = number_read(q->numbers[q->count]);
        if (number == NULL)
            return false;
        q->messages[q->count++] = (struct accepted){
            .number = number, .text = text, .reference = id, .report_url = url, .kind = REPORT_INFOBIP};
    }
    return true;
}

static bool read_request(struct json_object *o, struct request *q)
{
    struct json_object *messages = array(o, "messages");
    size_t n = messages != NULL ? json_object_array_length(messages) : 0;
    for (size_t i = 0; i < n; i++)
        if (!read_message(json_object_array_get_idx(messages, i), q))
            return false;
    return n > 0;
}

static void add_status(const struct accepted *m, bool refused, struct buf *body)
{
    buf_addf(body, "{\"to\":\"%s\",\"messageId\":", m->number);
    buf_add_json_str(body, m->reference, strlen(m->reference));
    buf_add_str(
        body, refused
                  ? ",\"status\":{\"groupId\":5,\"groupName\":\"REJECTED\",\"id\":14,\"name\":"
                    "\"REJECTED_DESTINATION\",\"description\":\"By Destination\"}}"
                  : ",\"smsCount\":1,\"status\":{\"groupId\":1,\"groupName\":\"PENDING\",\"id\":26,\"name\":"
                    "\"PENDING_ACCEPTED\",\"description\":\"Message sent to next instance\"}}");
}

static void accept_all(struct gateway *g, struct conn *c, struct request *q)
{
    struct buf body = {0};
    bool early = share_hits(&g->knobs.early);
    for (size_t i = 0; i < q->count; i++) {
        if (q->refused[i])
            continue;
        q->messages[i].id = gateway_new_id(g);
        q->messages[i].early = early;
        gateway_accept(g, c, &q->messages[i]);
    }
    buf_addf(&body, "{\"bulkId\":\"%lld\",\"messages\":[", (long long)g->counters.requests);
    for (size_t i = q->count; i-- > 0;) {
        add_status(&q->messages[i], q->refused[i], &body);
        buf_add_str(&body, i > 0 ? "," : "]}");
    }
    gateway_answer(g, c, 200, &body, JSON_TYPE);
    buf_deinit(&body);
}

void infobip_send(struct gateway *g, struct conn *c, struct http_request *r)
{
    if (gateway_before(g, c, &throttled) == DONE_WITH)
        return;
    const char *key =
        r->authorization != NULL && strncmp(r->authorization, "App ", 4) == 0 ? r->authorization + 4 : NULL;
    if (key == NULL || !gateway_knows(g, NULL, key)) {
        g->counters.unauthorised++;
        gateway_refuse(g, c, &unknown_key);
        return;
    }
    struct json_object *o = json_tokener_parse(r->body);
    auto_free struct request *q = xcalloc(1, sizeof(*q));
    bool readable = read_request(o, q);
    for (size_t i = 0; readable && i < q->count; i++) {
        q->refused[i] = gateway_refuses(g, q->messages[i].number);
        q->refused_count += q->refused[i];
    }
    if (!readable) {
        g->counters.bad_requests++;
        gateway_refuse(g, c, &bad_request);
    } else if (q->refused_count > 0 && g->knobs.refuse_whole != 0) {
        g->counters.refused += (int64_t)q->count;
        gateway_refuse(g, c, &bad_request);
    } else {
        g->counters.refused += (int64_t)q->refused_count;
        accept_all(g, c, q);
    }
    json_object_put(o);
}

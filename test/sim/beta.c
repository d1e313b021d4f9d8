/* A gateway with a JSON API: POST /v2/messages {"to","from","text","ref"} with X-Api-Key, one number a
 * request, answers 202 {"id":"…","code":0}, or 4xx {"code":N,"message":"…"}, or 503 {"code":-1} when it is
 * called too fast. */
#include "test/sim/sim.h"
#include <json-c/json.h>

static const char *member(struct json_object *o, const char *name)
{
    struct json_object *v;
    return json_object_object_get_ex(o, name, &v) ? json_object_get_string(v) : NULL;
}

static void refuse(struct gateway *g, struct conn *c, int status, int code, const char *message)
{
    struct buf body = {0};
    buf_addf(&body, "{\"code\":%d,\"message\":\"%s\"}", code, message);
    gateway_answer(g, c, status, &body, "application/json");
    buf_deinit(&body);
}

static void accept_one(struct gateway *g, struct conn *c, struct accepted *one)
{
    struct buf body = {0};
    char id[32];
    one->id = gateway_new_id(g);
    one->early = share_hits(&g->knobs.early);
    id_format(g->knobs.id_form, one->id, id);
    gateway_accept(g, c, one);
    buf_addf(&body, "{\"id\":\"%s\",\"code\":0}", id);
    gateway_answer(g, c, 202, &body, "application/json");
    buf_deinit(&body);
}

void beta_send(struct gateway *g, struct conn *c, struct http_request *r)
{
    static const struct answer throttled = {503, "application/json", "{\"code\":-1}"};
    if (gateway_before(g, c, &throttled) == DONE_WITH)
        return;
    struct json_object *o = json_tokener_parse(r->body);
    struct accepted one = {.number = member(o, "to"),
                           .text = member(o, "text"),
                           .reference = member(o, "ref"),
                           .kind = REPORT_JSON};
    if (one.number != NULL)
        one.number += strspn(one.number, "+");
    if (r->api_key == NULL || *r->api_key == '\0' || !gateway_knows(g, NULL, r->api_key)) {
        g->counters.unauthorised++;
        refuse(g, c, 401, 10, "no key");
    } else if (one.number == NULL || one.text == NULL || strlen(one.number) >= NUMBER_TEXT_SIZE ||
               (one.reference != NULL && strlen(one.reference) >= REFERENCE_SIZE)) {
        g->counters.bad_requests++;
        refuse(g, c, 400, 2, "bad request");
    } else if (gateway_refuses(g, one.number)) {
        g->counters.refused++;
        refuse(g, c, 400, 20, "number refused");
    } else {
        accept_one(g, c, &one);
    }
    json_object_put(o);
}

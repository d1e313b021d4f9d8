/* Who is called: the path tells the gateway, or the control pages. */
#include "test/sim/sim.h"

static void control(struct conn *c, struct http_request *r)
{
    auto_buf body = {0};
    int status = 200;
    if (strcmp(r->method, "GET") != 0) {
        char *rests[] = {r->query, r->body}, *name, *value;
        for (size_t i = 0; i < COUNT_OF(rests); i++)
            while (status == 200 && form_next(&rests[i], &name, &value))
                if (!knob_set(name, value, &body))
                    status = 400;
    }
    if (status == 200)
        counters_json(&body, strcmp(r->path, "/control") == 0);
    conn_answer(c, status, "", status == 200 ? "application/json" : "text/plain", &body);
}

static void inbound(struct conn *c, struct http_request *r)
{
    auto_buf body = {0};
    bool done = inbound_order(r, &body);
    if (done)
        buf_add_str(&body, "{}");
    conn_answer(c, done ? 200 : 400, "", done ? "application/json" : "text/plain", &body);
}

static void not_found(struct conn *c)
{
    struct buf body = {0};
    buf_add_str(&body, "not found\n");
    conn_answer(c, 404, "", "text/plain", &body);
    buf_deinit(&body);
}

#define ACCOUNTS "/2010-04-01/Accounts/" /* an account's name, and then */
#define MESSAGES "/Messages.json"
static const struct protocol {
    const char *path, *name;
    void (*send)(struct gateway *g, struct conn *c, struct http_request *r);
} protocols[] = {{"/send", "alpha", alpha_send},
                 {"/v2/messages", "beta", beta_send},
                 {"/cgi-bin/sendsms", "kannel", kannel_send},
                 {"/sms/2/text/advanced", "infobip-like", infobip_send},
                 {"/", "aliyun-like", aliyun_send},
                 {ACCOUNTS "*" MESSAGES, "twilio-like", twilio_send}};

static const struct protocol *protocol_of(const char *path)
{
    if (strncmp(path, ACCOUNTS, strlen(ACCOUNTS)) == 0) {
        const char *account = path + strlen(ACCOUNTS);
        path = strcmp(account + strcspn(account, "/"), MESSAGES) == 0 ? ACCOUNTS "*" MESSAGES : "";
    }
    for (size_t i = 0; i < COUNT_OF(protocols); i++)
        if (strcmp(path, protocols[i].path) == 0)
            return &protocols[i];
    return NULL;
}

void route_request(struct conn *c, struct http_request *r)
{
    const char *path = r->path, *name = NULL;
    size_t name_len = 0;
    if (strncmp(path, "/control", 8) == 0 && (path[8] == '\0' || strcmp(path + 8, "/counters") == 0)) {
        control(c, r);
        return;
    }
    if (strcmp(path, "/control/inbound") == 0) {
        inbound(c, r);
        return;
    }
    if (strncmp(path, "/g/", 3) == 0) {
        name = path + 3;
        name_len = strcspn(name, "/");
        path = name + name_len;
    }
    if (follow_request(c, r, path, name, name_len))
        return;
    const struct protocol *p = protocol_of(path);
    if (p != NULL && name == NULL) {
        name = p->name;
        name_len = strlen(name);
    }
    struct gateway *g = p != NULL ? gateway_named(name, name_len) : NULL;
    if (g == NULL)
        not_found(c);
    else
        p->send(g, c, r);
}

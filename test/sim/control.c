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

static void not_found(struct conn *c)
{
    struct buf body = {0};
    buf_add_str(&body, "not found\n");
    conn_answer(c, 404, "", "text/plain", &body);
    buf_deinit(&body);
}

void route_request(struct conn *c, struct http_request *r)
{
    const char *path = r->path, *name = NULL;
    size_t name_len = 0;
    if (strncmp(path, "/control", 8) == 0 && (path[8] == '\0' || strcmp(path + 8, "/counters") == 0)) {
        control(c, r);
        return;
    }
    if (strncmp(path, "/g/", 3) == 0) {
        name = path + 3;
        name_len = strcspn(name, "/");
        path = name + name_len;
    }
    bool list = strcmp(path, "/send") == 0;
    if (!list && strcmp(path, "/v2/messages") != 0) {
        not_found(c);
        return;
    }
    struct gateway *g = name != NULL ? gateway_named(name, name_len)
                                     : (list ? gateway_named("alpha", 5) : gateway_named("beta", 4));
    if (g == NULL)
        not_found(c);
    else if (list)
        alpha_send(g, c, r);
    else
        beta_send(g, c, r);
}

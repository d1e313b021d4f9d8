/* The intake starts, ends, and says how it is. The HTTP server itself is lib/httpd. */
#include "callback/intake_internal.h"

#define HEAD_BYTES ((size_t)48 << 10) /* the longest head and query that lib/httpd takes */

size_t intake_record_max(int64_t body_bytes)
{
    return (size_t)body_bytes * 6 + HEAD_BYTES * 6 + 65536;
}

static bool is_trusted(void *arg, const struct address *peer)
{
    struct intake *i = arg;
    auto_gateways g = gateways_now_get(i->o.gateways);
    size_t count;
    const struct network *trusted = gateways_trusted(g, &count);
    return networks_have(trusted, count, peer);
}

static int start_server(struct intake *i, char **ret_why)
{
    auto_gateways g = gateways_now_get(i->o.gateways);
    const struct conf_main *m = &gateways_conf(g)->main;
    const struct httpd_options o = {.listen = m->callback.listen,
                                    .setting = "callback.listen",
                                    .connections = m->callback.connections,
                                    .connections_per_address = m->callback.connections_per_address,
                                    .request_ms = m->callback.request_ms,
                                    .body_bytes = m->callback.body_bytes,
                                    .tls_certificate = m->callback.tls_certificate,
                                    .tls_key = m->callback.tls_key,
                                    .trusted = is_trusted,
                                    .head = intake_head,
                                    .whole = intake_whole,
                                    .refuse = intake_server_refuses,
                                    .ended = intake_ended,
                                    .arg = i};
    return httpd_start(&o, &i->server, ret_why);
}

struct intake *intake_start(const struct intake_options *o, char **ret_why)
{
    struct intake *i = xcalloc(1, sizeof(*i));
    i->o = *o;
    i->keeps = true;
    pthread_mutex_init(&i->said, NULL);
    if (start_server(i, ret_why) < 0) {
        intake_free(i);
        return NULL;
    }
    return i;
}

bool intake_reload(struct intake *i, char **ret_why)
{
    auto_gateways g = gateways_now_get(i->o.gateways);
    const struct conf_main *m = &gateways_conf(g)->main;
    return httpd_reload_tls(i->server, m->callback.tls_certificate, m->callback.tls_key, ret_why) == 0;
}

int intake_port(const struct intake *i)
{
    return httpd_port(i->server);
}

void intake_stop(struct intake *i, int64_t deadline_ms)
{
    httpd_stop(i->server, deadline_ms);
}

void intake_free(struct intake *i)
{
    if (!i)
        return;
    httpd_free(i->server);
    pthread_mutex_destroy(&i->said);
    free(i);
}

bool intake_keeps(const struct intake *i)
{
    return i->keeps;
}

void intake_put_figures(struct intake *i, struct figures *f)
{
    struct httpd_figures server = httpd_figures(i->server);
    figures_set(f, "connections", server.connections);
    figures_set(f, "requests_2xx", server.answered[2]);
    figures_set(f, "requests_4xx", server.answered[4]);
    figures_set(f, "requests_5xx", server.answered[5]);
    figures_set(f, "reports", i->reports);
    figures_set(f, "unreadable", i->unreadable);
    figures_set(f, "refused_records", i->refused);
    figures_set(f, "not_kept", i->not_kept);
    figures_set(f, "too_slow", server.too_slow);
    figures_set(f, "unauthorized", i->unauthorized);
    figures_set(f, "over_limit", server.over_limit);
}

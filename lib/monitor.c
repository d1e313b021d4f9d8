/* What is asked is in the memory of this process and costs next to nothing, so the server's own thread
 * answers: also while every other one is stuck, which is what /livez is for. */
#include "lib/monitor.h"
#include "lib/health.h"
#include "lib/httpd.h"
#include "lib/log.h"
#include "lib/metrics.h"

#define CONNECTIONS 64
#define REQUEST_MS  10000
#define BODY_BYTES  1024
#define STOP_MS     200

struct monitor {
    struct httpd *httpd;
};

static void say(struct httpd_request *r, unsigned status, const char *type, const struct buf *body)
{
    httpd_answer(r,
                 &(struct httpd_answer){
                     .status = status, .type = type, .body = body->data ? body->data : "", .len = body->len});
}

static void say_words(struct httpd_request *r, unsigned status, const char *words)
{
    auto_buf body = {0};
    buf_add_str(&body, words);
    say(r, status, "text/plain; charset=utf-8", &body);
}

static void tell_metrics(struct httpd_request *r)
{
    auto_buf checks = {0}, body = {0};
    (void)health_ready(&checks, false); /* those that are asked become metrics by being asked */
    metrics_print(&body);
    say(r, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static void tell_health(struct httpd_request *r, bool (*ask)(struct buf *out, bool verbose))
{
    const char *query = httpd_query(r);
    auto_buf body = {0};
    bool good = ask(&body, query && strstr(query, "verbose"));
    if (good && body.len == 0)
        buf_add_str(&body, "ok\n");
    say(r, good ? 200 : 503, "text/plain; charset=utf-8", &body);
}

static void answer(void *arg, struct httpd_request *r)
{
    const char *method = httpd_method(r), *path = httpd_path(r);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        say_words(r, 405, "expected GET\n");
    else if (strcmp(path, "/metrics") == 0)
        tell_metrics(r);
    else if (strcmp(path, "/livez") == 0)
        tell_health(r, health_live);
    else if (strcmp(path, "/readyz") == 0)
        tell_health(r, health_ready);
    else
        say_words(r, 404, "not found: /metrics, /livez and /readyz are here\n");
}

int monitor_start(const char *listen, const char *setting, struct monitor **ret)
{
    auto_free char *why = NULL;
    const struct httpd_options options = {.listen = listen,
                                          .setting = setting,
                                          .connections = CONNECTIONS,
                                          .request_ms = REQUEST_MS,
                                          .body_bytes = BODY_BYTES,
                                          .whole = answer};
    *ret = NULL;
    if (!*listen)
        return 0;
    struct monitor *m = xcalloc(1, sizeof(*m));
    int r = httpd_start(&options, &m->httpd, &why);
    if (r < 0) {
        log_error("cannot listen for those who watch", L_STR("setting", setting), L_STR("error", why));
        free(m);
        return r;
    }
    log_info("metrics are told", L_STR("setting", setting), L_STR("address", listen),
             L_INT("port", httpd_port(m->httpd)));
    *ret = m;
    return 0;
}

void monitor_stop(struct monitor *m)
{
    if (!m)
        return;
    httpd_stop(m->httpd, STOP_MS);
    httpd_free(m->httpd);
    free(m);
}

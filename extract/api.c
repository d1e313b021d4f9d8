/* The API listens, finds out whose a request is, and sends it to its route. */
#include "extract/api_internal.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/metrics.h"

#include <stdio.h>
#include <strings.h>

#define SAY_EVERY_MS  60000
#define LONGEST_ALLOW 64

/* clang-format off */
static const struct metric answers = {"smschain_api_answers_total", "Requests to the API that were answered, by the first digit of the status.", METRIC_COUNTER, {"class"}, 0};
static const struct metric took = {"smschain_api_seconds", "From the head of a request to the end of its answer, the caller's network included.", METRIC_SECONDS, {NULL}, 0};
static const struct metric without_key = {"smschain_api_unauthorized_total", "Requests without a valid API key.", METRIC_COUNTER, {NULL}, 0};
/* clang-format on */

static const struct api_route routes[] = {
    {"POST", "/v1/messages", true, api_post_one},
    {"POST", "/v1/messages/batch", true, api_post_batch},
    {"GET", "/v1/messages/", false, api_get},
    {"DELETE", "/v1/messages/", false, api_delete},
};

/* ---- where to ---- */

static bool read_sms_id(const char *text, int64_t *ret)
{
    size_t len = strlen(text);
    if (len == 0 || len > 16 || text[strspn(text, "0123456789")] != '\0' || *text == '0')
        return false;
    *ret = strtoll(text, NULL, 10);
    return *ret < SMS_ID_END;
}

static bool fits(const struct api_route *route, const char *path, int64_t *ret_sms_id)
{
    size_t len = strlen(route->path);
    if (route->path[len - 1] != '/')
        return strcmp(path, route->path) == 0;
    return strncmp(path, route->path, len) == 0 && read_sms_id(path + len, ret_sms_id);
}

/* True: answered. */
static bool find_route(struct api_request *r)
{
    const char *method = httpd_method(r->http), *path = httpd_path(r->http);
    char allow[LONGEST_ALLOW] = "";
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (!fits(&routes[i], path, &r->sms_id))
            continue;
        if (strcmp(method, routes[i].method) == 0) {
            r->route = &routes[i];
            return false;
        }
        snprintf(allow + strlen(allow), sizeof(allow) - strlen(allow), "%s%s", *allow ? ", " : "",
                 routes[i].method);
    }
    if (*allow) {
        auto_free char *detail = xasprintf("expected %s", allow);
        api_problem_to(r->http, 405, "wrong_method", detail, &(struct httpd_field){"Allow", allow});
    } else {
        api_problem_to(r->http, 404, "not_found", "there is nothing at this address", NULL);
    }
    return true;
}

/* ---- whose it is ---- */

static struct address client_of(struct api *a, struct httpd_request *http)
{
    const char *name = a->main->extract.api.forwarded_header;
    auto_buf forwarded = {0};
    httpd_header_joined(http, name, &forwarded);
    pthread_mutex_lock(&a->lock);
    struct address at = address_behind(httpd_peer(http), forwarded.data, strcasecmp(name, "Forwarded") == 0,
                                       a->trusted, a->trusted_count);
    pthread_mutex_unlock(&a->lock);
    return at;
}

/* One line a minute: whoever tries keys does not fill the log. */
static void say_unauthorized(struct api *a, const struct address *from)
{
    char text[ADDRESS_TEXT_SIZE];
    int64_t now_ms = clock_mono_ms(), others = -1;
    series_add(a->unauthorized, 1);
    pthread_mutex_lock(&a->lock);
    if (a->said_ms != 0 && now_ms - a->said_ms < SAY_EVERY_MS) {
        a->said_more++;
    } else {
        others = a->said_more;
        a->said_ms = now_ms;
        a->said_more = 0;
    }
    pthread_mutex_unlock(&a->lock);
    if (others >= 0)
        log_warn("API: a request without a valid key is refused", L_STR("address", address_text(from, text)),
                 L_INT("others_since", others));
}

/* True: answered. */
static bool find_caller(struct api_request *r, const struct address *from)
{
    const char *value = httpd_header(r->http, "Authorization");
    bool bearer = value && strncasecmp(value, "Bearer ", 7) == 0;
    r->caller = bearer ? asked_caller_by_key(r->conf, value + 7) : NULL;
    if (r->caller)
        return false;
    say_unauthorized(r->api, from);
    api_problem_to(r->http, 401, "unauthorized",
                   bearer ? "this API key is nobody's" : "expected Authorization: Bearer and an API key",
                   &(struct httpd_field){"WWW-Authenticate",
                                         bearer ? "Bearer realm=\"smschain\", error=\"invalid_token\""
                                                : "Bearer realm=\"smschain\""});
    return true;
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t len = sizeof(json) - 1;
    if (!type || strncasecmp(type, json, len) != 0)
        return false;
    type += len;
    type += strspn(type, " \t");
    if (*type == '\0')
        return true;
    if (*type++ != ';')
        return false;
    type += strspn(type, " \t");
    return strcasecmp(type, "charset=utf-8") == 0 || strcasecmp(type, "charset=\"utf-8\"") == 0;
}

/* ---- for the server ---- */

static bool on_head(void *arg, struct httpd_request *http)
{
    struct api *a = arg;
    struct api_request *r = xcalloc(1, sizeof(*r));
    struct address from = client_of(a, http);
    r->api = a;
    r->http = http;
    r->since_ms = clock_mono_ms();
    r->conf = asked_current_take(a->o.current);
    httpd_set_own(http, r);
    if (!httpd_count_request(http, &from)) {
        api_answer_retry(r, 429, "too_many_at_a_time", 1, "too many requests of this address at a time");
        return true;
    }
    if (find_route(r) || find_caller(r, &from))
        return true;
    if (r->route->has_body && httpd_header(http, "Content-Encoding")) {
        api_problem_to(http, 415, "wrong_content_type", "expected a body without Content-Encoding", NULL);
        return true;
    }
    if (r->route->has_body && !is_json(httpd_header(http, "Content-Type"))) {
        api_problem_to(http, 415, "wrong_content_type", "expected Content-Type: application/json, in UTF-8",
                       NULL);
        return true;
    }
    return false;
}

static void on_whole(void *arg, struct httpd_request *http)
{
    struct api_request *r = httpd_own(http);
    r->route->take(r);
}

static void on_refused(void *arg, struct httpd_request *http, unsigned status, const char *error)
{
    api_problem_to(http, status, status == 413 ? "too_long" : "unclear_request", error, NULL);
}

static void on_ended(void *arg, struct httpd_request *http)
{
    struct api_request *r = httpd_own(http);
    unsigned class = httpd_status(http) / 100;
    if (class < COUNT_OF(((struct api *)arg)->answered))
        series_add(((struct api *)arg)->answered[class], 1);
    if (!r)
        return;
    series_observe_us(r->api->took, (clock_mono_ms() - r->since_ms) * 1000);
    api_items_free(r);
    asked_conf_unref(r->conf);
    free(r);
}

static bool is_trusted(void *arg, const struct address *peer)
{
    struct api *a = arg;
    pthread_mutex_lock(&a->lock);
    bool trusted = networks_have(a->trusted, a->trusted_count, peer);
    pthread_mutex_unlock(&a->lock);
    return trusted;
}

/* ---- start and end ---- */

static void take_proxies(struct api *a)
{
    struct asked_conf *c = asked_current_take(a->o.current);
    const struct str_list *list = &asked_conf_conf(c)->main.extract.api.trusted_proxies;
    struct network *fresh = xcalloc(list->count + 1, sizeof(*fresh));
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count +=
            network_parse(list->items[i], &fresh[count]); /* the configuration's check has passed them all */
    pthread_mutex_lock(&a->lock);
    free(a->trusted);
    a->trusted = fresh;
    a->trusted_count = count;
    pthread_mutex_unlock(&a->lock);
    asked_conf_unref(c);
}

static void make_series(struct api *a)
{
    static const char *const classes[] = {NULL, NULL, "2xx", NULL, "4xx", "5xx"};
    for (size_t i = 0; i < COUNT_OF(classes); i++)
        a->answered[i] = classes[i] ? series_new(&answers, classes[i], NULL) : NULL;
    a->took = series_new(&took, NULL, NULL);
    a->unauthorized = series_new(&without_key, NULL, NULL);
}

int api_start(const struct api_options *o, struct api **ret, char **ret_why)
{
    struct asked_conf *now = asked_current_take(o->current);
    const struct conf_main *m = &asked_conf_conf(now)->main;
    *ret = NULL;
    if (!*m->extract.api.listen) {
        asked_conf_unref(now);
        return 0;
    }
    struct api *a = xcalloc(1, sizeof(*a));
    *a = (struct api){.o = *o, .start = now, .main = m};
    pthread_mutex_init(&a->lock, NULL);
    make_series(a);
    take_proxies(a);
    a->work = api_work_start(a);
    int r =
        httpd_start(&(struct httpd_options){.listen = m->extract.api.listen,
                                            .setting = "extract.api.listen",
                                            .connections = m->extract.api.connections,
                                            .connections_per_address = m->extract.api.connections_per_address,
                                            .request_ms = m->extract.api.request_ms,
                                            .body_bytes = m->extract.api.body_bytes,
                                            .tls_certificate = m->extract.api.tls_certificate,
                                            .tls_key = m->extract.api.tls_key,
                                            .trusted = is_trusted,
                                            .head = on_head,
                                            .whole = on_whole,
                                            .refuse = on_refused,
                                            .ended = on_ended,
                                            .arg = a},
                    &a->server, ret_why);
    if (r < 0) {
        api_free(a);
        return r;
    }
    log_info("API listens", L_STR("address", m->extract.api.listen), L_INT("port", httpd_port(a->server)));
    *ret = a;
    return 0;
}

bool api_reload(struct api *a, char **ret_why)
{
    struct asked_conf *c = asked_current_take(a->o.current);
    const struct conf_main *m = &asked_conf_conf(c)->main;
    take_proxies(a);
    int r = httpd_reload_tls(a->server, m->extract.api.tls_certificate, m->extract.api.tls_key, ret_why);
    asked_conf_unref(c);
    return r == 0;
}

void api_stop(struct api *a, int64_t deadline_ms)
{
    if (a)
        httpd_stop(a->server, deadline_ms);
}

void api_free(struct api *a)
{
    if (!a)
        return;
    api_work_stop(a->work);
    httpd_free(a->server);
    pthread_mutex_destroy(&a->lock);
    for (size_t i = 0; i < COUNT_OF(a->answered); i++)
        series_free(a->answered[i]);
    series_free(a->took);
    series_free(a->unauthorized);
    free(a->trusted);
    asked_conf_unref(a->start);
    free(a);
}

/* The page's server: see server.h. */
#include "dashboard/server.h"
#include "dashboard/answer.h"
#include "dashboard/layout.h"
#include "dashboard/measure.h"
#include "dashboard/static.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <inttypes.h>
#include <stdio.h>

#define REQUEST_MS  30000
#define BODY_BYTES  16384
#define PER_ADDRESS 100

struct server {
    struct httpd *httpd;
    struct server_options o;
};

static const char *header_of(const void *arg, const char *name)
{
    return httpd_header(arg, name);
}

static struct access_question question_of(const struct httpd_request *r)
{
    return (struct access_question){
        .peer = *httpd_peer(r), .header = header_of, .arg = r, .session = httpd_cookie(r, SESSION_COOKIE)};
}

static bool is_post(const struct httpd_request *r)
{
    return strcmp(httpd_method(r), "POST") == 0;
}

/* ---- answers without a page ---- */

static void say_plain(struct httpd_request *r, unsigned status, const char *title, const char *text,
                      const char *allow)
{
    auto_buf body = {0};
    layout_plain(&body, title, text);
    answer(r, &(struct answer){.status = status,
                               .body = body.data,
                               .len = body.len,
                               .allow = allow,
                               .retry_after = status == 503 ? "5" : NULL});
}

static bool has_tokens(const struct setting *s)
{
    return *s->conf->main.dashboard.viewer_token || *s->conf->main.dashboard.operator_token;
}

static void say_login(struct httpd_request *r, const struct setting *s, unsigned status, const char *next,
                      const char *error, int retry_s)
{
    auto_buf body = {0};
    char retry[16];
    snprintf(retry, sizeof(retry), "%d", retry_s);
    layout_login(&body, next, error, has_tokens(s));
    answer(r, &(struct answer){.status = status,
                               .body = body.data,
                               .len = body.len,
                               .authenticate = status == 401 ? "Bearer realm=\"smschain\"" : NULL,
                               .retry_after = retry_s > 0 ? retry : NULL});
}

static void say_wait(struct httpd_request *r, const struct setting *s, int retry_s)
{
    auto_free char *error = xasprintf("Too many wrong tokens. Try again in %d seconds.", retry_s);
    say_login(r, s, 429, "/", error, retry_s);
}

static void serve_file(struct httpd_request *r, const char *name)
{
    const struct static_file *f = static_named(name);
    if (!f)
        say_plain(r, 404, "Not found", "There is no such file.", NULL);
    else
        answer(r, &(struct answer){.status = 200,
                                   .type = f->type,
                                   .body = f->data,
                                   .len = f->len,
                                   .lasts = httpd_query(r) && strcmp(httpd_query(r), static_version()) == 0});
}

/* ---- signing in and out ---- */

static void read_form(const struct httpd_request *r, struct query *ret)
{
    size_t len;
    const char *body = httpd_body(r, &len);
    query_read(body, len, ret);
}

/* An address of ours, and nobody else's: a browser reads "//" and "/\" as the beginning of another host. */
static const char *next_of(const char *next)
{
    bool ours = next[0] == '/' && next[1] != '/' && next[1] != '\\' && !strpbrk(next, "\r\n");
    return ours ? next : "/";
}

static char *cookie_of(const struct setting *s, const char *value, int64_t seconds)
{
    return xasprintf("%s=%s; Path=/; Max-Age=%" PRId64 "; HttpOnly; SameSite=Lax%s", SESSION_COOKIE, value,
                     seconds, *s->conf->main.dashboard.tls_certificate ? "; Secure" : "");
}

static void sign_in(struct httpd_request *r, const struct setting *s, const struct access_question *q)
{
    struct query form;
    struct who who;
    struct address from = access_address(s, q);
    read_form(r, &form);
    int64_t now_ms = clock_wall_ms();
    access_token(s, &from, query_get(&form, "token"), now_ms, &who);
    const char *next = next_of(query_get(&form, "next"));
    if (who.retry_s > 0) {
        say_wait(r, s, who.retry_s);
    } else if (who.role == ROLE_NONE) {
        char text[ADDRESS_TEXT_SIZE];
        series_add(measure.wrong_tokens, 1);
        log_warn("a wrong token", L_STR("address", address_text(&from, text)));
        say_login(r, s, 401, next, "This token is not known here.", 0);
    } else {
        auto_free char *session = access_session(s, who.role, now_ms + SESSION_MS);
        auto_free char *cookie = cookie_of(s, session, SESSION_MS / 1000);
        log_info("signed in", L_STR("role", role_words[who.role]));
        answer(r, &(struct answer){.status = 303, .location = next, .cookie = cookie});
    }
    query_deinit(&form);
}

static void sign_out(struct httpd_request *r, const struct setting *s)
{
    auto_free char *cookie = cookie_of(s, "", 0);
    answer(r, &(struct answer){.status = 303, .location = "/", .cookie = cookie});
}

/* ---- pages ---- */

/* The piece of the address that the row's `*` stands for; at the row's end it is all that is left, since a
 * name may have a slash in it. False: the row is another's. */
static bool fits(const struct route *row, const char *path, char **ret_id)
{
    const char *star = strchr(row->path, '*');
    *ret_id = NULL;
    if (!star)
        return strcmp(row->path, path) == 0;
    size_t before = (size_t)(star - row->path), after = strlen(star + 1), len = strlen(path);
    if (len <= before + after || strncmp(path, row->path, before) != 0 ||
        strcmp(path + len - after, star + 1) != 0 ||
        (after > 0 && memchr(path + before, '/', len - before - after)))
        return false;
    *ret_id = xstrndup(path + before, len - before - after);
    return utf8_is_text(*ret_id, strlen(*ret_id));
}

/* NULL: none; *ret_other: there is one for another method. */
static const struct route *route_of(const char *method, const char *path, char **ret_id,
                                    const char **ret_other)
{
    const char *asked = strcmp(method, "HEAD") == 0 ? "GET" : method;
    *ret_other = NULL;
    for (const struct route *row = routes; row->path; row++) {
        char *id;
        if (fits(row, path, &id)) {
            if (strcmp(row->method, asked) == 0) {
                *ret_id = id;
                return row;
            }
            *ret_other = row->method;
        }
        free(id);
    }
    *ret_id = NULL;
    return NULL;
}

static void say_no_route(struct httpd_request *r, const char *other)
{
    if (other)
        say_plain(r, 405, "Not in this way", "There is such a page, but it is asked for in another way.",
                  other);
    else
        say_plain(r, 404, "Not found", "There is no such page.", NULL);
}

static void make_page(struct server *v, struct httpd_request *r, const struct who *who)
{
    const char *other, *query = httpd_query(r);
    char *id;
    const struct route *route = route_of(httpd_method(r), httpd_path(r), &id, &other);
    if (!route) {
        say_no_route(r, other);
        return;
    }
    if (who->role < route->least) {
        free(id);
        say_plain(r, 403, "Not for this role", "This page is for operators only.", NULL);
        return;
    }
    struct job *j = xcalloc(1, sizeof(*j));
    *j = (struct job){.request = r, .route = route, .path = xstrdup(httpd_path(r)), .id = id, .who = *who};
    if (query)
        query_read(query, strlen(query), &j->query);
    if (is_post(r))
        read_form(r, &j->form);
    if (!workers_add(v->o.workers, j))
        say_plain(r, 503, "Too much at once",
                  "More pages are asked for than can be made. Try again in some seconds.", NULL);
}

/* /events?of=ADDRESS: the address of a live page, with its query. */
static void begin_events(struct server *v, struct httpd_request *r, const struct who *who)
{
    const char *of = httpd_argument(r, "of"), *other;
    size_t len = of ? strcspn(of, "?") : 0;
    char *id = NULL;
    auto_free char *path = xstrndup(of ? of : "", len);
    const struct route *route = route_of("GET", path, &id, &other);
    struct query query = {0};
    if (strcmp(httpd_method(r), "GET") != 0 || !route || !route->live || who->role < route->least) {
        free(id);
        answer(r, &(struct answer){.status = 404,
                                   .type = "text/plain; charset=utf-8",
                                   .body = "not a live page\n",
                                   .len = 16});
        return;
    }
    if (of[len] == '?')
        query_read(of + len + 1, strlen(of + len + 1), &query);
    if (live_add(v->o.live, r, route, path, id, &query, who)) {
        path = NULL;
        return;
    }
    free(id);
    query_deinit(&query);
    answer(r, &(struct answer){.status = 503,
                               .type = "text/plain; charset=utf-8",
                               .body = "too many look\n",
                               .len = 14,
                               .retry_after = "10"});
}

/* ---- requests ---- */

static bool known_method(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "POST") == 0;
}

static void for_somebody(struct server *v, struct httpd_request *r, const struct who *who)
{
    if (strcmp(httpd_path(r), "/events") == 0)
        begin_events(v, r, who);
    else
        make_page(v, r, who);
}

static void whole(void *arg, struct httpd_request *r)
{
    struct server *v = arg;
    auto_setting s = setting_get();
    const char *path = httpd_path(r);
    struct access_question q = question_of(r);
    struct who who;
    if (!known_method(httpd_method(r))) {
        say_plain(r, 405, "Not in this way", "This page answers GET and POST.", "GET, HEAD, POST");
        return;
    }
    if (strncmp(path, "/static/", 8) == 0 && !is_post(r)) {
        serve_file(r, path + 8);
        return;
    }
    if (is_post(r) && !access_same_site(&q)) {
        say_plain(r, 403, "Not from another site", "This was sent by a page of another site.", NULL);
        return;
    }
    if (strcmp(path, "/login") == 0 && is_post(r)) {
        sign_in(r, s, &q);
        return;
    }
    if (strcmp(path, "/logout") == 0 && is_post(r)) {
        sign_out(r, s);
        return;
    }
    access_who(s, &q, clock_wall_ms(), &who);
    if (who.retry_s > 0)
        say_wait(r, s, who.retry_s);
    else if (who.role == ROLE_NONE)
        say_login(r, s, 401, is_post(r) ? "/" : next_of(path), NULL, 0);
    else
        for_somebody(v, r, &who);
}

static bool trusted(void *arg, const struct address *peer)
{
    auto_setting s = setting_get();
    for (size_t i = 0; i < s->trusted_count; i++)
        if (network_has(&s->trusted[i], peer))
            return true;
    return false;
}

int server_start(const struct server_options *o, struct server **ret, char **ret_why)
{
    auto_setting s = setting_get();
    const struct conf_dashboard *d = &s->conf->main.dashboard;
    struct server *v = xcalloc(1, sizeof(*v));
    v->o = *o;
    int r = httpd_start(&(struct httpd_options){.listen = d->listen,
                                                .setting = "dashboard.listen",
                                                .connections = d->connections,
                                                .connections_per_address = PER_ADDRESS,
                                                .request_ms = REQUEST_MS,
                                                .body_bytes = BODY_BYTES,
                                                .tls_certificate = d->tls_certificate,
                                                .tls_key = d->tls_key,
                                                .trusted = trusted,
                                                .whole = whole,
                                                .arg = v},
                        &v->httpd, ret_why);
    if (r < 0) {
        free(v);
        return r;
    }
    *ret = v;
    return 0;
}

int server_port(const struct server *s)
{
    return httpd_port(s->httpd);
}

int server_reload(struct server *v, char **ret_why)
{
    auto_setting s = setting_get();
    const struct conf_dashboard *d = &s->conf->main.dashboard;
    return httpd_reload_tls(v->httpd, d->tls_certificate, d->tls_key, ret_why);
}

void server_stop(struct server *s, int64_t deadline_ms)
{
    httpd_stop(s->httpd, deadline_ms);
}

void server_free(struct server *s)
{
    if (!s)
        return;
    httpd_free(s->httpd);
    free(s);
}

/* Compiles, builds and sends the requests that callback makes by itself. */
#include "callback/call.h"
#include "lib/template.h"

#include <stdio.h>

#define URL_MAX    8192
#define HEADER_MAX 8192
#define BODY_MAX   (256u << 10)
#define CONNECT_MS 5000

struct call {
    const struct conf_call *conf;
    struct template *url, *body, **headers;
    struct http_client *http;
    char why[256];
};

static bool compile(const struct conf_gateway *g, const char *section, const char *key, const char *text,
                    int line, struct template **ret, char **ret_why)
{
    struct template_error e = {0};
    if (!text || !*text || template_compile(text, strlen(text), line, ret, &e) == 0)
        return true;
    *ret_why = xasprintf("%s:%d: %s.%s: %s", g->file, e.line, section, key, e.message);
    return false;
}

struct call *call_new(const struct conf_gateway *g, const struct conf_call *conf, const char *section,
                      char **ret_why)
{
    struct call *c = xcalloc(1, sizeof(*c));
    const struct conf_map *headers = &conf->headers;
    auto_free char *wrong = NULL;
    c->conf = conf;
    c->headers = xcalloc(headers->count + 1, sizeof(*c->headers));
    bool good = compile(g, section, "url", conf->url, conf->url_line, &c->url, ret_why) &&
                compile(g, section, "body", conf->body, conf->body_line, &c->body, ret_why);
    for (size_t i = 0; good && i < headers->count; i++)
        good = compile(g, section, headers->pairs[i].key, headers->pairs[i].value, headers->pairs[i].line,
                       &c->headers[i], ret_why);
    if (good && http_check(&conf->http, &wrong) < 0) {
        *ret_why = xasprintf("%s: %s: %s", g->file, section, wrong);
        good = false;
    }
    if (!good) {
        call_free(c);
        return NULL;
    }
    c->http =
        http_client_new(&(struct http_options){.conf = &conf->http,
                                               .connect_timeout_ms = MIN_OF(conf->timeout_ms, CONNECT_MS),
                                               .answer_timeout_ms = conf->timeout_ms,
                                               .answer_max = CALL_ANSWER_MAX});
    return c;
}

void call_free(struct call *c)
{
    if (!c)
        return;
    template_free(c->url);
    template_free(c->body);
    for (size_t i = 0; i < c->conf->headers.count; i++)
        template_free(c->headers[i]);
    free(c->headers);
    if (c->http)
        http_client_free(c->http);
    free(c);
}

/* ---- building ---- */

struct scope {
    const struct call_value *values;
    size_t count;
};

static struct template_value get(const void *data, const char *name)
{
    const struct scope *s = data;
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->values[i].name, name) == 0)
            return (struct template_value){.type = TEMPLATE_STR, .str = s->values[i].value};
    }
    return (struct template_value){.type = TEMPLATE_MISSING};
}

static bool render(struct call *c, const struct template *t, const struct scope *s, const char *what,
                   struct buf *out)
{
    const struct template_scope scope = {.get = get, .data = s};
    struct template_error e = {0};
    if (!t)
        return true;
    if (template_render(t, &scope, out, &e) == 0 && !out->overflowed)
        return true;
    snprintf(c->why, sizeof(c->why), "%s: %s", what, *e.message ? e.message : "too long");
    return false;
}

/* A value with a line break would be a header more, one with a blank another request line. */
static bool is_clean(struct call *c, const struct buf *b, unsigned char least, const char *what)
{
    for (size_t i = 0; i < b->len; i++) {
        if ((unsigned char)b->data[i] < least || b->data[i] == 0x7f) {
            snprintf(c->why, sizeof(c->why),
                     "%s: a blank or a control character in it; url_encode is missing", what);
            return false;
        }
    }
    return true;
}

static bool build(struct call *c, const struct scope *s, struct buf *url, struct buf *body,
                  struct buf *headers)
{
    bool good = render(c, c->url, s, "url", url) && is_clean(c, url, '!', "url") &&
                render(c, c->body, s, "body", body);
    for (size_t i = 0; good && i < c->conf->headers.count; i++) {
        const char *name = c->conf->headers.pairs[i].key;
        headers[i].max = HEADER_MAX;
        buf_addf(&headers[i], "%s: ", name);
        good = render(c, c->headers[i], s, name, &headers[i]) && is_clean(c, &headers[i], ' ', name);
    }
    return good;
}

bool call_ask(struct call *c, const struct call_value *values, size_t count, bool (*go_on)(void *arg),
              void *arg, struct http_result *ret, const char **ret_why)
{
    const size_t n = c->conf->headers.count;
    const struct scope s = {.values = values, .count = count};
    auto_buf url = {.max = URL_MAX}, body = {.max = BODY_MAX};
    auto_free struct buf *headers = xcalloc(n + 1, sizeof(*headers));
    auto_free const char **lines = xcalloc(n + 1, sizeof(*lines));
    *ret_why = c->why;
    *ret = (struct http_result){.end = HTTP_BAD_REQUEST};
    bool good = build(c, &s, &url, &body, headers);
    for (size_t i = 0; i < n; i++)
        lines[i] = headers[i].data;
    if (good) {
        struct http_request r = {.method = c->conf->method,
                                 .url = url.data,
                                 .headers = lines,
                                 .header_count = n,
                                 .body = c->body ? (body.data ? body.data : "") : NULL,
                                 .body_len = body.len};
        http_client_call(c->http, &r, go_on, arg, ret);
        good = ret->end == HTTP_ANSWERED && ret->sends == 1;
        if (!good)
            snprintf(c->why, sizeof(c->why), "%s: %s", http_end_word(ret->end), ret->error ? ret->error : "");
    }
    for (size_t i = 0; i < n; i++)
        buf_deinit(&headers[i]);
    return good;
}

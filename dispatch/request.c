/* URL, headers and body from compiled templates over the values of one request. */
#include "dispatch/request.h"
#include "lib/template.h"

#include <stdio.h>

static const char *const names[] = {"number", "numbers", "text", "sender", "seq_id", "encoding", "segments"};

struct request_template {
    const struct conf_gateway *gateway;
    struct template *url, *body, **headers;
    size_t header_count;
    bool has_body;
};

static bool known(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static int compile(const char *source, int line, const char *what, struct template **ret, char **ret_why)
{
    struct template_error error = {0};
    const struct template_name *used;
    int rc = template_compile(source, strlen(source), line, ret, &error);
    if (rc < 0) {
        *ret_why = xasprintf("line %d: request.%s: %s", error.line, what, error.message);
        return rc;
    }
    size_t count = template_names(*ret, &used);
    for (size_t i = 0; i < count; i++)
        if (!known(used[i].name)) {
            *ret_why =
                xasprintf("line %d: request.%s: no value '%s'; there are number, numbers, text, sender, "
                          "seq_id, encoding, segments",
                          used[i].line, what, used[i].name);
            return -EINVAL;
        }
    return 0;
}

static int compile_all(const struct conf_gateway *g, struct request_template *t, char **ret_why)
{
    const struct conf_map *headers = &g->request.headers;
    int rc = compile(g->request.url, g->request.url_line, "url", &t->url, ret_why);
    if (rc == 0 && g->request.body != NULL && *g->request.body != '\0') {
        t->has_body = true;
        rc = compile(g->request.body, g->request.body_line, "body", &t->body, ret_why);
    }
    for (size_t i = 0; i < headers->count && rc == 0; i++) {
        rc = compile(headers->pairs[i].value, headers->pairs[i].line, "headers", &t->headers[i], ret_why);
    }
    return rc;
}

int request_compile(const struct conf_gateway *g, struct request_template **ret, char **ret_why)
{
    struct request_template *t = xcalloc(1, sizeof(*t));
    *t = (struct request_template){.gateway = g, .header_count = g->request.headers.count};
    t->headers = xcalloc(t->header_count + 1, sizeof(struct template *));
    int rc = compile_all(g, t, ret_why);
    if (rc < 0) {
        request_template_free(t);
        return rc;
    }
    *ret = t;
    return 0;
}

void request_template_free(struct request_template *t)
{
    if (t == NULL)
        return;
    template_free(t->url);
    template_free(t->body);
    for (size_t i = 0; i < t->header_count; i++)
        template_free(t->headers[i]);
    free(t->headers);
    free(t);
}

void request_init(struct request *r, const struct request_template *t)
{
    *r = (struct request){.url = {.max = REQUEST_URL_MAX}, .body = {.max = REQUEST_BODY_MAX}};
    r->header_count = t->header_count;
    r->headers = xcalloc(t->header_count + 1, sizeof(*r->headers));
    r->header_lines = xcalloc(t->header_count + 1, sizeof(*r->header_lines));
    for (size_t i = 0; i < t->header_count; i++)
        r->headers[i].max = REQUEST_HEADER_MAX;
}

void request_deinit(struct request *r)
{
    buf_deinit(&r->url);
    buf_deinit(&r->body);
    for (size_t i = 0; i < r->header_count; i++)
        buf_deinit(&r->headers[i]);
    free(r->headers);
    free(r->header_lines);
    r->headers = NULL;
    r->header_lines = NULL;
    r->header_count = 0;
}

/* The values as the templates ask for them: words are made when they are first asked for. */
struct scope {
    const struct request_values *v;
    char segments[24];
    char (*words)[24]; /* the numbers */
    const char **items;
};

static const char *const *number_words(struct scope *s)
{
    if (s->items == NULL) {
        s->words = xmalloc(s->v->number_count * sizeof(*s->words));
        s->items = xmalloc(s->v->number_count * sizeof(*s->items));
        for (size_t i = 0; i < s->v->number_count; i++) {
            snprintf(s->words[i], sizeof(s->words[i]), "%lld", (long long)s->v->numbers[i]);
            s->items[i] = s->words[i];
        }
    }
    return s->items;
}

static struct template_value str(const char *s)
{
    return (struct template_value){.type = TEMPLATE_STR, .str = s != NULL ? s : ""};
}

static struct template_value get(const void *data, const char *name)
{
    struct scope *s = *(struct scope *const *)data;
    if (strcmp(name, "text") == 0)
        return str(s->v->text);
    if (strcmp(name, "number") == 0)
        return str(number_words(s)[0]);
    if (strcmp(name, "numbers") == 0)
        return (struct template_value){
            .type = TEMPLATE_LIST, .items = number_words(s), .count = s->v->number_count};
    if (strcmp(name, "seq_id") == 0)
        return str(s->v->seq_id);
    if (strcmp(name, "sender") == 0)
        return str(s->v->sender);
    if (strcmp(name, "encoding") == 0)
        return str(s->v->encoding);
    if (strcmp(name, "segments") == 0)
        return str(s->segments);
    return (struct template_value){.type = TEMPLATE_MISSING};
}

static const char *name_at(const void *data, size_t i)
{
    (void)data;
    return i < COUNT_OF(names) ? names[i] : NULL;
}

static int render(const struct template *t, struct scope *s, struct buf *out, const char *what,
                  struct request *r)
{
    struct template_error error = {0};
    struct template_scope scope = {.get = get, .name_at = name_at, .data = &s};
    int rc = template_render(t, &scope, out, &error);
    if (rc == 0 && !out->overflowed)
        return 0;
    snprintf(r->error, sizeof(r->error), "line %d: request.%s: %s", error.line, what,
             rc < 0 ? error.message : "too long");
    return -EINVAL;
}

/* A line break in a header would begin another header: a text could then speak to the gateway. */
static bool one_line(const struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if (((unsigned char)b->data[i] < 0x20 && b->data[i] != '\t') || b->data[i] == 0x7F)
            return false;
    return true;
}

static bool url_is_good(const struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if ((unsigned char)b->data[i] <= ' ' || b->data[i] == 0x7F)
            return false;
    return b->len > 0;
}

static int build(const struct request_template *t, struct scope *s, struct request *r)
{
    const struct conf_map *headers = &t->gateway->request.headers;
    int rc = render(t->url, s, &r->url, "url", r);
    if (rc == 0 && !url_is_good(&r->url)) {
        snprintf(r->error, sizeof(r->error),
                 "request.url: a blank or a control character in it; url_encode is missing");
        rc = -EINVAL;
    }
    if (rc == 0 && t->has_body)
        rc = render(t->body, s, &r->body, "body", r);
    for (size_t i = 0; i < t->header_count && rc == 0; i++) {
        buf_clear(&r->headers[i]);
        buf_addf(&r->headers[i], "%s: ", headers->pairs[i].key);
        rc = render(t->headers[i], s, &r->headers[i], "headers", r);
        if (rc == 0 && !one_line(&r->headers[i])) {
            snprintf(r->error, sizeof(r->error), "request.headers.%s: a line break in it",
                     headers->pairs[i].key);
            rc = -EINVAL;
        }
        r->header_lines[i] = r->headers[i].data;
    }
    return rc;
}

int request_build(const struct request_template *t, const struct request_values *v, struct request *r)
{
    struct scope s = {.v = v};
    snprintf(s.segments, sizeof(s.segments), "%lld", (long long)v->segments);
    r->method = t->gateway->request.method;
    r->has_body = t->has_body;
    r->error[0] = '\0';
    buf_clear(&r->url);
    buf_clear(&r->body);
    int rc = build(t, &s, r);
    free(s.words);
    free(s.items);
    return rc;
}

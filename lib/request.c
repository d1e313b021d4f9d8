/* URL, headers, body, parameters and signature from compiled templates. */
#include "lib/request.h"
#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/http.h"

#include <openssl/rand.h>
#include <stdio.h>

const char *const request_names[] = {"parameters", "signature", "nonce", "timestamp", NULL};
const char *const request_sign_names[] = {"method", "url", "host", "path", "query", "body", "key", NULL};

struct parameter {
    char *name; /* percent-encoded */
    struct template *value;
};
struct request_template {
    struct request_source source;
    struct template *url, *body, **headers, *sign_text;
    struct parameter *parameters; /* sorted by name */
    size_t header_count, parameter_count;
    bool url_signed, body_signed; /* they hold the signature, so they are made after it */
};

/* ---- compiling ---- */

static bool among(const char *const *names, const char *name)
{
    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static int compile(const char *source, int line, const char *section, const char *what,
                   const char *const *const lists[], struct template **ret, char **ret_why)
{
    struct template_error error = {0};
    const struct template_name *used;
    int rc = template_compile(source, strlen(source), line, ret, &error);
    if (rc < 0) {
        *ret_why = xasprintf("line %d: %s.%s: %s", error.line, section, what, error.message);
        return rc;
    }
    size_t count = template_names(*ret, &used);
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t l = 0; lists[l] != NULL; l++)
            known = known || among(lists[l], used[i].name);
        if (known)
            continue;
        *ret_why =
            xasprintf("line %d: %s.%s: there is no '%s' here", used[i].line, section, what, used[i].name);
        return -EINVAL;
    }
    return 0;
}

int request_compile_template(const char *source, int line, const char *what, const char *const *names,
                             struct template **ret, char **ret_why)
{
    const char *const *lists[] = {names, NULL};
    *ret = NULL;
    return compile(source, line, "request", what, lists, ret, ret_why);
}

static bool uses(const struct template *t, const char *name)
{
    const struct template_name *used;
    size_t count = t != NULL ? template_names(t, &used) : 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(used[i].name, name) == 0)
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct parameter *)a)->name, ((const struct parameter *)b)->name);
}

static int compile_parameters(struct request_template *t, char **ret_why)
{
    const struct conf_map *m = &t->source.request->parameters;
    const char *const *lists[] = {t->source.names, request_names, NULL};
    t->parameters = xcalloc(m->count + 1, sizeof(*t->parameters));
    for (size_t i = 0; i < m->count; i++) {
        struct parameter *p = &t->parameters[t->parameter_count++];
        auto_buf name = {0};
        buf_add_url_encoded(&name, m->pairs[i].key, strlen(m->pairs[i].key));
        p->name = buf_take(&name, NULL);
        int rc = compile(m->pairs[i].value, m->pairs[i].line, t->source.section, "parameters", lists,
                         &p->value, ret_why);
        if (rc < 0)
            return rc;
        if (uses(p->value, "parameters") || uses(p->value, "signature")) {
            *ret_why =
                xasprintf("line %d: %s.parameters: they are what is signed, so neither 'parameters' nor "
                          "'signature' can stand in them",
                          m->pairs[i].line, t->source.section);
            return -EINVAL;
        }
    }
    qsort(t->parameters, t->parameter_count, sizeof(*t->parameters), by_name);
    return 0;
}

static int compile_sign(struct request_template *t, char **ret_why)
{
    const struct conf_sign *s = t->source.sign;
    const char *const *lists[] = {t->source.names, request_names, request_sign_names, NULL};
    if (s == NULL || s->text == NULL || *s->text == '\0')
        return 0;
    int rc = compile(s->text, s->text_line, "sign", "text", lists, &t->sign_text, ret_why);
    if (rc < 0)
        return rc;
    bool of_url = uses(t->sign_text, "url") || uses(t->sign_text, "host") || uses(t->sign_text, "path") ||
                  uses(t->sign_text, "query");
    const char *wrong = uses(t->sign_text, "signature")                ? "signature"
                        : of_url && t->url_signed                      ? "url"
                        : uses(t->sign_text, "body") && t->body_signed ? "body"
                                                                       : NULL;
    if (wrong == NULL)
        return 0;
    *ret_why = xasprintf("line %d: sign.text: the %s holds the signature, so it cannot be signed",
                         s->text_line, wrong);
    return -EINVAL;
}

static int compile_all(struct request_template *t, char **ret_why)
{
    const struct conf_request *c = t->source.request;
    const char *section = t->source.section;
    const char *const *lists[] = {t->source.names, request_names, NULL};
    int rc = compile(c->url, c->url_line, section, "url", lists, &t->url, ret_why);
    if (rc == 0 && c->body != NULL && *c->body != '\0')
        rc = compile(c->body, c->body_line, section, "body", lists, &t->body, ret_why);
    for (size_t i = 0; i < c->headers.count && rc == 0; i++)
        rc = compile(c->headers.pairs[i].value, c->headers.pairs[i].line, section, "headers", lists,
                     &t->headers[i], ret_why);
    t->url_signed = uses(t->url, "signature");
    t->body_signed = uses(t->body, "signature");
    if (rc == 0)
        rc = compile_parameters(t, ret_why);
    if (rc == 0)
        rc = compile_sign(t, ret_why);
    return rc;
}

int request_compile(const struct request_source *s, struct request_template **ret, char **ret_why)
{
    struct request_template *t = xcalloc(1, sizeof(*t));
    *t = (struct request_template){.source = *s, .header_count = s->request->headers.count};
    t->headers = xcalloc(t->header_count + 1, sizeof(struct template *));
    int rc = compile_all(t, ret_why);
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
    template_free(t->sign_text);
    for (size_t i = 0; i < t->header_count; i++)
        template_free(t->headers[i]);
    for (size_t i = 0; i < t->parameter_count; i++) {
        free(t->parameters[i].name);
        template_free(t->parameters[i].value);
    }
    free(t->headers);
    free(t->parameters);
    free(t);
}

/* ---- building ---- */

void request_init(struct request *r, const struct request_template *t)
{
    *r = (struct request){.url = {.max = REQUEST_URL_MAX},
                          .body = {.max = REQUEST_BODY_MAX},
                          .parameters = {.max = REQUEST_BODY_MAX}};
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
    buf_deinit(&r->parameters);
    buf_deinit(&r->signature);
    for (size_t i = 0; i < r->header_count; i++)
        buf_deinit(&r->headers[i]);
    free(r->headers);
    free(r->header_lines);
    *r = (struct request){0};
}

struct building {
    const struct request_template *t;
    const struct request_values *v;
    struct request *r;
    char timestamp[24], nonce[33];
    bool signing; /* sign.text: the request's parts have values, too */
    struct http_url url;
};

static struct template_value str(const char *s)
{
    return (struct template_value){.type = TEMPLATE_STR, .str = s != NULL ? s : ""};
}

static struct template_value get_signed(const struct building *b, const char *name)
{
    const struct conf_sign *s = b->t->source.sign;
    const struct {
        const char *name, *value;
    } values[] = {{"method", b->r->method}, {"url", b->r->url.data}, {"host", b->url.host},
                  {"path", b->url.path},    {"query", b->url.query}, {"body", b->r->body.data},
                  {"key", s->key}};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (strcmp(values[i].name, name) == 0)
            return str(values[i].value);
    return (struct template_value){.type = TEMPLATE_MISSING};
}

static struct template_value get(const void *data, const char *name)
{
    const struct building *b = data;
    if (strcmp(name, "parameters") == 0)
        return str(b->r->parameters.data);
    if (strcmp(name, "signature") == 0)
        return str(b->r->signature.data);
    if (strcmp(name, "nonce") == 0)
        return str(b->v->nonce != NULL ? b->v->nonce : b->nonce);
    if (strcmp(name, "timestamp") == 0)
        return str(b->timestamp);
    if (b->signing && among(request_sign_names, name))
        return get_signed(b, name);
    return b->v->get(b->v->data, name);
}

static int render(const struct building *b, const struct template *t, struct buf *out, const char *what)
{
    struct template_error error = {0};
    struct template_scope scope = {.get = get, .data = b, .now_ms = b->v->now_ms};
    int rc = template_render(t, &scope, out, &error);
    if (rc == 0 && !out->overflowed)
        return 0;
    snprintf(b->r->error, sizeof(b->r->error), "line %d: %s.%s: %s", error.line,
             b->signing ? "sign" : b->t->source.section, what, rc < 0 ? error.message : "too long");
    return -EINVAL;
}

/* A line break in a header would begin another header: a text could then speak to the server. */
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

static int build_parameters(const struct building *b)
{
    auto_buf value = {.max = REQUEST_BODY_MAX};
    struct buf *out = &b->r->parameters;
    for (size_t i = 0; i < b->t->parameter_count; i++) {
        const struct parameter *p = &b->t->parameters[i];
        buf_clear(&value);
        int rc = render(b, p->value, &value, "parameters");
        if (rc < 0)
            return rc;
        if (i > 0)
            buf_add_char(out, '&');
        buf_add_str(out, p->name);
        buf_add_char(out, '=');
        buf_add_url_encoded(out, value.data, value.len);
    }
    if (!out->overflowed)
        return 0;
    snprintf(b->r->error, sizeof(b->r->error), "%s.parameters: too long", b->t->source.section);
    return -EINVAL;
}

static int build_url(const struct building *b)
{
    int rc = render(b, b->t->url, &b->r->url, "url");
    if (rc == 0 && !url_is_good(&b->r->url)) {
        snprintf(b->r->error, sizeof(b->r->error),
                 "%s.url: a blank or a control character in it; url_encode is missing", b->t->source.section);
        rc = -EINVAL;
    }
    return rc;
}

static int build_body(const struct building *b)
{
    return b->t->body != NULL ? render(b, b->t->body, &b->r->body, "body") : 0;
}

static int build_signature(struct building *b)
{
    const struct conf_sign *s = b->t->source.sign;
    auto_buf text = {.max = REQUEST_BODY_MAX * 4};
    if (b->t->sign_text == NULL)
        return 0;
    if (!b->t->url_signed && !http_url_parse(b->r->url.data, &b->url)) {
        snprintf(b->r->error, sizeof(b->r->error), "%s.url: makes no URL", b->t->source.section);
        return -EINVAL;
    }
    b->signing = true;
    int rc = render(b, b->t->sign_text, &text, "text");
    b->signing = false;
    if (rc < 0)
        return rc;
    const char *data = text.data != NULL ? text.data : "";
    enum digest_algorithm a = (enum digest_algorithm)(s->algorithm & ~CONF_SIGN_KEYED);
    if (s->algorithm & CONF_SIGN_KEYED)
        digest_add_hmac(&b->r->signature, a, s->form, s->key, strlen(s->key), data, text.len);
    else
        digest_add(&b->r->signature, a, s->form, data, text.len);
    OPENSSL_cleanse(text.data, text.len);
    return 0;
}

static int build_headers(const struct building *b)
{
    const struct conf_map *headers = &b->t->source.request->headers;
    struct request *r = b->r;
    for (size_t i = 0; i < b->t->header_count; i++) {
        buf_clear(&r->headers[i]);
        buf_addf(&r->headers[i], "%s: ", headers->pairs[i].key);
        int rc = render(b, b->t->headers[i], &r->headers[i], "headers");
        if (rc < 0)
            return rc;
        if (!one_line(&r->headers[i])) {
            snprintf(r->error, sizeof(r->error), "%s.headers.%.64s: a line break in it", b->t->source.section,
                     headers->pairs[i].key);
            return -EINVAL;
        }
        r->header_lines[i] = r->headers[i].data;
    }
    return 0;
}

static void make_nonce(char out[33])
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        abort(); /* a nonce that is none must not be signed */
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* What is signed comes before the signature, what holds it after. */
static int build(struct building *b)
{
    const struct request_template *t = b->t;
    int rc = build_parameters(b);
    if (rc == 0 && !t->body_signed)
        rc = build_body(b);
    if (rc == 0 && !t->url_signed)
        rc = build_url(b);
    if (rc == 0)
        rc = build_signature(b);
    if (rc == 0 && t->body_signed)
        rc = build_body(b);
    if (rc == 0 && t->url_signed)
        rc = build_url(b);
    return rc == 0 ? build_headers(b) : rc;
}

int request_build(const struct request_template *t, const struct request_values *v, struct request *r)
{
    struct building b = {.t = t, .v = v, .r = r};
    snprintf(b.timestamp, sizeof(b.timestamp), "%lld", (long long)(v->now_ms / 1000));
    if (v->nonce == NULL)
        make_nonce(b.nonce);
    r->method = t->source.request->method;
    r->has_body = t->body != NULL;
    r->error[0] = '\0';
    buf_clear(&r->url);
    buf_clear(&r->body);
    buf_clear(&r->parameters);
    buf_clear(&r->signature);
    int rc = build(&b);
    http_url_deinit(&b.url);
    return rc;
}

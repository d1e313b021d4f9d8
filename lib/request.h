/* An HTTP request made of templates: url, headers, body, parameters, and a signature over them. Pure but for
 * the nonce: compiled once, built many times, no I/O, no log. The templates know the caller's own names
 * (number, text …) and these: parameters   `parameters` of the configuration, percent-encoded (RFC 3986),
 * sorted by name, joined with & signature    what `sign` makes; nonce: 32 hex digits, never twice; timestamp:
 * seconds since 1970 "now" | date in UTC is the same moment and `sign.text` alone knows also method, url,
 * host, path, query, body and key. */
#pragma once
#include "lib/buf.h"
#include "lib/conf.h"
#include "lib/template.h"

#define REQUEST_URL_MAX    65536
#define REQUEST_BODY_MAX   (1u << 20)
#define REQUEST_HEADER_MAX 8192
#define REQUEST_ERROR_SIZE 256

extern const char *const request_names[];      /* parameters signature nonce timestamp; NULL */
extern const char *const request_sign_names[]; /* method url host path query body key; NULL */

struct request_template;
struct request_source {
    const struct conf_request *request;
    const struct conf_sign *sign; /* NULL: none */
    const char *section;          /* "request": for errors */
    const char *const *names;     /* the caller's own; NULL at the end */
};
/* < 0: *ret_why says what is wrong and where (caller frees). The configuration outlives it. */
int must_check request_compile(const struct request_source *s, struct request_template **ret, char **ret_why);
void request_template_free(struct request_template *t);
/* A template of the caller's own beside these, checked for its names. */
int must_check request_compile_template(const char *source, int line, const char *what,
                                        const char *const *names, struct template **ret, char **ret_why);

struct request_values {
    struct template_value (*get)(const void *data, const char *name); /* of the caller's own names */
    const void *data;
    int64_t now_ms;    /* wall */
    const char *nonce; /* NULL: a random one */
};

struct request {        /* reused from one to the next: its buffers keep their memory */
    const char *method; /* of the configuration */
    struct buf url, body, parameters, signature;
    bool has_body;
    struct buf *headers;       /* "Name: value", one for each header of the configuration */
    const char **header_lines; /* the same */
    size_t header_count;
    char error[REQUEST_ERROR_SIZE]; /* request_build < 0: why; names no value */
};
void request_init(struct request *r, const struct request_template *t);
void request_deinit(struct request *r);
/* -EINVAL: these values make no request (r->error). */
int must_check request_build(const struct request_template *t, const struct request_values *v,
                             struct request *r);

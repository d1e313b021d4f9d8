/* A gateway's HTTP request, made from the templates of its configuration. Pure: compiled once, built many
 * times, no I/O, no log. Names in the templates: number, numbers (a list), text, sender, seq_id, encoding,
 * segments. */
#pragma once
#include "lib/buf.h"
#include "lib/conf.h"

struct request_template;
/* < 0: *ret_why says what is wrong and where (caller frees). */
int must_check request_compile(const struct conf_gateway *g, struct request_template **ret, char **ret_why);
void request_template_free(struct request_template *t);

struct request_values {
    const int64_t *numbers;
    size_t number_count; /* > 0; `number` is the first */
    const char *text, *sender, *encoding;
    const char *seq_id; /* of the first message */
    int64_t segments;
};

#define REQUEST_URL_MAX    65536
#define REQUEST_BODY_MAX   (1u << 20)
#define REQUEST_HEADER_MAX 8192
#define REQUEST_ERROR_SIZE 256

struct request {        /* reused from one to the next: its buffers keep their memory */
    const char *method; /* of the configuration */
    struct buf url, body;
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

/* One request on demand, between asked_read.c, which makes it, and asked_enter.c, which enters it. It owns
 * all that it holds: the configuration that it was read by may be gone by then. */
#pragma once
#include "extract/asked.h"
#include "lib/record.h"

struct asked {
    char *caller;
    int64_t cap;
    uint8_t key[KEY_SIZE], body[KEY_SIZE];
    int64_t number;
    bool marketing, instant;
    int64_t due_ms; /* 0: at once */
    int64_t until_ms;
    char *ext_id; /* NULL: none */
    char *
        record; /* of the wire, what follows its member `run`; NULL: it had problems, and is only looked up */
    size_t record_len;
};

/* What stays the same while one request is read. */
struct asked_reading {
    const struct asked_conf *conf;
    const struct conf_caller *caller;
    struct json_object *request;
    int64_t now_ms;
    struct asked *asked;
    struct asked_problems *problems;
    /* members, NULL: not there, or of the wrong type, which is said */
    const char *recipient, *text, *template_name, *lane;
    struct json_object *params, *route;
    struct row_cell *cells;
    size_t cell_count;
    char *gateways[32];
    size_t gateway_count;
};

struct plan;
struct plan *asked_conf_plan(const struct asked_conf *c);

/* detail: as printf. type is a constant. */
void asked_problem(struct asked_problems *p, unsigned status, const char *type, const char *pointer,
                   const char *detail, ...) printf_like(5, 6);
/* "/params/a~1b" of "/params" and "a/b"; yours. */
char *asked_pointer(const char *parent, const char *member);
/* First 128 bits of SHA-256 over a JSON value: member order and white space do not count. */
void asked_body_digest(struct json_object *value, uint8_t out[KEY_SIZE]);
/* A JSON value as a column's text: strings, numbers, booleans; *ret NULL for null. False: it is no such
 * value, or no text. */
bool asked_cell(struct json_object *value, char **ret);

/* asked_check.c: recipient, times, route, template, text: whatever is wrong with them becomes a problem. */
void asked_check(struct asked_reading *r);

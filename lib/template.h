/* Templates in Liquid's syntax (shopify.github.io/liquid): compiled once, rendered many times. Pure: no I/O, no log.
 * Now: text, {{ name }}, {{ name | filter: arg, arg | … }}, {{- -}}, {% comment %}, {% raw %}; literals "…", '…', numbers,
 * true, false, nil. Filters: default, date, money, upcase, downcase, capitalize, strip, truncate, append, prepend,
 * replace, url_encode, json, xml_escape, base64_encode, md5, sha1, sha256, join, size. The parser makes a tree of nodes, so that tags with bodies find their place. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/zone.h"

struct template;
struct template_error {
    int line, column;  /* in the source text; line counts from first_line */
    char message[200]; /* "no filter 'upcse', did you mean 'upcase'?" */
};

/* first_line: the number of the source's first line in its file (front matter comes before it). < 0: error is filled. */
int must_check template_compile(const char *source, size_t len, int first_line, struct template **ret,
                                struct template_error *error);
void template_free(struct template *t);

struct template_value {
    enum { TEMPLATE_MISSING, TEMPLATE_NULL, TEMPLATE_STR, TEMPLATE_LIST } type;
    const char *str;          /* TEMPLATE_STR */
    const char *const *items; /* TEMPLATE_LIST */
    size_t count;
};
struct template_scope {
    /* The value of a name. TEMPLATE_MISSING makes the row an error unless `default` follows. */
    struct template_value (*get)(const void *data, const char *name);
    /* The name at i, NULL after the last: for "did you mean". May be NULL. */
    const char *(*name_at)(const void *data, size_t i);
    const void *data;
    const struct zone *zone; /* for `date`; NULL: UTC */
    int64_t now_ms;          /* "now" | date */
    const char *currency_decimal, *currency_group; /* for `money`; NULL: "." and "," */
};
/* Appends to out, at most to out->max. < 0: error is filled (unknown column, NULL without default, a filter's refusal,
 * too long; it names no value) and out is as it was. */
int must_check template_render(const struct template *t, const struct template_scope *scope, struct buf *out,
                               struct template_error *error);
/* Names it uses, each once, in order of first use; *ret belongs to t. `optional`: a `default`
 * follows wherever it stands. */
struct template_name {
    const char *name;
    int line;
    bool optional;
};
size_t template_names(const struct template *t, const struct template_name **ret);

/* What it is made of, in order: fixed text and outputs. False: there is no i-th. */
struct template_piece {
    bool is_output;
    const char *text; /* fixed text, as it is in every result; not NUL-terminated, belongs to t */
    size_t len;
    int line, column;
};
bool template_piece(const struct template *t, size_t i, struct template_piece *ret);

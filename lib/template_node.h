/* The inside of lib/template.*: what the parser builds and the renderer walks. Nobody else includes this.
 * A template is a list of nodes; a tag with a body will be a node that holds lists of its own. All of it
 * lives in the template's memory and points into its copy of the source, so that rendering copies no text but
 * the output's. */
#pragma once
#include "lib/template.h"

struct place { /* both from 1; columns count characters, not bytes */
    int line, column;
};

enum expr_kind { EXPR_NAME, EXPR_STR, EXPR_NUMBER, EXPR_TRUE, EXPR_FALSE, EXPR_NIL };
struct expr {
    enum expr_kind kind;
    struct place place;
    size_t name;      /* EXPR_NAME: its place in the template's names */
    const char *text; /* EXPR_STR, EXPR_NUMBER: not NUL-terminated */
    size_t len;
};

#define FILTER_ARGS_MAX  2
#define FILTER_NAMED_MAX 1
struct filter;
struct filter_call {
    struct filter_call *next;
    const struct filter *filter;
    struct place place;
    struct expr args[FILTER_ARGS_MAX];
    size_t arg_count;
    struct expr named[FILTER_NAMED_MAX]; /* at the index of filter->named */
    bool has_named[FILTER_NAMED_MAX];
};

enum node_kind { NODE_TEXT, NODE_OUTPUT };
struct node {
    struct node *next;
    enum node_kind kind;
    struct place place;
    union {
        struct {
            const char *bytes;
            size_t len;
        } text;
        struct {
            struct expr value;
            struct filter_call *filters;
        } output;
    };
};
struct node_list {
    struct node *first, *last;
};

struct template
{
    char *source;
    struct template_memory *memory; /* nodes and filter calls */
    struct node_list body;
    struct template_name *names;
    size_t name_count;
};
void *template_alloc(struct template *t, size_t bytes); /* zeroed; freed with t */

/* ---- values, while rendering ---- */
enum value_type { VALUE_NIL, VALUE_FALSE, VALUE_TRUE, VALUE_NUMBER, VALUE_STR, VALUE_LIST };
struct value {
    enum value_type type;
    const struct expr *nil_from; /* VALUE_NIL: what had no value, for the error if nothing stands in for it */
    bool missing;                /* VALUE_NIL: there is no such name, or it is NULL */
    const char *str;             /* VALUE_NUMBER, VALUE_STR */
    size_t len;
    const char *const *items; /* VALUE_LIST */
    size_t count;
};

struct scratch_block;
struct render {
    const struct template *t;
    const struct template_scope *scope;
    struct template_error *error;
    size_t max; /* bytes of any value on the way */
    struct scratch_block *blocks;
    size_t used;
    char local[1024]; /* enough for the filters of almost any row: no allocation */
};
/* Room for a value that a filter makes; lives until the output's end. NULL: over the maximum, error is
 * filled. */
char *render_room(struct render *r, const struct filter_call *call, size_t bytes);
int must_check render_refuse(struct render *r, struct place place, const char *format, ...) printf_like(3, 4);
int must_check value_text(struct render *r, const struct filter_call *call,
                          struct value *v); /* makes it a VALUE_STR */
static inline struct value value_str(const char *s, size_t len)
{
    return (struct value){.type = VALUE_STR, .str = s, .len = len};
}

/* ---- filters ---- */
struct filter {
    const char *name;
    size_t args_min, args_max;
    const char *named[FILTER_NAMED_MAX]; /* names of the named arguments, NULL: none */
    bool takes_nil; /* else a value that is nil passes by, up to the `default` behind it */
    /* Replaces *v. args that are not given are not looked at: call->arg_count says how many there are. */
    int (*apply)(struct render *r, const struct filter_call *call, struct value *v, struct value *args,
                 const struct value *named);
    /* Looks at an argument that stands in the template as a literal: NULL fine, else what is wrong. May be
     * NULL. */
    const char *(*check)(size_t index, const char *text, size_t len);
};
extern const struct filter template_filters[];
extern const size_t template_filter_count;
bool value_whole_number(const struct value *v, int64_t *ret); /* a whole number, also as text */

typedef int filter_apply(struct render *r, const struct filter_call *call, struct value *v,
                         struct value *args, const struct value *named);
filter_apply filter_date, filter_money, filter_url_encode, filter_json, filter_xml_escape,
    filter_base64_encode, filter_md5, filter_sha1, filter_sha256;
const char *filter_date_check(size_t index, const char *text, size_t len);
const char *filter_money_check(size_t index, const char *text, size_t len);

/* ---- lexer of what stands between the braces ---- */
enum token_kind {
    TOKEN_CLOSE, /* }} or %} with or without the dash */
    TOKEN_NAME,
    TOKEN_STR,
    TOKEN_NUMBER,
    TOKEN_PIPE,
    TOKEN_COLON,
    TOKEN_COMMA,
    TOKEN_OTHER,   /* a sign that no expression has yet: . [ ] ( ) = < > … */
    TOKEN_END,     /* the source ended within the braces */
    TOKEN_UNENDED, /* a literal without its closing quote */
};
struct token {
    enum token_kind kind;
    const char *at;   /* where it begins in the source */
    const char *text; /* TOKEN_STR: without the quotes */
    size_t len;
    bool trims; /* TOKEN_CLOSE: with a dash */
};
/* The token at *p, after white space; *p moves behind it. `close`: '}' or '%'. */
struct token template_lex(const char **p, const char *end, char close);
bool template_is_space(char c);

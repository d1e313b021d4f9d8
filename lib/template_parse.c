/* The parser: source text to a list of nodes. Recursive descent; one function a construct. All faults are
 * found here, with line and column, so that a template that compiles can only fail over a row's own values.
 */
#include "lib/suggest.h"
#include "lib/template_node.h"
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>

struct parser {
    struct template *t;
    const char *p, *end;
    int first_line;
    const char *open;    /* the braces that are being read */
    bool trim_next;      /* the last closing braces had a dash: white space after them goes */
    const char *counted; /* lines and columns are counted up to here */
    struct place counted_place;
    struct template_error *error;
};

#define SHOWN(token) (int)MIN_OF((token)->len, (size_t)40), (token)->text

/* Positions are asked for in rising order nearly always, so that counting goes over the source once. */
static struct place place_of(struct parser *ps, const char *at)
{
    if (at < ps->counted) {
        ps->counted = ps->t->source;
        ps->counted_place = (struct place){.line = ps->first_line, .column = 1};
    }
    for (; ps->counted < at; ps->counted++) {
        if (*ps->counted == '\n') {
            ps->counted_place.line++;
            ps->counted_place.column = 1;
        } else if (((unsigned char)ps->counted[1] & 0xc0) != 0x80) {
            ps->counted_place.column++; /* at the last byte of a character */
        }
    }
    return ps->counted_place;
}

static int fail(struct parser *ps, const char *at, const char *format, ...) printf_like(3, 4);
static int fail(struct parser *ps, const char *at, const char *format, ...)
{
    struct place place = place_of(ps, at);
    va_list ap;

    ps->error->line = place.line;
    ps->error->column = place.column;
    va_start(ap, format);
    vsnprintf(ps->error->message, sizeof(ps->error->message), format, ap);
    va_end(ap);
    return -EINVAL;
}

static bool token_is(const struct token *t, const char *word)
{
    return t->kind == TOKEN_NAME && t->len == strlen(word) && memcmp(t->text, word, t->len) == 0;
}

static int fail_token(struct parser *ps, const struct token *t, const char *expected, char close)
{
    if (t->kind == TOKEN_END)
        return fail(ps, ps->open, "'{%c' has no '%c}'", close == '}' ? '{' : close, close);
    if (t->kind == TOKEN_UNENDED)
        return fail(ps, t->at, "this literal has no closing %c", *t->text);
    if (t->kind == TOKEN_OTHER && (*t->text == '.' || *t->text == '['))
        return fail(ps, t->at, "%s was expected, not '%c': a column has no parts", expected, *t->text);
    if (t->kind == TOKEN_OTHER && *t->text == '(')
        return fail(ps, t->at, "%s was expected, not '(': there are no ranges", expected);
    return fail(ps, t->at, "%s was expected, not '%.*s'", expected, SHOWN(t));
}

/* ---- nodes ---- */

static struct node *add_node(struct parser *ps, struct node_list *list, enum node_kind kind, const char *at)
{
    struct node *n = template_alloc(ps->t, sizeof(*n));

    n->kind = kind;
    n->place = place_of(ps, at);
    if (list->last)
        list->last->next = n;
    else
        list->first = n;
    list->last = n;
    return n;
}

static void add_text(struct parser *ps, struct node_list *list, const char *from, const char *to,
                     bool trim_end)
{
    if (ps->trim_next) {
        while (from < to && template_is_space(*from))
            from++;
    }
    if (trim_end) {
        while (to > from && template_is_space(to[-1]))
            to--;
    }
    if (from == to)
        return;
    struct node *n = add_node(ps, list, NODE_TEXT, from);
    n->text.bytes = from;
    n->text.len = (size_t)(to - from);
}

/* ---- expressions ---- */

static size_t name_index(struct parser *ps, const struct token *token)
{
    struct template *t = ps->t;

    for (size_t i = 0; i < t->name_count; i++)
        if (strlen(t->names[i].name) == token->len && memcmp(t->names[i].name, token->text, token->len) == 0)
            return i;
    t->names = xrealloc(t->names, (t->name_count + 1) * sizeof(*t->names));
    char *name = template_alloc(t, token->len + 1);
    memcpy(name, token->text, token->len);
    t->names[t->name_count] =
        (struct template_name){.name = name, .line = place_of(ps, token->at).line, .optional = true};
    return t->name_count++;
}

static int parse_value(struct parser *ps, const struct token *token, const char *expected, char close,
                       struct expr *ret)
{
    *ret = (struct expr){.place = place_of(ps, token->at), .text = token->text, .len = token->len};
    if (token->kind == TOKEN_STR) {
        ret->kind = EXPR_STR;
    } else if (token->kind == TOKEN_NUMBER) {
        ret->kind = EXPR_NUMBER;
    } else if (token->kind != TOKEN_NAME) {
        return fail_token(ps, token, expected, close);
    } else if (token_is(token, "true") || token_is(token, "false")) {
        ret->kind = token_is(token, "true") ? EXPR_TRUE : EXPR_FALSE;
    } else if (token_is(token, "nil") || token_is(token, "null")) {
        ret->kind = EXPR_NIL;
    } else if (token_is(token, "empty") || token_is(token, "blank")) {
        ret->kind = EXPR_STR;
        ret->len = 0;
    } else {
        ret->kind = EXPR_NAME;
        ret->name = name_index(ps, token);
    }
    return 0;
}

static int fail_no_filter(struct parser *ps, const struct token *token)
{
    struct suggest s = {.word = token->text, .len = token->len};

    for (size_t i = 0; i < template_filter_count; i++)
        suggest_offer(&s, template_filters[i].name);
    if (s.best)
        return fail(ps, token->at, "no filter '%.*s', did you mean '%s'?", SHOWN(token), s.best);
    return fail(ps, token->at, "no filter '%.*s'", SHOWN(token));
}

/* `name: value`, the name being read already; its value comes next. */
static int parse_named(struct parser *ps, struct filter_call *call, const struct token *name, char close)
{
    struct suggest s = {.word = name->text, .len = name->len};
    struct token token;

    for (size_t i = 0; i < FILTER_NAMED_MAX && call->filter->named[i]; i++) {
        suggest_offer(&s, call->filter->named[i]);
        if (!token_is(name, call->filter->named[i]))
            continue;
        if (call->has_named[i])
            return fail(ps, name->at, "'%.*s' is given twice", SHOWN(name));
        call->has_named[i] = true;
        token = template_lex(&ps->p, ps->end, close);
        return parse_value(ps, &token, "a value", close, &call->named[i]);
    }
    if (s.best)
        return fail(ps, name->at, "'%s' has no argument '%.*s', did you mean '%s'?", call->filter->name,
                    SHOWN(name), s.best);
    return fail(ps, name->at, "'%s' has no argument '%.*s'", call->filter->name, SHOWN(name));
}

static int parse_positional(struct parser *ps, struct filter_call *call, const struct token *token,
                            char close)
{
    struct expr value;
    int r = parse_value(ps, token, "an argument", close, &value);

    if (r < 0)
        return r;
    if (call->arg_count >= call->filter->args_max)
        return fail(ps, token->at, "'%s' takes at most %zu argument%s", call->filter->name,
                    call->filter->args_max, call->filter->args_max == 1 ? "" : "s");
    const char *wrong = NULL;
    if (call->filter->check && (value.kind == EXPR_STR || value.kind == EXPR_NUMBER))
        wrong = call->filter->check(call->arg_count, value.text, value.len);
    if (wrong)
        return fail(ps, token->at, "'%s': %s", call->filter->name, wrong);
    call->args[call->arg_count++] = value;
    return 0;
}

/* What follows the colon behind a filter's name. *next becomes the token after the arguments. */
static int parse_arguments(struct parser *ps, struct filter_call *call, char close, struct token *next)
{
    do {
        struct token token = template_lex(&ps->p, ps->end, close);
        const char *behind = ps->p;
        int r;

        *next = template_lex(&ps->p, ps->end, close);
        if (token.kind == TOKEN_NAME && next->kind == TOKEN_COLON) {
            r = parse_named(ps, call, &token, close);
        } else {
            ps->p = behind;
            r = parse_positional(ps, call, &token, close);
        }
        if (r < 0)
            return r;
        *next = template_lex(&ps->p, ps->end, close);
    } while (next->kind == TOKEN_COMMA);
    return 0;
}

static int parse_filter(struct parser *ps, char close, struct filter_call **ret, struct token *next)
{
    struct token name = template_lex(&ps->p, ps->end, close);
    const struct filter *filter = NULL;

    if (name.kind != TOKEN_NAME)
        return fail_token(ps, &name, "a filter's name", close);
    for (size_t i = 0; i < template_filter_count && !filter; i++)
        if (token_is(&name, template_filters[i].name))
            filter = &template_filters[i];
    if (!filter)
        return fail_no_filter(ps, &name);

    struct filter_call *call = template_alloc(ps->t, sizeof(*call));
    call->filter = filter;
    call->place = place_of(ps, name.at);
    *next = template_lex(&ps->p, ps->end, close);
    if (next->kind == TOKEN_COLON) {
        int r = parse_arguments(ps, call, close, next);
        if (r < 0)
            return r;
    }
    if (call->arg_count < filter->args_min)
        return fail(ps, name.at, "'%s' needs %zu argument%s", filter->name, filter->args_min,
                    filter->args_min == 1 ? "" : "s");
    *ret = call;
    return 0;
}

static void name_needed(struct parser *ps, const struct expr *e, bool optional)
{
    if (e->kind == EXPR_NAME && !optional)
        ps->t->names[e->name].optional = false;
}

/* A name may be missing only where a `default` follows; returns whether one does from this call on. */
static bool mark_names(struct parser *ps, const struct filter_call *call)
{
    if (!call)
        return false;
    bool follows = mark_names(ps, call->next);
    bool stands_in = call->filter->takes_nil;
    for (size_t i = 0; i < call->arg_count; i++)
        name_needed(ps, &call->args[i], stands_in && follows);
    for (size_t i = 0; i < FILTER_NAMED_MAX; i++)
        if (call->has_named[i])
            name_needed(ps, &call->named[i], false);
    return follows || stands_in;
}

#define FILTERS_MAX 32 /* in one output: bounds the recursion above */

static int parse_output(struct parser *ps, struct node_list *list, const char *at)
{
    struct node *n = add_node(ps, list, NODE_OUTPUT, at);
    struct filter_call **link = &n->output.filters;
    struct token token = template_lex(&ps->p, ps->end, '}');
    size_t filters = 0;
    int r = parse_value(ps, &token, "a column's name or a value", '}', &n->output.value);

    if (r < 0)
        return r;
    token = template_lex(&ps->p, ps->end, '}');
    while (token.kind == TOKEN_PIPE) {
        if (++filters > FILTERS_MAX)
            return fail(ps, token.at, "more than %d filters in one output", FILTERS_MAX);
        r = parse_filter(ps, '}', link, &token);
        if (r < 0)
            return r;
        link = &(*link)->next;
    }
    if (token.kind != TOKEN_CLOSE)
        return fail_token(ps, &token, "'|' or '}}'", '}');
    ps->trim_next = token.trims;
    name_needed(ps, &n->output.value, mark_names(ps, n->output.filters));
    return 0;
}

/* ---- tags ---- */

static int expect_close(struct parser *ps)
{
    struct token token = template_lex(&ps->p, ps->end, '%');

    if (token.kind != TOKEN_CLOSE)
        return fail_token(ps, &token, "'%}'", '%');
    ps->trim_next = token.trims;
    return 0;
}

/* Moves p behind the next "{%" and reads the tag's name. *ret_open: where its braces begin. */
static bool next_tag(struct parser *ps, const char **ret_open, struct token *ret_name)
{
    const char *open = memmem(ps->p, (size_t)(ps->end - ps->p), "{%", 2);

    if (!open)
        return false;
    *ret_open = ps->open = open;
    ps->p = open + 2;
    if (ps->p < ps->end && *ps->p == '-')
        ps->p++;
    *ret_name = template_lex(&ps->p, ps->end, '%');
    return true;
}

static int parse_raw(struct parser *ps, struct node_list *list, const char *at)
{
    const char *from, *open;
    struct token name;
    int r = expect_close(ps);

    if (r < 0)
        return r;
    from = ps->p;
    while (next_tag(ps, &open, &name)) {
        if (!token_is(&name, "endraw")) {
            ps->p = open + 2;
            continue;
        }
        if (list)
            add_text(ps, list, from, open, open[2] == '-');
        return expect_close(ps);
    }
    return fail(ps, at, "'raw' has no '{%% endraw %%}'");
}

static int parse_comment(struct parser *ps, struct node_list *list, const char *at)
{
    const char *open;
    struct token name;
    unsigned depth = 1;
    int r = expect_close(ps);

    while (r == 0 && next_tag(ps, &open, &name)) {
        if (token_is(&name, "raw")) {
            r = parse_raw(ps, NULL, open);
        } else if (token_is(&name, "comment") || token_is(&name, "endcomment")) {
            depth = token_is(&name, "comment") ? depth + 1 : depth - 1;
            r = expect_close(ps);
            if (depth == 0)
                return r;
        } else if (name.kind != TOKEN_NAME && !(name.kind == TOKEN_OTHER && *name.text == '#')) {
            r = fail_token(ps, &name, "a tag's name", '%');
        }
    }
    return r < 0 ? r : fail(ps, at, "'comment' has no '{%% endcomment %%}'");
}

/* {% # words %} */
static int parse_remark(struct parser *ps, const char *at)
{
    const char *close = memmem(ps->p, (size_t)(ps->end - ps->p), "%}", 2);

    if (!close)
        return fail(ps, at, "'{%%' has no '%%}'");
    ps->trim_next = close[-1] == '-';
    ps->p = close + 2;
    return 0;
}

static const struct tag {
    const char *name;
    int (*parse)(struct parser *ps, struct node_list *list, const char *at);
} tags[] = {{"comment", parse_comment}, {"raw", parse_raw}};

static int parse_tag(struct parser *ps, struct node_list *list, const char *at)
{
    struct token name = template_lex(&ps->p, ps->end, '%');
    struct suggest s = {.word = name.text, .len = name.len};

    if (name.kind == TOKEN_OTHER && *name.text == '#')
        return parse_remark(ps, at);
    if (name.kind != TOKEN_NAME)
        return fail_token(ps, &name, "a tag's name", '%');
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        if (token_is(&name, tags[i].name))
            return tags[i].parse(ps, list, at);
        suggest_offer(&s, tags[i].name);
    }
    if (s.best)
        return fail(ps, name.at, "no tag '%.*s', did you mean '%s'?", SHOWN(&name), s.best);
    return fail(ps, name.at, "no tag '%.*s'", SHOWN(&name));
}

/* ---- the whole ---- */

static const char *find_open(const char *p, const char *end)
{
    while ((p = memchr(p, '{', (size_t)(end - p)))) {
        if (end - p >= 2 && (p[1] == '{' || p[1] == '%'))
            return p;
        p++;
    }
    return NULL;
}

static int parse_list(struct parser *ps, struct node_list *list)
{
    while (ps->p < ps->end) {
        const char *open = find_open(ps->p, ps->end);
        bool trims = open && ps->end - open >= 3 && open[2] == '-';

        add_text(ps, list, ps->p, open ? open : ps->end, trims);
        ps->trim_next = false;
        if (!open)
            return 0;
        ps->p = open + (trims ? 3 : 2);
        ps->open = open;
        int r = open[1] == '{' ? parse_output(ps, list, open) : parse_tag(ps, list, open);
        if (r < 0)
            return r;
    }
    return 0;
}

int template_compile(const char *source, size_t len, int first_line, struct template **ret,
                     struct template_error *error)
{
    struct template *t = xcalloc(1, sizeof(*t));
    const gchar *bad;

    t->source = xmalloc(len + 1);
    if (len > 0)
        memcpy(t->source, source, len);
    t->source[len] = '\0';
    *error = (struct template_error){0};
    struct parser ps = {.t = t,
                        .p = t->source,
                        .end = t->source + len,
                        .first_line = first_line,
                        .error = error,
                        .counted = t->source,
                        .counted_place = {.line = first_line, .column = 1}};
    int r = 0;
    if (!g_utf8_validate(t->source, (gssize)len, &bad))
        r = fail(&ps, bad, *bad ? "this is not UTF-8" : "a NUL byte stands here");
    else
        r = parse_list(&ps, &t->body);
    if (r < 0) {
        template_free(t);
        return r;
    }
    *ret = t;
    return 0;
}

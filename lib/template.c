/* Rendering: walks the nodes, asks the scope for values, runs the filters, adds to the output. Nothing is
 * allocated a row but the output's own growth; filters use a small room on the stack and memory of their own
 * beyond it. */
#include "lib/suggest.h"
#include "lib/template_node.h"
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>

struct template_memory {
    struct template_memory *next;
    max_align_t bytes[];
};

void *template_alloc(struct template *t, size_t bytes)
{
    struct template_memory *m = xcalloc(1, sizeof(*m) + bytes);

    m->next = t->memory;
    t->memory = m;
    return m->bytes;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    for (struct template_memory *m = t->memory, *next; m; m = next) {
        next = m->next;
        free(m);
    }
    free(t->names);
    free(t->source);
    free(t);
}

size_t template_names(const struct template *t, const struct template_name **ret)
{
    *ret = t->names;
    return t->name_count;
}

bool template_piece(const struct template *t, size_t i, struct template_piece *ret)
{
    const struct node *n = t->body.first;

    while (n && i-- > 0)
        n = n->next;
    if (!n)
        return false;
    *ret = (struct template_piece){
        .is_output = n->kind == NODE_OUTPUT, .line = n->place.line, .column = n->place.column};
    if (n->kind == NODE_TEXT) {
        ret->text = n->text.bytes;
        ret->len = n->text.len;
    }
    return true;
}

/* ---- room for values on the way ---- */

struct scratch_block {
    struct scratch_block *next;
    char bytes[];
};

char *render_room(struct render *r, const struct filter_call *call, size_t bytes)
{
    if (bytes > r->max) {
        (void)!render_refuse(r, call->place, "'%s' makes more than %zu bytes", call->filter->name, r->max);
        return NULL;
    }
    if (bytes <= sizeof(r->local) - r->used) {
        r->used += bytes;
        return r->local + r->used - bytes;
    }
    struct scratch_block *block = xmalloc(sizeof(*block) + bytes);
    block->next = r->blocks;
    r->blocks = block;
    return block->bytes;
}

static void room_empty(struct render *r)
{
    for (struct scratch_block *b = r->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    r->blocks = NULL;
    r->used = 0;
}

/* ---- errors: they name columns and places, never a value ---- */

int render_refuse(struct render *r, struct place place, const char *format, ...)
{
    va_list ap;

    r->error->line = place.line;
    r->error->column = place.column;
    va_start(ap, format);
    vsnprintf(r->error->message, sizeof(r->error->message), format, ap);
    va_end(ap);
    return -EINVAL;
}

static int refuse_nil(struct render *r, const struct value *v)
{
    const struct expr *from = v->nil_from;

    if (from->kind != EXPR_NAME)
        return render_refuse(r, from->place, "nil has no text");
    const char *name = r->t->names[from->name].name;
    if (!v->missing)
        return render_refuse(r, from->place, "column '%.80s' is NULL and has no default", name);
    struct suggest s = {.word = name, .len = strlen(name)};
    for (size_t i = 0; r->scope->name_at; i++) {
        const char *known = r->scope->name_at(r->scope->data, i);
        if (!known)
            break;
        suggest_offer(&s, known);
    }
    if (s.best)
        return render_refuse(r, from->place, "no column '%.60s', did you mean '%.60s'?", name, s.best);
    return render_refuse(r, from->place, "no column '%.80s'", name);
}

/* ---- values ---- */

static int check_utf8(struct render *r, const struct expr *e, const char *s, size_t len)
{
    if (g_utf8_validate(s, (gssize)len, NULL))
        return 0;
    return render_refuse(r, e->place, "column '%.80s' is not UTF-8", r->t->names[e->name].name);
}

static int eval_name(struct render *r, const struct expr *e, struct value *ret)
{
    struct template_value got = r->scope->get(r->scope->data, r->t->names[e->name].name);
    int code = 0;

    switch (got.type) {
    case TEMPLATE_MISSING:
    case TEMPLATE_NULL:
        *ret = (struct value){.type = VALUE_NIL, .nil_from = e, .missing = got.type == TEMPLATE_MISSING};
        return 0;
    case TEMPLATE_STR:
        *ret = value_str(got.str, strlen(got.str));
        return check_utf8(r, e, ret->str, ret->len);
    case TEMPLATE_LIST:
        *ret = (struct value){.type = VALUE_LIST, .items = got.items, .count = got.count};
        for (size_t i = 0; i < got.count && code == 0; i++)
            code = check_utf8(r, e, got.items[i], strlen(got.items[i]));
        return code;
    }
    return -EINVAL;
}

static int eval(struct render *r, const struct expr *e, struct value *ret)
{
    switch (e->kind) {
    case EXPR_NAME:
        return eval_name(r, e, ret);
    case EXPR_STR:
        *ret = value_str(e->text, e->len);
        return 0;
    case EXPR_NUMBER:
        *ret = (struct value){.type = VALUE_NUMBER, .str = e->text, .len = e->len};
        return 0;
    case EXPR_TRUE:
    case EXPR_FALSE:
        *ret = (struct value){.type = e->kind == EXPR_TRUE ? VALUE_TRUE : VALUE_FALSE};
        return 0;
    case EXPR_NIL:
        *ret = (struct value){.type = VALUE_NIL, .nil_from = e};
        return 0;
    }
    return -EINVAL;
}

int value_text(struct render *r, const struct filter_call *call, struct value *v)
{
    size_t len = 0;

    switch (v->type) {
    case VALUE_NIL: /* filters that do not take it are not called with it */
    case VALUE_FALSE:
        *v = value_str("false", 5);
        return 0;
    case VALUE_TRUE:
        *v = value_str("true", 4);
        return 0;
    case VALUE_NUMBER:
    case VALUE_STR:
        *v = value_str(v->str, v->len);
        return 0;
    case VALUE_LIST:
        break;
    }
    for (size_t i = 0; i < v->count; i++)
        len += strlen(v->items[i]);
    char *room = render_room(r, call, len);
    if (!room)
        return -EINVAL;
    struct value joined = value_str(room, len);
    for (size_t i = 0; i < v->count; i++)
        room = mempcpy(room, v->items[i], strlen(v->items[i]));
    *v = joined;
    return 0;
}

/* ---- filters and outputs ---- */

static int run_filter(struct render *r, const struct filter_call *call, struct value *v)
{
    struct value args[FILTER_ARGS_MAX] = {0}, named[FILTER_NAMED_MAX] = {0};
    int code;

    if (v->type == VALUE_NIL && !call->filter->takes_nil)
        return 0;
    for (size_t i = 0; i < call->arg_count; i++) {
        code = eval(r, &call->args[i], &args[i]);
        if (code == 0 && args[i].type == VALUE_NIL && !call->filter->takes_nil)
            code = refuse_nil(r, &args[i]);
        if (code < 0)
            return code;
    }
    for (size_t i = 0; i < FILTER_NAMED_MAX; i++) {
        if (!call->has_named[i])
            continue;
        code = eval(r, &call->named[i], &named[i]);
        if (code == 0 && named[i].type == VALUE_NIL)
            code = refuse_nil(r, &named[i]);
        if (code < 0)
            return code;
    }
    return call->filter->apply(r, call, v, args, named);
}

static void add_value(struct buf *out, const struct value *v)
{
    if (v->type == VALUE_TRUE || v->type == VALUE_FALSE)
        buf_add_str(out, v->type == VALUE_TRUE ? "true" : "false");
    else if (v->type != VALUE_LIST)
        buf_add(out, v->str, v->len);
    else
        for (size_t i = 0; i < v->count; i++)
            buf_add_str(out, v->items[i]);
}

static int render_output(struct render *r, const struct node *n, struct buf *out)
{
    struct value v;
    int code = eval(r, &n->output.value, &v);

    for (const struct filter_call *c = n->output.filters; c && code == 0; c = c->next)
        code = run_filter(r, c, &v);
    if (code == 0 && v.type == VALUE_NIL)
        code = refuse_nil(r, &v);
    if (code == 0)
        add_value(out, &v);
    room_empty(r);
    return code;
}

static int render_list(struct render *r, const struct node_list *list, struct buf *out)
{
    int code = 0;

    for (const struct node *n = list->first; n && code == 0; n = n->next) {
        switch (n->kind) {
        case NODE_TEXT:
            buf_add(out, n->text.bytes, n->text.len);
            break;
        case NODE_OUTPUT:
            code = render_output(r, n, out);
            break;
        }
        if (code == 0 && out->overflowed)
            code = render_refuse(r, n->place, "the result is longer than %zu bytes", r->max);
    }
    return code;
}

int template_render(const struct template *t, const struct template_scope *scope, struct buf *out,
                    struct template_error *error)
{
    struct render r; /* not initialised whole: its room is a kilobyte that most rows do not touch */
    size_t before = out->len;

    r.t = t;
    r.scope = scope;
    r.error = error;
    r.max = out->max ? out->max : BUF_MAX_DEFAULT;
    r.blocks = NULL;
    r.used = 0;
    int code = render_list(&r, &t->body, out);
    if (code < 0 && out->data) {
        out->len = before; /* no half texts */
        out->data[before] = '\0';
        out->overflowed = false;
    }
    return code;
}

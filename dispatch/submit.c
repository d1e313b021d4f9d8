/* The values of a submit request's templates. */
#include "dispatch/submit.h"

#include <stdio.h>

static const char *const names[] = {"number",   "numbers",  "text",       "sender",   "seq_id",
                                    "encoding", "segments", "request_id", "messages", NULL};
static const char *const message_names[] = {"number",   "text",     "sender",     "seq_id",
                                            "encoding", "segments", "request_id", NULL};

struct submit_template {
    const struct conf_gateway *gateway;
    struct request_template *request;
    struct template *message; /* NULL: none */
};

int submit_compile(const struct conf_gateway *g, struct submit_template **ret, char **ret_why)
{
    const struct conf_request *c = &g->request;
    struct request_source s = {.request = c, .sign = &g->sign, .section = "request", .names = names};
    struct submit_template *t = xcalloc(1, sizeof(*t));
    t->gateway = g;
    int rc = request_compile(&s, &t->request, ret_why);
    if (rc == 0 && c->message != NULL && *c->message != '\0')
        rc = request_compile_template(c->message, c->message_line, "message", message_names, &t->message,
                                      ret_why);
    if (rc < 0) {
        submit_template_free(t);
        return rc;
    }
    *ret = t;
    return 0;
}

void submit_template_free(struct submit_template *t)
{
    if (t == NULL)
        return;
    request_template_free(t->request);
    template_free(t->message);
    free(t);
}

void submit_init(struct request *r, const struct submit_template *t)
{
    request_init(r, t->request);
}

/* The values as the templates ask for them: lists are made when they are first asked for. */
struct scope {
    const struct submit_values *v;
    const struct submit_message *m; /* the one that is spoken of */
    char number[24], segments[24];
    char (*words)[24]; /* the numbers */
    const char **items;
    struct buf messages;
};

static void speak_of(struct scope *s, const struct submit_message *m)
{
    s->m = m;
    snprintf(s->number, sizeof(s->number), "%lld", (long long)m->number);
    snprintf(s->segments, sizeof(s->segments), "%lld", (long long)m->segments);
}

static const char *const *number_words(struct scope *s)
{
    if (s->items == NULL) {
        s->words = xmalloc(s->v->count * sizeof(*s->words));
        s->items = xmalloc(s->v->count * sizeof(*s->items));
        for (size_t i = 0; i < s->v->count; i++) {
            snprintf(s->words[i], sizeof(s->words[i]), "%lld", (long long)s->v->messages[i].number);
            s->items[i] = s->words[i];
        }
    }
    return s->items;
}

static struct template_value get(const void *data, const char *name)
{
    struct scope *s = *(struct scope *const *)data;
    const struct {
        const char *name, *value;
    } values[] = {{"number", s->number},          {"text", s->m->text},
                  {"sender", s->m->sender},       {"seq_id", s->m->seq_id},
                  {"encoding", s->m->encoding},   {"segments", s->segments},
                  {"messages", s->messages.data}, {"request_id", s->v->messages[0].seq_id}};
    if (strcmp(name, "numbers") == 0)
        return (struct template_value){.type = TEMPLATE_LIST, .items = number_words(s), .count = s->v->count};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (strcmp(values[i].name, name) == 0)
            return (struct template_value){.type = TEMPLATE_STR,
                                           .str = values[i].value != NULL ? values[i].value : ""};
    return (struct template_value){.type = TEMPLATE_MISSING};
}

static int build_messages(const struct submit_template *t, struct scope *s, struct request *r)
{
    struct template_error error = {0};
    struct template_scope scope = {.get = get, .data = &s, .now_ms = s->v->now_ms};
    int rc = 0;
    for (size_t i = 0; i < s->v->count && rc == 0; i++) {
        if (i > 0)
            buf_add_str(&s->messages, t->gateway->request.message_separator);
        speak_of(s, &s->v->messages[i]);
        rc = template_render(t->message, &scope, &s->messages, &error);
    }
    speak_of(s, &s->v->messages[0]);
    if (rc == 0 && !s->messages.overflowed)
        return 0;
    snprintf(r->error, sizeof(r->error), "line %d: request.message: %s", error.line,
             rc < 0 ? error.message : "too long");
    return -EINVAL;
}

int submit_build(const struct submit_template *t, const struct submit_values *v, struct request *r)
{
    struct scope s = {.v = v, .messages = {.max = REQUEST_BODY_MAX}};
    const struct scope *data = &s;
    struct request_values values = {.get = get, .data = &data, .now_ms = v->now_ms, .nonce = v->nonce};
    speak_of(&s, &v->messages[0]);
    int rc = t->message != NULL ? build_messages(t, &s, r) : 0;
    if (rc == 0)
        rc = request_build(t->request, &values, r);
    free(s.words);
    free(s.items);
    buf_deinit(&s.messages);
    return rc;
}

/* What a section that takes posts needs at hand. */
#include "callback/posts.h"
#include "lib/template.h"

#include <stdio.h>

#define ANSWER_MAX_BYTES 65536

struct network *networks_of(const struct str_list *words, size_t *ret_count)
{
    struct network *n = xcalloc(words->count + 1, sizeof(*n));
    *ret_count = 0;
    for (size_t i = 0; i < words->count; i++)
        *ret_count += network_parse(words->items[i], &n[*ret_count]);
    return n;
}

static struct template *compile(const char *text, const char *key, const struct conf_gateway *g,
                                char **ret_why)
{
    struct template_error error = {0};
    struct template *t = NULL;
    if (template_compile(text ? text : "", text ? strlen(text) : 0, 1, &t, &error) < 0 && !*ret_why)
        *ret_why = xasprintf("%s: %s: %s", g->file, key, error.message);
    return t;
}

struct posts *posts_new(const struct conf_gateway *g, const struct conf_posts *c, const char *section,
                        char **ret_why)
{
    struct posts *p = xcalloc(1, sizeof(*p));
    *ret_why = NULL;
    *p = (struct posts){
        .gateway = g, .conf = c, .auth = auth_configured(&c->auth) ? &c->auth : &g->report.posts.auth};
    p->format = format_new(g, &c->format, section, ret_why);
    p->networks = networks_of(&p->auth->addresses, &p->network_count);
    p->reply = compile(c->reply, "reply", g, ret_why);
    p->reply_error = compile(c->reply_error, "reply_error", g, ret_why);
    if (!*ret_why)
        return p;
    posts_free(p);
    return NULL;
}

void posts_free(struct posts *p)
{
    if (!p)
        return;
    format_free(p->format);
    free(p->networks);
    template_free(p->reply);
    template_free(p->reply_error);
    free(p);
}

bool posts_open(const struct posts *p)
{
    return auth_configured(p->auth);
}

/* ---- answers ---- */

struct said {
    const char *gateway, *error;
    char count[24], status[24];
};

static struct template_value value_of(const void *data, const char *name)
{
    const struct said *s = data;
    const struct {
        const char *name, *value;
    } known[] = {{"gateway", s->gateway}, {"error", s->error}, {"count", s->count}, {"status", s->status}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(known[i].name, name) == 0)
            return (struct template_value){.type = TEMPLATE_STR, .str = known[i].value};
    }
    return (struct template_value){.type = TEMPLATE_MISSING};
}

static char *render(const struct template *t, const struct said *s)
{
    const struct template_scope scope = {.get = value_of, .data = s};
    struct template_error error;
    auto_buf out = {.max = ANSWER_MAX_BYTES};
    if (template_render(t, &scope, &out, &error) < 0)
        buf_clear(&out); /* the gateway's file names what is not there: the status still tells */
    return buf_take(&out, NULL);
}

char *posts_reply(const struct posts *p, size_t count)
{
    struct said s = {.gateway = p->gateway->name, .error = "", .status = ""};
    snprintf(s.count, sizeof(s.count), "%zu", count);
    return render(p->reply, &s);
}

char *posts_refusal(const struct posts *p, unsigned status, const char *error)
{
    struct said s = {.gateway = p->gateway->name, .error = error, .count = "0"};
    snprintf(s.status, sizeof(s.status), "%u", status);
    return render(p->reply_error, &s);
}

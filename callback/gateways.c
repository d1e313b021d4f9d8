/* The gateways of one loaded configuration, which lives as long as somebody uses them. */
#include "callback/gateways.h"

#include <pthread.h>
#include <stdatomic.h>

struct gateways {
    atomic_int refs;
    struct conf *conf;
    struct gateway *items;
    size_t count;
    struct network *trusted; /* callback.trusted_proxies */
    size_t trusted_count;
};
struct gateways_now {
    pthread_mutex_t lock;
    struct gateways *now;
};

static bool form_of(const char *word, enum msg_id_form otherwise, enum msg_id_form *ret)
{
    *ret = otherwise;
    return !word || !*word || msg_id_form_parse(word, ret);
}

static char *make_gateway(const struct conf_gateway *conf, struct gateway *g)
{
    char *why = NULL;
    *g = (struct gateway){.conf = conf};
    if (!form_of(conf->report.id, MSG_ID_AS_GIVEN, &g->report_form))
        return xasprintf("%s: report.id: '%s' is none of as_given, hex, decimal", conf->file,
                         conf->report.id);
    if (!form_of(conf->report.answer_id, g->report_form, &g->answer_form))
        return xasprintf("%s: report.answer_id: '%s' is none of as_given, hex, decimal", conf->file,
                         conf->report.answer_id);
    g->report = posts_new(conf, &conf->report.posts, "report", &why);
    if (g->report)
        g->inbound = posts_new(conf, &conf->inbound.posts, "inbound", &why);
    return g->inbound ? NULL : why;
}

struct gateways *gateways_new(struct conf *conf, char **ret_why)
{
    struct gateways *g = xcalloc(1, sizeof(*g));
    g->refs = 1;
    g->conf = conf;
    g->trusted = networks_of(&conf->main.callback.trusted_proxies, &g->trusted_count);
    g->items = xcalloc(conf->gateway_count + 1, sizeof(*g->items));
    for (size_t i = 0; i < conf->gateway_count; i++) {
        char *why = make_gateway(&conf->gateways[i], &g->items[g->count++]);
        if (why) {
            *ret_why = why;
            gateways_unref(g);
            return NULL;
        }
    }
    return g;
}

struct gateways *gateways_ref(struct gateways *g)
{
    atomic_fetch_add(&g->refs, 1);
    return g;
}

void gateways_unref(struct gateways *g)
{
    if (!g || atomic_fetch_sub(&g->refs, 1) > 1)
        return;
    for (size_t i = 0; i < g->count; i++) {
        posts_free(g->items[i].report);
        posts_free(g->items[i].inbound);
    }
    free(g->items);
    free(g->trusted);
    conf_free(g->conf);
    free(g);
}

const struct conf *gateways_conf(const struct gateways *g)
{
    return g->conf;
}

const struct network *gateways_trusted(const struct gateways *g, size_t *ret_count)
{
    *ret_count = g->trusted_count;
    return g->trusted;
}

size_t gateways_count(const struct gateways *g)
{
    return g->count;
}

const struct gateway *gateways_at(const struct gateways *g, size_t i)
{
    return &g->items[i];
}

const struct gateway *gateways_find(const struct gateways *g, const char *name)
{
    for (size_t i = 0; name && i < g->count; i++) {
        if (strcmp(g->items[i].conf->name, name) == 0)
            return &g->items[i];
    }
    return NULL;
}

enum msg_id_form gateways_form(const struct gateways *g, const char *name, enum step step)
{
    const struct gateway *found = gateways_find(g, name);
    if (!found)
        return MSG_ID_AS_GIVEN;
    return step == STEP_ACCEPTED ? found->answer_form : found->report_form;
}

struct gateways_now *gateways_now_new(struct gateways *first)
{
    struct gateways_now *n = xcalloc(1, sizeof(*n));
    pthread_mutex_init(&n->lock, NULL);
    n->now = first;
    return n;
}

void gateways_now_free(struct gateways_now *n)
{
    if (!n)
        return;
    gateways_unref(n->now);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

struct gateways *gateways_now_get(struct gateways_now *n)
{
    pthread_mutex_lock(&n->lock);
    struct gateways *g = gateways_ref(n->now);
    pthread_mutex_unlock(&n->lock);
    return g;
}

void gateways_now_set(struct gateways_now *n, struct gateways *next)
{
    pthread_mutex_lock(&n->lock);
    struct gateways *old = n->now;
    n->now = next;
    pthread_mutex_unlock(&n->lock);
    gateways_unref(old);
}

/* Configurations made ready for requests, the one in force, whose key or user it is, and how fast callers may
 * ask. */
#include "extract/asked_internal.h"
#include "lib/clock.h"
#include "lib/digest.h"
#include "render/plan.h"
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>

struct asked_conf {
    struct confhold *hold;
    struct plan *plan;
    _Atomic int holders;
};

struct asked_conf *asked_conf_new(struct confhold *hold, struct buf *why)
{
    struct plan *plan = NULL;
    struct asked_conf *c;

    if (plan_make(confhold_conf(hold), &plan, why) < 0)
        return NULL;
    c = xmalloc(sizeof(*c));
    *c = (struct asked_conf){.hold = confhold_ref(hold), .plan = plan};
    atomic_init(&c->holders, 1);
    return c;
}

struct asked_conf *asked_conf_ref(struct asked_conf *c)
{
    atomic_fetch_add(&c->holders, 1);
    return c;
}

void asked_conf_unref(struct asked_conf *c)
{
    if (!c || atomic_fetch_sub(&c->holders, 1) > 1)
        return;
    plan_free(c->plan);
    confhold_unref(c->hold);
    free(c);
}

const struct conf *asked_conf_conf(const struct asked_conf *c)
{
    return confhold_conf(c->hold);
}

struct plan *asked_conf_plan(const struct asked_conf *c)
{
    return c->plan;
}

/* ---- who asks ---- */

/* All are looked at, however early one fits, so that the time tells nothing. */
const struct conf_caller *asked_caller_by_key(const struct asked_conf *c, const char *api_key)
{
    const struct conf *conf = asked_conf_conf(c);
    const struct conf_caller *found = NULL;
    auto_buf hash = {0};

    digest_add(&hash, DIGEST_SHA256, DIGEST_HEX, api_key, strlen(api_key));
    for (size_t i = 0; i < conf->caller_count; i++) {
        const struct str_list *hashes = &conf->callers[i].key_hashes;
        for (size_t k = 0; k < hashes->count; k++)
            if (strlen(hashes->items[k]) == hash.len &&
                CRYPTO_memcmp(hashes->items[k], hash.data, hash.len) == 0)
                found = &conf->callers[i];
    }
    return found;
}

const struct conf_caller *asked_caller_by_user(const struct asked_conf *c, const char *broker_user)
{
    const struct conf *conf = asked_conf_conf(c);

    if (!broker_user || !*broker_user)
        return *conf->main.extract.door_caller ? conf_caller(conf, conf->main.extract.door_caller) : NULL;
    for (size_t i = 0; i < conf->caller_count; i++)
        if (strcmp(conf->callers[i].broker_user, broker_user) == 0)
            return &conf->callers[i];
    return NULL;
}

/* ---- the one in force ---- */

struct asked_current {
    pthread_mutex_t lock;
    struct asked_conf *conf;
};

struct asked_current *asked_current_new(struct asked_conf *first)
{
    struct asked_current *c = xmalloc(sizeof(*c));

    *c = (struct asked_current){.lock = PTHREAD_MUTEX_INITIALIZER, .conf = first};
    return c;
}

void asked_current_free(struct asked_current *c)
{
    if (!c)
        return;
    asked_conf_unref(c->conf);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void asked_current_set(struct asked_current *c, struct asked_conf *next)
{
    struct asked_conf *old;

    pthread_mutex_lock(&c->lock);
    old = c->conf;
    c->conf = next;
    pthread_mutex_unlock(&c->lock);
    asked_conf_unref(old);
}

struct asked_conf *asked_current_take(struct asked_current *c)
{
    struct asked_conf *taken;

    pthread_mutex_lock(&c->lock);
    taken = asked_conf_ref(c->conf);
    pthread_mutex_unlock(&c->lock);
    return taken;
}

/* ---- rates ---- */

struct bucket {
    char *caller;
    double tokens; /* below 0: a batch has taken more than there was */
    int64_t at_ms;
    struct bucket *next;
};

struct asked_rates {
    pthread_mutex_t lock;
    struct bucket *buckets; /* one a caller that has ever asked: as many as there are files */
};

struct asked_rates *asked_rates_new(void)
{
    struct asked_rates *r = xmalloc(sizeof(*r));

    *r = (struct asked_rates){.lock = PTHREAD_MUTEX_INITIALIZER};
    return r;
}

void asked_rates_free(struct asked_rates *r)
{
    if (!r)
        return;
    while (r->buckets) {
        struct bucket *b = r->buckets;
        r->buckets = b->next;
        free(b->caller);
        free(b);
    }
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static struct bucket *bucket_of(struct asked_rates *r, const struct conf_caller *caller, int64_t now_ms)
{
    struct bucket *b = r->buckets;

    while (b && strcmp(b->caller, caller->name) != 0)
        b = b->next;
    if (!b) {
        b = xmalloc(sizeof(*b));
        *b = (struct bucket){.caller = xstrdup(caller->name),
                             .tokens = (double)caller->rate,
                             .at_ms = now_ms,
                             .next = r->buckets};
        r->buckets = b;
    }
    return b;
}

/* A second's worth may come at once. A batch larger than that goes too, and what comes after it waits the
 * longer. */
int64_t asked_rate_take(struct asked_rates *r, const struct conf_caller *caller, int64_t n,
                        int64_t now_mono_ms)
{
    double per_ms = (double)caller->rate / 1000, room = (double)caller->rate, wanted;
    int64_t wait_ms = 0;
    struct bucket *b;

    pthread_mutex_lock(&r->lock);
    b = bucket_of(r, caller, now_mono_ms);
    b->tokens = MIN_OF(b->tokens + (double)MAX_OF(now_mono_ms - b->at_ms, 0) * per_ms, room);
    b->at_ms = now_mono_ms;
    wanted = MIN_OF((double)n, room);
    if (b->tokens >= wanted)
        b->tokens -= (double)n;
    else
        wait_ms = (int64_t)((wanted - b->tokens) / per_ms) + 1;
    pthread_mutex_unlock(&r->lock);
    return wait_ms;
}

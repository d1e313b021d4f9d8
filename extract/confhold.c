/* Configurations, counted: see confhold.h. */
#include "extract/confhold.h"
#include <stdatomic.h>

struct confhold {
    struct conf *conf;
    _Atomic int holders;
};

struct confhold *confhold_new(struct conf *c)
{
    struct confhold *h = xmalloc(sizeof(*h));

    h->conf = c;
    atomic_init(&h->holders, 1);
    return h;
}

struct confhold *confhold_ref(struct confhold *h)
{
    atomic_fetch_add(&h->holders, 1);
    return h;
}

void confhold_unref(struct confhold *h)
{
    if (!h || atomic_fetch_sub(&h->holders, 1) > 1)
        return;
    conf_free(h->conf);
    free(h);
}

const struct conf *confhold_conf(const struct confhold *h)
{
    return h->conf;
}

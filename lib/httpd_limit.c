/* Counts by address, as many as there are connections at most. */
#include "lib/httpd_limit.h"

#include <uthash.h>

struct counted {
    struct address address;
    int64_t count;
    UT_hash_handle hh;
};
struct httpd_limit {
    struct counted *all;
};

struct httpd_limit *httpd_limit_new(void)
{
    return xcalloc(1, sizeof(struct httpd_limit));
}

void httpd_limit_free(struct httpd_limit *l)
{
    struct counted *c, *next;
    if (!l)
        return;
    HASH_ITER (hh, l->all, c, next) {
        HASH_DEL(l->all, c);
        free(c);
    }
    free(l);
}

static struct counted *find(struct httpd_limit *l, const struct address *a)
{
    struct counted *c;
    struct address key = address_counted(a);
    HASH_FIND(hh, l->all, &key, sizeof(key), c);
    return c;
}

bool httpd_limit_has_room(struct httpd_limit *l, const struct address *a, int64_t most)
{
    const struct counted *c = find(l, a);
    return !c || c->count < most;
}

void httpd_limit_take(struct httpd_limit *l, const struct address *a)
{
    struct counted *c = find(l, a);
    if (!c) {
        c = xcalloc(1, sizeof(*c));
        c->address = address_counted(a);
        HASH_ADD(hh, l->all, address, sizeof(c->address), c);
    }
    c->count++;
}

void httpd_limit_give(struct httpd_limit *l, const struct address *a)
{
    struct counted *c = find(l, a);
    if (!c || --c->count > 0)
        return;
    HASH_DEL(l->all, c);
    free(c);
}

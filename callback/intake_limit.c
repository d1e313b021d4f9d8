/* Counts by address, as many as there are connections at most. */
#include "callback/intake_limit.h"

#include <uthash.h>

struct counted {
    struct address address;
    int64_t count;
    UT_hash_handle hh;
};
struct limit {
    struct counted *all;
};

struct limit *limit_new(void)
{
    return xcalloc(1, sizeof(struct limit));
}

void limit_free(struct limit *l)
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

static struct counted *find(struct limit *l, const struct address *a)
{
    struct counted *c;
    struct address key = address_counted(a);
    HASH_FIND(hh, l->all, &key, sizeof(key), c);
    return c;
}

bool limit_has_room(struct limit *l, const struct address *a, int64_t most)
{
    const struct counted *c = find(l, a);
    return !c || c->count < most;
}

void limit_take(struct limit *l, const struct address *a)
{
    struct counted *c = find(l, a);
    if (!c) {
        c = xcalloc(1, sizeof(*c));
        c->address = address_counted(a);
        HASH_ADD(hh, l->all, address, sizeof(c->address), c);
    }
    c->count++;
}

void limit_give(struct limit *l, const struct address *a)
{
    struct counted *c = find(l, a);
    if (!c || --c->count > 0)
        return;
    HASH_DEL(l->all, c);
    free(c);
}

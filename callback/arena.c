/* Parts of 64 KiB in a list; a longer string gets a part of its own. */
#include "callback/arena.h"

#define PART_BYTES ((size_t)64 << 10)

struct arena_part {
    struct arena_part *older;
    size_t used, size;
    char bytes[];
};

static struct arena_part *add_part(struct arena *a, size_t size)
{
    struct arena_part *part = xmalloc(sizeof(*part) + size);
    *part = (struct arena_part){.older = a->newest, .size = size};
    a->newest = part;
    a->bytes += sizeof(*part) + size;
    return part;
}

void *arena_bytes(struct arena *a, size_t len)
{
    struct arena_part *part = a->newest;
    if (!part || part->size - part->used < len)
        part = add_part(a, MAX_OF(len, PART_BYTES - sizeof(*part)));
    part->used += len;
    return part->bytes + part->used - len;
}

char *arena_copy(struct arena *a, const char *s)
{
    if (!s)
        return NULL;
    size_t size = strlen(s) + 1;
    return memcpy(arena_bytes(a, size), s, size);
}

void arena_keep(struct arena *a, size_t bytes)
{
    a->kept = add_part(a, bytes);
    memset(a->kept->bytes, 0, bytes);
}

void arena_reset(struct arena *a)
{
    struct arena_part *kept = a->kept;
    for (struct arena_part *part = a->newest, *older; part; part = older) {
        older = part->older;
        if (part != kept)
            free(part);
    }
    *a = (struct arena){.newest = kept, .kept = kept};
    if (kept) {
        kept->used = 0;
        a->bytes = sizeof(*kept) + kept->size;
    }
}

void arena_deinit(struct arena *a)
{
    struct arena_part *kept = a->kept;
    arena_reset(a);
    free(kept);
    *a = (struct arena){0};
}

/* Parts of 64 KiB in a list; a longer string gets a part of its own. */
#include "callback/arena.h"

#define PART_BYTES ((size_t)64 << 10)

struct arena_part {
    struct arena_part *older;
    size_t used, size;
    char bytes[];
};

void *arena_bytes(struct arena *a, size_t len)
{
    struct arena_part *part = a->newest;
    if (!part || part->size - part->used < len) {
        size_t size = MAX_OF(len, PART_BYTES - sizeof(*part));
        part = xmalloc(sizeof(*part) + size);
        *part = (struct arena_part){.older = a->newest, .size = size};
        a->newest = part;
        a->bytes += sizeof(*part) + size;
    }
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

void arena_deinit(struct arena *a)
{
    for (struct arena_part *part = a->newest, *older; part; part = older) {
        older = part->older;
        free(part);
    }
    *a = (struct arena){0};
}

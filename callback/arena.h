/* Memory that is given back all at once: the strings and steps of one batch. */
#pragma once
#include "lib/base.h"

struct arena_part;
struct arena {
    struct arena_part *newest;
    size_t bytes; /* taken from the system */
};
void *arena_bytes(struct arena *a, size_t len);   /* not aligned */
char *arena_copy(struct arena *a, const char *s); /* NULL gives NULL */
void arena_deinit(struct arena *a);               /* leaves an empty, usable arena */

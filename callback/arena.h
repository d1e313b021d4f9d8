/* Memory that is given back all at once: the strings and steps of one batch. */
#pragma once
#include "lib/base.h"

struct arena_part;
struct arena {
    struct arena_part *newest;
    size_t bytes;            /* taken from the system */
    struct arena_part *kept; /* NULL: none */
};
void *arena_bytes(struct arena *a, size_t len);   /* not aligned */
char *arena_copy(struct arena *a, const char *s); /* NULL gives NULL */
void arena_keep(struct arena *a,
                size_t bytes);      /* of an empty one: its first part, touched, outlives a reset */
void arena_reset(struct arena *a);  /* empties it */
void arena_deinit(struct arena *a); /* leaves an empty, usable arena */

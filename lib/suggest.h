/* "did you mean": the known word nearest to one that is not known. */
#pragma once
#include "lib/base.h"

struct suggest {
    const char *word; /* what was written */
    size_t len;
    const char *best; /* NULL: nothing is near enough */
    unsigned distance;
};
/* Begin with {.word, .len}; offer every known word; then `best` is the nearest of them, if it is near. */
void suggest_offer(struct suggest *s, const char *known);
/* Edit distance (insert, delete, replace, swap of neighbours), at most `limit` + 1. */
unsigned suggest_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned limit);

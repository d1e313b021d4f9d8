/* Damerau-Levenshtein over bytes, three rows of a bounded width: words longer than that are never near. */
#include "lib/suggest.h"

#define SUGGEST_LEN_MAX 64

unsigned suggest_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned limit)
{
    unsigned rows[3][SUGGEST_LEN_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    if (a_len > SUGGEST_LEN_MAX || b_len > SUGGEST_LEN_MAX)
        return limit + 1;
    for (size_t j = 0; j <= b_len; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned cost = above[j - 1] + (a[i - 1] != b[j - 1]);
            cost = MIN_OF(cost, above[j] + 1);
            cost = MIN_OF(cost, row[j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost = MIN_OF(cost, before[j - 2] + 1);
            row[j] = cost;
        }
        unsigned *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return MIN_OF(above[b_len], limit + 1);
}

void suggest_offer(struct suggest *s, const char *known)
{
    /* A third of the word may differ: 'nmae' is near 'name', 'to' is near nothing but itself. */
    unsigned limit = (unsigned)MIN_OF(s->len / 3 + (s->len > 2), 3u);
    unsigned distance = suggest_distance(s->word, s->len, known, strlen(known), limit);

    if (distance <= limit && (!s->best || distance < s->distance)) {
        s->best = known;
        s->distance = distance;
    }
}

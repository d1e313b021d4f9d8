/* The difference of two texts, line by line: the fewest lines out and in. Pure. */
#pragma once
#include "lib/base.h"

#define DIFF_LINES_MAX 1000 /* of what differs, on either side; beyond it all lines go out and all come in   \
                             */

struct diff_line {
    char is; /* ' ' in both, '-' only in the first, '+' only in the second */
    const char *text;
    size_t len; /* without the line break */
};
struct diff {
    struct diff_line *lines; /* text points into what was compared */
    size_t count;
    bool equal;
};
void diff_texts(const char *first, const char *second, struct diff *ret);
void diff_deinit(struct diff *d);

/* Which messages of a claimed group share a request: equal text, sender and encoding, at most numbers_max,
 * and never a number twice. Pure. */
#pragma once
#include "lib/base.h"

struct group_item {
    const char *text, *sender, *encoding;
    int64_t number;
    unsigned cap; /* it may share a request with so many at most, itself included; 0: no limit of its own */
};
/* Writes the number of its request, counted from 0 in order of first use, for each item. Returns how many
 * there are. */
size_t group_requests(const struct group_item *items, size_t count, unsigned numbers_max,
                      uint32_t *ret_request);

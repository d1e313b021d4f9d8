/* How much of one address is going on at a time: connections, or behind a trusted proxy requests. Used by the
 * server's thread only. */
#pragma once
#include "lib/address.h"

struct limit;
struct limit *limit_new(void);
void limit_free(struct limit *l);
bool limit_has_room(struct limit *l, const struct address *a, int64_t most);
void limit_take(struct limit *l, const struct address *a);
void limit_give(struct limit *l, const struct address *a);

/* A token bucket: at most `per_s` messages a second, with room for what falls into RATE_BURST_MS. Pure: the
 * caller brings the time. */
#pragma once
#include "lib/base.h"

#define RATE_BURST_MS 50

struct rate {
    double per_ms, tokens, room;
    int64_t at_ms;
};
/* One of `dispatchers` shares of a gateway's rate. */
void rate_init(struct rate *r, int64_t per_s, int64_t dispatchers, int64_t now_ms);
unsigned rate_may(struct rate *r, int64_t now_ms); /* whole messages that may leave now */
void rate_take(struct rate *r, unsigned n);
void rate_give_back(struct rate *r, unsigned n);      /* taken, but nothing left for the gateway */
int64_t rate_wait_ms(struct rate *r, int64_t now_ms); /* until one may leave; 0: now */

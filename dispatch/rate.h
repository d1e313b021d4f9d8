/* A token bucket: at most `per_s` messages a second, with room for what falls into RATE_BURST_MS; slower
 * while the gateway says that it is too fast. Pure: the caller brings the time. */
#pragma once
#include "lib/base.h"

#define RATE_BURST_MS        50
#define RATE_SLOWER_EVERY_MS 1000  /* half the speed at most so often */
#define RATE_SLOWEST         16    /* never below this part of the configured rate */
#define RATE_RECOVER_MS      30000 /* from nothing to all of it, while messages are accepted */
#define RATE_RAISE_MAX_MS    1000

struct rate {
    double full_per_ms, per_ms, tokens, room;
    int64_t at_ms, slowed_ms, raised_ms;
};
/* One of `dispatchers` shares of a gateway's rate. */
void rate_init(struct rate *r, int64_t per_s, int64_t dispatchers, int64_t now_ms);
unsigned rate_may(struct rate *r, int64_t now_ms); /* whole messages that may leave now */
void rate_take(struct rate *r, unsigned n);
void rate_give_back(struct rate *r, unsigned n);      /* taken, but nothing left for the gateway */
int64_t rate_wait_ms(struct rate *r, int64_t now_ms); /* until one may leave; 0: now */
void rate_slower(struct rate *r, int64_t now_ms);     /* the gateway throttles */
void rate_faster(struct rate *r, int64_t now_ms);     /* it accepts */
int64_t rate_per_s(const struct rate *r);             /* the present speed, rounded up */

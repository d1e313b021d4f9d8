/* A token bucket: at most `per_s` messages a second, with room for what falls into RATE_BURST_MS; slower
 * while the gateway says that it is too fast. Two lanes share it: the instant lane goes first and finds a
 * part of the tokens left, bulk is owed a part of the rate while the instant lane would take all of it. Pure:
 * the caller brings the time. */
#pragma once
#include "dispatch/window.h"

#define RATE_BURST_MS        50
#define RATE_SLOWER_EVERY_MS 1000  /* half the speed at most so often */
#define RATE_SLOWEST         16    /* never below this part of the configured rate */
#define RATE_RECOVER_MS      30000 /* from nothing to all of it, while messages are accepted */
#define RATE_RAISE_MAX_MS    1000

struct rate {
    double full_per_ms, per_ms, room;
    double tokens; /* never below 0: */
    double debt;   /* taken beyond them, by a message whose segments go together */
    double share;  /* of the instant lane, 0 to 1 */
    double owed;   /* to bulk, while it waits for the instant lane */
    int64_t at_ms, slowed_ms, raised_ms;
};
/* One of `dispatchers` shares of a gateway's rate; instant_share in millionths. */
void rate_init(struct rate *r, int64_t per_s, int64_t dispatchers, int64_t instant_share, int64_t now_ms);
/* Whole messages of the lane that may leave now. Bulk leaves the instant lane its part of the tokens, and of
 * what comes while a debt is paid. */
unsigned rate_may(struct rate *r, enum lane lane, int64_t now_ms);
/* Those of bulk that go before the instant lane's, since bulk has waited for them long enough; bulk_waits
 * false: nothing is owed to it any more. */
unsigned rate_owed(struct rate *r, bool bulk_waits, int64_t now_ms);
void rate_take(struct rate *r, enum lane lane, unsigned n);
void rate_give_back(struct rate *r, unsigned n); /* taken, but nothing left for the gateway */
int64_t rate_wait_ms(struct rate *r, enum lane lane, int64_t now_ms); /* until one may leave; 0: now */
void rate_slower(struct rate *r, int64_t now_ms);                     /* the gateway throttles */
void rate_faster(struct rate *r, int64_t now_ms);                     /* it accepts */
int64_t rate_per_s(const struct rate *r);                             /* the present speed, rounded up */

/* The bucket fills with time, also while the process is stopped, but never beyond its room. */
#include "dispatch/rate.h"

#include <math.h>

#define ROUNDING 1e-6

void rate_init(struct rate *r, int64_t per_s, int64_t dispatchers, int64_t now_ms)
{
    double per_ms = (double)per_s / (double)MAX_OF(dispatchers, (int64_t)1) / 1000.0;
    double room = per_ms * RATE_BURST_MS;
    /* Below one message the room is beyond it: who comes a little late does not lose the time. */
    *r = (struct rate){.per_ms = per_ms, .tokens = 1, .room = room < 1 ? 1 + room : room, .at_ms = now_ms};
}

static void fill(struct rate *r, int64_t now_ms)
{
    if (now_ms <= r->at_ms)
        return;
    r->tokens = fmin(r->tokens + (double)(now_ms - r->at_ms) * r->per_ms, r->room);
    r->at_ms = now_ms;
}

unsigned rate_may(struct rate *r, int64_t now_ms)
{
    fill(r, now_ms);
    return (unsigned)(fmax(r->tokens, 0) + ROUNDING);
}

void rate_take(struct rate *r, unsigned n)
{
    r->tokens -= n;
}

void rate_give_back(struct rate *r, unsigned n)
{
    r->tokens = fmin(r->tokens + n, r->room);
}

int64_t rate_wait_ms(struct rate *r, int64_t now_ms)
{
    fill(r, now_ms);
    if (r->tokens + ROUNDING >= 1)
        return 0;
    return MAX_OF((int64_t)ceil((1 - ROUNDING - r->tokens) / r->per_ms), (int64_t)1);
}

/* The bucket fills with time, also while the process is stopped, but never beyond its room. How fast follows
 * what the gateway takes: additive increase, multiplicative decrease, as networks do it. */
#include "dispatch/rate.h"

#include <math.h>

#define ROUNDING 1e-6

/* Below one message the room is beyond it: who comes a little late does not lose the time. */
static void set_speed(struct rate *r, double per_ms)
{
    double room = per_ms * RATE_BURST_MS;
    r->per_ms = per_ms;
    r->room = room < 1 ? 1 + room : room;
    r->tokens = fmin(r->tokens, r->room);
}

void rate_init(struct rate *r, int64_t per_s, int64_t dispatchers, int64_t now_ms)
{
    double per_ms = (double)per_s / (double)MAX_OF(dispatchers, (int64_t)1) / 1000.0;
    *r = (struct rate){.full_per_ms = per_ms, .tokens = 1, .at_ms = now_ms, .raised_ms = now_ms};
    r->slowed_ms = now_ms - RATE_SLOWER_EVERY_MS;
    set_speed(r, per_ms);
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

/* What was on its way when the first answer came was sent at the old speed: it says the same once more. */
void rate_slower(struct rate *r, int64_t now_ms)
{
    if (now_ms - r->slowed_ms < RATE_SLOWER_EVERY_MS)
        return;
    fill(r, now_ms);
    set_speed(r, fmax(r->per_ms / 2, r->full_per_ms / RATE_SLOWEST));
    r->slowed_ms = r->raised_ms = now_ms;
}

/* Time in which nothing was accepted is no proof that more would be. */
void rate_faster(struct rate *r, int64_t now_ms)
{
    int64_t passed = MIN_OF(now_ms - r->raised_ms, (int64_t)RATE_RAISE_MAX_MS);
    if (passed <= 0)
        return;
    r->raised_ms = now_ms;
    if (r->per_ms >= r->full_per_ms)
        return;
    fill(r, now_ms);
    set_speed(r, fmin(r->per_ms + r->full_per_ms * (double)passed / RATE_RECOVER_MS, r->full_per_ms));
}

int64_t rate_per_s(const struct rate *r)
{
    return (int64_t)ceil(r->per_ms * 1000 - ROUNDING);
}

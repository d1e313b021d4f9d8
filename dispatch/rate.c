/* The bucket fills with time, also while the process is stopped, but never beyond its room. How fast follows
 * what the gateway takes: additive increase, multiplicative decrease, as networks do it. What is owed to bulk
 * grows only up to a burst: it is a place in the queue, not a right to more than the rate. */
#include "dispatch/rate.h"

#include <math.h>

#define ROUNDING 1e-6

/* Bulk leaves so many tokens, of a burst at most half. */
static double kept(const struct rate *r)
{
    return r->per_ms * RATE_BURST_MS * fmin(r->share, 0.5);
}

/* Bulk has the room of a burst above what is kept. Where a burst is about a message the room is beyond it:
 * who comes a little late does not lose the time. */
static void set_speed(struct rate *r, double per_ms)
{
    double burst = per_ms * RATE_BURST_MS;
    r->per_ms = per_ms;
    r->room = kept(r) + fmax(burst, 1 + fmin(burst, 0.5));
    r->tokens = fmin(r->tokens, r->room);
}

void rate_init(struct rate *r, int64_t per_s, int64_t dispatchers, int64_t instant_share, int64_t now_ms)
{
    double per_ms = (double)per_s / (double)MAX_OF(dispatchers, (int64_t)1) / 1000.0;
    *r = (struct rate){.full_per_ms = per_ms, .tokens = 1, .at_ms = now_ms, .raised_ms = now_ms};
    r->share = (double)instant_share / 1e6;
    r->slowed_ms = now_ms - RATE_SLOWER_EVERY_MS;
    set_speed(r, per_ms);
}

static void fill(struct rate *r, int64_t now_ms)
{
    if (now_ms <= r->at_ms)
        return;
    double made = (double)(now_ms - r->at_ms) * r->per_ms, paid = fmin(r->debt, made * (1 - r->share));
    r->at_ms = now_ms;
    r->debt -= paid;
    r->tokens = fmin(r->tokens + made - paid, r->room);
    r->owed = fmin(r->owed + made * LANE_BULK_SHARE / 1e6, fmax(1, r->room * LANE_BULK_SHARE / 1e6));
}

static double tokens_of(const struct rate *r, enum lane lane)
{
    if (lane == LANE_INSTANT)
        return r->tokens;
    return r->debt > ROUNDING ? 0 : r->tokens - kept(r);
}

static unsigned whole(double tokens)
{
    return (unsigned)(fmax(tokens, 0) + ROUNDING);
}

unsigned rate_may(struct rate *r, enum lane lane, int64_t now_ms)
{
    fill(r, now_ms);
    return whole(tokens_of(r, lane));
}

unsigned rate_owed(struct rate *r, bool bulk_waits, int64_t now_ms)
{
    fill(r, now_ms);
    if (!bulk_waits)
        r->owed = 0;
    return r->debt > ROUNDING ? 0 : whole(fmin(r->owed, r->tokens));
}

void rate_take(struct rate *r, enum lane lane, unsigned n)
{
    double taken = fmin(r->tokens, n);
    r->tokens -= taken;
    r->debt += n - taken;
    if (lane == LANE_BULK)
        r->owed = fmax(r->owed - n, 0);
}

void rate_give_back(struct rate *r, unsigned n)
{
    double paid = fmin(r->debt, n);
    r->debt -= paid;
    r->tokens = fmin(r->tokens + n - paid, r->room);
}

/* While a debt is paid it is sooner than the instant lane's time: asked again then. */
int64_t rate_wait_ms(struct rate *r, enum lane lane, int64_t now_ms)
{
    fill(r, now_ms);
    double missing = 1 - ROUNDING - r->tokens + (lane == LANE_BULK ? r->debt + kept(r) : 0);
    return missing <= 0 ? 0 : MAX_OF((int64_t)ceil(missing / r->per_ms), (int64_t)1);
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

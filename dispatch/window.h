/* A gateway's window, shared by the lanes: how many segments may be without an answer. The instant lane finds
 * a part of it free at all times, whatever bulk waits for; bulk has a part of it, too, while the instant lane
 * would fill all. Pure. */
#pragma once
#include "dispatch/message.h"

#define LANE_BULK_SHARE                                                                                      \
    100000 /* of window and rate, in millionths: a flood of instant messages leaves so much */

struct window {
    unsigned size;
    unsigned kept[LANE_COUNT]; /* of the instant lane: places that bulk leaves free; of bulk: those that it
                                  has when it is due */
    size_t used[LANE_COUNT];   /* segments asked for, or sent and not answered */
};

void window_init(struct window *w, unsigned size, int64_t instant_share /* in millionths */);
static inline size_t window_used(const struct window *w)
{
    return w->used[LANE_INSTANT] + w->used[LANE_BULK];
}
size_t window_left(const struct window *w); /* places that nobody uses */
/* Of these, what the lane may take. needs: places that the first waiting message of each lane needs; 0:
 * nothing waits; of bulk also: it is not due, so the instant lane need not leave it anything. */
size_t window_free(const struct window *w, enum lane lane, const size_t needs[LANE_COUNT]);
/* What the lane may have when nobody uses anything; a message with more segments takes what is left. */
size_t window_most(const struct window *w, enum lane lane);

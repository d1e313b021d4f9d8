/* When the batching consumer flushes what it has gathered. Pure: counts and clocks in, a waiting time out. */
#pragma once
#include "lib/base.h"

#define GATHER_INSTANT_MS                                                                                    \
    500 /* so that with the flush itself a step of the instant lane is committed within 1 s */

struct gather_limits {
    int64_t interval_ms; /* how long the oldest may wait */
    size_t records, bytes;
    size_t prefetch; /* deliveries unacked at most: no more come once it is used up */
};
struct gather {
    size_t deliveries, records, bytes;
    int64_t oldest_ms;  /* when the oldest came; the monotonic clock */
    int64_t instant_ms; /* the same of the oldest step of the instant lane; 0: none */
};

void gather_add(struct gather *g, size_t records, size_t bytes, bool instant, int64_t now_ms);
/* 0: flush now. Else the time until then; GATHER_NEVER: nothing waits. */
#define GATHER_NEVER INT64_MAX
int64_t gather_wait_ms(const struct gather *g, const struct gather_limits *limits, int64_t now_ms);
/* Nothing more may be taken in before the flush. */
bool gather_full(const struct gather *g, const struct gather_limits *limits);

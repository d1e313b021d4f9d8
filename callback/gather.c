/* The flush rule of docs/design.md, "callback". */
#include "callback/gather.h"

void gather_add(struct gather *g, size_t records, size_t bytes, bool instant, int64_t now_ms)
{
    if (g->deliveries == 0)
        g->oldest_ms = now_ms;
    if (instant && g->instant_ms == 0)
        g->instant_ms = now_ms;
    g->deliveries++;
    g->records += records;
    g->bytes += bytes;
}

bool gather_full(const struct gather *g, const struct gather_limits *limits)
{
    return g->records >= limits->records || g->bytes >= limits->bytes || g->deliveries >= limits->prefetch;
}

int64_t gather_wait_ms(const struct gather *g, const struct gather_limits *limits, int64_t now_ms)
{
    if (g->deliveries == 0)
        return GATHER_NEVER;
    if (gather_full(g, limits))
        return 0;
    int64_t due_ms = g->oldest_ms + limits->interval_ms;
    if (g->instant_ms != 0)
        due_ms = MIN_OF(due_ms, g->instant_ms + GATHER_INSTANT_MS);
    return MAX_OF(due_ms - now_ms, 0);
}

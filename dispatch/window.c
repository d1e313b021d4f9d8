/* Two lanes in one window: instant never waits for bulk's answers, bulk never starves. */
#include "dispatch/window.h"

#define ALL INT64_C(1000000)

/* Rounded up, so that a share of a small window is a place; a window of one is for whoever goes first. */
static unsigned part(unsigned size, int64_t share, unsigned most)
{
    return (unsigned)MIN_OF((size * share + ALL - 1) / ALL, (int64_t)most);
}

void window_init(struct window *w, unsigned size, int64_t instant_share)
{
    unsigned instant = part(size, instant_share, size - 1);
    *w = (struct window){
        .size = size,
        .kept = {[LANE_INSTANT] = instant, [LANE_BULK] = part(size, LANE_BULK_SHARE, size - instant)}};
}

static size_t less(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

size_t window_left(const struct window *w)
{
    return less(w->size, window_used(w));
}

/* Of what is left, bulk's own when it is due: as much as its first message needs, however long that is. */
static size_t own(const struct window *w, size_t needs)
{
    size_t share = MAX_OF((size_t)w->kept[LANE_BULK], MIN_OF(needs, (size_t)w->size));
    return needs > 0 ? MIN_OF(window_left(w), less(share, w->used[LANE_BULK])) : 0;
}

size_t window_free(const struct window *w, enum lane lane, const size_t needs[LANE_COUNT])
{
    size_t left = window_left(w), bulk = own(w, needs[LANE_BULK]);
    if (lane == LANE_INSTANT)
        return left - bulk;
    return needs[LANE_INSTANT] > 0 ? bulk : MAX_OF(bulk, less(left, w->kept[LANE_INSTANT]));
}

size_t window_most(const struct window *w, enum lane lane)
{
    return lane == LANE_INSTANT ? w->size : w->size - w->kept[LANE_INSTANT];
}

/* Timers in a binary heap. Equal due times fire by `order`, so that reports can be made to leave last first.
 */
#include "test/sim/sim.h"

struct timer {
    int64_t due_ms, order;
    void (*fire)(void *arg, uint64_t id);
    void *arg;
    uint64_t id;
};
static struct timer *heap;
static size_t count, room;

static bool before(const struct timer *a, const struct timer *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

void timer_add(int64_t due_ms, int64_t order, void (*fire)(void *, uint64_t), void *arg, uint64_t id)
{
    if (count == room) {
        room = room > 0 ? room * 2 : 1024;
        heap = xrealloc(heap, room * sizeof(*heap));
    }
    struct timer t = {due_ms, order, fire, arg, id};
    size_t i = count++;
    while (i > 0 && before(&t, &heap[(i - 1) / 2])) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = t;
}

static struct timer take_first(void)
{
    struct timer first = heap[0], last = heap[--count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= count)
            break;
        if (child + 1 < count && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &last))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return first;
}

void timers_run(int64_t now_ms)
{
    while (count > 0 && heap[0].due_ms <= now_ms) {
        struct timer t = take_first();
        t.fire(t.arg, t.id);
    }
}

int timers_wait_ms(int64_t now_ms)
{
    if (count == 0)
        return -1;
    int64_t wait = heap[0].due_ms - now_ms;
    return wait < 0 ? 0 : (int)MIN_OF(wait, 60000);
}

void timers_free(void (*owning)(void *, uint64_t), void (*release)(void *))
{
    for (size_t i = 0; i < count; i++)
        if (heap[i].fire == owning)
            release(heap[i].arg);
    free(heap);
    heap = NULL;
    count = room = 0;
}

/* How much stands in the queues. A thread asks the broker, every few seconds and only while somebody wants to
 * know, so that no page waits for a broker that is away. */
#pragma once
#include "lib/mq.h"

struct depths;
struct depth {
    char queue[MQ_QUEUE_SIZE];
    int64_t ready; /* -1: there is no such queue */
};
struct depths_now {
    struct depth *list;
    size_t count;
    int64_t at_ms; /* 0: not asked yet */
    char *trouble; /* NULL: the broker has answered */
};
struct depths *depths_start(void);
void depths_stop(struct depths *d);
/* What was seen last; also asks for more to come. */
void depths_look(struct depths *d, struct depths_now *ret);
void depths_now_deinit(struct depths_now *n);

/* The breaker is open: messages that have not been to this gateway go to the next one of their route. */
#include "dispatch/hand_over.h"
#include "dispatch/dispatcher.h"

static bool holds(const struct str_list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->items[i], name) == 0)
            return true;
    return false;
}

const char *elsewhere_to(const struct str_list *route, const struct str_list *passed_on, const char *self)
{
    for (size_t i = 0; i < route->count; i++)
        if (strcmp(route->items[i], self) != 0 && !holds(passed_on, route->items[i]))
            return route->items[i];
    return NULL;
}

const char *hand_over_to(const struct str_list *route, const struct str_list *passed_on, const char *self)
{
    if (holds(passed_on, self))
        return NULL; /* each gateway passes it on once */
    const char *to = elsewhere_to(route, passed_on, self);
    if (to != NULL)
        return to;
    return route->count > 0 && strcmp(route->items[0], self) != 0 ? route->items[0] : NULL;
}

static void hand_over_list(struct dispatcher *d, struct message_list *l)
{
    char queue[MQ_QUEUE_SIZE];
    for (struct message *m = l->first, *next; m != NULL; m = next) {
        next = m->next;
        const char *to = m->refused_here || m->stays || m->begun
                             ? NULL
                             : hand_over_to(&m->record->route, &m->record->passed_on, d->gateway->name);
        if (to == NULL) {
            d->stuck = true;
            continue;
        }
        list_remove(m);
        m->delivery->touched = true;
        tell_text(d->tell, mq_queue_dispatch(to, lane_words[m->delivery->lane], queue), m, d->gateway->name);
    }
}

static void try_connection(struct dispatcher *d, int64_t now_ms)
{
    breaker_event(&d->breaker, BREAKER_TICK, now_ms);
    if (d->breaker.state == BREAKER_TRIAL && !d->probing && !d->ending) {
        d->probing = true;
        d->driver->probe(d->sender);
    }
}

void hand_over_turn(struct dispatcher *d, int64_t now_ms)
{
    if (d->breaker.state == BREAKER_CLOSED)
        return;
    try_connection(d, now_ms);
    if (d->taking != TAKING_ON || !mq_publisher_connected(d->publisher))
        return;
    for (unsigned lane = 0; lane < LANE_COUNT; lane++)
        hand_over_list(d, &d->ready[lane]);
    hand_over_list(d, &d->later);
}

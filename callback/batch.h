/* What the batching consumer has gathered for one flush: checked steps and messages from phones, the
 * deliveries they came in, and what can never be applied. */
#pragma once
#include "callback/gateways.h"
#include "callback/gather.h"
#include "callback/inbound.h"
#include "callback/told.h"

struct mq_delivery;

struct batch_dead { /* for sms.dead */
    char *body, *why;
};
struct batch {
    struct told *steps;
    size_t count, cap;
    struct inbound *inbound; /* messages from phones */
    size_t inbound_count, inbound_cap;
    struct arena arena;
    struct gather gather;
    struct gateways *gateways; /* the set its ids were compared by */
    uint64_t epoch, tag; /* of the last delivery: it and all before it on its channel are acked together */
    int64_t oldest_at;   /* of its steps; 0: none */
    struct batch_dead *dead;
    size_t dead_count;
};

/* Empty, with the memory of `records` steps taken and touched: a consumer needs no more under load than when
 * it starts. It is used again and again. */
struct batch *batch_new(size_t records);
void batch_begin(struct batch *b, struct gateways *gateways); /* empties it; takes the reference over */
void batch_free(struct batch *b);                             /* NULL: nothing */

enum { BATCH_NEWER = 1 }; /* a version above ours: nothing was taken */
/* Takes one delivery in (its body stays the caller's). Unreadable bodies and records become dead ones. */
int must_check batch_add(struct batch *b, struct words *words, const struct mq_delivery *d,
                         int64_t keep_days);
/* What the database refuses for good. */
void batch_add_dead(struct batch *b, const struct told *t, const char *why);
void batch_add_dead_inbound(struct batch *b, const struct inbound *in, const char *why);

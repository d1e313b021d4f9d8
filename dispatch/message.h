/* What the dispatcher holds in memory: deliveries, and the messages in them. A message stands in one list at
 * a time, or in the claim group, in a request, or in a chunk that is being told; a delivery is acked when all
 * its messages are done. */
#pragma once
#include "dispatch/retry.h"
#include "lib/record.h"
#include "lib/slots.h"

enum lane { LANE_INSTANT, LANE_BULK, LANE_COUNT };
extern const char *const lane_words[LANE_COUNT];

struct message {
    struct message *prev, *next;
    struct message_list *list; /* that it stands in; NULL: none */
    struct delivery *delivery;
    const struct text_record *record; /* of the delivery's chunk */
    struct slot *slot;                /* from before its claim until its outcome is confirmed or settled */
    int attempt;                      /* of the claim we hold; 0: none */
    int tries;                        /* earlier attempts that the gateway answered with "again" */
    unsigned numbers_cap;             /* it may share a request with so many; 0: no limit of its own */
    bool refused_here;                /* this gateway has refused it for now: it is not handed over */
    bool stays;                       /* no other gateway's queue took it */
    bool alone;                       /* its group was refused by the database: it is claimed by itself */
    enum settled settle;              /* while it stands in `settling` */
    int64_t wait_ms;                  /* after the settling, or in the outbox */
    bool in_outbox;
    bool run_holds; /* in the outbox it waits for its run to go on */
    int64_t due_ms; /* monotonic: while it stands in `later` */
    int64_t claimed_mono_ms;
};

struct message_list {
    struct message *first, *last;
    size_t count;
};
void list_add(struct message_list *l, struct message *m);
void list_add_first(struct message_list *l, struct message *m);
void list_add_by_due(struct message_list *l, struct message *m);
void list_remove(struct message *m); /* from wherever it stands */

struct delivery {
    struct delivery *prev, *next;
    enum lane lane;
    uint64_t epoch, tag; /* of the channel it came on */
    int64_t taken_ms;    /* monotonic */
    struct chunk *chunk;
    size_t open;  /* messages and bad records that are not done */
    bool touched; /* some message of it is done or on its way: the chunk as a whole may not just be dropped */
    size_t count;
    struct message messages[];
};
/* chunk NULL: an unreadable one, no messages. */
struct delivery *delivery_new(enum lane lane, uint64_t epoch, uint64_t tag, struct chunk *chunk,
                              int64_t now_ms);
void delivery_free(struct delivery *d);

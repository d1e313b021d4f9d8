/* What the dispatcher holds in memory: deliveries, the messages in them, and the segments of these. What is
 * claimed, sent and answered is a segment; a message that goes whole is its only one. The first segment
 * stands for its message: in the lists of what waits, in the outbox and in other queues. A delivery is acked
 * when all its messages are done. */
#pragma once
#include "dispatch/gateway.h"
#include "dispatch/retry.h"
#include "lib/record.h"
#include "lib/slots.h"

enum lane { LANE_INSTANT, LANE_BULK, LANE_COUNT };
extern const char *const lane_words[LANE_COUNT];

struct round {          /* of a message: some of its segments are asked for together, and each ends */
    unsigned under_way; /* of them have not ended */
    unsigned elsewhere; /* of those under way wait for the others: another gateway may take the message */
    bool again;         /* another round is needed: */
    bool in_outbox;     /* it waits there, else in memory */
    bool run_holds;     /* in the outbox it waits for its run to go on */
    int64_t wait_ms;
    const char *to; /* NULL: here; else the gateway that gets the message */
};

struct message {
    struct message *prev, *next;
    struct message_list *list; /* that it stands in; NULL: none */
    struct delivery *delivery;
    const struct text_record *record; /* of the delivery's chunk */

    /* of this segment */
    int segment;           /* from 1 */
    struct message *first; /* of its message; itself, where the message goes whole */
    struct slot *slot;     /* from before its claim until its outcome is confirmed or settled */
    int attempt;           /* of the claim we hold; 0: none */
    int tries;             /* earlier attempts that the gateway answered with "again" */
    bool over;             /* it has its end */
    bool elsewhere;        /* counted in round.elsewhere */
    enum settled settle;   /* while it stands in `settling` */
    int64_t wait_ms;       /* after the settling */
    bool in_outbox;
    char *error; /* of the gateway, while it waits for the others */
    int64_t claimed_mono_ms;

    /* of the message, in its first segment */
    struct gateway_cut cut;
    struct message *more; /* segments 2 to cut.parts */
    const char *cannot;   /* why its text cannot be sent in this way (constant): claimed and refused */
    struct round round;
    unsigned numbers_cap; /* it may share a request with so many; 0: no limit of its own */
    bool refused_here;    /* this gateway has refused it for now: it is not handed over */
    bool begun;           /* some segment may have left: the rest goes by this gateway only */
    bool failed;          /* some segment is refused for good: the rest is not sent */
    bool stays;           /* no other gateway's queue took it */
    bool alone;           /* its group was refused by the database: it is claimed by itself */
    int64_t due_ms;       /* monotonic: while it stands in `later` */
};

struct message_list {
    struct message *first, *last;
    size_t count;
};
void list_add(struct message_list *l, struct message *m);
void list_add_first(struct message_list *l, struct message *m);
void list_add_by_due(struct message_list *l, struct message *m);
void list_remove(struct message *m); /* from wherever it stands */

/* Cuts a message of which nothing is under way anew: as the gateway's configuration says, or, `as` not NULL,
 * as its claims say; then it has so many segments, though its text may not be cut into as many any more. */
void message_cut(struct message *m, const struct gateway_driver *driver, const struct conf_gateway *conf,
                 const struct gateway_cut *as);
struct message *message_segment(struct message *m, int segment); /* from 1 to cut.parts */
size_t message_open(const struct message *m);                    /* segments without an end */
static inline bool message_whole(const struct message *m)
{
    return m->first->cut.parts == 1;
}
/* The same for every attempt, after any restart, and another one for each message of a run. */
static inline uint16_t message_reference(const struct message *m)
{
    return (uint16_t)m->record->sms_id;
}

struct delivery {
    struct delivery *prev, *next;
    enum lane lane;
    uint64_t epoch, tag; /* of the channel it came on */
    int64_t taken_ms;    /* monotonic */
    struct chunk *chunk;
    size_t open;  /* messages and bad records that are not done */
    bool touched; /* some message of it is done or on its way: the chunk as a whole may not just be dropped */
    size_t count;
    struct message messages[]; /* their first segments */
};
/* chunk NULL: an unreadable one, no messages. */
struct delivery *delivery_new(enum lane lane, uint64_t epoch, uint64_t tag, struct chunk *chunk,
                              int64_t now_ms);
void delivery_free(struct delivery *d);

/* All that a dispatcher publishes: steps to the update queue, messages to another gateway's queue or back to
 * its own, and what nobody can use to sms.dead. Each publication is kept until the broker has confirmed it; a
 * returned one (no such queue) was not published. Nothing here is counted: the slots and the unacked
 * deliveries bound it. */
#pragma once
#include "dispatch/message.h"
#include "lib/mq.h"

#define TELL_STEPS_MAX 200 /* in a chunk */
#define TELL_WAIT_MS                                                                                         \
    20 /* the oldest step of a chunk waits so long at most, the instant lane's not at all                    \
        */
#define TELL_AGAIN_MS 1000

enum told_kind {
    TOLD_STEPS,     /* done: the outcomes of `messages` are confirmed */
    TOLD_TEXTS,     /* done: `messages` are in another queue */
    TOLD_DEAD,      /* done: `dead` records of `delivery`, or `messages`, are in sms.dead */
    TOLD_RECOVERED, /* done: outcomes from a dead dispatcher's slots */
};
struct told {
    struct told *prev, *next;
    enum told_kind kind;
    char queue[MQ_QUEUE_SIZE];
    struct buf body;
    size_t steps;
    struct message **messages; /* that its confirm finishes; TOLD_STEPS: segments */
    size_t count, room;
    struct delivery *delivery;
    size_t dead;
    char *dead_from, *dead_why;
    int64_t first_ms, again_ms; /* monotonic */
};

struct tell;
struct tell_options {
    struct mq_publisher *publisher; /* not owned */
    const char *update_queue;
    void *arg;
    /* confirmed: everything in `t` is in the queue; t is gone after the call. Else it was returned: true
     * takes `t` as finished, false has it published again a little later. */
    bool (*done)(void *arg, struct told *t, bool confirmed);
    void (*published)(void *arg, struct told *t); /* the library has taken it */
};
struct tell *tell_new(const struct tell_options *opts);
void tell_free(struct tell *t);

/* finishes: the segment whose outcome this step is; NULL: none. at_once: it does not wait for others. */
void tell_step(struct tell *t, const struct step_record *s, struct message *finishes, bool at_once);
void tell_recovered_step(struct tell *t, const struct step_record *s);
/* One record more for that queue; what stands ready is published in the next tell_turn. passed_on_by NULL: as
 * it is; else the name is added to the record's passed_on. */
void tell_text(struct tell *t, const char *queue, struct message *m, const char *passed_on_by);
void tell_dead_body(struct tell *t, const void *body, size_t len, const char *from, const char *why,
                    struct delivery *delivery, size_t dead);
void tell_dead_message(struct tell *t, struct message *m, const char *from, const char *why);

/* Publishes what is due and reads confirms. Returns in how many ms it has something to do; -1: only its fd.
 */
int64_t tell_turn(struct tell *t, int64_t now_ms);
size_t tell_open(const struct tell *t); /* publications not confirmed, those not yet published included */
/* A record as the body of a chunk of its own. */
void tell_text_body(struct buf *b, const struct text_record *r);

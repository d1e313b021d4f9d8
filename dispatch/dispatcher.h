/* The thread of one gateway. It owns two consumers, a publisher, a database session, a slots file and the
 * gateway's sockets, shares nothing, and goes round in dispatcher_run. Its parts: take.c (deliveries),
 * claiming.c, claimed.c and settling.c (the one statement under way), outcome.c (answers), round.c (a
 * message's segments until all have ended), hand_over.c, place.c (lock, history, control), recovering.c. */
#pragma once
#include "dispatch/breaker.h"
#include "dispatch/claim.h"
#include "dispatch/gateway.h"
#include "dispatch/measure.h"
#include "dispatch/rate.h"
#include "dispatch/reports.h"
#include "dispatch/tell.h"
#include "dispatch/window.h"
#include "lib/conf.h"
#include "lib/db.h"
#include "lib/history.h"
#include "lib/log.h"
#include "lib/mq.h"
#include "lib/service.h"

#define DISPATCH_CHUNK_RECORDS        500   /* a chunk from render holds so many at most */
#define DISPATCH_PREFETCH_MAX         16    /* chunks of bulk: bounds the memory */
#define DISPATCH_INSTANT_RECORDS      16    /* the same of the instant lane: most have one, */
#define DISPATCH_INSTANT_PREFETCH_MAX 256   /* and these are to fill a window */
#define DISPATCH_UNACKED_S            60    /* unacked records: at most so long at the gateway's rate */
#define DISPATCH_UNACKED_OLD_MS       45000 /* what is left of an older delivery goes back to the queue's end */
#define DISPATCH_REST_MS              5000 /* a channel is closed so long after taking has stopped, at the latest */
#define DISPATCH_OPEN_AGAIN_MS        60000 /* an open claim is asked for again after this */
#define DISPATCH_END_MS               15000 /* beyond the answer timeout, to publish and confirm */
#define DISPATCH_LEAVE_MS             10000 /* the queues of a gateway that is gone are empty for so long */
#define DISPATCH_GROUP_MAX            1000

enum work { WORK_NONE, WORK_CLAIM, WORK_SETTLE, WORK_OUTBOX, WORK_RELEASE };

enum taking {             /* deliveries */
              TAKING_OFF, /* channels closed, nothing waits */
              TAKING_ON,
              TAKING_REST, /* no new ones; what is begun ends, then the channels are closed */
};

struct session { /* of the database server; the start tells it from a later one with the same number */
    int pid;
    char began[48];
    uint64_t generation; /* as db_generation */
};

struct place {              /* this gateway's place among its dispatchers: a session advisory lock */
    bool held, new_session; /* new: what was committed before has to be looked for */
    int number;
    int gateway_id;
    uint64_t generation; /* of the session */
    struct session session;
    int64_t try_ms, look_ms, history_ms, again_ms, stuck_ms; /* monotonic: when next */
    int64_t clock_ahead_ms;                        /* the server's clock less ours */
    bool paused;                                   /* by an operator */
    bool changed;                                  /* the database has lost history */
    struct log_trouble refused, stands_by;
};

struct heartbeat {
    int64_t submits, idle_since_ms; /* so many were counted when it was idle last; 0: not yet */
    struct log_trouble trouble;
};

struct counters {
    int64_t submits, accepted, refused, throttled, retried, not_sent, in_doubt, handed_over, dead;
};

struct recovery {
    struct slots *dead; /* being recovered; NULL: none */
    struct release {
        int64_t sms_id, claimed_at;
        int32_t segment, settled;
    } * releases;
    size_t release_count, release_at; /* settled so far */
    size_t told;                      /* publications unconfirmed */
    int64_t next_ms;
    bool done_once; /* since the place is held: then deliveries are taken */
};

struct dispatcher {
    const struct conf *conf;
    const struct conf_gateway *gateway;
    struct window window; /* segments without an answer */
    int64_t group_max;
    bool ending;
    int64_t end_ms; /* monotonic */
    _Atomic bool leaving;
    int64_t quiet_since_ms; /* leaving: since when there has been nothing to do; 0: there is */
    int wake_fd;

    struct mq_consumer *consumers[LANE_COUNT];
    uint64_t epochs[LANE_COUNT];
    struct mq_publisher *publisher;
    struct tell *tell;
    struct db *db;
    struct db_params *params;
    struct history *history;
    struct slots *slots;
    size_t slots_used;
    char *slots_dir;
    const struct gateway_driver *driver;
    struct gateway *sender;
    bool linked;             /* it has its turns */
    struct drain *drain;     /* of the process; NULL: nothing comes over this gateway's link */
    struct reports *reports; /* the same */
    struct rate rate;
    struct breaker breaker;
    struct figures *figures;
    struct place place;
    struct recovery recovery;

    enum taking taking;
    int64_t rest_until_ms;
    bool newer; /* a chunk of a newer version came: this program must be upgraded */
    bool more;  /* there may be deliveries that this turn has left */
    bool stuck; /* the breaker is open and some message has no other gateway */
    struct delivery *deliveries, *last_delivery;
    size_t messages;                       /* in memory, not done */
    struct message_list ready[LANE_COUNT]; /* to be claimed */
    struct message_list later;             /* wait in memory, by due_ms */
    struct message_list settling;          /* segments whose claims are to be settled */
    struct message_list outgoing;          /* to the outbox, without a claim of ours */

    enum work work;
    bool work_running;
    int64_t work_again_ms;
    struct log_trouble work_trouble, slots_trouble, driver_trouble;
    struct message *group[DISPATCH_GROUP_MAX]; /* segments, or messages, that the statement is about */
    size_t group_count;
    int group_day;
    struct group_arrays *arrays;         /* scratch, for the statement's parameters */
    int64_t claimed_at, claimed_mono_ms; /* the claim group's name, and when it was first asked for */
    bool claim_again;                    /* an answer of this group was lost */
    struct session asked_by;             /* which session was asked to claim it last */
    struct last_claim {                  /* the last one that certainly was committed */
        int64_t sms_id, claimed_at;
        int segment, attempt;
        int64_t history_generation; /* 0: none yet */
    } last_claim;
    int64_t bulk_claim_end_ms; /* when bulk's last claim ended */

    struct message_list sending; /* claimed and not answered, the oldest first */
    int64_t quiet_until_ms;      /* throttled */
    int64_t throttles;           /* in a row */
    bool probing;

    struct counters counters;
    struct measure measure;
    struct heartbeat heartbeat;
    int64_t rate_from_ms, rate_from_submits, rate_now;
    const char *state;
};

/* drain: where the driver has `kept`; outlives the dispatcher. */
struct dispatcher *dispatcher_new(const struct conf *conf, const struct conf_gateway *gateway,
                                  struct drain *drain);
struct mq_options dispatcher_broker(const struct conf *c, const char *name); /* strings of c */
void dispatcher_free(struct dispatcher *d);
void dispatcher_run(struct dispatcher *d); /* returns when it has been asked to end and has drained */
void dispatcher_end(struct dispatcher *d); /* any thread */
/* Its gateway is not configured any more: it goes on by what it knows until its queues have been empty for a
 * while, then it ends. False takes that back. Any thread. */
void dispatcher_leave(struct dispatcher *d, bool leaving);

/* take.c */
void take_turn(struct dispatcher *d, int64_t now_ms);
void take_rest(struct dispatcher *d, int64_t now_ms);       /* stop taking, give back what is not begun */
void message_done(struct dispatcher *d, struct message *m); /* a message; so are the others here */
void delivery_part_done(struct dispatcher *d, struct delivery *delivery, size_t count);
void message_ready(struct dispatcher *d, struct message *m); /* back to those that are to be claimed */
size_t waiting_count(const struct dispatcher *d);

/* work.c: the one statement under way */
void work_turn(struct dispatcher *d, int64_t now_ms);
struct group_arrays {
    int64_t sms_id[DISPATCH_GROUP_MAX], number[DISPATCH_GROUP_MAX], time[DISPATCH_GROUP_MAX],
        run[DISPATCH_GROUP_MAX];
    int32_t segment[DISPATCH_GROUP_MAX], attempt[DISPATCH_GROUP_MAX], settled[DISPATCH_GROUP_MAX],
        parts[DISPATCH_GROUP_MAX], way[DISPATCH_GROUP_MAX];
    const char *rule[DISPATCH_GROUP_MAX], *class[DISPATCH_GROUP_MAX];
    char *body[DISPATCH_GROUP_MAX];
};
/* claiming.c */
bool claim_begin(struct dispatcher *d, int64_t now_ms);     /* false: nothing to claim, or not now */
struct claim_group claim_asked(const struct dispatcher *d); /* in d->arrays */
int claim_start(struct dispatcher *d);
bool claim_may_ask_again(struct dispatcher *d, int64_t now_ms); /* false: not yet */
int64_t claim_wait_ms(struct dispatcher *d,
                      int64_t now_ms); /* until claim_begin may have something; -1: not by time */
void slot_done(struct dispatcher *d, struct message *m);
void leave_window(struct dispatcher *d, struct message *m); /* asked for, and nothing of it has left */
/* claimed.c: what becomes of a group when the statement has answered */
void claim_done(struct dispatcher *d, const struct db_result *r, int64_t now_ms);
void claim_refused(struct dispatcher *d, const char *why);
/* round.c: a message from the claim of its segments to the end of them all */
void segment_begins(struct message *s);                     /* it is asked for */
void segment_over(struct dispatcher *d, struct message *s); /* it has its end; its slot is free */
struct again {
    int64_t wait_ms;
    bool in_outbox, run_holds;
};
void segment_again(struct dispatcher *d, struct message *s, struct again again); /* its slot is free */
/* The gateway has refused this one, but another may take the message. It waits until every other segment has
 * its answer: the message goes there whole or not at all. */
void segment_elsewhere(struct dispatcher *d, struct message *s, const char *error);
/* settling.c */
bool settle_begin(struct dispatcher *d);
int settle_start(struct dispatcher *d);
void settle_done(struct dispatcher *d);
bool outbox_begin(struct dispatcher *d);
int outbox_start(struct dispatcher *d);
void outbox_done(struct dispatcher *d);
/* recovering.c */
void recover_turn(struct dispatcher *d, int64_t now_ms);
bool release_begin(struct dispatcher *d);
int release_start(struct dispatcher *d);
void release_done(struct dispatcher *d);

/* outcome.c */
bool outcome_first_byte(void *arg, struct gateway_request *r);
void outcome_answered(void *arg, struct gateway_request *r, const struct gateway_answer *a);
void outcome_probed(void *arg, bool connected);
/* Told for every segment that it had then; the message `m` is over. */
void outcome_refused_claim(struct dispatcher *d, struct message *m, const struct claimed *c);
/* Claimed, and not sent: no gateway could put it together. */
void outcome_cannot(struct dispatcher *d, struct message *m);
/* A refusal for now is an end, since the rest of the message is here. */
void outcome_refused_here(struct dispatcher *d, struct message *m);
void outcome_refused_for_now(struct dispatcher *d, struct message *m);
void outcome_submitted(struct dispatcher *d, struct message *m);
bool outcome_told(void *arg, struct told *t, bool confirmed);
void outcome_published(void *arg, struct told *t);

/* hand_over.c */
void hand_over_turn(struct dispatcher *d, int64_t now_ms);

/* heartbeat.c */
int heartbeat_turn(struct dispatcher *d, int64_t now_ms); /* < 0: no session */

/* place.c */
int place_turn(struct dispatcher *d, int64_t now_ms); /* < 0: no session */
bool place_may_claim(const struct dispatcher *d);
int64_t place_wait_ms(const struct dispatcher *d, int64_t now_ms);

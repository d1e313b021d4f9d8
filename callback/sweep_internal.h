/* Between the sweeper's thread (sweep.c) and what it looks for (sweep_find.c, sweep_infer.c). */
#pragma once
#include "callback/sweep.h"
#include "lib/log.h"
#include "lib/mq.h"

#include <pthread.h>
#include <stdatomic.h>

struct sweep_chunk { /* one a shard, being filled */
    struct buf body;
    size_t records;
};
struct lookup;
struct sweep {
    pthread_t thread;
    bool of_gateways;      /* look-ups: the one below; else the tables' sweeps */
    struct sweep *lookups; /* of the tables' one */
    struct lookup *lookup; /* what the look-ups keep from turn to turn (lookup.c) */
    struct gateways_now *gateways;
    struct gateways *start;
    struct gateways *conf; /* of this turn */
    struct words *words;   /* of inferred steps */
    struct db *db;
    struct mq_publisher *publisher;
    struct sweep_chunk *chunks;
    unsigned shards;
    bool not_told;              /* a chunk of this turn could not even be handed to the publisher */
    uint64_t locked_generation; /* of the connection that holds the lock; 0: none */
    int64_t due_ms[8], alive_ms;
    int64_t infer_after; /* id of the parked step last looked at */
    atomic_bool stopping, sweeping;
    atomic_int_fast64_t open_claims, no_report, inferred, given_up, inbound_parts, asked, answered, sent_again;
    struct log_trouble trouble;
};

/* Adds one step to be told. */
void sweep_tell(struct sweep *s, const struct step_record *r);
/* Publishes what was added and waits for the confirms. 0, or < 0: nothing may be taken for told. */
int must_check sweep_flush(struct sweep *s);

/* Each: 0, or an error as lib/db.h's, or < 0 of the broker. */
int must_check sweep_open_claims(struct sweep *s);
int must_check sweep_no_report(struct sweep *s);
int must_check sweep_infer(struct sweep *s);
int must_check sweep_give_up(struct sweep *s);
int must_check sweep_partitions(struct sweep *s);
int must_check sweep_old(struct sweep *s);   /* partitions, minutes and look-ups past claims_keep */
int must_check lookup_find(struct sweep *s); /* which attempts are to be asked for */
int must_check lookup_turn(struct sweep *s); /* asks, a second's rate of each gateway */
void lookup_free(struct lookup *l);

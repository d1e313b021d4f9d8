/* What happens next with one message after its exchange. Pure: plain values in, a plan out. */
#pragma once
#include "dispatch/classify.h"

#define RETRY_IN_MEMORY_MAX_MS 10000 /* a longer wait stands in the outbox */
#define RETRY_UNACKED_MAX_MS   50000 /* no delivery waits unacked for a clock longer than a minute */
#define RETRY_ATTEMPT_MAX      30000 /* claim.attempt is a smallint */

enum settled { /* claim.settled: only after one of these may the next attempt be made */
               SETTLED_NOT = 0,
               SETTLED_RELEASED = 1,
               SETTLED_NOT_SENT = 2,
               SETTLED_RETRY = 3,
};

struct retry_facts {
    enum outcome outcome;
    bool throttled, elsewhere;
    int attempt; /* this one */
    int tries;   /* earlier attempts that the gateway answered with "again" */
    int max_attempts;
    unsigned numbers; /* in the request */
    bool named;       /* the answer named numbers that it refuses, all of them in the request */
    bool this_one_named;
    int64_t retry_after_ms; /* < 0: the answer did not say */
    int64_t base_ms, max_ms;
    int64_t unacked_ms;      /* how long the record's delivery has waited for its ack */
    bool may_wait_in_memory; /* the delivery's channel lives, and we are not ending */
};

struct retry_plan {
    enum {
        NEXT_ACCEPTED = 1, /* tell 101 */
        NEXT_REJECTED,     /* tell 110 rejected: the end */
        NEXT_IN_DOUBT,     /* tell 110 in doubt: the end for the machine */
        NEXT_AGAIN,        /* settle, then try again after wait_ms */
        NEXT_ELSEWHERE,    /* settle and hand over to another gateway, or, where there is none, reject */
    } next;
    const char *reason;  /* NULL: the exchange's own */
    enum settled settle; /* NEXT_AGAIN */
    int64_t wait_ms;
    bool in_outbox;       /* NEXT_AGAIN: leaves memory, comes back when due */
    bool tell_refusal;    /* NEXT_AGAIN: the gateway said no: an event without a state */
    unsigned numbers_cap; /* NEXT_AGAIN: it may share a request with so many at most; 0: no new limit */
};
/* jitter: 0 to 1, so that the function stays pure. */
struct retry_plan retry_plan(const struct retry_facts *f, double jitter);

/* What is certain after an exchange with a gateway. Pure: plain values in, a verdict out. Whatever is not
 * certain is in doubt: it may have been sent, so the machine never sends it again. */
#pragma once
#include "lib/base.h"
#include "lib/conf.h"
#include "lib/http.h"

enum outcome {
    OUTCOME_ACCEPTED = 1, /* the gateway has it */
    OUTCOME_REFUSED,      /* certainly not accepted, and will not be */
    OUTCOME_RETRY,        /* certainly not accepted, may be tried again */
    OUTCOME_NOT_SENT,     /* not a byte has left */
    OUTCOME_IN_DOUBT,
};

struct exchange {
    enum http_end end;
    unsigned sends; /* how often libcurl was about to send: 0 not at all, 2 it wanted to send again by itself */
    enum answer_kind matched; /* 0: no line of `answer:` fits */
    bool msg_id_missing;
    bool refused_unreadable; /* the numbers it refuses cannot be told */
};

struct classified {
    enum outcome outcome;
    const char *reason; /* one of a small set; NULL: the answer's own reason */
    bool throttled;     /* RETRY since it was too fast: the gateway wants a pause */
    bool unreachable;   /* NOT_SENT since there was no connection: counts for the breaker */
};
struct classified classify(const struct exchange *e);
const char *outcome_word(enum outcome o);

/* The states of a message, their words and their rank: what may replace what (docs/design.md, "rank").
 * The numbers are stored in tables: never change one. */
#pragma once
#include "lib/base.h"

enum state {
    STATE_QUEUED       = 0,
    STATE_SUBMITTED    = 10,
    STATE_IN_DOUBT     = 20,
    STATE_ACCEPTED     = 30,
    STATE_STALE        = 40,
    STATE_SUPPRESSED   = 41,
    STATE_CANCELLED    = 42,
    STATE_RENDER_ERROR = 43,
    STATE_UNKNOWN      = 50,
    STATE_EXPIRED      = 60,
    STATE_REJECTED     = 70,
    STATE_UNDELIVERED  = 80,
    STATE_DELIVERED    = 90,
};

const char *state_word(enum state s);                 /* "in_doubt"; NULL for a number that is none */
bool state_parse(const char *word, enum state *ret);
bool state_is_final(enum state s); /* above accepted: the machine expects nothing more */

/* May (attempt_new, state_new) replace (attempt_old, state_old)? Below accepted (attempt, rank) is compared, from
 * accepted on the rank alone. A total order, so the last state does not depend on the order of arrival. */
bool state_replaces(int attempt_new, enum state state_new, int attempt_old, enum state state_old);

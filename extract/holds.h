/* What holds a run that has been read whole: its figures against what the rule allows. Pure: extract asks
 * before anything leaves, `smschain plan` asks beforehand. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/conf.h"

/* run.held_by and run.released, as bits; what stands there are words (holds.c). */
enum hold {
    HOLD_MAX_RECIPIENTS = 1 << 0,
    HOLD_BALANCE = 1 << 1,
    HOLD_RECIPIENTS_DIFFER = 1 << 2,
    HOLD_RENDER_ERRORS = 1 << 3,
    HOLD_APPROVE = 1 << 4,
    HOLD_WAVE = 1 << 5,
};
#define HOLDS 6
/* Words separated by spaces; unknown ones are a newer writer's and are ignored. */
unsigned holds_parse(const char *words);
/* "{approve,render_errors}": an array of PostgreSQL. */
void holds_array(unsigned holds, struct buf *out);

struct holds_figures {
    int64_t recipients;     /* new messages of this run */
    int64_t judged, errors; /* of those, seen by the judge, and what cannot be rendered */
    int64_t last_runs,
        last_recipients; /* the rule's last runs, five at most, and their new messages together */
};
/* All that holds it, but for what a person has said yes to already (`released`); the reasons, each with its
 * figures and its key, are appended to why, "; " between them. 0: nothing. */
unsigned holds_decide(const struct conf_rule *rule, const struct holds_figures *f, unsigned released,
                      struct buf *why);

/* A section `waves` as numbers. False: the rule has none. */
struct holds_waves {
    int64_t share, count;   /* how much goes out first: millionths, or messages; one of them is 0 */
    int64_t wait_ms, limit; /* millionths */
};
bool holds_waves(const struct conf_rule *rule, struct holds_waves *ret);

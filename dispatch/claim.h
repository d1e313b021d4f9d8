/* The claim, the only gate before a gateway: claim.sql asks and claims a group in one statement,
 * claim_verdict says what its answer means for one message. A group is named by (owner, claimed_at), which no
 * other group has; so the statement may be run again after its answer was lost with the connection: it gives
 * the same answer. */
#pragma once
#include "lib/base.h"
#include "lib/db.h"

struct claim_facts {  /* what the statement says of one segment */
    bool found;       /* the message row is there, with this number */
    int state;        /* enum state: of the segment, where the message is begun and none failed; else of the
                         message */
    int made_attempt; /* > 0: this statement inserted this attempt, of kind made_kind */
    int made_kind;
    int last_attempt; /* > 0: there was a claim before this statement */
    int last_kind, last_settled, last_parts;
    bool last_ours;             /* it is of this very group: made by an earlier run of this statement */
    int hold;                   /* enum claim_hold */
    bool looked_up;             /* an attempt was not accepted, as the gateway's look-up has proven */
    int parts, way;             /* as it was asked for */
    int begun_parts, begun_way; /* how the message was cut when it was begun; parts 0: it is not begun */
    bool begun_elsewhere;       /* by another gateway */
};
enum claim_hold { CLAIM_HOLD_NONE = 0, CLAIM_HOLD_RUN = 1, CLAIM_HOLD_GATEWAY = 2 };

enum claim_verdict {
    CLAIM_MADE = 1,  /* ours: may be sent, as `attempt` */
    CLAIM_REFUSED,   /* stale, suppressed, cancelled (`kind`): a claim that it is never sent */
    CLAIM_PAUSED,    /* its rule or run is paused */
    CLAIM_STAYS,     /* this gateway or everything is paused: it stays in the queue */
    CLAIM_OPEN,      /* an earlier attempt is open, or another was quicker */
    CLAIM_DONE,      /* it has an outcome or is in doubt */
    CLAIM_LOST,      /* no such message */
    CLAIM_ELSEWHERE, /* segments of it are with another gateway, the rest goes there */
    CLAIM_CUT,       /* it is begun here, but cut in another way: to be cut so again */
    CLAIM_NOT_MADE,  /* nothing stands against it, but none was made (may_insert was false, or another was
                        quicker) */
};
struct claimed {
    enum claim_verdict verdict;
    int attempt;
    int kind;
    int parts; /* CLAIM_REFUSED: as the message was cut then, its segments have the same attempt; CLAIM_CUT */
    int way;   /* CLAIM_CUT */
};
struct claimed claim_verdict(const struct claim_facts *f);

struct claim_group { /* arrays of `count`, keys strictly ascending, all of one day */
    int day;
    size_t count;
    const int64_t *sms_id, *number, *valid_until;
    const int32_t *segment, *parts, *way;
    const char *const *rule, *const *class;
    int gateway_id;
    const char *gateway;
    int64_t owner, claimed_at; /* wall ms */
    bool may_insert;           /* false: only read what an earlier run of it has made */
};
const struct db_sql *claim_sql(const struct claim_group *g);
void claim_params(const struct claim_group *g, struct db_params *p);
struct claim_answer {
    size_t index; /* in the group's arrays */
    struct claimed claimed;
    int tries;           /* earlier attempts settled as retry */
    const char *gateway; /* CLAIM_ELSEWHERE: as long as the result */
};
/* Row `row` of the statement's result; of `g` only the count, parts and ways are looked at. */
struct claim_answer claim_read(const struct db_result *r, int row, const struct claim_group *g);

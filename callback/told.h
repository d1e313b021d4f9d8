/* One step as the batching consumer works with it: checked, its words and ids in the form in which they are
 * compared. All its strings live in the arena of its batch. */
#pragma once
#include "callback/arena.h"
#include "callback/msg_id.h"
#include "callback/words.h"
#include "lib/record.h"
#include "lib/seq_id.h"
#include "lib/state.h"

#define TOLD_NO_STATE     (-1) /* an event that changes no state */
#define TOLD_ERROR_MAX    500
#define TOLD_SEGMENTS_MAX 255

enum told_fate {
    TOLD_OPEN = 0,
    TOLD_APPLIED,
    TOLD_PARKED,  /* its predecessor is not known yet */
    TOLD_FOREIGN, /* a report that names another gateway's attempt: it changes nothing, and a person is told
                   */
};
struct told {
    struct seq_id id; /* sms_id 0: not known; a report is told by its msg_id and finds it in the fold */
    int64_t number, at, gateway_at;
    struct word *gateway, *reason, *version;
    const char *msg_id;  /* as compared; NULL: none */
    const char *written; /* the same as the gateway wrote it; the same pointer where equal */
    const char *error, *raw, *origin;
    uint64_t digest;   /* of what makes two tellings the same, apart from whose they are */
    int64_t parked_id; /* > 0: it comes from the table `parked` */
    enum step step;
    int16_t state; /* enum state, or TOLD_NO_STATE */
    int16_t segments;
    int16_t
        parts; /* its message was cut into so many when the attempt was claimed; 0: it says nothing of that */
    bool named;   /* it says itself which attempt it is about */
    bool claimed; /* that attempt's claim is in the table */
    bool foreign; /* …and it is another gateway's */
    bool instant;
    enum told_fate fate;
};

struct told_rules { /* what a record is checked against */
    int64_t now_ms;
    int64_t keep_days;     /* claims are kept so long: an older telling can be matched by nothing any more */
    enum msg_id_form form; /* of this gateway's ids in this kind of step */
};
/* NULL: *ret is good. Else why this record can never be applied, for sms.dead; static text. */
const char *told_from_record(const struct step_record *r, const struct told_rules *rules, struct words *words,
                             struct arena *arena, struct told *ret);
bool told_is_time(int64_t wall_ms); /* a moment that our tables may hold */
/* The record again, as it stands in `parked` and in sms.dead. */
void told_encode(const struct told *t, struct buf *out);

/* event.digest: equal for two tellings of the same thing about the same attempt, however often and by whom.
 */
int64_t told_event_digest(const struct told *t);
/* parked.digest: one telling, however often it is delivered. Two tellings of the same thing wait beside each
 * other, since the earlier one names the row's time. quarantine.digest: the same body, however often it is
 * told. */
int64_t told_park_digest(const struct told *t);

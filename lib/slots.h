/* The slots file: what a dispatcher was doing at the instant it died (docs/design.md, "slots").
 * One MAP_SHARED file a dispatcher (one gateway in one process), flocked for its life and named by its epoch. Page
 * cache outlives a killed process, so what was stored before the kill is there after it. A crash of the machine is
 * told by the boot id. Only positive proof counts: see slots_verdict. */
#pragma once
#include "lib/base.h"
#include "lib/seq_id.h"

enum slot_state {
    SLOT_FREE     = 0,
    SLOT_CLAIMED  = 1, /* a claim is being made or is made; not a byte of it has left */
    SLOT_MARKED   = 2, /* the first byte may have left */
    SLOT_ANSWERED = 3, /* the gateway's answer is in `answer` */
};
enum slot_answer { /* what the answer said (dispatch/classify.h has the same meanings) */
    SLOT_ANSWER_ACCEPTED = 1, /* msg_id holds its id */
    SLOT_ANSWER_REFUSED  = 2, /* for good */
    SLOT_ANSWER_RETRY    = 3, /* certainly not accepted, may be tried again */
    SLOT_ANSWER_IN_DOUBT = 4, /* timeout, reset, unreadable */
};
#define SLOT_MSG_ID_SIZE 128
#define SLOT_REASON_SIZE 64

struct slot {
    _Atomic uint32_t state; /* enum slot_state; stored last */
    uint32_t answer;        /* enum slot_answer */
    int64_t sms_id;
    int32_t segment, attempt; /* attempt 0: the claim's answer has not come yet */
    int64_t number;
    int64_t claimed_at; /* wall ms */
    int64_t answered_at;
    char msg_id[SLOT_MSG_ID_SIZE]; /* whole, or the answer is stored as in doubt */
    char reason[SLOT_REASON_SIZE]; /* cut to fit */
    int32_t parts; /* segments that its message was cut into; 1: it goes whole */
    uint32_t crc; /* CRC-32C of the identity fields sms_id, segment, parts, number, claimed_at: a torn slot proves nothing */
};

struct slots;
/* Makes <dir>/<epoch>.slots with `count` free slots. < 0: errno. */
int must_check slots_create(const char *dir, const char *gateway, uint32_t count, struct slots **ret);
void slots_close(struct slots *s);         /* unlocks; deletes the file if every slot is free */
int64_t slots_epoch(const struct slots *s); /* random, > 0: the claim's owner */
const char *slots_gateway(const struct slots *s);
uint32_t slots_count(const struct slots *s);
struct slot *slots_at(struct slots *s, uint32_t i);

/* Segment `segment` of `parts`. NULL: none free. */
struct slot *slot_take(struct slots *s, int64_t sms_id, int segment, int parts, int64_t number, int64_t now_ms);
void slot_set_attempt(struct slot *slot, int attempt);
void slot_mark(struct slot *slot);
void slot_answer(struct slot *slot, enum slot_answer answer, const char *msg_id, const char *reason, int64_t now_ms);
void slot_free(struct slot *slot);

/* Recovery. Opens the slots file of a dead dispatcher of this gateway (or of any, gateway NULL) under the same boot id
 * by obtaining its lock. 0: *ret is one, now ours; > 0: none left to recover. Files that prove nothing (another boot,
 * wrong size, wrong checksum, copied) are renamed to *.unproven, said once in the log, and never released. */
enum { SLOTS_NONE = 1 };
int must_check slots_recover_next(const char *dir, const char *gateway, struct slots **ret);
void slots_recovered(struct slots *s); /* everything in it is settled: deletes the file, frees s */

/* What a dead dispatcher's slot proves. Pure. */
enum slot_verdict {
    SLOT_PROVES_NOTHING, /* free, or damaged */
    SLOT_RELEASE,        /* claimed and not marked: certainly not sent */
    SLOT_REPUBLISH,      /* answered: tell its outcome again */
    SLOT_DOUBT,          /* marked without an answer, or with one that cannot be read */
};
enum slot_verdict slots_verdict(const struct slot *slot);

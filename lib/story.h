/* The story of one message: where it stands, its segments, and everything that happened to it, in order; read
 * from the tables into plain structs, for whoever shows it (smschain why and message, the API, the page).
 * Numbers and what gateways wrote are masked; a role needs SELECT on message_shown, event_shown, claim and
 * msg_map (schema/0017). */
#pragma once
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/seq_id.h"
#include "lib/state.h"

enum story_step { STORY_CLAIM = 100, STORY_ACCEPTED = 101, STORY_REPORT = 102, STORY_OUTCOME = 110 };

struct story_told { /* one thing that happened to it */
    enum story_step step;
    int64_t at, gateway_at; /* our clock, the gateway's (0: it told none) */
    int segment, attempt;
    char seq_id[SEQ_ID_SIZE];
    const char *gateway;
    int claim, settled; /* of a claim: kind and settled as in the table */
    int64_t owner;      /* …and the dispatcher's epoch, 0 nobody */
    const char *msg_id; /* accepted: as the gateway wrote it */
    bool has_state;     /* report, outcome: else it changes no state */
    enum state state;
    const char *reason; /* the gateway's status word, or ours; "" none */
    const char *error, *origin;
};

struct story_segment {
    int segment, attempt; /* attempt 0: nothing is told of it */
    enum state state;
    const char *gateway, *reason;
    int64_t changed_at;
};

struct story {
    int64_t sms_id, run_id;
    const char *rule, *number;
    int64_t scheduled_at, created_at, valid_until, changed_at;
    enum state state;
    const char *gateway, *reason;
    int attempt, segments /* of its text */, parts /* segments with a claim of their own */, lane;
    const char *ext_id, *task_id;               /* of another system; "" none */
    const char *version, *template_name;        /* "": not told */
    const char *run_state, *run_why, *controls; /* controls: pauses and cancels that concern it */
    bool run_publishes, waits_for_wave;
    int64_t outbox_due;             /* 0: it does not wait there */
    struct story_segment *in_parts; /* parts of them; NULL: it goes whole */
    struct story_told *told;
    size_t told_count;
    struct db_result *head, *told_rows, *segment_rows; /* which hold the words */
};

/* 0: *ret (story_free), or NULL where there is no such message. Else db_run's code. */
int must_check story_read(struct db *d, int64_t sms_id, struct story **ret);
void story_free(struct story *s);
#define auto_story cleanup_with(story_free_pointed) struct story *
static inline void story_free_pointed(struct story **s)
{
    story_free(*s);
}

/* Why it is where it is, and the next step where there is one; "": its state says it all. Caller frees; the
 * same below. */
char *story_because(const struct story *s);
char *story_what(const struct story_told *t);   /* "claimed", "accepted", "report delivered" */
char *story_detail(const struct story_told *t); /* "msg_id 4711", "UNDELIV, absent, told by slots"; "" */
/* The members "segments":[…] and "story":[…] of a JSON object, without a comma before. */
void story_add_json(const struct story *s, struct buf *b);

/* smschain why: what was read about one number (why.c), in words (why_words.c), and how it is shown (why_print.c). */
#pragma once
#include "ctl/ctl.h"
#include "lib/number.h"

enum why_message { /* columns of why_messages.sql */
    M_SMS_ID,
    M_RUN,
    M_RULE,
    M_SCHEDULED,
    M_CREATED,
    M_VALID_UNTIL,
    M_CHANGED,
    M_STATE,
    M_GATEWAY,
    M_REASON,
    M_ATTEMPT,
    M_RUN_STATE,
    M_RUN_WHY,
    M_PUBLISH,
    M_CONTROLS,
    M_OUTBOX_DUE,
    M_WAITS_FOR_WAVE,
    M_PARTS
};
enum why_story { S_AT, S_WHAT, S_ATTEMPT, S_GATEWAY, S_DETAIL, S_STATE, S_SEGMENT };                  /* why_story.sql */
enum why_segment { G_SEGMENT, G_STATE, G_ATTEMPT, G_GATEWAY, G_REASON, G_CHANGED };                    /* why_segments.sql */
enum why_skip { K_RUN, K_RULE, K_SCHEDULED, K_KIND, K_REASON, K_FIRST_RUN, K_SMS_ID, K_STATE, K_SAME }; /* why_skips.sql */
enum why_run {                                                                               /* why_runs.sql */
    R_ID,
    R_RULE,
    R_SCHEDULED,
    R_STATE,
    R_WHY,
    R_COMPLETE,
    R_MESSAGE,
    R_SKIPS,
    R_KNOWN
};

struct why {
    const struct ctl *ctl;
    char number[NUMBER_SIZE]; /* as it is shown */
    const char *no_number;    /* why the words that were given are no number; NULL: they are one */
    const char *rule;         /* asked for; "" any */
    struct db_result *suppressed, *messages, *skips, *runs;
    struct db_result **stories; /* beside the messages' rows */
    struct db_result **segments; /* the same; NULL: it goes whole */
};

/* "conf/rules/x.yaml:7", where the rule's SQL begins; the rule's name alone where it is not configured. Caller frees. */
char *why_place(const struct why *w, const char *rule);
/* Why a message is where it is; "" : its state says it all. Caller frees. */
char *why_message_because(const struct why *w, int message);
/* "claimed", "report delivered". Caller frees. */
char *why_story_what(const struct db_result *story, int row);
/* Why a row became no message. Caller frees. */
char *why_skip_because(const struct why *w, int skip);
/* Why a run gave this number nothing, or what it gave. Caller frees. */
char *why_run_because(const struct why *w, int run);

void why_print(const struct why *w);
void why_json(const struct why *w);

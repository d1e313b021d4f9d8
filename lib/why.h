/* Why did this number get it, or not? Every message to a number with its story, every row of it that became
 * none, and what the rules' runs made of it; for `smschain why` and the page. Reads only. A role needs what
 * lib/story.h says, and EXECUTE on messages_to, suppressions_of, skips_of and runs_of (schema/0017). */
#pragma once
#include "lib/conf.h"
#include "lib/number.h"
#include "lib/story.h"

struct why_skip { /* a row that became no message */
    int64_t run_id, scheduled_at;
    const char *rule, *kind, *reason; /* kind: duplicate, invalid, suppressed */
    char *because;
};
struct why_run {
    int64_t run_id, scheduled_at;
    const char *rule, *state;
    char *because; /* why it gave this number nothing, or what it gave */
};
struct why_suppression {
    const char *scope, *reason;
    int64_t since;
};

struct why {
    /* asked for */
    const struct conf *conf; /* where rules stand, and the country of numbers in national form */
    const char *text;        /* the number as it was given */
    const char *rule;        /* "" any */
    int64_t since_ms, limit; /* 0: WHY_SINCE_MS, WHY_LIMIT */
    /* found */
    int64_t number;           /* 0: the text is none */
    char masked[NUMBER_SIZE]; /* "-" where it is none */
    const char *no_number;    /* why the text is no number; NULL: it is one */
    struct story **messages;  /* the newest first */
    size_t message_count;
    struct why_skip *skips;
    size_t skip_count;
    struct why_run *runs;
    size_t run_count;
    struct why_suppression *suppressions;
    size_t suppression_count;
    struct db_result *message_rows, *skip_rows, *run_rows, *suppression_rows; /* which hold the words */
};
#define WHY_SINCE_MS (INT64_C(7) * 24 * 3600 * 1000)
#define WHY_LIMIT    50

/* 0, or db_run's code. */
int must_check why_read(struct db *d, struct why *w);
void why_deinit(struct why *w);
char *why_invalid(const char *reason); /* of a skipped row, in words; caller frees */
/* "conf/rules/x.yaml:7", where the rule's SQL begins; the rule's name alone where it is not configured.
 * Caller frees. */
char *why_place(const struct conf *c, const char *rule);

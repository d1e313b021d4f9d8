/* smschain test, between its parts: test.c decides and enters, test_row.c reads a row of the rule's source,
 * test_print.c waits and shows. */
#pragma once
#include "ctl/ctl.h"
#include "lib/record.h"
#include "render/judge.h"

#define TEST_NUMBERS_MAX 10
#define TEST_ROWS_MAX    1000000

struct testing {
    struct ctl *ctl;
    struct conf *conf; /* with extract's secrets: the source's */
    const struct conf_rule *rule;
    struct plan *plan;
    struct judge judge;
    struct row row; /* the row that was read; its strings are ours */
    int64_t row_wanted, wait_ms;
    int64_t numbers[TEST_NUMBERS_MAX];
    size_t number_count;
    const char *once; /* NULL: every call sends anew */
    bool yes, json;
    int64_t run_id;
    int64_t sms_ids[TEST_NUMBERS_MAX]; /* 0: suppressed */
    struct judgement first;            /* of the first number */
};

/* Reads row number row_wanted. 0, or an exit code after having said why. */
int must_check test_read_row(struct testing *t);
void test_row_deinit(struct row *row);
/* What will be sent, for a person. */
void test_print_text(const struct testing *t);
/* Waits for the end of all messages, at most wait_ms, and shows what became of them; an exit code. */
int must_check test_follow(const struct testing *t);

/* The claim's verdict over every combination of what its statement can say. */
#include "dispatch/claim.h"
#include "lib/state.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct one_case {
    const char *name;
    struct claim_facts in;
    enum claim_verdict verdict;
    int attempt, kind;
} rows[] = {
    {"fresh", {.found = true, .made_attempt = 1}, CLAIM_MADE, 1, 0},
    {"after a released one", {.found = true, .state = STATE_SUBMITTED, .made_attempt = 2, .last_attempt = 1, .last_settled = 1}, CLAIM_MADE, 2, 0},
    {"stale", {.found = true, .made_attempt = 1, .made_kind = STATE_STALE}, CLAIM_REFUSED, 1, STATE_STALE},
    {"suppressed", {.found = true, .made_attempt = 3, .made_kind = STATE_SUPPRESSED, .last_attempt = 2, .last_settled = 3}, CLAIM_REFUSED, 3, STATE_SUPPRESSED},
    {"cancelled, by an earlier run of another", {.found = true, .last_attempt = 1, .last_kind = STATE_CANCELLED}, CLAIM_REFUSED, 1, STATE_CANCELLED},
    {"cancelled and told", {.found = true, .state = STATE_CANCELLED, .last_attempt = 1, .last_kind = STATE_CANCELLED}, CLAIM_DONE, 0, 0},
    {"no row", {.found = false}, CLAIM_LOST, 0, 0},
    {"accepted", {.found = true, .state = STATE_ACCEPTED, .last_attempt = 1}, CLAIM_DONE, 0, 0},
    {"in doubt", {.found = true, .state = STATE_IN_DOUBT, .last_attempt = 1}, CLAIM_DONE, 0, 0},
    {"in doubt, settled otherwise than by a look-up", {.found = true, .state = STATE_IN_DOUBT, .last_attempt = 1, .last_settled = 2}, CLAIM_DONE, 0, 0},
    {"in doubt no more", {.found = true, .state = STATE_IN_DOUBT, .made_attempt = 2, .last_attempt = 1, .last_settled = 4}, CLAIM_MADE, 2, 0},
    {"in doubt no more, but paused", {.found = true, .state = STATE_IN_DOUBT, .last_attempt = 1, .last_settled = 4, .hold = CLAIM_HOLD_RUN}, CLAIM_PAUSED, 0, 0},
    {"in doubt no more, and open again", {.found = true, .state = STATE_IN_DOUBT, .last_attempt = 2}, CLAIM_DONE, 0, 0},
    {"looked up, but delivered", {.found = true, .state = STATE_DELIVERED, .last_attempt = 1, .last_settled = 4}, CLAIM_DONE, 0, 0},
    {"delivered", {.found = true, .state = STATE_DELIVERED, .last_attempt = 2}, CLAIM_DONE, 0, 0},
    {"open elsewhere", {.found = true, .state = STATE_SUBMITTED, .last_attempt = 1}, CLAIM_OPEN, 1, 0},
    {"open, not told yet", {.found = true, .last_attempt = 1}, CLAIM_OPEN, 1, 0},
    {"open and of this very group", {.found = true, .last_attempt = 2, .last_ours = true}, CLAIM_MADE, 2, 0},
    {"of this group, but settled since", {.found = true, .last_attempt = 2, .last_ours = true, .last_settled = 2}, CLAIM_NOT_MADE, 0, 0},
    {"paused rule", {.found = true, .hold = CLAIM_HOLD_RUN}, CLAIM_PAUSED, 0, 0},
    {"paused gateway", {.found = true, .hold = CLAIM_HOLD_GATEWAY}, CLAIM_STAYS, 0, 0},
    {"paused, but open", {.found = true, .hold = CLAIM_HOLD_RUN, .last_attempt = 1}, CLAIM_OPEN, 1, 0},
    {"another was quicker", {.found = true}, CLAIM_NOT_MADE, 0, 0},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct claimed c = claim_verdict(&rows[i].in);
        if (c.verdict != rows[i].verdict || c.attempt != rows[i].attempt || c.kind != rows[i].kind)
            fail_msg("%s: verdict %d attempt %d kind %d", rows[i].name, (int)c.verdict, c.attempt, c.kind);
    }
}

/* Nothing is ours but what this statement inserted, or what an earlier run of this very group did and is open still. */
static void test_ours_only_if_made(void **state)
{
    static const int states[] = {STATE_QUEUED, STATE_SUBMITTED, STATE_IN_DOUBT, STATE_ACCEPTED, STATE_CANCELLED, STATE_DELIVERED};
    static const int kinds[] = {0, STATE_STALE};
    (void)state;
    for (size_t s = 0; s < COUNT_OF(states); s++)
        for (unsigned bits = 0; bits < 64; bits++)
            for (int settled = 0; settled <= 4; settled++)
                for (int hold = 0; hold <= CLAIM_HOLD_GATEWAY; hold++) {
                    struct claim_facts f = {.found = bits & 1, .state = states[s], .made_attempt = bits & 2 ? 2 : 0,
                                            .made_kind = kinds[bits >> 2 & 1], .last_attempt = bits & 8 ? 1 : 0,
                                            .last_kind = kinds[bits >> 4 & 1], .last_settled = settled,
                                            .last_ours = bits & 32, .hold = hold};
                    struct claimed c = claim_verdict(&f);
                    bool made = f.found && f.made_attempt > 0 && f.made_kind == 0;
                    bool read_back = f.found && f.made_attempt == 0 && f.last_attempt > 0 && f.last_ours &&
                                     f.last_kind == 0 && f.last_settled == 0 && f.state < STATE_IN_DOUBT;
                    assert_int_equal(c.verdict == CLAIM_MADE, made || read_back);
                    if (c.verdict == CLAIM_MADE)
                        assert_int_equal(c.attempt, made ? f.made_attempt : f.last_attempt);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_ours_only_if_made)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

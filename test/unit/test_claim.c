/* The claim's verdict over every combination of what its statement can say. */
#include "dispatch/claim.h"
#include "lib/state.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BEGUN(parts, way) .begun_parts = (parts), .begun_way = (way)

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
    {"in doubt no more", {.found = true, .state = STATE_IN_DOUBT, .made_attempt = 2, .last_attempt = 1, .last_settled = 4, .looked_up = true}, CLAIM_MADE, 2, 0},
    {"in doubt no more, but paused", {.found = true, .state = STATE_IN_DOUBT, .last_attempt = 1, .last_settled = 4, .looked_up = true, .hold = CLAIM_HOLD_RUN}, CLAIM_PAUSED, 0, 0},
    {"in doubt no more, tried again since and not sent", {.found = true, .state = STATE_IN_DOUBT, .last_attempt = 2, .last_settled = 2, .looked_up = true}, CLAIM_NOT_MADE, 0, 0},
    {"in doubt no more, and open again", {.found = true, .state = STATE_IN_DOUBT, .last_attempt = 2, .looked_up = true}, CLAIM_DONE, 0, 0},
    {"looked up, but delivered", {.found = true, .state = STATE_DELIVERED, .last_attempt = 1, .last_settled = 4, .looked_up = true}, CLAIM_DONE, 0, 0},
    {"delivered", {.found = true, .state = STATE_DELIVERED, .last_attempt = 2}, CLAIM_DONE, 0, 0},
    {"open elsewhere", {.found = true, .state = STATE_SUBMITTED, .last_attempt = 1}, CLAIM_OPEN, 1, 0},
    {"open, not told yet", {.found = true, .last_attempt = 1}, CLAIM_OPEN, 1, 0},
    {"open and of this very group", {.found = true, .last_attempt = 2, .last_ours = true}, CLAIM_MADE, 2, 0},
    {"of this group, but settled since", {.found = true, .last_attempt = 2, .last_ours = true, .last_settled = 2}, CLAIM_NOT_MADE, 0, 0},
    {"paused rule", {.found = true, .hold = CLAIM_HOLD_RUN}, CLAIM_PAUSED, 0, 0},
    {"paused gateway", {.found = true, .hold = CLAIM_HOLD_GATEWAY}, CLAIM_STAYS, 0, 0},
    {"paused, but open", {.found = true, .hold = CLAIM_HOLD_RUN, .last_attempt = 1}, CLAIM_OPEN, 1, 0},
    {"another was quicker", {.found = true}, CLAIM_NOT_MADE, 0, 0},
    /* cut into three, in way 1 */
    {"fresh, in three", {.found = true, .parts = 3, .way = 1, .made_attempt = 1}, CLAIM_MADE, 1, 0},
    {"one of three accepted", {.found = true, .state = STATE_ACCEPTED, .parts = 3, .way = 1, BEGUN(3, 1), .last_attempt = 1}, CLAIM_DONE, 0, 0},
    {"its neighbour open", {.found = true, .parts = 3, .way = 1, BEGUN(3, 1), .last_attempt = 1}, CLAIM_OPEN, 1, 0},
    {"the rest of it", {.found = true, .parts = 3, .way = 1, BEGUN(3, 1), .made_attempt = 2, .last_attempt = 1, .last_settled = 1}, CLAIM_MADE, 2, 0},
    {"the rest, what had begun it is settled meanwhile", {.found = true, .parts = 3, .way = 1, BEGUN(3, 1), .last_attempt = 1, .last_settled = 1}, CLAIM_NOT_MADE, 0, 0},
    {"the rest, its run paused", {.found = true, .parts = 3, .way = 1, BEGUN(3, 1), .last_attempt = 1, .last_settled = 1, .hold = CLAIM_HOLD_RUN}, CLAIM_PAUSED, 0, 0},
    {"begun by another gateway", {.found = true, .parts = 3, .way = 1, BEGUN(3, 1), .begun_elsewhere = true, .last_attempt = 1, .last_settled = 1}, CLAIM_ELSEWHERE, 0, 0},
    {"begun by another gateway, whole here", {.found = true, .parts = 1, BEGUN(3, 1), .begun_elsewhere = true, .last_attempt = 1, .last_settled = 3}, CLAIM_ELSEWHERE, 0, 0},
    {"begun by another gateway, segment 1 open, whole here", {.found = true, .parts = 1, BEGUN(3, 1), .begun_elsewhere = true, .last_attempt = 1}, CLAIM_ELSEWHERE, 0, 0},
    {"begun in three, whole here", {.found = true, .parts = 1, BEGUN(3, 1), .last_attempt = 1, .last_settled = 3}, CLAIM_CUT, 0, 0},
    {"begun in another way", {.found = true, .parts = 3, .way = 2, BEGUN(3, 1), .last_attempt = 1, .last_settled = 1}, CLAIM_CUT, 0, 0},
    {"begun with another count, a segment that was not there", {.found = true, .parts = 4, .way = 1, BEGUN(3, 1)}, CLAIM_CUT, 0, 0},
    {"whole elsewhere, in three here, segment 1", {.found = true, .parts = 3, .way = 1, BEGUN(1, 0), .begun_elsewhere = true, .last_attempt = 1}, CLAIM_OPEN, 1, 0},
    {"whole elsewhere, in three here, segment 2", {.found = true, .parts = 3, .way = 1, BEGUN(1, 0), .begun_elsewhere = true}, CLAIM_OPEN, 0, 0},
    {"whole and in doubt, in three here, segment 2", {.found = true, .state = STATE_IN_DOUBT, .parts = 3, .way = 1, BEGUN(1, 0)}, CLAIM_DONE, 0, 0},
    {"whole and in doubt no more, in three here, segment 2", {.found = true, .state = STATE_IN_DOUBT, .parts = 3, .way = 1, .looked_up = true, .made_attempt = 2}, CLAIM_MADE, 2, 0},
    {"refused in three, in four here", {.found = true, .parts = 4, .way = 1, .last_attempt = 1, .last_kind = STATE_STALE, .last_parts = 3}, CLAIM_REFUSED, 1, STATE_STALE},
    {"one segment in doubt no more", {.found = true, .state = STATE_IN_DOUBT, .parts = 3, .way = 1, BEGUN(3, 1), .last_attempt = 1, .last_settled = 4, .looked_up = true, .made_attempt = 2}, CLAIM_MADE, 2, 0},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct claimed c = claim_verdict(&rows[i].in);
        if (c.verdict != rows[i].verdict || c.attempt != rows[i].attempt || c.kind != rows[i].kind)
            fail_msg("%s: verdict %d attempt %d kind %d", rows[i].name, (int)c.verdict, c.attempt, c.kind);
        if (c.verdict == CLAIM_CUT && (c.parts != rows[i].in.begun_parts || c.way != rows[i].in.begun_way))
            fail_msg("%s: to be cut into %d, way %d", rows[i].name, c.parts, c.way);
        if (c.verdict == CLAIM_REFUSED && rows[i].in.last_parts > 0 && c.parts != rows[i].in.last_parts)
            fail_msg("%s: told of %d segments", rows[i].name, c.parts);
    }
}

/* Nothing is ours but what this statement inserted, or what an earlier run of this very group did and is open still; and
 * never what another gateway or another cut has begun. */
static void look_at(const struct claim_facts *f)
{
    struct claimed c = claim_verdict(f);
    bool made = f->found && f->made_attempt > 0 && f->made_kind == 0;
    bool other = f->begun_parts > 1 && (f->begun_elsewhere || f->begun_parts != f->parts || f->begun_way != f->way);
    bool read_back = f->found && f->made_attempt == 0 && f->last_attempt > 0 && f->last_ours && f->last_kind == 0 &&
                     f->last_settled == 0 && f->state < STATE_IN_DOUBT && !other;
    assert_int_equal(c.verdict == CLAIM_MADE, made || read_back);
    if (c.verdict == CLAIM_MADE)
        assert_int_equal(c.attempt, made ? f->made_attempt : f->last_attempt);
    if (c.verdict == CLAIM_CUT || c.verdict == CLAIM_ELSEWHERE)
        assert_true(other);
}

static void test_ours_only_if_made(void **state)
{
    static const int states[] = {STATE_QUEUED, STATE_SUBMITTED, STATE_IN_DOUBT, STATE_ACCEPTED, STATE_CANCELLED, STATE_DELIVERED};
    static const int kinds[] = {0, STATE_STALE};
    (void)state;
    for (size_t s = 0; s < COUNT_OF(states); s++)
        for (unsigned bits = 0; bits < 1024; bits++)
            for (int settled = 0; settled <= 4; settled++)
                for (int hold = 0; hold <= CLAIM_HOLD_GATEWAY; hold++) {
                    struct claim_facts f = {.found = bits & 1, .state = states[s], .made_attempt = bits & 2 ? 2 : 0,
                                            .made_kind = kinds[bits >> 2 & 1], .last_attempt = bits & 8 ? 1 : 0,
                                            .last_kind = kinds[bits >> 4 & 1], .last_settled = settled,
                                            .last_ours = bits & 32, .hold = hold, .looked_up = settled == 4,
                                            .parts = bits & 64 ? 3 : 1, .way = bits & 64 ? 1 : 0,
                                            .begun_parts = (int)(bits >> 7 & 3), .begun_way = bits >> 7 & 2 ? 1 : 0,
                                            .begun_elsewhere = bits & 512};
                    look_at(&f);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_ours_only_if_made)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Settle how, wait where and how long, or the end. */
#include "dispatch/retry.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NO_WAIT      INT64_MAX
#define CHANNEL_GONE INT64_MIN

/* What a case does not say: the first attempt of one number, five allowed, no Retry-After, 1 s to 10 min. */
static struct retry_facts filled(const struct retry_facts *in)
{
    struct retry_facts f = *in;
    f.attempt = f.attempt == 0 ? 1 : f.attempt;
    f.numbers = f.numbers == 0 ? 1 : f.numbers;
    f.retry_after_ms = f.retry_after_ms == 0 ? -1 : f.retry_after_ms == NO_WAIT ? 0 : f.retry_after_ms;
    f.max_attempts = 5;
    f.base_ms = 1000;
    f.max_ms = 600000;
    f.may_wait_in_memory = f.unacked_ms != CHANNEL_GONE;
    return f;
}

static const struct one_case {
    const char *name;
    struct retry_facts in;
    int next;
    enum settled settle;
    int64_t least_ms, most_ms;
    bool in_outbox;
    unsigned cap;
} rows[] = {
    {"accepted", {.outcome = OUTCOME_ACCEPTED}, NEXT_ACCEPTED, 0, 0, 0, false, 0},
    {"accepted, but this number", {.outcome = OUTCOME_ACCEPTED, .numbers = 3, .named = true, .this_one_named = true}, NEXT_REJECTED, 0, 0, 0, false, 0},
    {"accepted, but another number", {.outcome = OUTCOME_ACCEPTED, .numbers = 3, .named = true}, NEXT_ACCEPTED, 0, 0, 0, false, 0},
    {"in doubt", {.outcome = OUTCOME_IN_DOUBT}, NEXT_IN_DOUBT, 0, 0, 0, false, 0},
    {"in doubt at the last attempt", {.outcome = OUTCOME_IN_DOUBT, .tries = 99}, NEXT_IN_DOUBT, 0, 0, 0, false, 0},
    {"refused alone", {.outcome = OUTCOME_REFUSED}, NEXT_REJECTED, 0, 0, 0, false, 0},
    {"two refused, none named", {.outcome = OUTCOME_REFUSED, .numbers = 2}, NEXT_AGAIN, SETTLED_NOT_SENT, 0, 0, false, 1},
    {"seven refused, none named", {.outcome = OUTCOME_REFUSED, .numbers = 7}, NEXT_AGAIN, SETTLED_NOT_SENT, 0, 0, false, 4},
    {"refused, this one named", {.outcome = OUTCOME_REFUSED, .numbers = 7, .named = true, .this_one_named = true}, NEXT_REJECTED, 0, 0, 0, false, 0},
    {"refused, another named", {.outcome = OUTCOME_REFUSED, .numbers = 7, .named = true}, NEXT_AGAIN, SETTLED_NOT_SENT, 0, 0, false, 0},
    {"halves do not use up attempts", {.outcome = OUTCOME_REFUSED, .numbers = 2, .tries = 20}, NEXT_AGAIN, SETTLED_NOT_SENT, 0, 0, false, 1},
    {"not sent, first", {.outcome = OUTCOME_NOT_SENT}, NEXT_AGAIN, SETTLED_NOT_SENT, 500, 1000, false, 0},
    {"not sent, fourth", {.outcome = OUTCOME_NOT_SENT, .attempt = 4}, NEXT_AGAIN, SETTLED_NOT_SENT, 4000, 8000, false, 0},
    {"not sent, sixth: the outbox", {.outcome = OUTCOME_NOT_SENT, .attempt = 6}, NEXT_AGAIN, SETTLED_NOT_SENT, 16000, 32000, true, 0},
    {"not sent, hundredth: still tried", {.outcome = OUTCOME_NOT_SENT, .attempt = 100}, NEXT_AGAIN, SETTLED_NOT_SENT, 300000, 600000, true, 0},
    {"retry", {.outcome = OUTCOME_RETRY}, NEXT_AGAIN, SETTLED_RETRY, 500, 1000, false, 0},
    {"retry, the fourth answer", {.outcome = OUTCOME_RETRY, .tries = 3, .attempt = 4}, NEXT_AGAIN, SETTLED_RETRY, 4000, 8000, false, 0},
    {"retry, the fifth answer", {.outcome = OUTCOME_RETRY, .tries = 4, .attempt = 5}, NEXT_REJECTED, 0, 0, 0, false, 0},
    {"throttled for the ninth time", {.outcome = OUTCOME_RETRY, .throttled = true, .tries = 8, .attempt = 2}, NEXT_AGAIN, SETTLED_NOT_SENT, 1000, 2000, false, 0},
    {"elsewhere, though it was the last try", {.outcome = OUTCOME_RETRY, .elsewhere = true, .tries = 4, .attempt = 5}, NEXT_ELSEWHERE, 0, 0, 0, false, 0},
    {"Retry-After: 3", {.outcome = OUTCOME_RETRY, .throttled = true, .retry_after_ms = 3000}, NEXT_AGAIN, SETTLED_NOT_SENT, 3000, 3000, false, 0},
    {"Retry-After: 0", {.outcome = OUTCOME_RETRY, .throttled = true, .retry_after_ms = NO_WAIT}, NEXT_AGAIN, SETTLED_NOT_SENT, 0, 0, false, 0},
    {"Retry-After: 60", {.outcome = OUTCOME_RETRY, .throttled = true, .retry_after_ms = 60000}, NEXT_AGAIN, SETTLED_NOT_SENT, 60000, 60000, true, 0},
    {"its channel is gone", {.outcome = OUTCOME_RETRY, .retry_after_ms = 100, .unacked_ms = CHANNEL_GONE}, NEXT_AGAIN, SETTLED_RETRY, 100, 100, true, 0},
    {"its delivery is old", {.outcome = OUTCOME_RETRY, .retry_after_ms = 6000, .unacked_ms = 45000}, NEXT_AGAIN, SETTLED_RETRY, 6000, 6000, true, 0},
    {"no number is left for an attempt", {.outcome = OUTCOME_NOT_SENT, .attempt = RETRY_ATTEMPT_MAX}, NEXT_REJECTED, 0, 0, 0, false, 0},
};

static void check(const struct one_case *r, double jitter)
{
    struct retry_facts f = filled(&r->in);
    struct retry_plan p = retry_plan(&f, jitter);
    bool again = r->next == NEXT_AGAIN;
    if ((int)p.next != r->next || (again && (p.settle != r->settle || p.wait_ms < r->least_ms || p.wait_ms > r->most_ms ||
                                             p.in_outbox != r->in_outbox || p.numbers_cap != r->cap)))
        fail_msg("%s: next %d settle %d wait %lld outbox %d cap %u", r->name, (int)p.next, (int)p.settle,
                 (long long)p.wait_ms, p.in_outbox, p.numbers_cap);
    if (!again && p.settle != SETTLED_NOT)
        fail_msg("%s: an end must not settle the claim", r->name);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(&rows[i], 0);
        check(&rows[i], 0.5);
        check(&rows[i], 1);
    }
}

/* In halves: from any size it comes down to single numbers, and ends. */
static void test_halves_end(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 1000; n++) {
        unsigned left = n, rounds = 0;
        struct retry_facts f = filled(&(struct retry_facts){.outcome = OUTCOME_REFUSED});
        for (f.numbers = left; retry_plan(&f, 1).next == NEXT_AGAIN; f.numbers = left, rounds++)
            left = retry_plan(&f, 1).numbers_cap;
        assert_int_equal(left, 1);
        assert_true(rounds <= 10);
    }
}

/* The next attempt may be made only after what is certainly not with the gateway. */
static void test_only_certain_ones_again(void **state)
{
    (void)state;
    for (int outcome = OUTCOME_ACCEPTED; outcome <= OUTCOME_IN_DOUBT; outcome++)
        for (unsigned bits = 0; bits < 32; bits++) {
            struct retry_facts f = filled(&(struct retry_facts){.outcome = (enum outcome)outcome});
            f.throttled = bits & 1;
            f.named = bits & 2;
            f.this_one_named = bits & 4;
            f.numbers = bits & 8 ? 5 : 1;
            f.attempt = bits & 16 ? RETRY_ATTEMPT_MAX : 1;
            struct retry_plan p = retry_plan(&f, 0.3);
            if (p.next == NEXT_AGAIN)
                assert_true(outcome != OUTCOME_ACCEPTED && outcome != OUTCOME_IN_DOUBT);
            if (outcome == OUTCOME_IN_DOUBT)
                assert_int_equal(p.next, NEXT_IN_DOUBT);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_halves_end),
                                       cmocka_unit_test(test_only_certain_ones_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The token bucket: never more than the rate and its small burst, never less over time. */
#include "dispatch/rate.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Takes all it may at each step of `step_ms`; returns what came in `ms`. */
static int64_t drive(struct rate *r, int64_t from, int64_t ms, int64_t step_ms)
{
    int64_t sent = 0;
    for (int64_t t = from; t < from + ms; t += step_ms) {
        unsigned n = rate_may(r, t);
        rate_take(r, n);
        sent += n;
    }
    return sent;
}

static void test_rates(void **state)
{
    static const int64_t rates[] = {1, 3, 10, 100, 1000, 12345};
    static const int64_t steps[] = {1, 7, 40};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rates); i++)
        for (size_t j = 0; j < COUNT_OF(steps); j++) {
            struct rate r;
            rate_init(&r, rates[i], 1, 5000);
            int64_t sent = drive(&r, 5000, 10000, steps[j]), burst = rates[i] / 20 + 1;
            assert_in_range(sent, rates[i] * 10 - rates[i] / 10 - 1, rates[i] * 10 + burst);
        }
}

static void test_shares(void **state)
{
    struct rate a, b;
    (void)state;
    rate_init(&a, 100, 2, 0);
    rate_init(&b, 100, 2, 0);
    assert_in_range(drive(&a, 0, 10000, 5) + drive(&b, 0, 10000, 5), 990, 1010);
}

/* After a pause, however long, no more than the burst. */
static void test_no_hoard(void **state)
{
    struct rate r;
    (void)state;
    rate_init(&r, 1000, 1, 0);
    assert_int_equal(rate_may(&r, 3600000), 50);
    rate_init(&r, 2, 1, 0);
    assert_int_equal(rate_may(&r, 3600000), 1);
}

static void test_wait_and_give_back(void **state)
{
    struct rate r;
    (void)state;
    rate_init(&r, 10, 1, 0);
    assert_int_equal(rate_wait_ms(&r, 0), 0);
    rate_take(&r, 1);
    assert_int_equal(rate_wait_ms(&r, 0), 100);
    assert_int_equal(rate_may(&r, 99), 0);
    assert_int_equal(rate_wait_ms(&r, 99), 1);
    assert_int_equal(rate_may(&r, 100), 1);
    rate_take(&r, 1);
    rate_give_back(&r, 1);
    assert_int_equal(rate_may(&r, 100), 1);
    assert_int_equal(rate_may(&r, 50), 1); /* a clock that went back does nothing */
}

/* A throttled gateway gets half, once a second; while it accepts it gets it back, a little at a time. */
static void test_slower_and_faster(void **state)
{
    struct rate r;
    (void)state;
    rate_init(&r, 1000, 1, 0);
    rate_slower(&r, 10);
    assert_int_equal(rate_per_s(&r), 500);
    rate_slower(&r, 500); /* the same burst */
    assert_int_equal(rate_per_s(&r), 500);
    rate_slower(&r, 1010);
    assert_int_equal(rate_per_s(&r), 250);
    assert_in_range(drive(&r, 2000, 1000, 10), 245, 270);
    for (int64_t t = 3000; t < 30000; t += 1000)
        rate_slower(&r, t);
    assert_int_equal(rate_per_s(&r), 63); /* never less than a sixteenth */
    rate_faster(&r, 3600000);             /* an hour in which nothing was accepted proves nothing */
    assert_in_range(rate_per_s(&r), 90, 100);
    for (int64_t t = 3600000; t <= 3615000; t += 10)
        rate_faster(&r, t);
    assert_in_range(rate_per_s(&r), 590, 600);
    for (int64_t t = 3615000; t <= 3640000; t += 10)
        rate_faster(&r, t);
    assert_int_equal(rate_per_s(&r), 1000); /* and never more than is configured */
    assert_int_equal(rate_may(&r, 7200000), 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slower_and_faster), cmocka_unit_test(test_rates),
                                       cmocka_unit_test(test_shares), cmocka_unit_test(test_no_hoard),
                                       cmocka_unit_test(test_wait_and_give_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

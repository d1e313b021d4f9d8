/* The token bucket: never more than the rate and its small burst, never less over time; and its two lanes. */
#include "dispatch/rate.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TENTH 100000

/* Takes all it may at each step of `step_ms`; returns what came in `ms`. */
static int64_t drive(struct rate *r, int64_t from, int64_t ms, int64_t step_ms)
{
    int64_t sent = 0;
    for (int64_t t = from; t < from + ms; t += step_ms) {
        unsigned n = rate_may(r, LANE_BULK, t);
        rate_take(r, LANE_BULK, n);
        sent += n;
    }
    return sent;
}

static void test_rates(void **state)
{
    static const int64_t rates[] = {1, 3, 10, 100, 1000, 12345};
    static const int64_t steps[] = {1, 7, 40}, shares[] = {0, TENTH, 900000};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rates); i++)
        for (size_t j = 0; j < COUNT_OF(steps); j++)
            for (size_t k = 0; k < COUNT_OF(shares); k++) {
                struct rate r;
                rate_init(&r, rates[i], 1, shares[k], 5000);
                int64_t sent = drive(&r, 5000, 10000, steps[j]), burst = rates[i] / 20 + 1;
                assert_in_range(sent, rates[i] * 10 - rates[i] / 10 - 1, rates[i] * 10 + burst);
            }
}

static void test_shares(void **state)
{
    struct rate a, b;
    (void)state;
    rate_init(&a, 100, 2, 0, 0);
    rate_init(&b, 100, 2, 0, 0);
    assert_in_range(drive(&a, 0, 10000, 5) + drive(&b, 0, 10000, 5), 990, 1010);
}

/* After a pause, however long, no more than the burst and what is kept. */
static void test_no_hoard(void **state)
{
    struct rate r;
    (void)state;
    rate_init(&r, 1000, 1, TENTH, 0);
    assert_int_equal(rate_may(&r, LANE_INSTANT, 3600000), 55);
    rate_init(&r, 2, 1, TENTH, 0);
    assert_int_equal(rate_may(&r, LANE_INSTANT, 3600000), 1);
}

static void test_wait_and_give_back(void **state)
{
    struct rate r;
    (void)state;
    rate_init(&r, 10, 1, TENTH, 0);
    assert_int_equal(rate_wait_ms(&r, LANE_INSTANT, 0), 0);
    rate_take(&r, LANE_INSTANT, 1);
    assert_int_equal(rate_wait_ms(&r, LANE_INSTANT, 0), 100);
    assert_int_equal(rate_may(&r, LANE_INSTANT, 99), 0);
    assert_int_equal(rate_wait_ms(&r, LANE_INSTANT, 99), 1);
    assert_int_equal(rate_may(&r, LANE_INSTANT, 100), 1);
    rate_take(&r, LANE_INSTANT, 1);
    rate_give_back(&r, 1);
    assert_int_equal(rate_may(&r, LANE_INSTANT, 100), 1);
    assert_int_equal(rate_may(&r, LANE_INSTANT, 50), 1); /* a clock that went back does nothing */
}

/* A throttled gateway gets half, once a second; while it accepts it gets it back, a little at a time. */
static void test_slower_and_faster(void **state)
{
    struct rate r;
    (void)state;
    rate_init(&r, 1000, 1, TENTH, 0);
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
    assert_int_equal(rate_may(&r, LANE_INSTANT, 7200000), 55);
}

/* Sends for both lanes as the dispatcher does: `instant` messages a second come, bulk is always there. */
struct both {
    int64_t instant, bulk, worst_ms; /* worst: how long an instant one waited */
};
static struct both drive_both(struct rate *r, double instant_per_ms, int64_t ms)
{
    struct both b = {0};
    double came = 0;
    int64_t waits_since = -1;
    for (int64_t t = 0; t < ms; t++) {
        came += instant_per_ms;
        for (int i = 0; i < 1000; i++) {
            bool waits = (int64_t)came > b.instant;
            waits_since = !waits ? -1 : waits_since < 0 ? t : waits_since;
            unsigned owed = rate_owed(r, true, t);
            unsigned bulk = !waits ? rate_may(r, LANE_BULK, t) : owed;
            unsigned instant = waits && bulk == 0 ? rate_may(r, LANE_INSTANT, t) : 0;
            if (bulk + instant == 0)
                break;
            if (bulk > 0)
                rate_take(r, LANE_BULK, bulk), b.bulk += bulk;
            else
                rate_take(r, LANE_INSTANT, 1), b.instant++, b.worst_ms = MAX_OF(b.worst_ms, t - waits_since),
                                                            waits_since = -1;
        }
    }
    return b;
}

/* Together never more than the rate. Instant ones go at the next token as long as they are not most of it; a
 * flood of them leaves bulk a tenth. */
static void test_lanes(void **state)
{
    static const int64_t rates[] = {1, 5, 20, 21, 500, 10000}, shares[] = {0, TENTH, 500000, 900000};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rates); i++)
        for (size_t j = 0; j < COUNT_OF(shares); j++) {
            struct rate r;
            double per_ms = (double)rates[i] / 1000;
            int64_t all = rates[i] * 20, burst = rates[i] / 20 + 2;
            rate_init(&r, rates[i], 1, shares[j], 0);
            struct both few = drive_both(&r, per_ms / 4, 20000);
            assert_in_range(few.instant + few.bulk, all - all / 50 - 2, all + burst);
            assert_in_range(few.instant, all / 4 - 1, all / 4 + 1);
            assert_in_range(few.worst_ms, 0, (rates[i] < 20 ? 2000 : 1000) / rates[i] + 1);
            rate_init(&r, rates[i], 1, shares[j], 0);
            struct both flood = drive_both(&r, per_ms * 3, 20000);
            assert_in_range(flood.instant + flood.bulk, all - all / 50 - 2, all + burst);
            assert_in_range(flood.bulk, all / 10 - all / 50 - 1, all / 10 + all / 50 + 2);
        }
}

/* A text of bulk in many segments goes at once and is paid for afterwards, by bulk: the instant lane has its
 * share meanwhile. */
static void test_debt(void **state)
{
    struct rate r;
    (void)state;
    rate_init(&r, 10, 1, TENTH, 0);
    rate_take(&r, LANE_BULK, 11); /* one token, and ten that are not there */
    assert_int_equal(rate_may(&r, LANE_INSTANT, 900), 0);
    assert_int_equal(rate_may(&r, LANE_INSTANT, 1000), 1); /* a tenth of ten */
    rate_take(&r, LANE_INSTANT, 1);
    assert_int_equal(rate_may(&r, LANE_BULK, 1100), 0);
    assert_int_equal(rate_owed(&r, true, 1100), 0);
    assert_in_range(rate_wait_ms(&r, LANE_BULK, 1100), 1, 120);
    assert_int_equal(rate_may(&r, LANE_BULK, 1204), 0);
    assert_int_equal(rate_may(&r, LANE_BULK, 1206), 1); /* after twelve in 1.1 s, and what is kept */
    rate_init(&r, 10, 1, 0, 0);
    rate_take(&r, LANE_BULK, 11);
    assert_int_equal(rate_may(&r, LANE_INSTANT, 1000), 0); /* without a share the debt comes first */
    assert_int_equal(rate_may(&r, LANE_INSTANT, 1101), 1);
    rate_take(&r, LANE_BULK, 3);
    rate_give_back(&r, 3);
    assert_int_equal(rate_may(&r, LANE_BULK, 1101), 1);
}

/* Tokens that are kept: of a burst bulk leaves the instant lane its part. */
static void test_kept(void **state)
{
    struct rate r;
    (void)state;
    rate_init(&r, 1000, 1, TENTH, 0);
    assert_int_equal(rate_may(&r, LANE_BULK, 3600000), 50);
    rate_take(&r, LANE_BULK, 50);
    assert_int_equal(rate_may(&r, LANE_BULK, 3600000), 0);
    assert_int_equal(rate_may(&r, LANE_INSTANT, 3600000), 5);
    assert_int_equal(rate_wait_ms(&r, LANE_BULK, 3600000), 1);
    assert_int_equal(rate_owed(&r, false, 3700000), 0); /* who has nothing to send is owed nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes),    cmocka_unit_test(test_debt),
        cmocka_unit_test(test_kept),     cmocka_unit_test(test_slower_and_faster),
        cmocka_unit_test(test_rates),    cmocka_unit_test(test_shares),
        cmocka_unit_test(test_no_hoard), cmocka_unit_test(test_wait_and_give_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

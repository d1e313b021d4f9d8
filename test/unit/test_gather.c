/* When a batch is flushed. */
#include "callback/gather.h"
#include "table.h"

static const struct gather_limits limits = {
    .interval_ms = 60000, .records = 1000, .bytes = 100000, .prefetch = 10};

static void nothing_waits(void **state)
{
    struct gather g = {0};
    assert_true(gather_wait_ms(&g, &limits, 5000) == GATHER_NEVER);
    assert_false(gather_full(&g, &limits));
}

static void the_oldest_decides(void **state)
{
    struct gather g = {0};
    gather_add(&g, 10, 100, false, 5000);
    gather_add(&g, 10, 100, false, 40000);
    assert_int_equal(gather_wait_ms(&g, &limits, 5000), 60000);
    assert_int_equal(gather_wait_ms(&g, &limits, 64999), 1);
    assert_int_equal(gather_wait_ms(&g, &limits, 65000), 0);
    assert_int_equal(gather_wait_ms(&g, &limits, 99999), 0);
}

static void full_by_records_bytes_or_prefetch(void **state)
{
    struct gather g = {0};
    gather_add(&g, 999, 10, false, 5000);
    assert_true(gather_wait_ms(&g, &limits, 5000) > 0);
    gather_add(&g, 1, 10, false, 5000);
    assert_int_equal(gather_wait_ms(&g, &limits, 5000), 0);
    g = (struct gather){0};
    gather_add(&g, 1, 100000, false, 5000);
    assert_int_equal(gather_wait_ms(&g, &limits, 5000), 0);
    g = (struct gather){0};
    for (int i = 0; i < 9; i++)
        gather_add(&g, 1, 1, false, 5000);
    assert_false(gather_full(&g, &limits));
    gather_add(&g, 1, 1, false, 5000);
    assert_true(gather_full(&g, &limits));
    assert_int_equal(gather_wait_ms(&g, &limits, 5000), 0);
}

static void instant_is_flushed_within_a_second(void **state)
{
    struct gather g = {0};
    gather_add(&g, 10, 100, false, 5000);
    gather_add(&g, 1, 10, true, 7000);
    gather_add(&g, 1, 10, true, 7400);
    assert_true(gather_wait_ms(&g, &limits, 7000) <= 1000);
    assert_int_equal(gather_wait_ms(&g, &limits, 7000 + GATHER_INSTANT_MS), 0);
    g = (struct gather){0}; /* the oldest may be due even earlier */
    gather_add(&g, 1, 10, false, 5000);
    gather_add(&g, 1, 10, true, 64900);
    assert_int_equal(gather_wait_ms(&g, &limits, 64950), 50);
}

/* A delivery that held nothing but bad records still has to be acked. */
static void empty_deliveries_count(void **state)
{
    struct gather g = {0};
    gather_add(&g, 0, 50, false, 5000);
    assert_int_equal(gather_wait_ms(&g, &limits, 65000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_waits),
        cmocka_unit_test(the_oldest_decides),
        cmocka_unit_test(full_by_records_bytes_or_prefetch),
        cmocka_unit_test(instant_is_flushed_within_a_second),
        cmocka_unit_test(empty_deliveries_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

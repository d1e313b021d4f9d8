/* The breaker's states, and to whom a message is handed over while it is open. */
#include "dispatch/breaker.h"
#include "dispatch/hand_over.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_opens_after_failures_in_a_row(void **state)
{
    struct breaker b;
    (void)state;
    breaker_init(&b, 3, 1000);
    assert_false(breaker_event(&b, BREAKER_FAILED, 0));
    assert_false(breaker_event(&b, BREAKER_FAILED, 0));
    assert_false(breaker_event(&b, BREAKER_CONNECTED, 0)); /* not in a row */
    assert_false(breaker_event(&b, BREAKER_FAILED, 0));
    assert_false(breaker_event(&b, BREAKER_FAILED, 0));
    assert_true(breaker_event(&b, BREAKER_FAILED, 10));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(b.until_ms, 1010);
    assert_false(breaker_event(&b, BREAKER_FAILED, 500)); /* one that was on its way: no longer pause */
    assert_int_equal(b.until_ms, 1010);
}

static void test_trial(void **state)
{
    struct breaker b;
    (void)state;
    breaker_init(&b, 1, 1000);
    assert_true(breaker_event(&b, BREAKER_FAILED, 0));
    assert_false(breaker_event(&b, BREAKER_TICK, 999));
    assert_true(breaker_event(&b, BREAKER_TICK, 1000));
    assert_int_equal(b.state, BREAKER_TRIAL);
    assert_false(breaker_event(&b, BREAKER_TICK, 5000));
    assert_true(breaker_event(&b, BREAKER_FAILED, 5000));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(b.until_ms, 6000);
    assert_true(breaker_event(&b, BREAKER_TICK, 6000));
    assert_true(breaker_event(&b, BREAKER_CONNECTED, 6001));
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_int_equal(b.failures, 0);
}

static void test_closed_is_quiet(void **state)
{
    struct breaker b;
    (void)state;
    breaker_init(&b, 0, 0); /* bounds of the configuration are kept even where they are not */
    assert_false(breaker_event(&b, BREAKER_TICK, 1));
    assert_false(breaker_event(&b, BREAKER_CONNECTED, 1));
    assert_true(breaker_event(&b, BREAKER_FAILED, 1));
    assert_string_equal(breaker_word(b.state), "open");
}

static struct str_list list(char **items)
{
    size_t n = 0;
    while (items[n] != NULL)
        n++;
    return (struct str_list){.items = items, .count = n};
}

static void test_hand_over(void **state)
{
    char a[] = "a", b[] = "b", c[] = "c";
    char *abc[] = {a, b, c, NULL}, *only_a[] = {a, NULL}, *only_b[] = {b, NULL}, *ab[] = {a, b, NULL},
         *none[] = {NULL};
    struct str_list route = list(abc), lone = list(only_a), empty = list(none), by_a = list(only_a),
                    by_b = list(only_b), by_ab = list(ab);
    (void)state;
    assert_string_equal(hand_over_to(&route, &empty, "a"), "b");
    assert_string_equal(hand_over_to(&route, &by_a, "b"), "c");
    assert_string_equal(hand_over_to(&route, &empty, "b"), "a");
    assert_string_equal(hand_over_to(&route, &by_b, "a"), "c");
    assert_string_equal(hand_over_to(&route, &by_ab, "c"),
                        "a");                       /* all have: it waits in the first one's queue */
    assert_null(hand_over_to(&route, &by_ab, "a")); /* where it stays */
    assert_null(hand_over_to(&lone, &empty, "a"));
    assert_null(hand_over_to(&empty, &empty, "a"));
    assert_string_equal(elsewhere_to(&route, &empty, "a"), "b");
    assert_string_equal(elsewhere_to(&route, &by_b, "c"), "a");
    assert_null(elsewhere_to(&route, &by_ab, "c")); /* nobody is asked twice */
    assert_null(elsewhere_to(&lone, &empty, "a"));
}

/* However the breakers fall, a message comes to rest: each gateway passes it on at most once. */
static void test_hand_over_ends(void **state)
{
    char names[3][2] = {"a", "b", "c"};
    char *route_items[] = {names[0], names[1], names[2], NULL};
    struct str_list route = list(route_items);
    (void)state;
    for (size_t start = 0; start < 3; start++) {
        char *passed[8] = {NULL};
        struct str_list passed_on = {.items = passed, .count = 0};
        const char *at = names[start], *next;
        while ((next = hand_over_to(&route, &passed_on, at)) != NULL) {
            passed[passed_on.count++] = (char *)(uintptr_t)at;
            assert_true(passed_on.count <= 3);
            at = next;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_opens_after_failures_in_a_row),
                                       cmocka_unit_test(test_trial), cmocka_unit_test(test_closed_is_quiet),
                                       cmocka_unit_test(test_hand_over),
                                       cmocka_unit_test(test_hand_over_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

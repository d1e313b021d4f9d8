/* The window's shares, over every size, every share, every use and every need of small windows. */
#include "dispatch/window.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_kept(void **state)
{
    static const struct {
        unsigned size;
        int64_t share;
        unsigned instant, bulk;
    } cases[] = {
        {1, 100000, 0, 1},  {2, 100000, 1, 1},   {5, 100000, 1, 1},     {10, 100000, 1, 1},
        {11, 100000, 2, 2}, {100, 0, 0, 10},     {100, 100000, 10, 10}, {100, 900000, 90, 10},
        {3, 900000, 2, 1},  {10000, 1, 1, 1000}, {1, 0, 0, 1},          {1, 900000, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct window w;
        window_init(&w, cases[i].size, cases[i].share);
        assert_int_equal(w.kept[LANE_INSTANT], cases[i].instant);
        assert_int_equal(w.kept[LANE_BULK], cases[i].bulk);
        assert_int_equal(window_most(&w, LANE_BULK), cases[i].size - cases[i].instant);
        assert_int_equal(window_most(&w, LANE_INSTANT), cases[i].size);
    }
}

static void check(const struct window *w, size_t instant, size_t bulk)
{
    const size_t needs[LANE_COUNT] = {[LANE_INSTANT] = instant, [LANE_BULK] = bulk};
    size_t left = window_left(w), i = window_free(w, LANE_INSTANT, needs),
           b = window_free(w, LANE_BULK, needs);
    assert_true(i <= left && b <= left);
    assert_true(left + window_used(w) == w->size);
    if (bulk == 0) {
        assert_int_equal(i, left); /* nothing of bulk is in its way */
        if (instant == 0)          /* bulk leaves what is kept */
            assert_true(b == 0 || left - b >= w->kept[LANE_INSTANT]);
        else
            assert_int_equal(b, 0); /* and takes nothing that an instant message waits for */
    } else {
        assert_int_equal(i + (instant > 0 ? b : MIN_OF(b, left - i)),
                         left); /* no place is both's, none nobody's */
        size_t share = MAX_OF((size_t)w->kept[LANE_BULK], MIN_OF(bulk, (size_t)w->size));
        assert_true(b == left || b + w->used[LANE_BULK] >= share); /* what is due is there when it is free */
    }
}

static void test_all(void **state)
{
    static const int64_t shares[] = {0, 50000, 100000, 500000, 900000};
    (void)state;
    for (unsigned size = 1; size <= 24; size++)
        for (size_t s = 0; s < COUNT_OF(shares); s++)
            for (size_t instant = 0; instant <= size; instant++)
                for (size_t bulk = 0; instant + bulk <= size; bulk++) {
                    struct window w;
                    window_init(&w, size, shares[s]);
                    w.used[LANE_INSTANT] = instant;
                    w.used[LANE_BULK] = bulk;
                    for (size_t a = 0; a <= 3; a++)
                        for (size_t b = 0; b <= size + 1; b++)
                            check(&w, a, b);
                }
}

/* Both lanes always have more, and answers come one by one from the oldest: neither gets less than its part.
 */
static void test_floods(void **state)
{
    (void)state;
    for (unsigned size = 2; size <= 60; size++) {
        struct window w;
        enum lane sent[64];
        size_t first = 0, count = 0, got[LANE_COUNT] = {0};
        const size_t needs[LANE_COUNT] = {[LANE_INSTANT] = 1, [LANE_BULK] = 1};
        window_init(&w, size, 100000);
        for (int turn = 0; turn < 2000; turn++) {
            for (unsigned lane = 0; lane < LANE_COUNT; lane++)
                while (window_free(&w, lane, needs) > 0 && count < size) {
                    sent[(first + count++) % 64] = (enum lane)lane;
                    w.used[lane]++;
                    got[lane]++;
                }
            w.used[sent[first]]--;
            first = (first + 1) % 64;
            count--;
        }
        assert_true(got[LANE_BULK] >= 2000 / 10 - 10);
        assert_true(got[LANE_INSTANT] >= got[LANE_BULK]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kept), cmocka_unit_test(test_all),
                                       cmocka_unit_test(test_floods)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

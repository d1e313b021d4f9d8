/* States: words, finality, and that the rank is an order which makes every sequence of arrival end the same.
 */
#include "lib/state.h"
#include "table.h"

static const enum state all[] = {
    STATE_QUEUED,     STATE_SUBMITTED,   STATE_IN_DOUBT,     STATE_ACCEPTED, STATE_STALE,
    STATE_SUPPRESSED, STATE_CANCELLED,   STATE_RENDER_ERROR, STATE_UNKNOWN,  STATE_EXPIRED,
    STATE_REJECTED,   STATE_UNDELIVERED, STATE_DELIVERED,
};

static void words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        enum state back;
        assert_non_null(state_word(all[i]));
        assert_true(state_parse(state_word(all[i]), &back));
        assert_int_equal(back, all[i]);
        assert_int_equal(state_is_final(all[i]), i > 3);
    }
    enum state none;
    assert_null(state_word((enum state)5));
    assert_false(state_parse("", &none));
    assert_false(state_parse("Delivered", &none));
    assert_string_equal(state_word(STATE_IN_DOUBT), "in_doubt");
}

struct told {
    int attempt;
    enum state state;
};

static bool replaces(struct told a, struct told b)
{
    return state_replaces(a.attempt, a.state, b.attempt, b.state);
}

/* Irreflexive, asymmetric, transitive, over every triple of (attempt 0..2, state). */
static void is_an_order(void **state)
{
    struct told t[3 * COUNT_OF(all)];
    size_t n = 0;
    (void)state;
    for (int attempt = 0; attempt < 3; attempt++) {
        for (size_t i = 0; i < COUNT_OF(all); i++)
            t[n++] = (struct told){attempt, all[i]};
    }
    for (size_t a = 0; a < n; a++) {
        assert_false(replaces(t[a], t[a]));
        for (size_t b = 0; b < n; b++) {
            assert_false(replaces(t[a], t[b]) && replaces(t[b], t[a]));
            for (size_t c = 0; c < n; c++) {
                if (replaces(t[a], t[b]) && replaces(t[b], t[c]))
                    assert_true(replaces(t[a], t[c]));
                /* Two that do not replace each other are equal to everything else too: the order of arrival
                 * can only choose between tellings of one state. */
                if (!replaces(t[a], t[b]) && !replaces(t[b], t[a]))
                    assert_true(replaces(t[a], t[c]) == replaces(t[b], t[c]) && t[a].state == t[b].state);
            }
        }
    }
}

static void examples(void **state)
{
    (void)state;
    assert_true(state_replaces(1, STATE_SUBMITTED, 0, STATE_QUEUED));
    assert_true(state_replaces(2, STATE_SUBMITTED, 1, STATE_IN_DOUBT));
    assert_false(state_replaces(1, STATE_IN_DOUBT, 2, STATE_SUBMITTED));
    assert_true(state_replaces(1, STATE_IN_DOUBT, 1, STATE_SUBMITTED));
    assert_true(state_replaces(1, STATE_ACCEPTED, 2, STATE_IN_DOUBT));
    assert_false(state_replaces(2, STATE_IN_DOUBT, 1, STATE_ACCEPTED));
    assert_true(state_replaces(1, STATE_DELIVERED, 2, STATE_REJECTED));
    assert_false(state_replaces(2, STATE_UNKNOWN, 1, STATE_DELIVERED));
    assert_true(state_replaces(1, STATE_DELIVERED, 1, STATE_UNKNOWN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(is_an_order),
        cmocka_unit_test(examples),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}

/* Which message a report is about; and when a report settles a message in doubt. */
#include "callback/infer.h"
#include "callback/park.h"
#include "table.h"

#define DAY(n) ((int64_t)(n) << SMS_ID_DAY_SHIFT)

static struct map_row row(int64_t sms_id, int64_t number, int64_t accepted_at)
{
    return (struct map_row){
        .sms_id = sms_id, .number = number, .accepted_at = accepted_at, .segment = 1, .attempt = 1};
}

static int64_t match(const struct map_row *rows, size_t count, int64_t number, int64_t at)
{
    const struct map_row *pointers[16] = {0};
    for (size_t i = 0; i < count; i++)
        pointers[i] = &rows[i];
    const struct map_row *found = park_match(pointers, count, number, at);
    for (size_t i = 0; i < count; i++) /* the order of the rows must not matter */
        pointers[i] = &rows[count - 1 - i];
    assert_ptr_equal(park_match(pointers, count, number, at), found);
    return found ? found->sms_id : 0;
}

static void none(void **state)
{
    assert_int_equal(match(NULL, 0, 491711234567, 1000), 0);
}

static void one(void **state)
{
    struct map_row rows[] = {row(DAY(5) + 1, 491711234567, 1000)};
    assert_true(match(rows, 1, 491711234567, 2000) == DAY(5) + 1);
    assert_true(match(rows, 1, 0, 2000) == DAY(5) + 1);
    assert_true(match(rows, 1, 1711234567, 2000) == DAY(5) + 1); /* the national form */
    assert_true(match(rows, 1, 491711234568, 2000) == 0);        /* an id used again for somebody else */
    assert_true(match(rows, 1, 234567, 2000) == 0);              /* too short to prove anything */
}

static void one_id_many_numbers(void **state)
{
    struct map_row rows[] = {row(DAY(5) + 1, 491711234567, 1000), row(DAY(5) + 2, 491711234568, 1000),
                             row(DAY(5) + 3, 491711234569, 1000)};
    for (int i = 0; i < 3; i++)
        assert_true(match(rows, 3, rows[i].number, 2000) == rows[i].sms_id);
    assert_true(match(rows, 3, 491711234570, 2000) == 0);
    assert_true(match(rows, 3, 0, 2000) == 0); /* it cannot be said which */
}

static void id_used_again(void **state)
{
    struct map_row rows[] = {row(DAY(5) + 1, 491711234567, 1000), row(DAY(9) + 1, 491711234567, 900000),
                             row(DAY(9) + 7, 491711234599, 900000)};
    assert_true(match(rows, 3, 491711234567, 950000) == DAY(9) + 1);
    assert_true(match(rows, 2, 491711234567, 400000) ==
                DAY(5) + 1); /* received before the newer one was accepted */
    assert_true(match(rows, 2, 491711234567, 700000) ==
                DAY(9) + 1);                              /* … but a report may overtake its answer */
    assert_true(match(rows, 2, 0, 950000) == DAY(9) + 1); /* without a number: the newest day */
}

static void of_one_message_the_last_attempt(void **state)
{
    struct map_row rows[] = {row(DAY(5) + 1, 491711234567, 1000), row(DAY(5) + 1, 491711234567, 1000)};
    const struct map_row *pointers[] = {&rows[0], &rows[1]};
    rows[1].attempt = 2;
    assert_ptr_equal(park_match(pointers, 2, 491711234567, 2000), &rows[1]);
    assert_ptr_equal(park_match(pointers, 2, 0, 2000), &rows[1]);
}

static void giving_up(void **state)
{
    assert_false(park_given_up(1000, 5000, 5999));
    assert_true(park_given_up(1000, 5000, 6000));
}

static void inference(void **state)
{
    const struct infer_report r = {
        .received_at = 1000000, .parked_at = 1001000, .answer_timeout_ms = 30000, .flush_interval_ms = 60000};
    const struct infer_attempt a = {.id = {1, 1, 1}, .claimed_at = 900000, .in_doubt = true};
    struct infer_attempt two[] = {a, a};
    assert_false(infer_ripe(&r, 1001000 + 30000 + 120000));
    assert_true(infer_ripe(&r, 1001000 + 30000 + 120001));
    assert_ptr_equal(infer_match(&r, two, 1), &two[0]);
    assert_null(infer_match(&r, two, 0));
    assert_null(infer_match(&r, two, 2)); /* which of the two? */
    two[0].in_doubt = false;              /* its answer may still come */
    assert_null(infer_match(&r, two, 1));
    two[0] = a;
    two[0].claimed_at = 1000000 - INFER_WITHIN_MS - 1;
    assert_null(infer_match(&r, two, 1));
    two[0].claimed_at = 1000000 - INFER_WITHIN_MS;
    assert_ptr_equal(infer_match(&r, two, 1), &two[0]);
    two[0].claimed_at = 1000001; /* a report of something earlier */
    assert_null(infer_match(&r, two, 1));
    struct infer_report other = r;
    other.other_ids = 1; /* two ids for one message: one of them is not ours */
    two[0] = a;
    assert_null(infer_match(&other, two, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none),
        cmocka_unit_test(one),
        cmocka_unit_test(one_id_many_numbers),
        cmocka_unit_test(id_used_again),
        cmocka_unit_test(of_one_message_the_last_attempt),
        cmocka_unit_test(giving_up),
        cmocka_unit_test(inference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Numbers: data/number.txt is the table (text, country, result); masks never show a whole number. */
#include "lib/number.h"
#include "table.h"

static void table(void **state)
{
    struct table t;
    (void)state;

    table_open(&t, "data/number.txt", 3);
    while (table_next(&t)) {
        int64_t e164 = -1;
        const char *country = strcmp(t.cell[1], "-") == 0 ? NULL : t.cell[1];
        enum number_fault fault = number_normalise(t.cell[0], country, &e164);
        char got[64];

        snprintf(got, sizeof(got), "%lld", (long long)e164);
        table_check(&t, fault == NUMBER_OK ? got : number_fault_word(fault), t.cell[2]);
    }
    table_close(&t);
}

static void null_is_empty(void **state)
{
    int64_t e164;
    (void)state;

    assert_int_equal(number_normalise(NULL, "49", &e164), NUMBER_EMPTY);
}

static void masks(void **state)
{
    char out[NUMBER_SIZE];
    (void)state;

    assert_string_equal(number_format(491711234567, out), "+491711234567");
    assert_string_equal(number_mask(491711234567, out), "+49********67");
    assert_string_equal(number_mask(6834123, out), "+68***23");
    assert_string_equal(number_mask(112, out), "+***");
    assert_string_equal(number_mask(999999999999999, out), "+99***********99");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(null_is_empty),
        cmocka_unit_test(masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

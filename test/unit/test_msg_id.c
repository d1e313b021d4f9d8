/* Forms of ids: data/msg_id.txt is the table (form, written, compared); hex and decimal of any length meet.
 */
#include "callback/msg_id.h"
#include "table.h"

static void table(void **state)
{
    struct table t;
    table_open(&t, "data/msg_id.txt", 3);
    while (table_next(&t)) {
        enum msg_id_form form;
        char got[MSG_ID_SIZE] = "-";
        assert_true(msg_id_form_parse(t.cell[0], &form));
        if (!msg_id_compared(t.cell[1], form, got))
            strcpy(got, "-");
        table_check(&t, got, t.cell[2]);
    }
    table_close(&t);
}

static void no_such_form(void **state)
{
    enum msg_id_form form;
    assert_false(msg_id_form_parse("octal", &form));
}

static void length_has_an_end(void **state)
{
    char written[MSG_ID_MAX + 2], out[MSG_ID_SIZE];
    memset(written, 'f', sizeof(written));
    written[MSG_ID_MAX + 1] = '\0';
    assert_false(msg_id_compared(written, MSG_ID_AS_GIVEN, out));
    written[MSG_ID_MAX] = '\0';
    assert_true(msg_id_compared(written, MSG_ID_AS_GIVEN, out));
    assert_true(msg_id_compared(written, MSG_ID_HEX, out)); /* 16^255 - 1 */
    assert_int_equal(strlen(out), 308);
    assert_memory_equal(out, "11235582092889474423308157442431", 32);
    assert_string_equal(out + 300, "14008575");
}

/* A number built from decimal limbs in two ways: by multiplying the decimal text, and by reading the hex
 * text. */
static void hex_meets_decimal(void **state)
{
    unsigned seed = 1;
    for (int round = 0; round < 500; round++) {
        int digits = 1 + (int)(rand_r(&seed) % 120);
        char hex[128], decimal[MSG_ID_SIZE] = "0", a[MSG_ID_SIZE], b[MSG_ID_SIZE];
        size_t len = 1;
        for (int i = 0; i < digits; i++) {
            int value = (int)(rand_r(&seed) % 16), carry = value;
            hex[i] = "0123456789abcdefABCDEF"[value + (value > 9 && rand_r(&seed) % 2 ? 6 : 0)];
            for (size_t k = len; k-- > 0;) {
                int v = (decimal[k] - '0') * 16 + carry;
                decimal[k] = (char)('0' + v % 10);
                carry = v / 10;
            }
            while (carry > 0) {
                memmove(decimal + 1, decimal, len + 1);
                decimal[0] = (char)('0' + carry % 10);
                carry /= 10;
                len++;
            }
        }
        hex[digits] = '\0';
        assert_true(msg_id_compared(hex, MSG_ID_HEX, a));
        assert_true(msg_id_compared(decimal, MSG_ID_DECIMAL, b));
        assert_string_equal(a, b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(no_such_form),
        cmocka_unit_test(length_has_an_end),
        cmocka_unit_test(hex_meets_decimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

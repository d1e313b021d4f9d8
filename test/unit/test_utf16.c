/* UTF-8 and UTF-16, whole and in pieces. */
#include "extract/utf16.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Every way to cut it into two pieces gives the same. */
static void check(const uint16_t *units, size_t count, const char *expected)
{
    for (size_t cut = 0; cut <= count; cut++) {
        auto_buf out = {0};
        uint16_t high = 0;
        utf16_add(&out, units, cut, &high);
        utf16_add(&out, units + cut, count - cut, &high);
        utf16_end(&out, &high);
        assert_string_equal(out.data ? out.data : "", expected);
        assert_int_equal(high, 0);
    }
}
#define CHECK(expected, ...)                                                                                 \
    check((const uint16_t[]){__VA_ARGS__}, COUNT_OF(((const uint16_t[]){__VA_ARGS__})), expected)

static void to_utf8(void **state)
{
    CHECK("aé日", 'a', 0xe9, 0x65e5);
    CHECK("x😀y", 'x', 0xd83d, 0xde00, 'y');
    CHECK("\U0010ffff", 0xdbff, 0xdfff);
    CHECK("a\ufffdb", 'a', 0, 'b'); /* U+0000 */
    CHECK("\ufffdx", 0xd83d, 'x');  /* half a pair */
    CHECK("\ufffd", 0xd83d);
    CHECK("\ufffdx", 0xde00, 'x'); /* its other half */
    CHECK("\ufffd😀", 0xd83d, 0xd83d, 0xde00);
    check(NULL, 0, "");
}

static void from_utf8(void **state)
{
    static const struct {
        const char *utf8;
        uint16_t units[8];
    } cases[] = {
        {"", {0}},
        {"aé日", {'a', 0xe9, 0x65e5}},
        {"x😀", {'x', 0xd83d, 0xde00}},
        {"\xf4\x8f\xbf\xbf", {0xdbff, 0xdfff}},
        {"a\xff"
         "b",
         {'a', 0xfffd, 'b'}},
        {"\xc0\x80", {0xfffd, 0xfffd}},             /* too long a form */
        {"\xed\xa0\x80", {0xfffd, 0xfffd, 0xfffd}}, /* half a pair */
        {"\xf4\x90\x80\x80", {0xfffd, 0xfffd, 0xfffd, 0xfffd}},
        {"\xe6\x97", {0xfffd, 0xfffd}}, /* cut off */
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t count = 0, expected = 0;
        auto_free uint16_t *units = utf16_of(cases[i].utf8, &count);
        while (cases[i].units[expected])
            expected++;
        assert_int_equal(count, expected);
        assert_memory_equal(units, cases[i].units, (expected + 1) * sizeof(*units));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(to_utf8), cmocka_unit_test(from_utf8)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

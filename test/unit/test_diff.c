/* The difference of two texts line by line. */
#include "ctl/diff.h"
#include "lib/buf.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect(const char *first, const char *second, const char *wanted)
{
    struct diff d;
    auto_buf got = {0};

    diff_texts(first, second, &d);
    buf_add_str(&got, "");
    for (size_t i = 0; i < d.count; i++)
        buf_addf(&got, "%c%.*s|", d.lines[i].is, (int)d.lines[i].len, d.lines[i].text);
    assert_string_equal(got.data, wanted);
    assert_int_equal(d.equal, strchr(wanted, '-') == NULL && strchr(wanted, '+') == NULL);
    diff_deinit(&d);
}

static void lines(void **state)
{
    expect("", "", "");
    expect("a\nb\n", "a\nb", " a| b|");
    expect("a\r\nb\r\n", "a\nb\n", " a| b|");
    expect("", "a\n", "+a|");
    expect("a\n", "", "-a|");
    expect("a\nb\nc\n", "a\nx\nc\n", " a|-b|+x| c|");
    expect("a\nb\nc\nd\n", "a\nc\nd\ne\n", " a|-b| c| d|+e|");
    expect("a\nb\na\nb\n", "b\na\nb\na\n", "-a| b| a| b|+a|");
    expect("a\n\n\nb\n", "a\n\nb\n", " a| |-| b|");
}

/* More lines than the table holds: all out, all in, but for what is equal at both ends. */
static void many(void **state)
{
    auto_buf a = {0}, b = {0};
    struct diff d;

    buf_add_str(&a, "head\n");
    buf_add_str(&b, "head\n");
    for (int i = 0; i < DIFF_LINES_MAX + 5; i++) {
        buf_addf(&a, "a%d\n", i);
        buf_addf(&b, "b%d\n", i);
    }
    buf_add_str(&a, "end\n");
    buf_add_str(&b, "end\n");
    diff_texts(a.data, b.data, &d);
    assert_int_equal(d.count, 2 * (DIFF_LINES_MAX + 5) + 2);
    assert_int_equal(d.lines[0].is, ' ');
    assert_int_equal(d.lines[d.count - 1].is, ' ');
    assert_false(d.equal);
    diff_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines), cmocka_unit_test(many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

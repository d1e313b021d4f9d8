/* Several numbers in one request. */
#include "dispatch/group.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct group_item item(const char *text, int64_t number, unsigned cap)
{
    return (struct group_item){.text = text, .sender = "s", .encoding = "gsm7", .number = number, .cap = cap};
}

static void expect(const struct group_item *items, size_t count, unsigned max, const char *wanted)
{
    uint32_t of[16];
    char got[64] = "";
    size_t n = group_requests(items, count, max, of), at = 0;
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(got + at, sizeof(got) - at, "%u", of[i]);
    assert_string_equal(got, wanted);
    for (size_t i = 0; i < count; i++)
        assert_true(of[i] < n);
}

static void test_groups(void **state)
{
    const struct group_item equal[] = {item("t", 1, 0), item("t", 2, 0), item("t", 3, 0), item("t", 4, 0),
                                       item("t", 5, 0)};
    const struct group_item mixed[] = {item("t", 1, 0), item("u", 1, 0), item("t", 2, 0), item("u", 3, 0)};
    const struct group_item twice[] = {item("t", 1, 0), item("t", 1, 0), item("t", 2, 0), item("t", 1, 0)};
    const struct group_item halves[] = {item("t", 1, 2), item("t", 2, 2), item("t", 3, 2), item("t", 4, 0)};
    const struct group_item single[] = {item("t", 1, 0), item("t", 2, 1), item("t", 3, 0), item("t", 4, 0)};
    struct group_item sender[] = {item("t", 1, 0), item("t", 2, 0), item("t", 3, 0)};
    (void)state;
    sender[1].sender = "other";
    sender[2].encoding = "ucs2";
    expect(equal, 5, 1, "01234");
    expect(equal, 5, 2, "00112");
    expect(equal, 5, 50, "00000");
    expect(mixed, 4, 50, "0101");
    expect(twice, 4, 50, "0112");
    expect(halves, 4, 50, "0011");
    expect(single, 4, 50, "0122");
    expect(sender, 3, 50, "012");
    expect(equal, 0, 50, "");
}

/* For many mixtures: never over a limit, never a number twice, never two texts. */
static void test_limits(void **state)
{
    static const char *const texts[] = {"a", "b", "c"};
    unsigned seed = 7;
    (void)state;
    for (int round = 0; round < 500; round++) {
        struct group_item items[40];
        uint32_t of[40];
        unsigned max = 1 + (unsigned)rand_r(&seed) % 8;
        for (size_t i = 0; i < COUNT_OF(items); i++)
            items[i] = item(texts[rand_r(&seed) % 3], 1 + rand_r(&seed) % 12, (unsigned)rand_r(&seed) % 5);
        size_t n = group_requests(items, COUNT_OF(items), max, of);
        for (size_t r = 0; r < n; r++) {
            unsigned members = 0;
            for (size_t i = 0; i < COUNT_OF(items); i++)
                members += of[i] == r;
            assert_in_range(members, 1, max);
            for (size_t i = 0; i < COUNT_OF(items); i++) {
                if (of[i] != r)
                    continue;
                assert_true(items[i].cap == 0 || members <= items[i].cap);
                for (size_t j = i + 1; j < COUNT_OF(items); j++)
                    assert_true(of[j] != r ||
                                (items[i].number != items[j].number && items[i].text == items[j].text));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_groups), cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

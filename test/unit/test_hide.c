/* No form of a secret is left in what is shown. */
#include "lib/hide.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static char secret[] = "s3cr&t/\"+k\xc3\xa4y", other[] = "s3cr", shorter[] = "ab";
static struct str_list secrets = {(char *[]){secret, other, shorter}, 3};

static void expect(void (*hide)(const struct hide *h, const char *text, size_t len, struct buf *out),
                   const char *text, const char *wanted)
{
    struct hide h;
    auto_buf out = {0};
    hide_init(&h, &secrets);
    hide(&h, text, strlen(text), &out);
    assert_string_equal(out.data, wanted);
    hide_deinit(&h);
}

static void test_in_every_form(void **state)
{
    (void)state;
    expect(hide_in, "plain", "plain");
    expect(hide_in, "ab is too short to be one", "ab is too short to be one");
    expect(hide_in, "a=s3cr&t/\"+k\xc3\xa4y; s3cr", "a=***; ***"); /* the longest first */
    expect(hide_in, "{\"k\":\"s3cr&t/\\\"+k\xc3\xa4y\"}", "{\"k\":\"***\"}");
    expect(hide_in, "k=s3cr%26t%2F%22%2Bk%C3%A4y&x", "k=***&x");
    expect(hide_in, "k=s3cr%2526t%252F%2522%252Bk%25C3%25A4y", "k=***");
    expect(hide_in, "czNjcg==", "***");
}

static void test_digests(void **state)
{
    /* printf s3cr | md5sum, sha1sum; openssl dgst -sha256 -binary | base64 */
    (void)state;
    expect(hide_in, "67185e1bebfcf69737b6f2baf19582d8", "***");
    expect(hide_in, "67185E1BEBFCF69737B6F2BAF19582D8.", "***.");
    expect(hide_in, "91f95b9c1248bc64e03ed5cea507b96a45395232", "***");
    expect(hide_in, "8eUkpM+b+eXfjMD3RfoZD0Kgrs3XUmM2ETWpATwRlaA=", "***");
    expect(hide_in, "8eUkpM%2Bb%2BeXfjMD3RfoZD0Kgrs3XUmM2ETWpATwRlaA%3D", "***");
    expect(hide_in, "67185e1bebfcf69737b6f2baf19582d9",
           "67185e1bebfcf69737b6f2baf19582d9"); /* of something else */
}

static void test_by_name(void **state)
{
    struct hide h;
    auto_buf out = {0};
    (void)state;
    expect(hide_in_pairs, "https://x/y?to=49171&password=hm&api_key=&z=1",
           "https://x/y?to=49171&password=***&api_key=***&z=1");
    expect(hide_in_pairs, "Signature=a%2Bb&to=1", "Signature=***&to=1");
    expect(hide_in_pairs, "{\"to\":\"1\"}", "{\"to\":\"1\"}");
    hide_init(&h, &secrets);
    hide_in_header(&h, "X-Api-Key: unknown to the configuration", &out);
    assert_string_equal(out.data, "X-Api-Key: ***");
    buf_clear(&out);
    hide_in_header(&h, "X-Note: s3cr here", &out);
    assert_string_equal(out.data, "X-Note: *** here");
    hide_deinit(&h);
}

static void test_cut(void **state)
{
    static const char *const rows[][2] = {{"key s3cr&t/", "key "},
                                          {"key s3c", "key "},
                                          {"key s3", "key s3"},
                                          {"", ""},
                                          {"s3cr&t/\"+k\xc3\xa4y", "s3cr&t/\"+k\xc3\xa4y"}};
    struct hide h;
    (void)state;
    hide_init(&h, &secrets);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        auto_free char *text = xstrdup(rows[i][0]);
        hide_cut_end(&h, text);
        assert_string_equal(text, rows[i][1]);
    }
    hide_deinit(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_every_form),
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_by_name),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

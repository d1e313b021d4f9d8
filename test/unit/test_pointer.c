/* JSON pointers over texts as they were written (data/pointer.txt). */
#include "lib/pointer.h"
#include "table.h"

static void test_table(void **state)
{
    struct table t;
    (void)state;
    table_open(&t, "data/pointer.txt", 3);
    while (table_next(&t)) {
        auto_buf out = {0}, got = {0};
        /* A copy without anything behind it: reading too far is seen by the sanitizer. */
        size_t len = strlen(t.cell[2]);
        auto_free char *json = xmalloc(len + 1);
        memcpy(json, t.cell[2], len + 1);
        int rc = pointer_read(json, len, t.cell[0], &out);
        if (rc == 0)
            buf_addf(&got, "=%s", out.data != NULL ? out.data : "");
        else
            buf_add_str(&got, rc == POINTER_MISSING ? "missing" : "bad");
        table_check(&t, got.data, t.cell[1]);
    }
    table_close(&t);
}

static void test_depth(void **state)
{
    (void)state;
    for (int depth = 1; depth < 200; depth++) {
        auto_buf json = {0}, out = {0};
        for (int i = 0; i < depth; i++)
            buf_add_char(&json, '[');
        for (int i = 0; i < depth; i++)
            buf_add_char(&json, ']');
        assert_int_equal(pointer_read(json.data, json.len, "/0", &out), depth > POINTER_DEPTH_MAX
                                                                            ? POINTER_BAD
                                                                        : depth > 1 ? 0
                                                                                    : POINTER_MISSING);
    }
}

/* Cut anywhere, an answer is no answer. */
static void test_cut(void **state)
{
    static const char json[] = "{\"id\":\"b7\\u00e9\",\"code\":[0,-1.5e3,true,null]}";
    (void)state;
    for (size_t len = 0; len < sizeof(json) - 1; len++) {
        auto_buf out = {0};
        auto_free char *cut = xstrndup(json, len);
        assert_int_equal(pointer_read(cut, len, "/id", &out), POINTER_BAD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_depth),
                                       cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

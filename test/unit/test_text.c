/* Encoding and segments (data/text.json), and what is not UTF-8. */
#include "lib/buf.h"
#include "render/text.h"
#include <glib.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static json_object *member(json_object *c, const char *key)
{
    json_object *value = NULL;

    json_object_object_get_ex(c, key, &value);
    return value;
}

static void text_of(json_object *c, struct buf *out)
{
    json_object *pieces = member(c, "text");

    buf_add_str(out, "");
    for (size_t i = 0; i < json_object_array_length(pieces); i++) {
        json_object *piece = json_object_array_get_idx(pieces, i);
        for (int n = json_object_get_int(json_object_array_get_idx(piece, 1)); n > 0; n--)
            buf_add_str(out, json_object_get_string(json_object_array_get_idx(piece, 0)));
    }
}

static bool beyond_holds(json_object *c, const struct buf *text)
{
    json_object *wanted = member(c, "beyond");
    size_t count = wanted ? json_object_array_length(wanted) : 0;
    uint32_t got[16];

    if (text_beyond_gsm7(text->data, text->len, got, COUNT_OF(got)) != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (g_utf8_get_char(json_object_get_string(json_object_array_get_idx(wanted, i))) != got[i])
            return false;
    return count < 2 || text_beyond_gsm7(text->data, text->len, got, 1) == 1;
}

/* Step by step it comes to the same as measured in one go. */
static bool walk_holds(const struct buf *text, const struct text_shape *shape)
{
    struct text_character c = {0};
    struct text_walk walk;
    size_t units = 0, bytes = 0, segment = 0;

    text_walk_begin(&walk, text->data, text->len, shape);
    while (text_walk_next(&walk, &c)) {
        if (c.segment != segment && c.segment != ++segment)
            return false;
        units += c.units;
        bytes += c.len;
        if (c.beyond_gsm7 && shape->encoding == TEXT_GSM7)
            return false;
    }
    return units == shape->units && bytes == text->len && segment + 1 == shape->segments;
}

static void table(void **state)
{
    json_object *file = json_object_from_file("data/text.json"), *cases = member(file, "cases");
    size_t failed = 0;

    assert_true(json_object_array_length(cases) > 20);
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        json_object *c = json_object_array_get_idx(cases, i);
        auto_buf text = {0};
        struct text_shape shape = {0};

        text_of(c, &text);
        bool read = text_measure(text.data ? text.data : "", text.len, &shape);
        bool holds =
            read && shape.units == (size_t)json_object_get_int(member(c, "units")) &&
            shape.segments == (size_t)json_object_get_int(member(c, "segments")) &&
            strcmp(text_encoding_word(shape.encoding), json_object_get_string(member(c, "encoding"))) == 0 &&
            (text.len == 0 || (beyond_holds(c, &text) && walk_holds(&text, &shape)));
        if (!holds)
            print_error("%s: got %d, %s, %zu units, %zu segments\n",
                        json_object_get_string(member(c, "name")), read, text_encoding_word(shape.encoding),
                        shape.units, shape.segments);
        failed += !holds;
    }
    json_object_put(file);
    assert_int_equal(failed, 0);
}

static void not_utf8(void **state)
{
    static const char *const texts[] = {
        "\x80",     "a\xc3",        "\xc0\xaf",         "\xc1\xbf",         "\xe0\x80\xaf",
        "\xe2\x82", "\xed\xa0\x80", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff",     "\xc3\x28"};
    struct text_shape shape;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_false(text_measure(texts[i], strlen(texts[i]), &shape));
    assert_true(text_measure("\xf4\x8f\xbf\xbf", 4, &shape));
    assert_int_equal(shape.units, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(not_utf8)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

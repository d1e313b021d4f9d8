/* Text rules of a template's head (data/textrules.json). What `check` refuses: data/conf_errors.txt. */
#include "render/smart.h"
#include "render/textrules.h"
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

static const char *str(json_object *c, const char *key, const char *otherwise)
{
    json_object *value = member(c, key);

    return value ? json_object_get_string(value) : otherwise;
}

static void list_of(json_object *c, const char *key, struct str_list *ret)
{
    json_object *list = member(c, key);

    ret->count = list ? json_object_array_length(list) : 0;
    ret->items = xcalloc(ret->count + 1, sizeof(*ret->items));
    for (size_t i = 0; i < ret->count; i++)
        ret->items[i] = xstrdup(json_object_get_string(json_object_array_get_idx(list, i)));
}

static void list_free(struct str_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->items[i]);
    free(l->items);
}

static void text_of(json_object *c, struct buf *out)
{
    json_object *bytes = member(c, "bytes"), *repeat = member(c, "repeat");

    for (size_t i = 0; bytes && i < json_object_array_length(bytes); i++)
        buf_add_char(out, (char)json_object_get_int(json_object_array_get_idx(bytes, i)));
    for (int n = repeat ? json_object_get_int(repeat) : 1; n > 0; n--)
        buf_add_str(out, str(c, "text", ""));
}

static bool holds(json_object *c, const struct conf_template *conf)
{
    struct text_rules *rules = text_rules_new(conf);
    auto_buf text = {0};
    struct text_shape shape = {0};
    char error[200] = "";

    text_of(c, &text);
    const char *reason = text_rules_apply(rules, conf, &text, &shape, error, sizeof(error));
    text_rules_free(rules);
    bool ok =
        strcmp(reason ? reason : "", str(c, "reason", "")) == 0 && strcmp(error, str(c, "error", error)) == 0;
    if (ok && !reason)
        ok = strcmp(text.data, str(c, "becomes", text.data)) == 0 &&
             strcmp(text_encoding_word(shape.encoding),
                    str(c, "encoding", text_encoding_word(shape.encoding))) == 0 &&
             (!member(c, "segments") || shape.segments == (size_t)json_object_get_int(member(c, "segments")));
    if (!ok)
        print_error("%s: got '%.200s', %s, %zu segments, reason '%s', error '%s'\n", str(c, "name", "?"),
                    text.data, text_encoding_word(shape.encoding), shape.segments, reason ? reason : "",
                    error);
    return ok;
}

static void table(void **state)
{
    json_object *file = json_object_from_file("data/textrules.json"), *cases = member(file, "cases");
    size_t failed = 0;

    assert_true(json_object_array_length(cases) > 35);
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        json_object *c = json_object_array_get_idx(cases, i), *max = member(c, "max_segments");
        struct conf_template conf = {.file = (char[]){"conf/templates/t.liquid"},
                                     .text_line = 5,
                                     .max_segments = max ? json_object_get_int64(max) : 255,
                                     .gsm_only = json_object_get_boolean(member(c, "gsm_only")),
                                     .smart = json_object_get_boolean(member(c, "smart"))};
        conf.footer = xstrdup(str(c, "footer", ""));
        list_of(c, "forbidden", &conf.forbidden);
        list_of(c, "required", &conf.required);
        failed += !holds(c, &conf);
        free(conf.footer);
        list_free(&conf.forbidden);
        list_free(&conf.required);
    }
    json_object_put(file);
    assert_int_equal(failed, 0);
}

/* Without rules a text is measured, and bounded by what a header of concatenated messages can count. */
static void without_rules(void **state)
{
    struct conf_template conf = {.file = (char[]){"t.liquid"}, .text_line = 1};
    struct text_shape shape;
    auto_buf text = {0};
    char error[100];

    buf_add_str(&text, "it’s");
    assert_null(text_rules_apply(NULL, &conf, &text, &shape, error, sizeof(error)));
    assert_int_equal(shape.encoding, TEXT_UCS2);
    assert_string_equal(text.data, "it’s");
}

/* A text that does not fit its room is told, not cut. */
static void overflow(void **state)
{
    struct conf_template conf = {
        .file = (char[]){"t.liquid"}, .text_line = 1, .max_segments = 255, .footer = (char[]){"0123456789"}};
    struct text_rules *rules = text_rules_new(&conf);
    auto_buf text = {.max = 16};
    struct text_shape shape;
    char error[100];

    buf_add_str(&text, "abcdefghij");
    assert_string_equal(text_rules_apply(rules, &conf, &text, &shape, error, sizeof(error)), "text_too_long");
    assert_string_equal(error, "t.liquid:1: the text is longer than 16 bytes");
    text_rules_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(without_rules),
        cmocka_unit_test(overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

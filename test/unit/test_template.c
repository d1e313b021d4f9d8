/* Templates against two tables: ours (data/template.json) and Liquid's golden cases (data/liquid_cases.json),
 * where "ours" in a case says what we do differently on purpose, and why. */
#include "lib/template.h"
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW_MS    1769847330123 /* 2026-01-31 08:15:30.123 UTC */
#define ITEMS_MAX 16

struct table_data {
    json_object *object;
    const char *items[ITEMS_MAX]; /* of the list given out last */
};

static const char *text_of(json_object *value)
{
    return json_object_get_string(value);
}

static struct template_value get(const void *data, const char *name)
{
    struct table_data *d = (struct table_data *)(uintptr_t)data;
    json_object *value;

    if (!d->object || !json_object_object_get_ex(d->object, name, &value))
        return (struct template_value){.type = TEMPLATE_MISSING};
    if (!value)
        return (struct template_value){.type = TEMPLATE_NULL};
    if (!json_object_is_type(value, json_type_array))
        return (struct template_value){.type = TEMPLATE_STR, .str = text_of(value)};
    size_t count = json_object_array_length(value);
    assert_true(count <= ITEMS_MAX);
    for (size_t i = 0; i < count; i++)
        d->items[i] = text_of(json_object_array_get_idx(value, i));
    return (struct template_value){.type = TEMPLATE_LIST, .items = d->items, .count = count};
}

static const char *name_at(const void *data, size_t i)
{
    const struct table_data *d = data;

    if (!d->object)
        return NULL;
    json_object_object_foreach(d->object, key, value)
    {
        (void)value;
        if (i-- == 0)
            return key;
    }
    return NULL;
}

static const char *field(json_object *c, const char *key)
{
    json_object *value;

    return json_object_object_get_ex(c, key, &value) && value ? json_object_get_string(value) : NULL;
}

/* Compiles and renders a case. NULL: an error, then *ret_error is "line:column: message". */
static char *run(json_object *c, char *error, size_t size)
{
    struct template_error e = {0};
    struct template *t = NULL;
    struct table_data data = {0};
    auto_buf out = {.max = 4096};
    const char *source = field(c, "template"), *zone_name = field(c, "zone");
    struct zone *zone = zone_name ? zone_open(zone_name) : NULL;
    char *result = NULL;

    if (zone_name)
        assert_non_null(zone);
    json_object_object_get_ex(c, "data", &data.object);
    struct template_scope scope = {.get = get,
                                   .name_at = name_at,
                                   .data = &data,
                                   .zone = zone,
                                   .now_ms = NOW_MS,
                                   .currency_decimal = field(c, "decimal"),
                                   .currency_group = field(c, "group")};
    int r = template_compile(source, strlen(source), 1, &t, &e);
    if (r == 0)
        r = template_render(t, &scope, &out, &e);
    if (r == 0)
        result = buf_take(&out, NULL);
    else
        assert_int_equal(out.len, 0);
    snprintf(error, size, "%d:%d: %s", e.line, e.column, e.message);
    template_free(t);
    zone_close(zone);
    return result;
}

static bool case_holds(json_object *c, json_object *wanted)
{
    char error[300];
    auto_free char *result = run(c, error, sizeof(error));
    const char *want = field(wanted, "result"), *want_error = field(wanted, "error");
    json_object *invalid;
    bool any_error = json_object_object_get_ex(wanted, "invalid", &invalid);
    bool holds = result ? want && strcmp(result, want) == 0
                        : any_error || (want_error && strcmp(error, want_error) == 0);

    if (!holds)
        print_error("%s\n  template: %s\n  wanted:   %s\n  got:      %s\n", field(c, "name"),
                    field(c, "template"),
                    want         ? want
                    : want_error ? want_error
                                 : "any error",
                    result ? result : error);
    return holds;
}

static void run_table(const char *path, const char *ours_key)
{
    json_object *table = json_object_from_file(path), *cases, *ours;
    size_t failed = 0;

    assert_non_null(table);
    assert_true(json_object_object_get_ex(table, "cases", &cases));
    assert_true(json_object_array_length(cases) > 20);
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        json_object *c = json_object_array_get_idx(cases, i);
        bool differs = ours_key && json_object_object_get_ex(c, ours_key, &ours);
        if (differs)
            assert_non_null(field(ours, "why"));
        failed += !case_holds(c, differs ? ours : c);
    }
    json_object_put(table);
    assert_int_equal(failed, 0);
}

static void ours(void **state)
{
    run_table("data/template.json", NULL);
}

static void golden(void **state)
{
    run_table("data/liquid_cases.json", "ours");
}

static void maximum(void **state)
{
    struct template_error e;
    struct template *t;
    struct table_data data = {.object = json_tokener_parse("{\"a\":\"0123456789\"}")};
    struct template_scope scope = {.get = get, .data = &data};
    static const char *const over[] = {"{{ a }}{{ a }}", "{{ a | append: a }}", "{{ a | replace: '', a }}",
                                       "{{ a | json | json }}", "{{ a | join }}0123456789"};

    for (size_t i = 0; i < COUNT_OF(over); i++) {
        auto_buf out = {.max = 17};
        buf_add_str(&out, "kept");
        assert_int_equal(template_compile(over[i], strlen(over[i]), 7, &t, &e), 0);
        assert_true(template_render(t, &scope, &out, &e) < 0);
        assert_int_equal(e.line, 7);
        assert_non_null(strstr(e.message, "17 bytes"));
        assert_string_equal(out.data, "kept");
        assert_false(out.overflowed);
        template_free(t);
    }
    json_object_put(data.object);
}

static void many_bytes(void **state)
{
    /* Values beyond the room on the stack come from the heap and are given back. */
    struct template_error e;
    struct template *t;
    char big[3000];
    struct table_data data = {.object = json_object_new_object()};
    struct template_scope scope = {.get = get, .data = &data};
    auto_buf out = {0};

    memset(big, 'x', sizeof(big));
    json_object_object_add(data.object, "a", json_object_new_string_len(big, sizeof(big)));
    const char *source = "{{ a | upcase | append: a | replace: 'X', 'yy' | size }}";
    assert_int_equal(template_compile(source, strlen(source), 1, &t, &e), 0);
    for (int i = 0; i < 3; i++) {
        buf_clear(&out);
        assert_int_equal(template_render(t, &scope, &out, &e), 0);
        assert_string_equal(out.data, "9000");
    }
    template_free(t);
    json_object_put(data.object);
}

static void not_utf8(void **state)
{
    struct template_error e;
    struct template *t = NULL;

    assert_true(template_compile("ok\nab\xff", 6, 10, &t, &e) < 0);
    assert_int_equal(e.line, 11);
    assert_int_equal(e.column, 3);
    assert_true(template_compile("a\0b", 3, 1, &t, &e) < 0);
    assert_string_equal(e.message, "a NUL byte stands here");
    assert_int_equal(template_compile("", 0, 1, &t, &e), 0);
    template_free(t);
}

/* Every line "template → result" or "template ⇒ error" of the manual holds. Blanks before the arrow belong to
 * it. */
static bool manual_line(char *line, json_object *row, const char *arrow, const char *key)
{
    char *at = strstr(line, arrow);

    if (!at)
        return false;
    char *answer = at + strlen(arrow);
    answer[strcspn(answer, "\n")] = '\0';
    while (at > line && at[-1] == ' ')
        at--;
    *at = '\0';
    json_object *c = json_object_new_object();
    json_object_object_add(c, "name", json_object_new_string("docs/templates.md"));
    json_object_object_add(c, "template", json_object_new_string(line));
    json_object_object_add(c, "zone", json_object_new_string("Europe/Berlin"));
    json_object_object_add(c, "data", json_object_get(row));
    json_object_object_add(c, key, json_object_new_string(answer));
    bool holds = case_holds(c, c);
    json_object_put(c);
    assert_true(holds);
    return true;
}

static void manual(void **state)
{
    json_object *row = json_tokener_parse("{\"name\":\"anna möller\",\"nickname\":null,\"amount\":\"1234.5\","
                                          "\"due_on\":\"2026-02-01\",\"paid_at\":\"2026-07-01 08:15:00+00\","
                                          "\"code\":\" a&b \"}");
    FILE *f = fopen("../../docs/templates.md", "r");
    char line[500];
    size_t lines = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        lines += manual_line(line, row, "→ ", "result") || manual_line(line, row, "⇒ ", "error");
    fclose(f);
    json_object_put(row);
    assert_true(lines > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours),       cmocka_unit_test(golden),   cmocka_unit_test(maximum),
        cmocka_unit_test(many_bytes), cmocka_unit_test(not_utf8), cmocka_unit_test(manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

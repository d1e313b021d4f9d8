/* The names a template uses: each once, in order, with the line of its first use and whether it may be
 * missing. */
#include "lib/template.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct names_case {
    const char *source;
    size_t count;
    struct template_name names[4];
} cases[] = {
    {"no names {{ 'a' }} {{ 1 }} {{ true }} {% raw %}{{ b }}{% endraw %}{% comment %}{{ c }}{% endcomment %}",
     0,
     {{0}}},
    {"{{ a }}\n{{ b }} {{ a }}", 2, {{"a", 3, false}, {"b", 4, false}}},
    {"{{ a | default: 'x' }}", 1, {{"a", 3, true}}},
    {"{{ a | upcase | default: 'x' | truncate: 5 }}", 1, {{"a", 3, true}}},
    {"{{ a | default: 'x' }}{{ a }}", 1, {{"a", 3, false}}},
    {"{{ a }}{{ a | default: 'x' }}", 1, {{"a", 3, false}}},
    {"{{ a | default: b }}", 2, {{"a", 3, true}, {"b", 3, false}}},
    {"{{ a | default: b | default: 'x' }}", 2, {{"a", 3, true}, {"b", 3, true}}},
    {"{{ a | append: b | default: 'x' }}", 2, {{"a", 3, true}, {"b", 3, false}}},
    {"{{ a | default: 'x', allow_false: c }}", 2, {{"a", 3, true}, {"c", 3, false}}},
    {"{{ Größe-1 }}\n\n{{ ok? }}", 2, {{"Größe-1", 3, false}, {"ok?", 5, false}}},
};

static void names(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct template_name *got;
        struct template_error e;
        struct template *t;

        print_message("%s\n", cases[i].source);
        assert_int_equal(template_compile(cases[i].source, strlen(cases[i].source), 3, &t, &e), 0);
        assert_int_equal(template_names(t, &got), cases[i].count);
        for (size_t n = 0; n < cases[i].count; n++) {
            assert_string_equal(got[n].name, cases[i].names[n].name);
            assert_int_equal(got[n].line, cases[i].names[n].line);
            assert_int_equal(got[n].optional, cases[i].names[n].optional);
        }
        template_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

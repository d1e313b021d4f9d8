/* STOP and START: data/keyword.txt holds texts and what they ask for by the words that are the defaults. */
#include "lib/conf_internal.h"
#include "lib/keyword.h"
#include "table.h"

static void defaults(struct conf_main *m)
{
    struct conf_report report = {0};
    struct str_list secrets = {0};
    struct conf_reader r = {.report = &report, .dir = ".", .section = "render", .secrets = &secrets};
    memset(m, 0, sizeof(*m));
    conf_fill(&r, &conf_tables[CONF_KIND_MAIN], NULL, m);
}

/* \uXXXX in the table is that character. */
static void unescape(char *s)
{
    for (char *at; (at = strstr(s, "\\u")) != NULL;) {
        unsigned c = (unsigned)strtoul((char[]){at[2], at[3], at[4], at[5], 0}, NULL, 16);
        at[0] = (char)(0xc0 | c >> 6); /* all of them have two bytes */
        at[1] = (char)(0x80 | (c & 0x3f));
        memmove(at + 2, at + 6, strlen(at + 6) + 1);
    }
}

static void table(void **state)
{
    struct conf_main m;
    struct table t;
    defaults(&m);
    auto_keywords k = keywords_new(&m.inbound);
    table_open(&t, "data/keyword.txt", 2);
    while (table_next(&t)) {
        const char *language;
        unescape(t.cell[0]);
        enum keyword is = keyword_of(k, t.cell[0], &language);
        auto_free char *got =
            is == KEYWORD_NONE ? xstrdup("-") : xasprintf("%s %s", keyword_word(is), language);
        table_check(&t, got, t.cell[1]);
    }
    table_close(&t);
    conf_fill_free(&conf_tables[CONF_KIND_MAIN], &m);
}

/* A long text is looked at from its beginning only, and never cut inside a character. */
static void long_texts(void **state)
{
    struct conf_main m;
    const char *language;
    auto_buf text = {0};
    defaults(&m);
    auto_keywords k = keywords_new(&m.inbound);
    buf_add_str(&text, "STOP ");
    for (int i = 0; i < 100; i++) {
        buf_add_str(&text, "退订 ");
        assert_int_equal(keyword_of(k, text.data, &language), KEYWORD_STOP);
        assert_string_equal(language, "en");
        assert_int_equal(keyword_of(k, text.data + 1, &language), KEYWORD_NONE);
    }
    assert_int_equal(keyword_of(k, "stop \xff", &language), KEYWORD_NONE); /* not UTF-8 */
    conf_fill_free(&conf_tables[CONF_KIND_MAIN], &m);
}

static void no_words(void **state)
{
    struct conf_inbound none = {0};
    const char *language;
    auto_keywords k = keywords_new(&none);
    assert_int_equal(keyword_of(k, "STOP", &language), KEYWORD_NONE);
    assert_null(language);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(long_texts),
        cmocka_unit_test(no_words),
    };
    return cmocka_run_group_tests_name("keyword", tests, NULL, NULL);
}

/* Rows of tasks as rows of a source: columns, template, and why a row can be no message. */
#include "extract/task_row.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static char template_name[] = "note", text_template[] = "own", none[] = "";
static char *more[] = {(char[]){"other"}, (char[]){"third"}};

static struct conf_rule rule(bool texts)
{
    return (struct conf_rule){.tasks = true,
                              .template_name = template_name,
                              .text_template = texts ? text_template : none,
                              .templates = {.items = more, .count = 2}};
}

/* "task_id=t ext_id=e number=1 name=Ann nothing=- | own | refused" */
static void expect(bool texts, const struct task_row *row, const char *wanted)
{
    struct conf_rule of = rule(texts);
    struct task_reader *r = task_reader_new(&of);
    struct source_row got;
    auto_buf words = {0};

    for (int twice = 0; twice < 2; twice++) { /* nothing of a row is left in the next one */
        buf_clear(&words);
        task_reader_take(r, row, &got);
        for (size_t i = 0; i < got.count; i++)
            buf_addf(&words, "%s=%s ", got.names[i], got.values[i] ? got.values[i] : "-");
        buf_addf(&words, "| %s | %s", got.template ? got.template : "-", got.refused ? got.refused : "-");
        assert_string_equal(words.data, wanted);
        assert_string_equal(got.ext_id, row->ext_id);
    }
    task_reader_free(r);
}

static struct task_row row(const char *template, const char *text, const char *params)
{
    return (struct task_row){.task_id = "t",
                             .ext_id = "e",
                             .number = "+491",
                             .template = template,
                             .text = text,
                             .params = params};
}

#define KEY "task_id=t ext_id=e number=+491 "

static void columns(void **state)
{
    struct task_row r = row(NULL, NULL, NULL);

    expect(true, &r, KEY "| - | -");
    r = row(NULL, NULL, "{}");
    expect(true, &r, KEY "| - | -");
    r = row(NULL, NULL,
            "{\"name\": \"J\\u00f6rg \\\"B\\\"\", \"amount\": \"12.50\", \"nothing\": null, \"\": \"x\"}");
    expect(true, &r, KEY "name=J\xc3\xb6rg \"B\" amount=12.50 nothing=- =x | - | -");
}

static void templates(void **state)
{
    struct task_row r = row("note", NULL, NULL);

    expect(true, &r, KEY "| note | -");
    r = row("third", NULL, NULL);
    expect(false, &r, KEY "| third | -");
    r = row("own", NULL, NULL); /* that of texts is for texts */
    expect(true, &r, KEY "| - | template_not_allowed");
    r = row("", NULL, NULL);
    expect(true, &r, KEY "| - | template_not_allowed");
}

static void texts(void **state)
{
    struct task_row r = row(NULL, "Hello", "{\"name\": \"Ann\"}");

    expect(true, &r, KEY "text=Hello name=Ann | own | -");
    expect(false, &r, KEY "text=Hello name=Ann | - | text_not_allowed");
    r = row("note", "Hello", NULL);
    expect(true, &r, KEY "text=Hello | - | template_and_text");
}

static void params_that_are_none(void **state)
{
    static const char *const reserved[] = {"task_id", "ext_id", "number", "text"};
    struct task_row r = row(NULL, NULL, "[]");

    expect(true, &r, KEY "| - | params_unreadable");
    r = row(NULL, NULL, "{\"a\": {\"b\": \"c\"}");
    expect(true, &r, KEY "| - | params_unreadable");
    for (size_t i = 0; i < COUNT_OF(reserved); i++) {
        auto_free char *params = xasprintf("{\"%s\": \"1\"}", reserved[i]);
        r = row(NULL, NULL, params);
        expect(true, &r, KEY "| - | params_reserved");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns),
        cmocka_unit_test(templates),
        cmocka_unit_test(texts),
        cmocka_unit_test(params_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

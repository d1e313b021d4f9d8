/* What drivers' errors mean and what is told of them; frames, whole, cut off and wrong. */
#include "extract/odbc_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    enum odbc_phase phase;
    const char *product, *state;
    long native;
    bool lost;
    const char *words;
    enum odbc_frame_kind kind;
    int line;
    bool too_long;
    const char *why; /* a part of it */
} cases[] = {
    {ODBC_READING, "MariaDB", "42S22", 1054, false,
     "[ma-3.1.15][10.11.19-MariaDB]Unknown column 'x' in 'SELECT'", ODBC_REFUSED, 0, false,
     "Unknown column 'x' in 'SELECT' (SQLSTATE 42S22)"},
    {ODBC_READING, "MariaDB", "42000", 1064, false, "syntax to use near 'a at line 9\nb' at line 3",
     ODBC_REFUSED, 2, false, "near 'a at line 9 b' at line 3 (SQLSTATE 42000)"},
    {ODBC_READING, "MariaDB", "22007", 1292, false, "Incorrect value: '+491701234567'", ODBC_REFUSED, 0,
     false, "stopped the statement with error 22007 (1292) (a value that"},
    {ODBC_READING, "Oracle", "HY000", 1722, false, "invalid number: Miller", ODBC_REFUSED, 0, false,
     "with error HY000 (1722)"},
    {ODBC_READING, "MariaDB", "HY018", 1969, false, "max_statement_time exceeded", ODBC_REFUSED, 0, true, ""},
    {ODBC_READING, "Oracle", "HYT00", 0, false, "Timeout expired", ODBC_REFUSED, 0, true, ""},
    {ODBC_READING, "MariaDB", "08S01", 2013, false, "Lost connection to server during query", ODBC_AWAY, 0,
     false, "Lost connection to server during query (SQLSTATE 08S01, error 2013)"},
    {ODBC_READING, "Oracle", "HY000", 3113, true, "end-of-file on channel", ODBC_AWAY, 0, false,
     "end-of-file on channel"},
    {ODBC_READING, "MariaDB", "40001", 1213, false, "Deadlock found for key 'Miller'", ODBC_AWAY, 0, false,
     "the database cannot answer now"},
    {ODBC_READING, "SQLite", "HY000", 5, false, "[SQLite]database is locked (5)", ODBC_AWAY, 0, false,
     "database is locked"},
    {ODBC_READING, "SQLite", "HY000", 1, false, "[SQLite]no such column: x (1)", ODBC_REFUSED, 0, false,
     "no such column: x (1)"},
    {ODBC_READING, "MariaDB", "42000", 1064, false, "near '491701234567'", ODBC_REFUSED, 0, false,
     "near '49**********'"},
    {ODBC_CONNECTING, "", "28000", 1045, false, "Access denied, password s3cret; pin 0815", ODBC_AWAY, 0,
     false, "no connection: Access denied, password ******; pin 0815 (SQLSTATE 28000"},
    {ODBC_CONNECTING, "", "IM002", 0, false, "Data source name not found", ODBC_AWAY, 0, false,
     "odbcinst.ini or odbc.ini?"},
};

static void errors(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct odbc_diagnosis d = {.native = cases[i].native};
        struct odbc_trouble t;
        snprintf(d.state, sizeof(d.state), "%s", cases[i].state);
        snprintf(d.words, sizeof(d.words), "%s", cases[i].words);
        odbc_explain(&t, cases[i].phase, &d, cases[i].product, !cases[i].lost,
                     "DSN=x; PWD={s3cret};PORT=3306");
        assert_int_equal(t.too_long, cases[i].too_long);
        if (!strstr(t.why, cases[i].why) || strstr(t.why, "Miller") || strstr(t.why, "s3cret"))
            fail_msg("case %zu: '%s' is not '%s'", i, t.why, cases[i].why);
        if (!t.too_long) {
            assert_int_equal(t.kind, cases[i].kind);
            assert_int_equal(t.line, cases[i].line);
        }
    }
}

static void frames(void **state)
{
    auto_buf out = {0};
    struct odbc_frame f;
    const char *s;
    size_t began = odbc_frame_begin(&out, ODBC_ROW);

    odbc_frame_add(&out, "one", 3);
    odbc_frame_add(&out, NULL, 0);
    odbc_frame_add(&out, "", 0);
    odbc_frame_add_int(&out, -7);
    odbc_frame_end(&out, began);
    for (size_t len = 0; len < out.len; len++)
        assert_int_equal(odbc_frame_take(out.data, len, &f), 0);
    assert_int_equal(odbc_frame_take(out.data, out.len, &f), out.len);
    assert_int_equal(f.kind, ODBC_ROW);
    assert_true(odbc_frame_next(&f, &s));
    assert_string_equal(s, "one");
    assert_true(odbc_frame_next(&f, &s));
    assert_null(s);
    assert_true(odbc_frame_next(&f, &s));
    assert_string_equal(s, "");
    assert_true(odbc_frame_next(&f, &s));
    assert_string_equal(s, "-7");
    assert_false(odbc_frame_next(&f, &s));
    memset(out.data + 1, 0xff, 4); /* longer than any */
    assert_int_equal(odbc_frame_take(out.data, out.len, &f), -EBADMSG);
    f = (struct odbc_frame){ODBC_ROW, "\x04\0\0\0abcd", 8}; /* a string without its NUL */
    assert_false(odbc_frame_next(&f, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors), cmocka_unit_test(frames)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

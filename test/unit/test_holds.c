/* What holds a run by its figures: data/holds.txt. And the words and waves that stand in the run's row. */
#include "extract/holds.h"
#include "table.h"
#include <inttypes.h>

static char *cell(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void table(void **state)
{
    struct table t;
    (void)state;

    table_open(&t, "data/holds.txt", 9);
    while (table_next(&t)) {
        struct conf_rule rule = {.hold_if_recipients_differ = t.cell[0],
                                 .hold_render_errors = t.cell[1],
                                 .approve = *t.cell[2] != '\0'};
        struct holds_figures f = {.recipients = strtoll(t.cell[3], NULL, 10)};
        auto_buf why = {0}, held_by = {0};

        assert_int_equal(sscanf(t.cell[4], "%" SCNd64 " %" SCNd64, &f.judged, &f.errors), 2);
        assert_int_equal(sscanf(t.cell[5], "%" SCNd64 " %" SCNd64, &f.last_runs, &f.last_recipients), 2);
        holds_array(holds_decide(&rule, &f, holds_parse(t.cell[6]), &why), &held_by);
        table_check(&t, held_by.data, t.cell[7]);
        if (!strstr(why.data ? why.data : "", t.cell[8]) || (*t.cell[8] == '\0' && why.len > 0))
            table_check(&t, why.data ? why.data : "", t.cell[8]);
    }
    table_close(&t);
}

static void words_of_a_newer_version(void **state)
{
    auto_buf array = {0};
    (void)state;

    assert_int_equal(holds_parse(""), 0);
    assert_int_equal(holds_parse("approve something_newer wave"), HOLD_APPROVE | HOLD_WAVE);
    assert_int_equal(holds_parse("approv"), 0);
    assert_int_equal(holds_parse("max_recipients balance recipients_differ render_errors approve wave"),
                     (1u << HOLDS) - 1);
    holds_array(HOLD_WAVE | HOLD_MAX_RECIPIENTS, &array);
    assert_string_equal(array.data, "{max_recipients,wave}");
}

static void waves(void **state)
{
    struct conf_rule rule = {.waves = {.first = cell("1%"), .wait_ms = 5, .max_undelivered = cell("2.5%")}};
    struct holds_waves w;
    (void)state;

    assert_true(holds_waves(&rule, &w));
    assert_true(w.share == 10000 && w.count == 0 && w.wait_ms == 5 && w.limit == 25000);
    rule.waves.first = cell("250");
    assert_true(holds_waves(&rule, &w) && w.share == 0 && w.count == 250);
    rule.waves.first = cell("");
    assert_false(holds_waves(&rule, &w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(words_of_a_newer_version),
        cmocka_unit_test(waves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What may be done with a run: data/gate.txt. */
#include "extract/gate.h"
#include "lib/clock.h"
#include "table.h"

static void table(void **state)
{
    static const char *const words[] = {"go", "leave", "wait", "cancel", "fail", "hold", "skip"};
    struct conf_rule rule = {.file = (char *)(uintptr_t) "rules/note.yaml", .valid_for_ms = 3600000};
    struct table t;
    (void)state;

    table_open(&t, "data/gate.txt", 8);
    while (table_next(&t)) {
        struct run_row run = {.rule = "note",
                              .cancelled = strstr(t.cell[1], "cancelled"),
                              .paused = strstr(t.cell[1], "paused"),
                              .of_task = strstr(t.cell[1], "task"),
                              .once_per_known = strcmp(t.cell[4], "yes") == 0};
        char why[GATE_WHY_SIZE];
        int64_t now;
        enum gate g;

        assert_true(clock_parse_iso("2026-01-31T09:00:00Z", &run.scheduled_ms));
        now = run.scheduled_ms + strtoll(t.cell[5], NULL, 10) * 60000;
        snprintf(run.state, sizeof(run.state), "%s", t.cell[0]);
        snprintf(run.held_why, sizeof(run.held_why), "%s", t.cell[3]);
        g = gate_decide(&run, strcmp(t.cell[2], "yes") == 0 ? &rule : NULL, now, why);
        table_check(&t, words[g], t.cell[6]);
        if (!strstr(why, t.cell[7]) || (*t.cell[7] == '\0' && *why))
            table_check(&t, why, t.cell[7]);
    }
    table_close(&t);
}

static void only_a_released_run_may_be_large(void **state)
{
    struct conf_rule rule = {.max_recipients = 100};
    struct run_row run = {.why = ""};
    (void)state;

    assert_int_equal(gate_max_recipients(&run, &rule), 100);
    run.released = HOLD_APPROVE | HOLD_BALANCE;
    assert_int_equal(gate_max_recipients(&run, &rule), 100);
    run.released = HOLD_APPROVE | HOLD_MAX_RECIPIENTS;
    assert_true(gate_max_recipients(&run, &rule) == INT64_MAX);
}

static void states_of_ends(void **state)
{
    (void)state;

    assert_string_equal(gate_state(GATE_CANCEL), "cancelled");
    assert_string_equal(gate_state(GATE_FAIL), "failed");
    assert_string_equal(gate_state(GATE_HOLD), "held");
    assert_string_equal(gate_state(GATE_SKIP), "skipped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(only_a_released_run_may_be_large),
        cmocka_unit_test(states_of_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

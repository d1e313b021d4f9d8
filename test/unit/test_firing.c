/* Firings: data/firing.txt holds who asks when and what comes out; and the bound on how many at one time. */
#include "extract/firing.h"
#include "lib/clock.h"
#include "table.h"

static struct firing fired[FIRING_MAX];

static int64_t ms_of(const char *s)
{
    int64_t ms = 0;

    if (strcmp(s, "-") == 0)
        return 0;
    if (!clock_parse_iso(s, &ms))
        fail_msg("'%s' is no time", s);
    return ms;
}

static void say(char *got, size_t size, const struct firing *f)
{
    static const char *const words[] = {"due", "missed", "skip_late", "skip_older"};
    char iso[CLOCK_ISO_SIZE];
    size_t len = strlen(got);

    clock_iso(f->scheduled_ms, iso);
    snprintf(got + len, size - len, "%s%s %.11s", len ? " " : "", words[f->verdict], iso + 5);
}

static void table(void **state)
{
    struct table t;
    (void)state;

    table_open(&t, "data/firing.txt", 8);
    while (table_next(&t)) {
        struct firing_plan p;
        char message[CRON_MESSAGE_SIZE] = "", got[1024] = "";
        bool once = strncmp(t.cell[0], "at ", 3) == 0;
        struct firing_question q = {
            .planned_from_ms = ms_of(t.cell[3]),
            .last_entered_ms = ms_of(t.cell[4]),
            .now_ms = ms_of(t.cell[5]),
            .look_back_ms = strtoll(t.cell[6], NULL, 10) * 3600000,
            .missed = strcmp(t.cell[2], "skip") == 0 ? CONF_MISSED_SKIP : CONF_MISSED_RUN_ONCE,
        };

        if (firing_plan_init(&p, once ? "" : t.cell[0], once ? t.cell[0] + 3 : "", t.cell[1], message) < 0) {
            table_check(&t, "error", t.cell[7]);
            assert_true(*message != '\0');
            continue;
        }
        size_t n = firing_due(&p, &q, fired);
        for (size_t i = 0; i < n; i++)
            say(got, sizeof(got), &fired[i]);
        table_check(&t, got, t.cell[7]);
        firing_plan_deinit(&p);
    }
    table_close(&t);
}

static void of_too_many_the_newest_stay(void **state)
{
    struct firing_plan p;
    char message[CRON_MESSAGE_SIZE];
    struct firing_question q = {.now_ms = ms_of("2026-01-31T00:00:30Z"),
                                .look_back_ms = INT64_C(72) * 3600000};
    (void)state;

    assert_int_equal(firing_plan_init(&p, "* * * * *", "", "UTC", message), 0);
    assert_int_equal(firing_due(&p, &q, fired), FIRING_MAX);
    for (size_t i = 0; i < FIRING_MAX; i++) {
        assert_int_equal(fired[i].scheduled_ms,
                         ms_of("2026-01-31T00:00:00Z") - (int64_t)(FIRING_MAX - 1 - i) * 60000);
        assert_int_equal(fired[i].verdict, i == FIRING_MAX - 1 ? FIRING_DUE : FIRING_SKIP_OLDER);
    }
    firing_plan_deinit(&p);
}

static void what_is_written(void **state)
{
    (void)state;

    assert_string_equal(firing_state(FIRING_DUE), "new");
    assert_string_equal(firing_state(FIRING_MISSED), "new");
    assert_string_equal(firing_state(FIRING_SKIP_LATE), "skipped");
    assert_string_equal(firing_state(FIRING_SKIP_OLDER), "skipped");
    assert_string_equal(firing_origin(FIRING_DUE), "schedule");
    assert_string_equal(firing_origin(FIRING_MISSED), "missed");
    assert_string_equal(firing_why(FIRING_MISSED), "");
    assert_true(strlen(firing_why(FIRING_SKIP_LATE)) > 0 && strlen(firing_why(FIRING_SKIP_OLDER)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(of_too_many_the_newest_stay),
        cmocka_unit_test(what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

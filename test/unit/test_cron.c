/* Cron: data/cron_next.txt (firings, daylight saving too) and data/cron_errors.txt (messages); and next
 * against a slow model that looks at every minute. */
#include "extract/cron.h"
#include "lib/clock.h"
#include "table.h"

static int64_t utc(const char *s)
{
    char whole[64];
    int64_t ms = 0;

    /* "2026-01-31T08:15Z" is short for whole minutes. */
    if (strlen(s) == 17)
        snprintf(whole, sizeof(whole), "%.16s:00Z", s);
    else
        snprintf(whole, sizeof(whole), "%s", s);
    if (!clock_parse_iso(whole, &ms))
        fail_msg("'%s' is no time", s);
    return ms / 1000;
}

static void next_table(void **state)
{
    struct table t;
    (void)state;

    table_open(&t, "data/cron_next.txt", 4);
    while (table_next(&t)) {
        struct cron c;
        char message[CRON_MESSAGE_SIZE], got[512] = "", *rest = t.cell[3], wanted[512], *word;
        struct zone *z = zone_open(t.cell[1]);
        int64_t at = utc(t.cell[2]);

        assert_non_null(z);
        if (cron_parse(t.cell[0], &c, message) < 0)
            fail_msg("line %d: %s", t.line, message);
        snprintf(wanted, sizeof(wanted), "%s", t.cell[3]);
        while ((word = strsep(&rest, " "))) {
            char iso[CLOCK_ISO_SIZE] = "never";
            (void)word;
            at = cron_next(&c, z, at);
            if (at != CRON_NEVER)
                snprintf(clock_iso(at * 1000, iso) + 16, 2, "Z");
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", *got ? " " : "", iso);
        }
        table_check(&t, got, wanted);
        zone_close(z);
    }
    table_close(&t);
}

static void error_table(void **state)
{
    struct table t;
    (void)state;

    table_open(&t, "data/cron_errors.txt", 2);
    while (table_next(&t)) {
        struct cron c;
        char message[CRON_MESSAGE_SIZE], again[CRON_MESSAGE_SIZE] = "";
        int r = cron_parse(t.cell[0], &c, message);

        table_check(&t, r < 0 ? message : "no error", t.cell[1]);
        assert_false(cron_check(t.cell[0], again, sizeof(again)));
        assert_string_equal(again, message);
    }
    table_close(&t);
}

/* Wildcard expressions by their definition: the first whole minute whose reading on the clock fits. */
static int64_t slow_next(const struct cron *c, const struct zone *z, int64_t after)
{
    for (int64_t t = after - after % 60 + 60; t < after + 400 * 86400; t += 60) {
        struct zone_civil at = zone_civil_at(z, t);
        bool day = c->days >> at.day & 1, weekday = c->weekdays >> at.weekday & 1;
        if ((c->minutes >> at.minute & 1) && (c->hours >> at.hour & 1) && (c->months >> at.month & 1) &&
            (c->either_day ? day || weekday : day && weekday))
            return t;
    }
    return CRON_NEVER;
}

static void wildcards_against_every_minute(void **state)
{
    static const char *const expressions[] = {"* * * * *", "*/7 2 * * *", "17 * * * *", "*/20 1-3 * * sun",
                                              "30 */5 1,15 * *"};
    static const char *const zones[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"};
    static const char *const days[] = {"2026-03-28T00:00Z", "2026-10-24T00:00Z", "2026-03-07T12:00Z",
                                       "2026-10-31T12:00Z", "2026-04-04T00:00Z", "2026-10-03T00:00Z",
                                       "2026-12-31T00:00Z"};
    (void)state;

    for (size_t e = 0; e < COUNT_OF(expressions); e++) {
        for (size_t n = 0; n < COUNT_OF(zones); n++) {
            struct cron c;
            char message[CRON_MESSAGE_SIZE];
            struct zone *z = zone_open(zones[n]);
            assert_int_equal(cron_parse(expressions[e], &c, message), 0);
            assert_true(c.wildcard);
            /* From the days around each change of the clocks, and from somewhere now and then. */
            for (size_t i = 0; i < COUNT_OF(days); i++)
                for (int64_t t = utc(days[i]), end = t + 2 * 86400; t < end; t += 4321)
                    assert_int_equal(cron_next(&c, z, t), slow_next(&c, z, t));
            zone_close(z);
        }
    }
}

/* A fixed daily time fires once for every day of the calendar, in every zone. */
static void fixed_times_once_a_day(void **state)
{
    static const char *const expressions[] = {"0 0 * * *", "30 2 * * *", "59 1 * * *", "0 3 * * *",
                                              "45 1 * * *"};
    static const char *const zones[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                        "America/Sao_Paulo"};
    (void)state;

    for (size_t e = 0; e < COUNT_OF(expressions); e++) {
        for (size_t n = 0; n < COUNT_OF(zones); n++) {
            struct cron c;
            char message[CRON_MESSAGE_SIZE];
            struct zone *z = zone_open(zones[n]);
            int count = 0;
            assert_int_equal(cron_parse(expressions[e], &c, message), 0);
            for (int64_t t = utc("2016-06-15T12:00Z"); (t = cron_next(&c, z, t)) <= utc("2026-06-15T12:00Z");)
                count++;
            assert_int_equal(count, 3652);
            zone_close(z);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_table),
        cmocka_unit_test(error_table),
        cmocka_unit_test(wildcards_against_every_minute),
        cmocka_unit_test(fixed_times_once_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

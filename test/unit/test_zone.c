/* Time zones: data/zone.txt both ways, a sweep over every hour of some years, and threads that share one
 * zone. */
#include "lib/clock.h"
#include "lib/zone.h"
#include "table.h"

#include <pthread.h>

static void close_zone(struct zone **z)
{
    zone_close(*z);
}
#define auto_zone cleanup_with(close_zone) struct zone *

static void describe(const char *name, const char *wall, char *out, size_t size)
{
    static const char *const words[] = {[ZONE_ONCE] = "once", [ZONE_TWICE] = "twice", [ZONE_GAP] = "gap"};
    struct zone_civil c = {0};
    assert_int_equal(
        sscanf(wall, "%d-%d-%d %d:%d:%d", &c.year, &c.month, &c.day, &c.hour, &c.minute, &c.second), 6);
    auto_zone z = zone_open(name);
    if (!z) {
        snprintf(out, size, "no such zone||");
        return;
    }
    int64_t utc[2] = {-1, -1};
    enum zone_fit fit = zone_utc_of(z, &c, utc);
    char first[CLOCK_ISO_SIZE], second[CLOCK_ISO_SIZE] = "";
    clock_iso(utc[0] * 1000, first);
    strcpy(first + 19, "Z"); /* no milliseconds */
    if (fit == ZONE_TWICE) {
        clock_iso(utc[1] * 1000, second);
        strcpy(second + 19, "Z");
    }
    snprintf(out, size, "%s|%s|%s", words[fit], first, second);
}

static void zone_table(void **state)
{
    struct table t;
    (void)state;
    table_open(&t, "data/zone.txt", 3);
    while (table_next(&t)) {
        char got[128];
        describe(t.cell[0], t.cell[1], got, sizeof(got));
        table_check(&t, got, t.cell[2]);
    }
    table_close(&t);
}

/* What the clocks show at a moment leads back to that moment. */
static void sweep(const char *name)
{
    auto_zone z = zone_open(name);
    assert_non_null(z);
    for (int64_t s = clock_days_of(2024, 1, 1) * 86400, end = clock_days_of(2029, 1, 1) * 86400; s < end;
         s += 1800) {
        struct zone_civil c = zone_civil_at(z, s);
        int64_t utc[2];
        enum zone_fit fit = zone_utc_of(z, &c, utc);
        assert_true(fit == ZONE_ONCE || fit == ZONE_TWICE);
        assert_true(utc[0] == s || (fit == ZONE_TWICE && utc[1] == s));
    }
}

static void both_ways(void **state)
{
    (void)state;
    sweep("Europe/Berlin");
    sweep("Australia/Lord_Howe");
    sweep("Africa/Casablanca");
    sweep("UTC");
}

static void civil(void **state)
{
    (void)state;
    auto_zone z = zone_open("Europe/Berlin");
    struct zone_civil c = zone_civil_at(z, 1769847300); /* 2026-01-31T08:15:00Z, a Saturday */
    assert_int_equal(c.year, 2026);
    assert_int_equal(c.month, 1);
    assert_int_equal(c.day, 31);
    assert_int_equal(c.hour, 9);
    assert_int_equal(c.minute, 15);
    assert_int_equal(c.second, 0);
    assert_int_equal(c.weekday, 6);
    assert_int_equal(zone_offset_s(z, 1769847300), 3600);
    assert_int_equal(zone_civil_at(z, 0).weekday, 4);
    assert_int_equal(zone_civil_at(z, -86400 * 4).weekday, 0);
}

static void *read_zone(void *arg)
{
    const struct zone *z = arg;
    int64_t sum = 0;
    for (int64_t s = 1700000000; s < 1800000000; s += 10000)
        sum += zone_offset_s(z, s);
    return sum == 0 ? arg : NULL;
}

static void shared_by_threads(void **state)
{
    (void)state;
    auto_zone z = zone_open("Europe/Berlin");
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_zone, z), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zone_table),
        cmocka_unit_test(both_ways),
        cmocka_unit_test(civil),
        cmocka_unit_test(shared_by_threads),
    };
    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}

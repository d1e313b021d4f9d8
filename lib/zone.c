/* Time zones by GLib's GTimeZone: it reads the tz database itself, keeps no state of the process, and its
 * objects never change once made, so threads may share them. */
#include "lib/zone.h"
#include "lib/clock.h"

#include <glib.h>
#include <stdio.h>

#define DAY_S 86400

struct zone {
    GTimeZone *tz;
};

/* GLib takes much for a zone that is none in the database ("+01:00", "XYZ3", a path), and a mistyped name
 * must not become a zone: so the name's file has to be there. */
static bool name_in_database(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > 100 || strstr(name, "..") || name[0] == '/' || name[len - 1] == '/')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!g_ascii_isalnum(name[i]) && !strchr("_+-/", name[i]))
            return false;
    }
    const char *dir = getenv("TZDIR");
    char path[512], magic[4];
    snprintf(path, sizeof(path), "%s/%s", dir && *dir ? dir : "/usr/share/zoneinfo", name);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool is_zone =
        fread(magic, 1, sizeof(magic), f) == sizeof(magic) && memcmp(magic, "TZif", sizeof(magic)) == 0;
    fclose(f);
    return is_zone;
}

struct zone *zone_open(const char *name)
{
    GTimeZone *tz = NULL;
    if (strcmp(name, "UTC") == 0)
        tz = g_time_zone_new_utc();
    else if (name_in_database(name))
        tz = g_time_zone_new_identifier(name);
    if (!tz)
        return NULL;
    struct zone *z = xmalloc(sizeof(*z));
    z->tz = tz;
    return z;
}

void zone_close(struct zone *z)
{
    if (!z)
        return;
    g_time_zone_unref(z->tz);
    free(z);
}

int zone_offset_s(const struct zone *z, int64_t utc_s)
{
    gint interval = g_time_zone_find_interval(z->tz, G_TIME_TYPE_UNIVERSAL, utc_s);
    return interval < 0 ? 0 : g_time_zone_get_offset(z->tz, interval);
}

struct zone_civil zone_civil_at(const struct zone *z, int64_t utc_s)
{
    int64_t local_s = utc_s + zone_offset_s(z, utc_s);
    int64_t day = local_s / DAY_S - (local_s % DAY_S < 0);
    int in_day = (int)(local_s - day * DAY_S);
    struct zone_civil c = {.hour = in_day / 3600, .minute = in_day / 60 % 60, .second = in_day % 60};
    clock_date_of(day, &c.year, &c.month, &c.day);
    c.weekday = (int)(((day + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    return c;
}

/* The first second after `low` at which the offset is not low's any more; it is so at `high`. */
static int64_t offset_change(const struct zone *z, int64_t low, int64_t high)
{
    int before = zone_offset_s(z, low);
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (zone_offset_s(z, middle) == before)
            low = middle;
        else
            high = middle;
    }
    return high;
}

enum zone_fit zone_utc_of(const struct zone *z, const struct zone_civil *c, int64_t ret_utc_s[2])
{
    int64_t local_s =
        clock_days_of(c->year, c->month, c->day) * DAY_S + c->hour * 3600 + c->minute * 60 + c->second;
    /* No zone is more than 14 hours off UTC, so a day on both sides of the reading, taken as if it were UTC,
     * lies before and after the moments meant; zones change at most once in two days. A reading that comes
     * twice comes first under the larger offset, the one before. */
    int before = zone_offset_s(z, local_s - DAY_S), after = zone_offset_s(z, local_s + DAY_S);
    int64_t early = local_s - before, late = local_s - after;
    bool early_fits = zone_offset_s(z, early) == before;
    bool late_fits = before != after && zone_offset_s(z, late) == after;
    if (early_fits && late_fits) {
        ret_utc_s[0] = early;
        ret_utc_s[1] = late;
        return ZONE_TWICE;
    }
    if (early_fits || late_fits) {
        ret_utc_s[0] = ret_utc_s[1] = early_fits ? early : late;
        return ZONE_ONCE;
    }
    ret_utc_s[0] = ret_utc_s[1] = offset_change(z, local_s - DAY_S, local_s + DAY_S);
    return ZONE_GAP;
}

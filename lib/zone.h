/* Time zones by their tz database name ("Europe/Berlin"), safe in threads (the C library's own are not). */
#pragma once
#include "lib/base.h"

struct zone;
struct zone_civil { /* a wall-clock reading in some zone */
    int year, month, day; /* 1.. */
    int hour, minute, second;
    int weekday; /* 0 Sunday .. 6; output only */
};

/* NULL: no such zone. "UTC" always exists. */
struct zone *zone_open(const char *name);
void zone_close(struct zone *z);
struct zone_civil zone_civil_at(const struct zone *z, int64_t utc_s);
int zone_offset_s(const struct zone *z, int64_t utc_s); /* seconds east of UTC at that moment */

/* The moments at which the zone's clocks show `c`. Two moments are possible in autumn, none in spring. */
enum zone_fit {
    ZONE_ONCE,  /* ret[0] */
    ZONE_TWICE, /* ret[0] < ret[1] */
    ZONE_GAP,   /* never shown; ret[0]: the first moment after the gap */
};
enum zone_fit zone_utc_of(const struct zone *z, const struct zone_civil *c, int64_t ret_utc_s[2]);

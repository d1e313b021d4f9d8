/* The moments that gateways write: by a strptime format in the gateway's zone, as a count since 1970, or RFC
 * 3339. */
#include "callback/format.h"
#include "lib/clock.h"
#include "lib/zone.h"

#include <ctype.h>
#include <limits.h>
#include <time.h>

#define SECONDS_DIGITS_MAX 11 /* a longer count is milliseconds */
#define NO_OFFSET          LONG_MIN

static bool count_since_1970(const char *s, int64_t *ret_ms)
{
    size_t digits = strspn(s, "0123456789");
    if (digits == 0 || digits > 16)
        return false;
    int64_t n = strtoll(s, NULL, 10);
    const char *rest = s + digits;
    if (digits > SECONDS_DIGITS_MAX) {
        *ret_ms = digits > 13 ? n / 1000 : n; /* microseconds are told by their length, too */
        return *rest == '\0';
    }
    *ret_ms = n * 1000;
    if (*rest == '.') { /* a fraction of a second */
        size_t fraction = strspn(++rest, "0123456789");
        int unit = 100;
        for (size_t i = 0; i < fraction && unit > 0; i++, unit /= 10)
            *ret_ms += (rest[i] - '0') * unit;
        rest += fraction;
    }
    return *rest == '\0';
}

/* Of the moments at which the zone shows this reading: the latest that is not in the future, else the first.
 */
static int64_t moment_of(const struct tm *tm, const struct zone *zone, int64_t now_ms)
{
    struct zone_civil c = {.year = tm->tm_year + 1900,
                           .month = tm->tm_mon + 1,
                           .day = tm->tm_mday,
                           .hour = tm->tm_hour,
                           .minute = tm->tm_min,
                           .second = MIN_OF(tm->tm_sec, 59)};
    int64_t utc_s[2] = {0, 0};
    if (tm->tm_gmtoff != NO_OFFSET) { /* the format has %z: the report names its own offset */
        struct tm copy = *tm;
        return ((int64_t)timegm(&copy) - tm->tm_gmtoff) * 1000;
    }
    if (zone_utc_of(zone, &c, utc_s) == ZONE_TWICE && utc_s[1] * 1000 <= now_ms)
        return utc_s[1] * 1000;
    return utc_s[0] * 1000;
}

static bool has_directive(const char *format, const char *letters)
{
    for (const char *p = format; (p = strchr(p, '%')) && p[1]; p += 2) {
        if (strchr(letters, p[1]))
            return true;
    }
    return false;
}

static bool by_format(const char *s, const char *format, const struct zone *zone, int64_t now_ms,
                      int64_t *ret_ms)
{
    bool has_year = has_directive(format, "YyCGgDFcxs");
    struct zone_civil today = zone_civil_at(zone, now_ms / 1000);
    struct tm tm = {.tm_year = today.year - 1900, .tm_mday = 1, .tm_gmtoff = NO_OFFSET};
    const char *end = strptime(s, format, &tm);
    if (!end || *end)
        return false;
    if (!has_directive(format, "z"))
        tm.tm_gmtoff = NO_OFFSET; /* strptime may have written the process's own zone there */
    *ret_ms = moment_of(&tm, zone, now_ms);
    if (!has_year && *ret_ms > now_ms + INT64_C(86400000)) { /* December told in January */
        tm.tm_year--;
        *ret_ms = moment_of(&tm, zone, now_ms);
    }
    return true;
}

bool format_time(const char *text, const char *format, const struct zone *zone, int64_t now_ms,
                 int64_t *ret_ms)
{
    char s[64];
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    if (len == 0 || len >= sizeof(s))
        return false;
    memcpy(s, text, len);
    s[len] = '\0';
    if (!format || !*format || strcmp(format, "%s") == 0)
        return count_since_1970(s, ret_ms);
    if (strcmp(format, "iso") == 0)
        return clock_parse_iso(s, ret_ms);
    return by_format(s, format, zone, now_ms, ret_ms);
}

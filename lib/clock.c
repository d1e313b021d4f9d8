/* Clocks, the calendar's arithmetic, and how long to wait before the next try. */
#include "lib/clock.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)

static int64_t now_ms(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts); /* cannot fail for these clocks and a good pointer */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
    return now_ms(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
    return now_ms(CLOCK_BOOTTIME);
}

int64_t clock_mono_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Years are counted from March, so that the leap day is the last of its year; 400 of them have 146,097 days.
 */
int64_t clock_days_of(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468; /* 0000-03-01 to 1970-01-01 */
}

void clock_date_of(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t from_march_0 = days + 719468;
    int64_t era = floor_div(from_march_0, 146097);
    int64_t day_of_era = from_march_0 - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * from_march + 2) / 5 + 1);
    *ret_month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    *ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

int clock_days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12)
        return 0;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

char *clock_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE])
{
    /* Beyond the years 0 to 9999 there is no ISO form: the nearest one is shown. */
    wall_ms = MAX_OF(wall_ms, INT64_C(-62167219200000));
    wall_ms = MIN_OF(wall_ms, INT64_C(253402300799999));
    int64_t day = floor_div(wall_ms, DAY_MS);
    int ms = (int)(wall_ms - day * DAY_MS);
    int year, month, mday;
    clock_date_of(day, &year, &month, &mday);
    snprintf(out, CLOCK_ISO_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)year % 10000,
             (unsigned)month % 100, (unsigned)mday % 100, (unsigned)(ms / 3600000) % 100,
             (unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
    return out;
}

/* Exactly `digits` digits at *s, moving it on. -1: there are not. */
static int take_digits(const char **s, int digits)
{
    int n = 0;
    for (int i = 0; i < digits; i++, (*s)++) {
        if (**s < '0' || **s > '9')
            return -1;
        n = n * 10 + (**s - '0');
    }
    return n;
}

static bool take_char(const char **s, const char *any_of)
{
    if (**s == '\0' || !strchr(any_of, **s))
        return false;
    (*s)++;
    return true;
}

/* ".5", ".123456": milliseconds, the rest is cut off. */
static bool take_fraction(const char **s, int *ret_ms)
{
    int weight = 100;
    *ret_ms = 0;
    if (!take_char(s, "."))
        return true;
    if (**s < '0' || **s > '9')
        return false;
    for (; **s >= '0' && **s <= '9'; (*s)++, weight /= 10)
        *ret_ms += (**s - '0') * weight;
    return true;
}

static bool take_zone(const char **s, int *ret_offset_s)
{
    *ret_offset_s = 0;
    if (take_char(s, "Zz"))
        return true;
    int sign = **s == '-' ? -1 : 1;
    if (!take_char(s, "+-"))
        return false;
    int hours = take_digits(s, 2);
    if (hours < 0 || hours > 23)
        return false;
    (void)take_char(s, ":"); /* ISO 8601's other form has none, and gateways write it */
    int minutes = take_digits(s, 2);
    if (minutes < 0 || minutes > 59)
        return false;
    *ret_offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool clock_parse_iso(const char *s, int64_t *ret_wall_ms)
{
    int year, month, day, hour, minute, second, ms, offset_s;
    if ((year = take_digits(&s, 4)) < 0 || !take_char(&s, "-") || (month = take_digits(&s, 2)) < 1 ||
        !take_char(&s, "-") || (day = take_digits(&s, 2)) < 1 || !take_char(&s, "Tt "))
        return false;
    if (day > clock_days_in_month(year, month))
        return false;
    if ((hour = take_digits(&s, 2)) < 0 || hour > 23 || !take_char(&s, ":") ||
        (minute = take_digits(&s, 2)) < 0 || minute > 59 || !take_char(&s, ":") ||
        (second = take_digits(&s, 2)) < 0 || second > 60)
        return false; /* 60: a leap second, which counts as the next one */
    if (!take_fraction(&s, &ms) || !take_zone(&s, &offset_s) || *s != '\0')
        return false;
    int64_t utc_s = clock_days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset_s;
    *ret_wall_ms = utc_s * 1000 + ms;
    return true;
}

int clock_day_2020(int64_t wall_ms)
{
    return (int)(floor_div(wall_ms, DAY_MS) - 18262); /* 1970-01-01 to 2020-01-01 */
}

int64_t clock_backoff_ms(unsigned attempt, int64_t base_ms, int64_t max_ms)
{
    int64_t wait_ms = MIN_OF(base_ms, max_ms);
    for (unsigned i = 1; i < attempt && wait_ms < max_ms; i++)
        wait_ms = wait_ms > max_ms / 2 ? max_ms : wait_ms * 2;
    uint32_t dice = UINT32_MAX / 2; /* without randomness the waits are still right, only not spread */
    if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) != (ssize_t)sizeof(dice))
        dice = UINT32_MAX / 2;
    return wait_ms / 2 + (int64_t)((double)wait_ms / 2 * ((double)dice / (double)UINT32_MAX));
}

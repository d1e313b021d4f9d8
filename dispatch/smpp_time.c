/* A time is reduced to its digits first; how many there are says which forms they may have. */
#include "dispatch/smpp_time.h"
#include "lib/clock.h"
#include "lib/zone.h"
#include <stdio.h>

#define SECOND_MS INT64_C(1000)
#define NEAR_MS   (INT64_C(730) * 86400 * SECOND_MS)

static int number(const char *digits, int count)
{
    int n = 0;

    for (int i = 0; i < count; i++)
        n = n * 10 + (digits[i] - '0');
    return n;
}

static bool civil_of(const char *digits, int year_digits, bool seconds, struct zone_civil *ret)
{
    const char *d = digits + year_digits;

    *ret = (struct zone_civil){.year = number(digits, year_digits) + (year_digits == 2 ? 2000 : 0),
                               .month = number(d, 2),
                               .day = number(d + 2, 2),
                               .hour = number(d + 4, 2),
                               .minute = number(d + 6, 2),
                               .second = seconds ? number(d + 8, 2) : 0};
    return ret->year >= 1970 && ret->month >= 1 && ret->month <= 12 && ret->day >= 1 &&
           ret->day <= clock_days_in_month(ret->year, ret->month) && ret->hour < 24 && ret->minute < 60 &&
           ret->second < 60;
}

static int64_t utc_ms(const struct zone_civil *c)
{
    return ((clock_days_of(c->year, c->month, c->day) * 24 + c->hour) * 60 + c->minute) * 60 * SECOND_MS +
           c->second * SECOND_MS;
}

struct guess {
    const struct zone *zone;
    int64_t now_ms, ms;
    bool found;
};

static void guess(struct guess *g, int64_t ms)
{
    int64_t away = ms > g->now_ms ? ms - g->now_ms : g->now_ms - ms;
    int64_t before = g->ms > g->now_ms ? g->ms - g->now_ms : g->now_ms - g->ms;

    if (!g->found || away < before)
        g->ms = ms;
    g->found = true;
}

/* The hour that comes twice in autumn is a guess, too. */
static void guess_civil(struct guess *g, const char *digits, int year_digits, bool seconds)
{
    struct zone_civil c;
    int64_t utc_s[2];

    if (!civil_of(digits, year_digits, seconds, &c))
        return;
    enum zone_fit fit = zone_utc_of(g->zone, &c, utc_s);
    guess(g, utc_s[0] * SECOND_MS);
    if (fit == ZONE_TWICE)
        guess(g, utc_s[1] * SECOND_MS);
}

/* Digits that are no date are not taken for a count of seconds unless that is near: nobody reports of decades
 * ago. */
static void guess_count(struct guess *g, int64_t ms)
{
    if (ms > g->now_ms - NEAR_MS && ms < g->now_ms + NEAR_MS)
        guess(g, ms);
}

static bool local_time(const char *digits, size_t count, struct guess *g)
{
    switch (count) {
    case 10:
        guess_civil(g, digits, 2, false);
        guess_count(g, strtoll(digits, NULL, 10) * SECOND_MS);
        break;
    case 12:
        guess_civil(g, digits, 2, true);
        guess_civil(g, digits, 4, false);
        break;
    case 13:
        guess_count(g, strtoll(digits, NULL, 10));
        break;
    case 14:
        guess_civil(g, digits, 4, true);
        break;
    default:
        break;
    }
    return g->found;
}

/* "YYMMDDhhmmsstnnp": t tenths, nn quarters of an hour, p '+' or '-' from UTC, 'R' relative. */
static bool smpp_form(const char *d, int64_t now_ms, int64_t *ret_ms)
{
    struct zone_civil c;
    int quarters = number(d + 13, 2);

    if (d[15] == 'R') {
        int64_t days = number(d, 2) * INT64_C(365) + number(d + 2, 2) * INT64_C(30) + number(d + 4, 2);
        *ret_ms = now_ms + ((days * 24 + number(d + 6, 2)) * 60 + number(d + 8, 2)) * 60 * SECOND_MS +
                  number(d + 10, 2) * SECOND_MS;
        return true;
    }
    if ((d[15] != '+' && d[15] != '-') || quarters > 48 || !civil_of(d, 2, true, &c))
        return false;
    int64_t east_ms = quarters * 15 * 60 * SECOND_MS * (d[15] == '+' ? 1 : -1);
    *ret_ms = utc_ms(&c) + (d[12] - '0') * 100 - east_ms;
    return true;
}

bool smpp_time_parse(const char *text, size_t len, const struct zone *zone, int64_t now_ms, int64_t *ret_ms)
{
    struct guess g = {.zone = zone, .now_ms = now_ms};
    char digits[16], whole[64];
    size_t count = 0;

    if (len == 0 || len >= sizeof(whole))
        return false;
    memcpy(whole, text, len);
    whole[len] = '\0';
    if (strlen(whole) == 16 && strspn(whole, "0123456789") == 15)
        return smpp_form(whole, now_ms, ret_ms);
    if (clock_parse_iso(whole, ret_ms))
        return true;
    for (const char *p = whole; *p; p++) {
        if (strchr("-/:.T ", *p) && count > 0)
            continue;
        if (*p < '0' || *p > '9' || count == 14)
            return false;
        digits[count++] = *p;
    }
    digits[count] = '\0';
    if (strlen(whole) != len || !local_time(digits, count, &g))
        return false;
    *ret_ms = g.ms;
    return true;
}

/* Months and years have no agreed length, so everything above hours is days, and as one field holds 99 of
 * them the maximum has room. */
void smpp_time_relative(int64_t span_ms, char out[SMPP_TIME_SIZE])
{
    int64_t span = MAX_OF(0, MIN_OF(span_ms, SMPP_RELATIVE_MAX_MS)) / SECOND_MS;
    int days = (int)(span / 86400), second = (int)(span % 86400);
    char text[64];

    snprintf(text, sizeof(text), "0000%02d%02d%02d%02d000R", days, second / 3600, second / 60 % 60,
             second % 60);
    memcpy(out, text, SMPP_TIME_SIZE - 1);
    out[SMPP_TIME_SIZE - 1] = '\0';
}

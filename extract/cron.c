/* Cron expressions: reading them, and the next firing after a moment. The rules stand in cron.h. */
#include "extract/cron.h"
#include "lib/clock.h"
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define DAY_S (24 * 60 * 60)

struct field {
    const char *name;
    int least, most;
    const char *const *names; /* of least, least + 1, … ; NULL: numbers only */
    const char *expected;
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };
static const struct field fields[FIELDS] = {
    {"minute", 0, 59, NULL, "0-59"},
    {"hour", 0, 23, NULL, "0-23"},
    {"day of month", 1, 31, NULL, "1-31"},
    {"month", 1, 12, month_names, "1-12 or jan-dec"},
    {"day of week", 0, 7, weekday_names, "0-7 or sun-sat"},
};

static const struct {
    const char *word, *expression;
} aliases[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"},
};

static int value_of(const struct field *f, const char *s, size_t len)
{
    int n = 0;

    if (len == 0 || len > 4)
        return -1;
    for (int i = 0; f->names && f->names[i]; i++)
        if (strlen(f->names[i]) == len && strncasecmp(f->names[i], s, len) == 0)
            return f->least + i;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)s[i]))
            return -1;
        n = n * 10 + (s[i] - '0');
    }
    return n >= f->least && n <= f->most ? n : -1;
}

static int refuse(const struct field *f, const char *part, size_t len, const char *expected, char *message)
{
    snprintf(message, CRON_MESSAGE_SIZE, "%s: '%.*s': expected %s", f->name, (int)MIN_OF(len, (size_t)40),
             part, expected);
    return -EINVAL;
}

/* "*", "5", "1-5": the bounds. */
static int read_range(const struct field *f, const char *s, size_t len, bool *ret_single, int ret[2],
                      char *message)
{
    const char *dash = memchr(s, '-', len);
    char expected[120];

    *ret_single = false;
    if (len == 1 && *s == '*') {
        ret[0] = f->least;
        ret[1] = f->names == weekday_names ? 6 : f->most;
        return 0;
    }
    ret[0] = value_of(f, s, dash ? (size_t)(dash - s) : len);
    ret[1] = dash ? value_of(f, dash + 1, len - (size_t)(dash - s) - 1) : ret[0];
    *ret_single = dash == NULL;
    if (ret[0] < 0 || ret[1] < 0) {
        snprintf(expected, sizeof(expected), "%s, *, a range a-b, a step /n, or a list of these",
                 f->expected);
        return refuse(f, s, len, expected, message);
    }
    if (dash && ret[1] == 0 && ret[0] > 0 && f->names == weekday_names)
        ret[1] = 7; /* sat-sun: Sunday ends the week as well as it begins it */
    if (ret[1] < ret[0])
        return refuse(f, s, len, "a range whose first value is not above its last", message);
    return 0;
}

/* One part of a list: a range with or without a step. */
static int read_part(const struct field *f, const char *s, size_t len, uint64_t *bits, char *message)
{
    const char *slash = memchr(s, '/', len);
    size_t range_len = slash ? (size_t)(slash - s) : len;
    int bounds[2], step = 1, r;
    bool single;

    r = read_range(f, s, range_len, &single, bounds, message);
    if (r < 0)
        return r;
    if (slash) {
        size_t digits = len - range_len - 1;
        step = 0;
        for (size_t i = 0; i < digits && i < 4; i++)
            step = isdigit((unsigned char)slash[1 + i]) ? step * 10 + (slash[1 + i] - '0') : 10000;
        if (digits == 0 || digits > 4 || step < 1 || step > f->most)
            /* A step beyond the field (every 90 minutes) silently means something else in other crons. */
            return refuse(f, s, len, "a step from 1 to the field's largest value", message);
        if (single)
            return refuse(f, s, len, "a range or * before the step", message);
    }
    for (int v = bounds[0]; v <= bounds[1]; v += step)
        *bits |= UINT64_C(1) << v;
    return 0;
}

static int read_field(const struct field *f, const char *s, size_t len, uint64_t *ret_bits, char *message)
{
    uint64_t bits = 0;
    const char *end = s + len;

    for (;;) {
        const char *comma = memchr(s, ',', (size_t)(end - s));
        int r = read_part(f, s, (size_t)((comma ? comma : end) - s), &bits, message);
        if (r < 0)
            return r;
        if (!comma)
            break;
        s = comma + 1;
    }
    *ret_bits = bits;
    return 0;
}

/* 31 February and its like: a rule that can never fire is a mistake to be told now, not waited for. */
static int refuse_never(const struct cron *c, const char *days, size_t len, char *message)
{
    static const int longest[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (c->either_day)
        return 0;
    for (int m = 1; m <= 12; m++)
        for (int d = 1; d <= longest[m]; d++)
            if ((c->months >> m & 1) && (c->days >> d & 1))
                return 0;
    return refuse(&fields[DAY], days, len, "a day that its months have (this never fires)", message);
}

/* Splits at white space; false: not five. */
static bool split(const char *expression, const char *part[FIELDS], size_t len[FIELDS], int *ret_count)
{
    int n = 0;

    for (const char *s = expression; *(s += strspn(s, " \t\n\r")) != '\0'; n++) {
        size_t l = strcspn(s, " \t\n\r");
        if (n < FIELDS) {
            part[n] = s;
            len[n] = l;
        }
        s += l;
    }
    *ret_count = n;
    return n == FIELDS;
}

static const char *alias_of(const char *expression, char *message)
{
    size_t skip = strspn(expression, " \t\n\r"), len = strcspn(expression + skip, " \t\n\r");

    if (expression[skip] != '@')
        return expression;
    for (size_t i = 0; i < COUNT_OF(aliases); i++)
        if (strlen(aliases[i].word) == len && strncasecmp(aliases[i].word, expression + skip, len) == 0 &&
            expression[skip + len + strspn(expression + skip + len, " \t\n\r")] == '\0')
            return aliases[i].expression;
    snprintf(
        message, CRON_MESSAGE_SIZE,
        "'%.40s': expected @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, or five fields",
        expression + skip);
    return NULL;
}

int cron_parse(const char *expression, struct cron *ret, char message[CRON_MESSAGE_SIZE])
{
    const char *part[FIELDS];
    size_t len[FIELDS];
    uint64_t bits[FIELDS];
    struct cron c;
    int count;

    *message = '\0';
    expression = alias_of(expression, message);
    if (!expression)
        return -EINVAL;
    if (!split(expression, part, len, &count)) {
        snprintf(message, CRON_MESSAGE_SIZE,
                 "%d field%s: expected five: minute, hour, day of month, month, day of week", count,
                 count == 1 ? "" : "s");
        return -EINVAL;
    }
    for (int i = 0; i < FIELDS; i++) {
        int r = read_field(&fields[i], part[i], len[i], &bits[i], message);
        if (r < 0)
            return r;
    }
    c = (struct cron){
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days = (uint32_t)bits[DAY],
        .months = (uint32_t)bits[MONTH],
        .weekdays = (uint8_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f),
        .wildcard = *part[MINUTE] == '*' || *part[HOUR] == '*',
        .either_day = *part[DAY] != '*' && *part[WEEKDAY] != '*',
    };
    if (refuse_never(&c, part[DAY], len[DAY], message) < 0)
        return -EINVAL;
    *ret = c;
    return 0;
}

bool cron_check(const char *expression, char *message, size_t size)
{
    char text[CRON_MESSAGE_SIZE];
    struct cron c;

    if (cron_parse(expression, &c, text) == 0)
        return true;
    snprintf(message, size, "%s", text);
    return false;
}

static bool day_fits(const struct cron *c, const struct zone_civil *at)
{
    bool day = c->days >> at->day & 1, weekday = c->weekdays >> at->weekday & 1;

    if (!(c->months >> at->month & 1))
        return false;
    return c->either_day ? day || weekday : day && weekday;
}

static void next_day(struct zone_civil *at)
{
    at->weekday = (at->weekday + 1) % 7;
    if (++at->day <= clock_days_in_month(at->year, at->month))
        return;
    at->day = 1;
    if (++at->month <= 12)
        return;
    at->month = 1;
    at->year++;
}

/* The first time of that day after the moment. Times of a day in order of the clock are in order of real time
 * as well, because a fixed time that comes twice counts at its first coming and the gap's times all become
 * its end. */
static int64_t fixed_in_day(const struct cron *c, const struct zone *z, struct zone_civil day,
                            int64_t after_s)
{
    for (day.hour = 0; day.hour < 24; day.hour++) {
        if (!(c->hours >> day.hour & 1))
            continue;
        for (day.minute = 0; day.minute < 60; day.minute++) {
            int64_t utc[2];
            if (!(c->minutes >> day.minute & 1))
                continue;
            day.second = 0;
            (void)zone_utc_of(z, &day, utc);
            if (utc[0] > after_s)
                return utc[0];
        }
    }
    return CRON_NEVER;
}

static int64_t next_fixed(const struct cron *c, const struct zone *z, int64_t after_s)
{
    struct zone_civil at = zone_civil_at(z, after_s);

    for (int days = 0; days < CRON_HORIZON_YEARS * 366; days++) {
        if (day_fits(c, &at)) {
            int64_t t = fixed_in_day(c, z, at, after_s);
            if (t != CRON_NEVER)
                return t;
        }
        next_day(&at);
    }
    return CRON_NEVER;
}

/* Goes `ahead` seconds on, but only one minute if the clocks change on the way. */
static int64_t step_on(const struct zone *z, int64_t t, int64_t ahead)
{
    return zone_offset_s(z, t + ahead) == zone_offset_s(z, t) ? t + ahead : t + 60;
}

static int64_t next_wildcard(const struct cron *c, const struct zone *z, int64_t after_s)
{
    int64_t end = after_s + (int64_t)CRON_HORIZON_YEARS * 366 * DAY_S;
    int64_t t = after_s + 60 - zone_civil_at(z, after_s).second; /* the next whole minute on that clock */

    while (t <= end) {
        struct zone_civil at = zone_civil_at(z, t);
        if (at.second != 0)
            t -= at.second; /* a zone's offset of old that was no whole minute has just ended */
        if (t <= after_s)
            t += 60;
        else if (!day_fits(c, &at))
            t = step_on(z, t, DAY_S - (at.hour * 60 + at.minute) * 60);
        else if (!(c->hours >> at.hour & 1))
            t = step_on(z, t, (60 - at.minute) * 60);
        else if (!(c->minutes >> at.minute & 1))
            t += 60;
        else
            return t;
    }
    return CRON_NEVER;
}

int64_t cron_next(const struct cron *c, const struct zone *z, int64_t after_s)
{
    return c->wildcard ? next_wildcard(c, z, after_s) : next_fixed(c, z, after_s);
}

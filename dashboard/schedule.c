/* A schedule in words: see schedule.h. Made of what the compiled expression fires at, so that every way of
 * writing the same schedule has the same words; only "every so many minutes" is looked for as such. */
#include "dashboard/schedule.h"

#include <stdio.h>

static const char *const weekday_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                            "Thursday", "Friday", "Saturday"};
static const char *const month_names[] = {"",        "January",  "February", "March",  "April",
                                          "May",     "June",     "July",     "August", "September",
                                          "October", "November", "December"};

#define TIMES_MAX 6 /* more times of a day than this are not listed */

static int count_bits(uint64_t bits)
{
    return __builtin_popcountll(bits);
}

/* The distance between neighbours, if they all have the same, begin below it and reach up to `size`; 0: no.
 */
static int step_of(uint64_t bits, int size)
{
    int first = bits ? __builtin_ctzll(bits) : 0, count = count_bits(bits);
    int step = count > 1 ? size / count : 0;
    if (step == 0 || size % count != 0 || first >= step)
        return 0;
    for (int i = 0; i < size; i++)
        if ((bits >> i & 1) != (uint64_t)(i % step == first))
            return 0;
    return step;
}

/* One unbroken range? */
static bool is_range(uint64_t bits, int *ret_first, int *ret_last)
{
    if (bits == 0)
        return false;
    *ret_first = __builtin_ctzll(bits);
    *ret_last = 63 - __builtin_clzll(bits);
    return count_bits(bits) == *ret_last - *ret_first + 1;
}

static const char *between(int i, int count)
{
    return i == 0 ? "" : i == count - 1 ? " and " : ", ";
}

/* ---- times of a day ---- */

static const char *ordinal(int n)
{
    bool teen = n % 100 >= 11 && n % 100 <= 13;
    return teen ? "th" : n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
}

static void add_times(const struct cron *c, struct buf *out)
{
    int count = count_bits(c->hours) * count_bits(c->minutes), i = 0;
    buf_add_str(out, "at ");
    for (int h = 0; h < 24; h++)
        for (int m = 0; m < 60; m++)
            if ((c->hours >> h & 1) && (c->minutes >> m & 1)) {
                buf_addf(out, "%s%02d:%02d", between(i, count), h, m);
                i++;
            }
}

static void add_minutes(const struct cron *c, struct buf *out)
{
    int step = step_of(c->minutes, 60), first = __builtin_ctzll(c->minutes), count = count_bits(c->minutes),
        n = 0;
    if (count == 60) {
        buf_add_str(out, "every minute");
    } else if (step > 0 && first == 0) {
        buf_addf(out, "every %d minutes", step);
    } else if (count == 1 && first == 0) {
        buf_add_str(out, "every hour");
    } else {
        buf_add_str(out, "every hour at minute ");
        for (int m = 0; m < 60; m++)
            if (c->minutes >> m & 1)
                buf_addf(out, "%s%d", between(n++, count), m);
    }
}

static void add_hours(const struct cron *c, struct buf *out)
{
    int first, last, n = 0, count = count_bits(c->hours), step = step_of(c->hours, 24);
    if (count == 24)
        return;
    if (is_range(c->hours, &first, &last)) {
        buf_addf(out, " from %02d:00 to %02d:59", first, last);
        return;
    }
    if (step > 0 && __builtin_ctz(c->hours) == 0) {
        buf_addf(out, " of every %d%s hour", step, ordinal(step));
        return;
    }
    buf_add_str(out, " in the hours from ");
    for (int h = 0; h < 24; h++)
        if (c->hours >> h & 1)
            buf_addf(out, "%s%02d:00", between(n++, count), h);
}

/* True: times were named, so that "every day" is still to be said. */
static bool add_clock(const struct cron *c, struct buf *out)
{
    if (count_bits(c->hours) * count_bits(c->minutes) <= TIMES_MAX) {
        add_times(c, out);
        return true;
    }
    add_minutes(c, out);
    add_hours(c, out);
    return false;
}

/* ---- days ---- */

static void add_weekdays(const struct cron *c, struct buf *out)
{
    unsigned from_monday = (unsigned)(c->weekdays >> 1 | (c->weekdays & 1) << 6);
    int first, last, n = 0, count = count_bits(from_monday);
    if (count > 2 && is_range(from_monday, &first, &last)) {
        buf_addf(out, "%s to %s", weekday_names[(first + 1) % 7], weekday_names[(last + 1) % 7]);
        return;
    }
    for (int d = 0; d < 7; d++)
        if (from_monday >> d & 1)
            buf_addf(out, "%s%s", between(n++, count), weekday_names[(d + 1) % 7]);
}

static void add_month_days(const struct cron *c, struct buf *out)
{
    int n = 0, count = count_bits(c->days);
    buf_add_str(out, "the ");
    for (int d = 1; d <= 31; d++)
        if (c->days >> d & 1)
            buf_addf(out, "%s%d%s", between(n++, count), d, ordinal(d));
}

static void add_months(const struct cron *c, const char *before, struct buf *out)
{
    int first, last, n = 0, count = count_bits(c->months);
    buf_add_str(out, before);
    if (count > 2 && is_range(c->months, &first, &last)) {
        buf_addf(out, "%s to %s", month_names[first], month_names[last]);
        return;
    }
    for (int m = 1; m <= 12; m++)
        if (c->months >> m & 1)
            buf_addf(out, "%s%s", between(n++, count), month_names[m]);
}

void schedule_words(const char *expression, struct buf *out)
{
    char message[CRON_MESSAGE_SIZE];
    struct cron c;
    if (cron_parse(expression, &c, message) != 0 || !c.minutes || !c.hours) {
        buf_add_str(out, expression);
        return;
    }
    bool all_days = count_bits(c.days) == 31, all_weekdays = count_bits(c.weekdays) == 7;
    bool all_months = count_bits(c.months) == 12;
    bool times = add_clock(&c, out);
    /* "either": with both day fields restricted one that fits is enough; with one of them `*` both must fit.
     */
    if (c.either_day) {
        buf_add_str(out, ", on ");
        add_weekdays(&c, out);
        buf_add_str(out, " and on ");
        add_month_days(&c, out);
    } else {
        if (!all_weekdays) {
            buf_add_str(out, ", ");
            add_weekdays(&c, out);
        }
        if (!all_days) {
            buf_add_str(out, all_weekdays ? ", on " : ", if it is ");
            add_month_days(&c, out);
        }
    }
    if (!all_months)
        add_months(&c, all_days && !c.either_day ? " in " : " of ", out);
    else if (!all_days && !c.either_day && all_weekdays)
        buf_add_str(out, " of every month");
    if (times && all_days && all_weekdays && all_months)
        buf_add_str(out, " every day");
}

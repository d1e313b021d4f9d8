/* The filter `date`: a moment or a wall-clock reading, written with strftime's directives.
 * Read: "now"; seconds since 1970; 2026-01-31; 2026-01-31 08:15[:00[.123]] with T or a space, alone (a
 * reading in the template's zone) or with Z, +01, +0100, +01:00 (a moment, shown in the template's zone).
 * Names are English, as in Liquid; nothing depends on the process's locale. */
#include "lib/template_node.h"
#include <stdio.h>

#define DATE_YEAR_MAX 9999
#define DATE_OUT_MAX  512

struct date {
    struct zone_civil c;
    int ms;
    int offset_s;
    int64_t utc_s;
};

static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};
static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

/* Days from 1970-01-01 in the proleptic Gregorian calendar (years from 1 on). */
static int64_t days_of(int year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t y = year - 1;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return y * 365 + y / 4 - y / 100 + y / 400 + before[month - 1] + (leap && month > 2) + day - 719163;
}

static int year_day(const struct zone_civil *c) /* from 1 */
{
    return (int)(days_of(c->year, c->month, c->day) - days_of(c->year, 1, 1)) + 1;
}

static int weekday_of(int64_t days)
{
    return (int)(((days + 4) % 7 + 7) % 7);
}

static bool is_leap(int year)
{
    return days_of(year + 1, 1, 1) - days_of(year, 1, 1) == 366;
}

static int days_in_month(int year, int month)
{
    return month == 12 ? 31 : (int)(days_of(year, month + 1, 1) - days_of(year, month, 1));
}

/* ---- reading ---- */

struct reader {
    const char *p, *end;
};

static bool take_char(struct reader *in, char c)
{
    if (in->p == in->end || *in->p != c)
        return false;
    in->p++;
    return true;
}

static bool take_digits(struct reader *in, int count, int *ret)
{
    *ret = 0;
    for (int i = 0; i < count; i++) {
        if (in->p == in->end || *in->p < '0' || *in->p > '9')
            return false;
        *ret = *ret * 10 + (*in->p++ - '0');
    }
    return true;
}

static bool take_fraction(struct reader *in, int *ret_ms)
{
    int digits = 0;

    *ret_ms = 0;
    for (; in->p < in->end && *in->p >= '0' && *in->p <= '9'; in->p++, digits++)
        if (digits < 3)
            *ret_ms = *ret_ms * 10 + (*in->p - '0');
    for (int i = digits; i < 3; i++)
        *ret_ms *= 10;
    return digits > 0;
}

static bool take_time(struct reader *in, struct zone_civil *c, int *ret_ms)
{
    if (!take_digits(in, 2, &c->hour) || !take_char(in, ':') || !take_digits(in, 2, &c->minute))
        return false;
    if (take_char(in, ':')) {
        if (!take_digits(in, 2, &c->second))
            return false;
        if (take_char(in, '.') && !take_fraction(in, ret_ms))
            return false;
    }
    if (c->second == 60)
        c->second = 59; /* a leap second: no calendar here has one */
    return c->hour < 24 && c->minute < 60 && c->second < 60;
}

/* Z, ±hh, ±hhmm, ±hh:mm, ±hh:mm:ss (PostgreSQL writes old offsets so). */
static bool take_zone(struct reader *in, int *ret_offset_s)
{
    int hours, minutes = 0, seconds = 0;
    bool west = in->p < in->end && *in->p == '-';

    *ret_offset_s = 0;
    if (take_char(in, 'Z') || take_char(in, 'z'))
        return true;
    if ((!take_char(in, '+') && !take_char(in, '-')) || !take_digits(in, 2, &hours))
        return false;
    bool colon = take_char(in, ':');
    if ((colon || in->p < in->end) && !take_digits(in, 2, &minutes))
        return false;
    if (colon && take_char(in, ':') && !take_digits(in, 2, &seconds))
        return false;
    *ret_offset_s = (hours * 60 + minutes) * 60 + seconds;
    if (west)
        *ret_offset_s = -*ret_offset_s;
    return hours < 24 && minutes < 60 && seconds < 60;
}

static void from_moment(const struct zone *zone, int64_t utc_s, int ms, struct date *ret)
{
    ret->utc_s = utc_s;
    ret->ms = ms;
    ret->offset_s = zone ? zone_offset_s(zone, utc_s) : 0;
    int64_t local = utc_s + ret->offset_s;
    int64_t days = local / 86400 - (local % 86400 < 0);
    int second = (int)(local - days * 86400);
    ret->c = (struct zone_civil){.hour = second / 3600, .minute = second / 60 % 60, .second = second % 60};

    /* 400 years have 146097 days: so the guess is at most one year off. */
    int year = (int)((days + 719162) * 400 / 146097) + 1; /* 719162 days from 0001-01-01 to 1970 */
    while (days_of(year, 1, 1) > days)
        year--;
    while (days_of(year + 1, 1, 1) <= days)
        year++;
    int month = 1;
    while (month < 12 && days_of(year, month + 1, 1) <= days)
        month++;
    ret->c.year = year;
    ret->c.month = month;
    ret->c.day = (int)(days - days_of(year, month, 1)) + 1;
    ret->c.weekday = weekday_of(days);
}

/* A reading without a zone: it is shown as it is; its moment matters to %s and %z only. */
static void from_reading(const struct zone *zone, struct date *d)
{
    int64_t utc_s[2] = {0};
    int64_t days = days_of(d->c.year, d->c.month, d->c.day);

    d->c.weekday = weekday_of(days);
    d->utc_s = days * 86400 + d->c.hour * 3600 + d->c.minute * 60 + d->c.second;
    d->offset_s = 0;
    if (zone) {
        (void)zone_utc_of(zone, &d->c, utc_s);
        d->utc_s = utc_s[0];
        d->offset_s = zone_offset_s(zone, utc_s[0]);
    }
}

static bool read_iso(const struct zone *zone, const char *s, size_t len, struct date *ret)
{
    struct reader in = {s, s + len};
    int offset_s;

    *ret = (struct date){0};
    if (!take_digits(&in, 4, &ret->c.year) || !take_char(&in, '-') || !take_digits(&in, 2, &ret->c.month) ||
        !take_char(&in, '-') || !take_digits(&in, 2, &ret->c.day))
        return false;
    if (ret->c.year < 1 || ret->c.month < 1 || ret->c.month > 12 || ret->c.day < 1 ||
        ret->c.day > days_in_month(ret->c.year, ret->c.month))
        return false;
    if (in.p < in.end) {
        if ((!take_char(&in, 'T') && !take_char(&in, ' ')) || !take_time(&in, &ret->c, &ret->ms))
            return false;
        bool space = take_char(&in, ' ');
        if (in.p < in.end || space) {
            if (!take_zone(&in, &offset_s) || in.p < in.end)
                return false;
            from_moment(zone,
                        days_of(ret->c.year, ret->c.month, ret->c.day) * 86400 + ret->c.hour * 3600 +
                            ret->c.minute * 60 + ret->c.second - offset_s,
                        ret->ms, ret);
            return true;
        }
    }
    from_reading(zone, ret);
    return true;
}

static bool read_date(const struct render *r, const struct value *v, struct date *ret)
{
    struct value text = *v;
    int64_t utc_s;

    if (v->type != VALUE_STR && v->type != VALUE_NUMBER)
        return false;
    while (text.len > 0 && template_is_space(*text.str)) {
        text.str++;
        text.len--;
    }
    while (text.len > 0 && template_is_space(text.str[text.len - 1]))
        text.len--;
    if ((text.len == 3 && memcmp(text.str, "now", 3) == 0) ||
        (text.len == 5 && memcmp(text.str, "today", 5) == 0)) {
        from_moment(r->scope->zone, r->scope->now_ms / 1000, (int)(r->scope->now_ms % 1000), ret);
        return true;
    }
    if (value_whole_number(&text, &utc_s)) {
        if (utc_s < days_of(1, 1, 2) * 86400 || utc_s >= days_of(DATE_YEAR_MAX, 12, 31) * 86400)
            return false;
        from_moment(r->scope->zone, utc_s, 0, ret);
        return true;
    }
    return read_iso(r->scope->zone, text.str, text.len, ret);
}

/* ---- writing ---- */

struct directive { /* %[flags][width]letter, as Ruby's strftime has them */
    char pad;      /* 0: the letter's own; '-' none, '_' spaces, '0' zeros */
    bool upper, colon;
    int width;
    char letter;
};

/* Letters that stand for several others. */
static const struct {
    char letter;
    const char *format;
} combined[] = {{'D', "%m/%d/%y"},    {'x', "%m/%d/%y"},
                {'F', "%Y-%m-%d"},    {'T', "%H:%M:%S"},
                {'X', "%H:%M:%S"},    {'R', "%H:%M"},
                {'r', "%I:%M:%S %p"}, {'c', "%a %b %e %H:%M:%S %Y"},
                {'v', "%e-%^b-%Y"},   {'+', "%a %b %e %H:%M:%S %z %Y"}};

static const char *combined_format(char letter)
{
    for (size_t i = 0; i < COUNT_OF(combined); i++)
        if (combined[i].letter == letter)
            return combined[i].format;
    return NULL;
}

/* Reads a directive behind its %. NULL: there is none such. Else the first byte after it. */
static const char *read_directive(const char *p, const char *end, struct directive *ret)
{
    *ret = (struct directive){0};
    for (; p < end && strchr("-_0^:#", *p) && *p; p++) {
        if (*p == '^' || *p == '#')
            ret->upper = true;
        else if (*p == ':')
            ret->colon = true;
        else
            ret->pad = *p;
    }
    for (; p < end && *p >= '0' && *p <= '9'; p++)
        if ((ret->width = ret->width * 10 + (*p - '0')) > 99)
            return NULL;
    if (p == end || !*p || (ret->colon && *p != 'z'))
        return NULL;
    ret->letter = *p;
    return strchr("YCymdejHIklMSLNpPAaBbhsuwzUWVGgZnt%", *p) || combined_format(*p) ? p + 1 : NULL;
}

static int week_from(const struct date *d, int first_weekday)
{
    int weekday = (d->c.weekday - first_weekday + 7) % 7;

    return (year_day(&d->c) + 6 - weekday) / 7;
}

/* ISO 8601: week 1 holds the year's first Thursday. */
static int iso_week(const struct date *d, int *ret_year)
{
    int weekday = d->c.weekday == 0 ? 7 : d->c.weekday;
    int week = (year_day(&d->c) - weekday + 10) / 7;
    int year = d->c.year;

    if (week < 1) {
        year--;
        int last = weekday_of(days_of(year, 12, 31));
        week = last == 4 || (last == 5 && is_leap(year)) ? 53 : 52;
    } else if (week == 53) {
        int next = weekday_of(days_of(year + 1, 1, 1));
        if (next >= 1 && next <= 4) {
            week = 1;
            year++;
        }
    }
    *ret_year = year;
    return week;
}

static int hour_12(const struct date *d)
{
    return d->c.hour % 12 == 0 ? 12 : d->c.hour % 12;
}

/* The letters that are numbers. False: this one is not. */
static bool number_of(const struct date *d, char letter, int64_t *ret, int *ret_width, char *ret_pad)
{
    int iso_year, week = iso_week(d, &iso_year);
    const struct {
        char letter;
        int64_t value;
        int width;
        char pad;
    } numbers[] = {
        {'Y', d->c.year, 1, '0'},
        {'C', d->c.year / 100, 2, '0'},
        {'y', d->c.year % 100, 2, '0'},
        {'m', d->c.month, 2, '0'},
        {'d', d->c.day, 2, '0'},
        {'e', d->c.day, 2, '_'},
        {'j', year_day(&d->c), 3, '0'},
        {'H', d->c.hour, 2, '0'},
        {'I', hour_12(d), 2, '0'},
        {'k', d->c.hour, 2, '_'},
        {'l', hour_12(d), 2, '_'},
        {'M', d->c.minute, 2, '0'},
        {'S', d->c.second, 2, '0'},
        {'s', d->utc_s, 1, '0'},
        {'w', d->c.weekday, 1, '0'},
        {'U', week_from(d, 0), 2, '0'},
        {'W', week_from(d, 1), 2, '0'},
        {'V', week, 2, '0'},
        {'G', iso_year, 1, '0'},
        {'g', iso_year % 100, 2, '0'},
        {'u', d->c.weekday ? d->c.weekday : 7, 1, '0'},
    };

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        if (numbers[i].letter != letter)
            continue;
        *ret = numbers[i].value;
        *ret_width = numbers[i].width;
        *ret_pad = numbers[i].pad;
        return true;
    }
    return false;
}

static const char *word_of(const struct date *d, char letter, int *ret_len)
{
    const char *word = letter == 'A' || letter == 'a' ? day_names[d->c.weekday] : month_names[d->c.month - 1];

    if (letter == 'p' || letter == 'P')
        word = letter == 'p' ? (d->c.hour < 12 ? "AM" : "PM") : (d->c.hour < 12 ? "am" : "pm");
    else if (letter == 'n' || letter == 't' || letter == '%')
        word = letter == 'n' ? "\n" : letter == 't' ? "\t" : "%";
    *ret_len = letter == 'a' || letter == 'b' || letter == 'h' ? 3 : (int)strlen(word);
    return word;
}

/* %z +0100, %:z +01:00; %Z is "UTC" in UTC and the same as %:z elsewhere. */
static int write_offset(const struct date *d, const struct directive *f, char *out, size_t size)
{
    int minutes = abs(d->offset_s) / 60;
    const char *colon = f->colon || f->letter == 'Z' ? ":" : "";

    if (f->letter == 'Z' && d->offset_s == 0)
        return snprintf(out, size, "UTC");
    return snprintf(out, size, "%c%02d%s%02d", d->offset_s < 0 ? '-' : '+', minutes / 60, colon,
                    minutes % 60);
}

static void write_format(const struct date *d, const char *format, size_t len, struct buf *out);

static void write_padded(struct buf *out, const char *s, int len, int width, char pad, bool upper)
{
    for (int i = len; i < width; i++)
        buf_add_char(out, pad);
    for (int i = 0; i < len; i++)
        buf_add_char(out, upper && s[i] >= 'a' && s[i] <= 'z' ? (char)(s[i] - 'a' + 'A') : s[i]);
}

static void write_directive(const struct date *d, const struct directive *f, struct buf *out)
{
    char digits[32];
    int64_t number;
    int len, width;
    char pad;

    if (combined_format(f->letter)) {
        write_format(d, combined_format(f->letter), strlen(combined_format(f->letter)), out);
    } else if (f->letter == 'z' || f->letter == 'Z') {
        len = write_offset(d, f, digits, sizeof(digits));
        write_padded(out, digits, len, 0, ' ', f->upper);
    } else if (f->letter == 'L' || f->letter == 'N') { /* the width is the number of digits of the fraction */
        width = f->width ? f->width : f->letter == 'L' ? 3 : 9;
        snprintf(digits, sizeof(digits), "%03d", d->ms);
        for (int i = 0; i < width; i++)
            buf_add_char(out, i < 3 ? digits[i] : '0');
    } else if (number_of(d, f->letter, &number, &width, &pad)) {
        len = snprintf(digits, sizeof(digits), "%lld", (long long)number);
        pad = f->pad ? f->pad : pad;
        width = f->width ? f->width : width;
        write_padded(out, digits, len, pad == '-' ? 0 : width, pad == '_' ? ' ' : '0', false);
    } else {
        const char *word = word_of(d, f->letter, &len);
        write_padded(out, word, len, f->pad == '-' ? 0 : f->width, f->pad == '0' ? '0' : ' ', f->upper);
    }
}

static void write_format(const struct date *d, const char *format, size_t len, struct buf *out)
{
    const char *p = format, *end = format + len;
    struct directive f;

    while (p < end) {
        const char *behind = *p == '%' ? read_directive(p + 1, end, &f) : NULL;
        if (behind)
            write_directive(d, &f, out);
        else
            buf_add_char(out, *p);
        p = behind ? behind : p + 1;
    }
}

const char *filter_date_check(size_t index, const char *text, size_t len)
{
    const char *end = text + len;
    struct directive f;

    for (const char *p = text; p < end;) {
        p = *p == '%' ? read_directive(p + 1, end, &f) : p + 1;
        if (!p)
            return "the format has a directive that does not exist; strftime's are %Y %m %d %H %M and so on, "
                   "%% is a %";
    }
    return NULL;
}

int filter_date(struct render *r, const struct filter_call *call, struct value *v, struct value *args,
                const struct value *named)
{
    auto_buf out = {.max = DATE_OUT_MAX};
    struct date d;
    int code = value_text(r, call, &args[0]);

    if (code < 0)
        return code;
    if (filter_date_check(0, args[0].str, args[0].len))
        return render_refuse(r, call->args[0].place,
                             "'date': the format has a directive that does not exist");
    if (!read_date(r, v, &d))
        return render_refuse(
            r, call->place,
            "'date' reads 2026-01-31, 2026-01-31 08:15:00 with or without a zone, seconds since "
            "1970, or now");
    write_format(&d, args[0].str, args[0].len, &out);
    if (out.overflowed)
        return render_refuse(r, call->place, "'date' makes more than %d bytes", DATE_OUT_MAX);
    char *room = render_room(r, call, out.len);
    if (!room)
        return -EINVAL;
    if (out.len > 0)
        memcpy(room, out.data, out.len);
    *v = value_str(room, out.len);
    return 0;
}

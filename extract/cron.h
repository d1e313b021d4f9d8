/* Cron expressions: when they fire. Pure.
 *
 * Five fields: minute (0-59) hour (0-23) day-of-month (1-31) month (1-12, jan-dec) day-of-week (0-7, sun-sat;
 * 0 and 7 are Sunday). Each is `*`, a value, a range `a-b`, either of the latter with a step `/n`, or a list
 * of these with commas.
 * @yearly @annually @monthly @weekly @daily @midnight @hourly stand for whole expressions.
 *
 * The classic rule of days: if day-of-month or day-of-week begins with `*`, both must fit; if neither does,
 * one is enough.
 *
 * Daylight saving, as Vixie cron and cronie do it. An expression whose minute or hour begins with `*` is a
 * *wildcard* one and follows the clock as it runs: minutes that are skipped in spring do not fire, minutes
 * that come twice in autumn fire twice. Every other expression is a *fixed* time: what falls into the spring
 * gap fires once, at the first moment after the gap; what comes twice in autumn fires at its first coming
 * only. */
#pragma once
#include "lib/base.h"
#include "lib/zone.h"

struct cron {
    uint64_t minutes;             /* bit n: minute n */
    uint32_t hours, days, months; /* days: bits 1 to 31, months: bits 1 to 12 */
    uint8_t weekdays;             /* bits 0 to 6, 0 Sunday */
    bool wildcard;                /* minute or hour begins with `*` */
    bool either_day;              /* neither day field begins with `*`: one that fits is enough */
};

#define CRON_MESSAGE_SIZE 200
/* 0, or -EINVAL with a message that names the field and what was expected. */
int must_check cron_parse(const char *expression, struct cron *ret, char message[CRON_MESSAGE_SIZE]);
/* The same as a checker of the configuration (conf_set_checkers). */
bool cron_check(const char *expression, char *message, size_t size);

#define CRON_NEVER INT64_MIN
/* The first firing after that moment (seconds since 1970), CRON_NEVER if none comes within
 * CRON_HORIZON_YEARS. */
#define CRON_HORIZON_YEARS 41 /* 29 February on one weekday: 28 years, 40 across 2100 */
int64_t cron_next(const struct cron *c, const struct zone *z, int64_t after_s);

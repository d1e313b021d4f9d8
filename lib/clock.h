/* Time. Wall time is in milliseconds since 1970 UTC; monotonic time is for waits and deadlines and goes on
 * while the machine sleeps or the process is stopped (CLOCK_BOOTTIME). */
#pragma once
#include "lib/base.h"

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void); /* the same clock, for measuring what is short */
/* "2026-01-31T08:15:00.123Z"; out holds at least CLOCK_ISO_SIZE bytes. Returns out. */
#define CLOCK_ISO_SIZE 32
char *clock_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]);
/* RFC 3339 with a zone ("Z" or +hh:mm), date alone not allowed. False: not such a time. */
bool clock_parse_iso(const char *s, int64_t *ret_wall_ms);
int clock_day_2020(int64_t wall_ms); /* whole UTC days since 2020-01-01 */

/* The proleptic Gregorian calendar: days since 1970-01-01, and back. Month and day count from 1. */
int64_t clock_days_of(int year, int month, int day);
void clock_date_of(int64_t days, int *ret_year, int *ret_month, int *ret_day);
int clock_days_in_month(int year, int month);

/* Jittered exponential back-off: base, 2*base, 4*base … up to max, each times 0.5 to 1.0. attempt counts
 * from 1. */
int64_t clock_backoff_ms(unsigned attempt, int64_t base_ms, int64_t max_ms);

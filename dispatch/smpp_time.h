/* The times of SMPP. Pure. */
#pragma once
#include "lib/base.h"

struct zone;
#define SMPP_TIME_SIZE 17

/* SMPP's own forms [7.1.1], absolute "YYMMDDhhmmsstnnp" and relative "YYMMDDhhmmss000R" (from now_ms); and
 * those that stand in receipts, in the gateway's zone: YYMMDDhhmm, YYMMDDhhmmss, YYYYMMDDhhmm,
 * YYYYMMDDhhmmss, with '-', '/',
 * ':', '.' or 'T' and spaces between their parts too, RFC 3339, seconds or milliseconds since 1970. Where
 * digits fit several forms, the moment nearest to now_ms is meant. False: it is no such time. */
bool smpp_time_parse(const char *text, size_t len, const struct zone *zone, int64_t now_ms, int64_t *ret_ms);
/* The relative form, rounded down to seconds; at most 63 days, which every gateway understands the same way.
 */
#define SMPP_RELATIVE_MAX_MS (INT64_C(63) * 86400 * 1000)
void smpp_time_relative(int64_t span_ms, char out[SMPP_TIME_SIZE]);

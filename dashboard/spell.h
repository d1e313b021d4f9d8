/* Numbers, shares and times as a person reads them. Pure; the caller gives the room, which is returned. */
#pragma once
#include "lib/base.h"

#define SPELL_SIZE 64
const char *spell_number(int64_t n, char out[SPELL_SIZE]); /* "1,234,567" */
const char *spell_share(int64_t part, int64_t whole,
                        char out[SPELL_SIZE]);              /* "97.5 %", "<0.1 %", "100 %" only if all */
const char *spell_rate(double per_s, char out[SPELL_SIZE]); /* "1,234/s", "2.5/s" */
const char *spell_duration(int64_t ms,
                           char out[SPELL_SIZE]); /* "350 ms" "12 s" "3 min 20 s" "2 h 5 min" "4 d 3 h" */
const char *spell_time(int64_t wall_ms, char out[SPELL_SIZE]); /* "2026-01-31 08:15:00" UTC, "–" for 0 */
const char *spell_bytes(int64_t bytes, char out[SPELL_SIZE]);  /* "12.5 MiB" */

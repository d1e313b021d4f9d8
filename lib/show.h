/* What a person sees of foreign words, times and bodies, in the command and on the page: nothing that steers
 * a terminal, no whole number or code. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"

/* A time in UTC, "2026-01-31 08:15:00"; "-" for 0. Returns out. */
#define SHOW_TIME_SIZE 24
char *show_time(int64_t wall_ms, char out[SHOW_TIME_SIZE]);
/* A body with every run of four or more digits masked that may be a number or a code (ids and times are not).
 */
void show_masked(const char *body, size_t len, struct buf *out);
/* "name":"text" of a JSON object that is being written; a comma first unless it is the first. */
void show_json_text(struct buf *b, const char *name, const char *text);
void show_json_big(struct buf *b, const char *name, int64_t n);
void show_json_time(struct buf *b, const char *name, int64_t wall_ms); /* 0: null */

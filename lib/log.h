/* One line an event, on standard error, as logfmt or JSON:
 *   ts=2026-01-31T08:15:00.123Z level=info service=dispatch msg="breaker opened" gateway=alpha failures=5
 * Log once, where the library's own text is. Never a text, a whole number or a secret: L_NUMBER masks. */
#pragma once
#include "lib/base.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field {
    const char *key;
    enum { LOG_FIELD_NONE, LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_ERRNO, LOG_FIELD_NUMBER } type;
    const char *str;
    int64_t num;
};
#define L_STR(k, s)    {(k), LOG_FIELD_STR, (s), 0}
#define L_INT(k, n)    {(k), LOG_FIELD_INT, NULL, (int64_t)(n)}
#define L_ERRNO(neg)   {"error", LOG_FIELD_ERRNO, NULL, (neg)}     /* a negative errno, in words */
#define L_NUMBER(k, n) {(k), LOG_FIELD_NUMBER, NULL, (int64_t)(n)} /* an E.164 number, masked: +49*******12 */

void log_init(const char *service, enum log_format format, enum log_level least);
void log_fields(enum log_level level, const char *msg, const struct log_field *fields, size_t count);
#define LOG_AT(level, msg, ...)                                                                                  \
    log_fields((level), (msg), (const struct log_field[]){{0}, __VA_ARGS__} + 1,                                 \
               COUNT_OF(((const struct log_field[]){{0}, __VA_ARGS__})) - 1)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__, )
#define log_info(...)  LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__, )
#define log_warn(...)  LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__, )
#define log_error(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__, )

/* A trouble that lasts is said once, and once when it is over (with how long it took), not a line a second. */
struct log_trouble {
    int64_t since_mono_ms; /* 0: all is well */
};
void log_trouble_begins(struct log_trouble *t, const char *msg, const struct log_field *fields, size_t count);
void log_trouble_ends(struct log_trouble *t, const char *msg);

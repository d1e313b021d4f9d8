/* One event, one line, one write: lines of several threads and processes do not mix. */
#include "lib/log.h"
#include "lib/buf.h"
#include "lib/clock.h"

#include <stdatomic.h>
#include <stdio.h>

#define LINE_MAX_BYTES  16384
#define VALUE_MAX_BYTES 2048

static _Atomic int log_format = LOG_LOGFMT;
static _Atomic int log_least = LOG_LEVEL_INFO;
static char log_service[32]; /* set once, before threads */

void log_init(const char *service, enum log_format format, enum log_level least)
{
    /* Services call this again when the configuration is loaded again: the name is the same then. */
    if (strncmp(log_service, service, sizeof(log_service) - 1) != 0)
        snprintf(log_service, sizeof(log_service), "%s", service);
    atomic_store(&log_format, format);
    atomic_store(&log_least, least);
}

static const char *level_word(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_DEBUG:
        return "debug";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_ERROR:
        return "error";
    }
    return "error";
}

static bool needs_quotes(const char *s, size_t len)
{
    if (len == 0)
        return true;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c <= ' ' || c >= 0x7F || c == '"' || c == '=' || c == '\\')
            return true;
    }
    return false;
}

static void add_key(struct buf *line, bool json, const char *key)
{
    if (line->len > 0 && line->data[line->len - 1] != '{')
        buf_add_char(line, json ? ',' : ' ');
    if (json) {
        buf_add_json_str(line, key, strlen(key));
        buf_add_char(line, ':');
    } else {
        buf_add_str(line, key);
        buf_add_char(line, '=');
    }
}

static void add_str(struct buf *line, bool json, const char *key, const char *value)
{
    size_t len = value ? strnlen(value, VALUE_MAX_BYTES) : 0;
    bool cut = value && value[len] != '\0';
    while (cut && len > 0 && ((unsigned char)value[len] & 0xC0) == 0x80)
        len--; /* not in the middle of a character */
    add_key(line, json, key);
    if (!value && json)
        buf_add_str(line, "null");
    else if (!value)
        return; /* logfmt: key= */
    else if (json || needs_quotes(value, len))
        buf_add_json_str(line, value, len);
    else
        buf_add(line, value, len);
    if (cut)
        add_str(line, json, "cut", key);
}

static void add_int(struct buf *line, bool json, const char *key, int64_t n)
{
    add_key(line, json, key);
    buf_add_i64(line, n);
}

static void add_errno(struct buf *line, bool json, const char *key, int64_t negative)
{
    const char *words = negative < 0 && negative > -4096 ? strerrordesc_np((int)-negative) : NULL;
    if (words)
        add_str(line, json, key, words);
    else
        add_int(line, json, key, negative);
}

/* Country and last two digits are enough to talk about a number; a short one is hidden whole. */
static void add_number(struct buf *line, bool json, const char *key, int64_t number)
{
    char digits[24], masked[26] = "+";
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)(number < 0 ? 0 : number));
    for (int i = 0; i < len; i++)
        masked[1 + i] = len >= 8 && (i < 2 || i >= len - 2) ? digits[i] : '*';
    masked[1 + len] = '\0';
    add_str(line, json, key, masked);
}

static void add_field(struct buf *line, bool json, const struct log_field *f)
{
    switch (f->type) {
    case LOG_FIELD_NONE:
        break;
    case LOG_FIELD_STR:
        add_str(line, json, f->key, f->str);
        break;
    case LOG_FIELD_INT:
        add_int(line, json, f->key, f->num);
        break;
    case LOG_FIELD_ERRNO:
        add_errno(line, json, f->key, f->num);
        break;
    case LOG_FIELD_NUMBER:
        add_number(line, json, f->key, f->num);
        break;
    }
}

void log_fields(enum log_level level, const char *msg, const struct log_field *fields, size_t count)
{
    if ((int)level < atomic_load_explicit(&log_least, memory_order_relaxed))
        return;
    int saved_errno = errno;
    bool json = atomic_load_explicit(&log_format, memory_order_relaxed) == LOG_JSON;
    char ts[CLOCK_ISO_SIZE];
    auto_buf line = {.max = LINE_MAX_BYTES};
    if (json)
        buf_add_char(&line, '{');
    add_str(&line, json, "ts", clock_iso(clock_wall_ms(), ts));
    add_str(&line, json, "level", level_word(level));
    add_str(&line, json, "service", log_service[0] ? log_service : program_invocation_short_name);
    add_str(&line, json, "msg", msg);
    for (size_t i = 0; i < count; i++) {
        size_t before = line.len;
        add_field(&line, json, &fields[i]);
        if (line.overflowed || line.len > LINE_MAX_BYTES - 4) {
            /* The fields that fit are still a line that can be read. */
            line.overflowed = false;
            line.len = before;
            break;
        }
    }
    buf_add_str(&line, json ? "}\n" : "\n");
    if (write(STDERR_FILENO, line.data, line.len) < 0) {
        /* Nobody reads the log: there is nowhere to say so, and the work goes on. */
    }
    errno = saved_errno;
}

void log_trouble_begins(struct log_trouble *t, const char *msg, const struct log_field *fields, size_t count)
{
    if (t->since_mono_ms != 0)
        return;
    t->since_mono_ms = MAX_OF(clock_mono_ms(), 1);
    log_fields(LOG_LEVEL_WARN, msg, fields, count);
}

void log_trouble_ends(struct log_trouble *t, const char *msg)
{
    if (t->since_mono_ms == 0)
        return;
    int64_t lasted_ms = clock_mono_ms() - t->since_mono_ms;
    t->since_mono_ms = 0;
    log_info(msg, L_INT("lasted_ms", lasted_ms));
}

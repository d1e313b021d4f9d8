/* What is shown of foreign words, times and bodies: see show.h. */
#include "lib/show.h"
#include "lib/clock.h"
#include <ctype.h>
#include <stdio.h>

#define MASKED_FROM 4 /* digits: one-time codes begin there */
#define KEPT        2 /* digits that are shown before and behind */

char *show_time(int64_t wall_ms, char out[SHOW_TIME_SIZE])
{
    char iso[CLOCK_ISO_SIZE];
    if (wall_ms == 0)
        return strcpy(out, "-");
    snprintf(out, SHOW_TIME_SIZE, "%.10s %.8s", clock_iso(wall_ms, iso), iso + 11);
    return out;
}

/* Does the run of digits at body + at stand for an id or a time of ours? */
static bool is_ours(const char *body, size_t at)
{
    static const char *const keys[] = {"\"sms_id\":", "\"seq_id\":\"", "\"run\":",         "\"at\":",
                                       "\"v\":",      "\"step\":",     "\"valid_until\":", "\"gateway_at\":"};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        size_t len = strlen(keys[i]);
        if (at >= len && memcmp(body + at - len, keys[i], len) == 0)
            return true;
    }
    return false;
}

void show_masked(const char *body, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len;) {
        size_t run = 0;
        while (i + run < len && isdigit((unsigned char)body[i + run]))
            run++;
        if (run == 0) {
            unsigned char c = (unsigned char)body[i++];
            buf_add_char(out, c < 0x20 && c != '\n' && c != '\t' ? '?' : (char)c);
            continue;
        }
        for (size_t k = 0; k < run; k++) {
            bool shown = run < MASKED_FROM || is_ours(body, i) ||
                         (run > 2 * KEPT + 2 && (k < KEPT || k >= run - KEPT));
            buf_add_char(out, shown ? body[i + k] : '*');
        }
        i += run;
    }
}

static void json_name(struct buf *b, const char *name)
{
    buf_addf(b, "%s\"%s\":", b->len > 0 && b->data[b->len - 1] != '{' ? "," : "", name);
}

void show_json_text(struct buf *b, const char *name, const char *text)
{
    json_name(b, name);
    buf_add_json_str(b, text, strlen(text));
}

void show_json_big(struct buf *b, const char *name, int64_t n)
{
    json_name(b, name);
    buf_add_i64(b, n);
}

void show_json_time(struct buf *b, const char *name, int64_t wall_ms)
{
    char iso[CLOCK_ISO_SIZE];
    json_name(b, name);
    if (wall_ms == 0)
        buf_add_str(b, "null");
    else
        buf_addf(b, "\"%s\"", clock_iso(wall_ms, iso));
}

/* How foreign words, times and bodies are shown: nothing that steers a terminal, no whole number or code
 * unless it was asked for. */
#include "ctl/ctl.h"
#include "lib/clock.h"
#include <ctype.h>
#include <stdio.h>

#define MASKED_FROM 4 /* digits: one-time codes begin there */
#define KEPT        2 /* digits that are shown before and behind */

static size_t character_bytes(const char *s)
{
    size_t n = 1;
    while (((unsigned char)s[n] & 0xc0) == 0x80)
        n++;
    return n;
}

int show_cut(const char *s, int columns)
{
    int shown = 0;
    size_t left = 0;
    for (const char *at = s; *at != '\0'; at += character_bytes(at))
        left++;
    bool cut = left > (size_t)columns;
    for (; *s != '\0' && shown < columns - cut; shown++) {
        size_t n = character_bytes(s);
        if (n == 1 && (iscntrl((unsigned char)*s) || (unsigned char)*s >= 0x80))
            putchar('?');
        else
            fwrite(s, 1, n, stdout);
        s += n;
    }
    if (cut)
        fputs("…", stdout);
    return shown + cut;
}

void show_text(const char *text, size_t len, const char *indent)
{
    printf("%s", indent);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n')
            printf("\n%s", indent);
        else
            putchar(c < 0x20 || c == 0x7f ? '?' : c);
    }
    putchar('\n');
}

/* Characters that nobody sees, or that turn around what stands beside them. */
static bool is_unseen(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad || (c >= 0x2000 && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f) || c == 0xfeff || c == 0x3000;
}

char *show_character(uint32_t c, char out[SHOW_CHARACTER_SIZE])
{
    char bytes[5] = "";

    if (c < 0x80) {
        bytes[0] = (char)c;
    } else if (c < 0x800) {
        bytes[0] = (char)(0xc0 | c >> 6);
        bytes[1] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        bytes[0] = (char)(0xe0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (c & 0x3f));
    } else {
        bytes[0] = (char)(0xf0 | (c >> 18 & 0x07));
        bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
        bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[3] = (char)(0x80 | (c & 0x3f));
    }
    if (is_unseen(c))
        snprintf(out, SHOW_CHARACTER_SIZE, "U+%04X", (unsigned)c);
    else
        snprintf(out, SHOW_CHARACTER_SIZE, "%s (U+%04X)", bytes, (unsigned)c);
    return out;
}

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

/* The two encodings: see utf16.h. */
#include "extract/utf16.h"

#define REPLACEMENT 0xfffdu

static bool is_high(uint32_t u)
{
    return u >= 0xd800 && u <= 0xdbff;
}

static bool is_low(uint32_t u)
{
    return u >= 0xdc00 && u <= 0xdfff;
}

static void add_character(struct buf *out, uint32_t c)
{
    char bytes[4];
    size_t n = 0;

    if (c == 0)
        c = REPLACEMENT;
    if (c < 0x80) {
        bytes[n++] = (char)c;
    } else if (c < 0x800) {
        bytes[n++] = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        bytes[n++] = (char)(0xe0 | c >> 12);
        bytes[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    } else {
        bytes[n++] = (char)(0xf0 | c >> 18);
        bytes[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        bytes[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    }
    if (c >= 0x80)
        bytes[n++] = (char)(0x80 | (c & 0x3f));
    buf_add(out, bytes, n);
}

void utf16_end(struct buf *out, uint16_t *high)
{
    if (*high)
        add_character(out, REPLACEMENT);
    *high = 0;
}

void utf16_add(struct buf *out, const uint16_t *units, size_t count, uint16_t *high)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t u = units[i];
        if (*high && is_low(u)) {
            add_character(out, 0x10000 + ((*high & 0x3ffu) << 10) + (u & 0x3ff));
            *high = 0;
            continue;
        }
        utf16_end(out, high);
        if (is_high(u))
            *high = (uint16_t)u;
        else
            add_character(out, is_low(u) ? REPLACEMENT : u);
    }
}

/* One character of UTF-8, and *at goes behind it. A byte that belongs to none stands for itself, as U+FFFD.
 */
static uint32_t take_character(const char *s, size_t len, size_t *at)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    unsigned char lead = (unsigned char)s[(*at)++];
    size_t more = lead < 0x80 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    uint32_t c = more ? lead & (0x3fu >> more) : lead;

    if (more == 0)
        return c;
    if (lead < 0xc2 || lead > 0xf4 || len - *at < more)
        return REPLACEMENT;
    for (size_t i = 0; i < more; i++) {
        unsigned char next = (unsigned char)s[*at + i];
        if ((next & 0xc0) != 0x80)
            return REPLACEMENT;
        c = c << 6 | (next & 0x3f);
    }
    if (c < least[more] || c > 0x10ffff || is_high(c) || is_low(c))
        return REPLACEMENT;
    *at += more;
    return c;
}

uint16_t *utf16_of(const char *utf8, size_t *ret_units)
{
    size_t len = strlen(utf8), n = 0;
    uint16_t *out = xcalloc(len + 1, sizeof(*out)); /* no character has more units than bytes */

    for (size_t at = 0; at < len;) {
        uint32_t c = take_character(utf8, len, &at);
        if (c >= 0x10000) {
            out[n++] = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
            out[n++] = (uint16_t)(0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            out[n++] = (uint16_t)c;
        }
    }
    if (ret_units)
        *ret_units = n;
    return out;
}

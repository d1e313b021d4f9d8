/* Growing bytes with a maximum, and the two ways of quoting that the wire and the log need. */
#include "lib/buf.h"

#include <stdio.h>

static const char hex_digits[] = "0123456789abcdef";

void buf_deinit(struct buf *b)
{
    free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
    b->overflowed = false;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->overflowed = false;
    if (b->data)
        b->data[0] = '\0';
}

/* Room for `more` bytes and the NUL. False: that would go over the maximum. */
static bool reserve(struct buf *b, size_t more)
{
    if (b->overflowed)
        return false;
    if (b->cap > b->len && more < b->cap - b->len)
        return true;
    size_t max = b->max ? b->max : BUF_MAX_DEFAULT;
    if (b->len > max || more > max - b->len) {
        b->overflowed = true;
        return false;
    }
    size_t cap = MAX_OF(b->cap * 2, b->len + more + 1);
    cap = MAX_OF(cap, (size_t)64);
    cap = MIN_OF(cap, max + 1);
    b->data = xrealloc(b->data, cap);
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
    if (!reserve(b, len))
        return;
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_add_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_add_i64(struct buf *b, int64_t n)
{
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (n < 0)
        digits[--at] = '-';
    buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_addf(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    buf_vaddf(b, format, ap);
    va_end(ap);
}

void buf_vaddf(struct buf *b, const char *format, va_list ap)
{
    char small[256];
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(small, sizeof(small), format, ap);
    if (len < 0) {
        b->overflowed = true; /* longer than an int counts, or not a format: nothing sensible to add */
    } else if ((size_t)len < sizeof(small)) {
        buf_add(b, small, (size_t)len);
    } else if (reserve(b, (size_t)len)) {
        vsnprintf(b->data + b->len, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

/* Length of the well-formed UTF-8 sequence at s (RFC 3629: no overlong forms, no surrogates), 0: there is
 * none. */
static size_t utf8_sequence(const unsigned char *s, size_t len)
{
    unsigned char c = s[0], low = 0x80, high = 0xBF;
    size_t need;
    if (c < 0x80)
        return 1;
    if (c >= 0xC2 && c <= 0xDF) {
        need = 2;
    } else if ((c & 0xF0) == 0xE0) {
        need = 3;
        low = c == 0xE0 ? 0xA0 : low;
        high = c == 0xED ? 0x9F : high;
    } else if (c >= 0xF0 && c <= 0xF4) {
        need = 4;
        low = c == 0xF0 ? 0x90 : low;
        high = c == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (len < need || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    return need;
}

bool utf8_is_text(const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;
    for (size_t i = 0; i < len;) {
        size_t sequence = u[i] != 0 ? utf8_sequence(u + i, len - i) : 0;
        if (sequence == 0)
            return false;
        i += sequence;
    }
    return true;
}

static void add_json_escape(struct buf *b, unsigned char c)
{
    char escape[6] = {'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};
    size_t len = 2;
    if (c == '"' || c == '\\')
        escape[1] = (char)c;
    else if (c == '\n')
        escape[1] = 'n';
    else if (c == '\r')
        escape[1] = 'r';
    else if (c == '\t')
        escape[1] = 't';
    else
        len = sizeof(escape);
    buf_add(b, escape, len);
}

void buf_add_json_str(struct buf *b, const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t plain = 0; /* start of the run that can be copied as it is */
    size_t i = 0;
    buf_add_char(b, '"');
    while (i < len) {
        unsigned char c = u[i];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            i++;
            continue;
        }
        size_t sequence = c < 0x80 ? 0 : utf8_sequence(u + i, len - i);
        if (sequence > 0) {
            i += sequence;
            continue;
        }
        buf_add(b, s + plain, i - plain);
        if (c < 0x80)
            add_json_escape(b, c);
        else
            buf_add(b, "\xEF\xBF\xBD", 3);
        plain = ++i;
    }
    if (len > plain)
        buf_add(b, s + plain, len - plain);
    buf_add_char(b, '"');
}

void buf_add_url_encoded(struct buf *b, const char *s, size_t len)
{
    static const char hex_upper[] = "0123456789ABCDEF"; /* RFC 3986 asks for upper case */
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
            c == '.' || c == '_' || c == '~') {
            buf_add_char(b, (char)c);
        } else {
            char escape[3] = {'%', hex_upper[c >> 4], hex_upper[c & 15]};
            buf_add(b, escape, sizeof(escape));
        }
    }
}

char *buf_take(struct buf *b, size_t *ret_len)
{
    char *data = b->data ? b->data : xstrdup("");
    if (ret_len)
        *ret_len = b->len;
    b->data = NULL;
    buf_deinit(b);
    return data;
}

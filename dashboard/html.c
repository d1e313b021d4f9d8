/* Escaping, and a printf that escapes: see html.h. */
#include "dashboard/html.h"
#include "lib/alphabet.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>

static const char *entity(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* Also those that turn around what stands beside them: a name could make another one of its neighbour. */
static bool is_shown(uint32_t c)
{
    if (c < 0x20)
        return c == '\n' || c == '\t';
    return !(c >= 0x7f && c <= 0x9f) && !(c >= 0x202a && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069) &&
           c != 0xfffe && c != 0xffff;
}

void html_text(struct buf *out, const char *s)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + strlen(s);
    while (p < end) {
        const unsigned char *from = p;
        uint32_t c;
        if (!utf8_next(&p, end, &c)) {
            p = from + 1;
            buf_add_str(out, "\xef\xbf\xbd");
        } else if (!is_shown(c)) {
            buf_add_str(out, "\xef\xbf\xbd");
        } else if (c < 0x80 && entity((unsigned char)c)) {
            buf_add_str(out, entity((unsigned char)c));
        } else {
            buf_add(out, from, (size_t)(p - from));
        }
    }
}

static void add_fraction(struct buf *out, double value, int places)
{
    buf_addf(out, "%.*f", places, value);
}

/* The directive behind a %; *at moves behind it. */
static void add_one(struct buf *out, const char **at, va_list *ap)
{
    const char *p = *at;
    int places = 6, longs = 0;
    bool size = false;
    if (*p == '.')
        places = (int)strtol(p + 1, (char **)(uintptr_t)&p, 10);
    for (; *p == 'l' || *p == 'z'; p++) {
        longs += *p == 'l';
        size = size || *p == 'z';
    }
    switch (*p) {
    case 's':
        html_text(out, va_arg(*ap, const char *));
        break;
    case 'd':
        buf_add_i64(out, longs == 0   ? va_arg(*ap, int)
                         : longs == 1 ? va_arg(*ap, long)
                                      : va_arg(*ap, long long));
        break;
    case 'u':
        buf_add_i64(out, size ? (int64_t)va_arg(*ap, size_t) : (int64_t)va_arg(*ap, unsigned));
        break;
    case 'f':
        add_fraction(out, va_arg(*ap, double), places);
        break;
    case '%':
        buf_add_char(out, '%');
        break;
    default:
        abort(); /* a mistake in the code: every format stands there */
    }
    *at = p + 1;
}

void htmlf(struct buf *out, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    for (const char *p = format; *p != '\0';) {
        size_t plain = strcspn(p, "%");
        buf_add(out, p, plain);
        p += plain;
        if (*p == '%') {
            p++;
            add_one(out, &p, &ap);
        }
    }
    va_end(ap);
}

void html_link(struct buf *out, const char *prefix, const char *name, const char *text)
{
    buf_add_str(out, "<a href=\"");
    html_text(out, prefix);
    buf_add_url_encoded(out, name, strlen(name));
    buf_add_str(out, "\">");
    html_text(out, text);
    buf_add_str(out, "</a>");
}

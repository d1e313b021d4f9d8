/* One walk over the text that checks its grammar and remembers where the pointer's value begins and ends. */
#include "lib/pointer.h"
#include <stdio.h>

struct walk {
    const char *at, *end;
    const char *found, *found_end;
    unsigned depth;
};

/* `rest` is the part of the pointer that must still be matched below this value; NULL: this value is not on
 * the way. */
static bool value(struct walk *w, const char *rest);

static void space(struct walk *w)
{
    while (w->at < w->end && (*w->at == ' ' || *w->at == '\t' || *w->at == '\n' || *w->at == '\r'))
        w->at++;
}

static bool take(struct walk *w, char c)
{
    if (w->at >= w->end || *w->at != c)
        return false;
    w->at++;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool four_hex(const char *s, const char *end, unsigned *ret)
{
    unsigned n = 0;
    if (end - s < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(s[i]);
        if (digit < 0)
            return false;
        n = n * 16 + (unsigned)digit;
    }
    *ret = n;
    return true;
}

/* After the opening quote, up to and with the closing one. */
static bool string(struct walk *w, const char **ret, const char **ret_end)
{
    unsigned code;
    if (!take(w, '"'))
        return false;
    *ret = w->at;
    for (; w->at < w->end; w->at++) {
        if (*w->at == '"') {
            *ret_end = w->at++;
            return true;
        }
        if ((unsigned char)*w->at < 0x20)
            return false;
        if (*w->at != '\\')
            continue;
        w->at++;
        if (w->at >= w->end || strchr("\"\\/bfnrtu", *w->at) == NULL || *w->at == '\0')
            return false;
        if (*w->at == 'u') {
            if (!four_hex(w->at + 1, w->end, &code))
                return false;
            w->at += 4;
        }
    }
    return false;
}

static void add_utf8(struct buf *out, unsigned c)
{
    if (c < 0x80) {
        buf_add_char(out, (char)c);
    } else if (c < 0x800) {
        buf_add_char(out, (char)(0xC0 | c >> 6));
        buf_add_char(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_add_char(out, (char)(0xE0 | c >> 12));
        buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_add_char(out, (char)(0x80 | (c & 0x3F)));
    } else {
        buf_add_char(out, (char)(0xF0 | c >> 18));
        buf_add_char(out, (char)(0x80 | (c >> 12 & 0x3F)));
        buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_add_char(out, (char)(0x80 | (c & 0x3F)));
    }
}

/* \uXXXX, a pair of them above the basic plane; a lone half becomes U+FFFD. Returns what follows. */
static const char *add_escaped_unicode(struct buf *out, const char *s, const char *end)
{
    unsigned c = 0, low = 0;
    if (!four_hex(s, end, &c))
        return end; /* the walk has refused such a text */
    s += 4;
    if (c >= 0xD800 && c < 0xDC00 && end - s >= 6 && s[0] == '\\' && s[1] == 'u' &&
        four_hex(s + 2, end, &low) && low >= 0xDC00 && low < 0xE000) {
        add_utf8(out, 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00));
        return s + 6;
    }
    add_utf8(out, c >= 0xD800 && c < 0xE000 ? 0xFFFD : c);
    return s;
}

static void unescape(struct buf *out, const char *s, const char *end)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    while (s < end) {
        if (*s != '\\') {
            buf_add_char(out, *s++);
            continue;
        }
        s++;
        if (*s == 'u') {
            s = add_escaped_unicode(out, s + 1, end);
            continue;
        }
        const char *known = strchr(from, *s);
        buf_add_char(out, known != NULL ? to[known - from] : *s);
        s++;
    }
}

/* Is `name` the first token of the pointer `rest` ("/a~1b/c")? Then *ret is what follows that token. */
static bool token_is(const char *rest, const char *name, size_t len, const char **ret)
{
    const char *p = rest + 1;
    size_t i = 0;
    for (; *p != '\0' && *p != '/'; p++, i++) {
        char c = *p;
        if (c == '~' && (p[1] == '0' || p[1] == '1'))
            c = *++p == '0' ? '~' : '/';
        if (i >= len || name[i] != c)
            return false;
    }
    *ret = p;
    return i == len;
}

static bool object(struct walk *w, const char *rest)
{
    take(w, '{');
    space(w);
    if (take(w, '}'))
        return true;
    do {
        const char *name, *name_end, *below = NULL;
        auto_buf key = {0};
        space(w);
        if (!string(w, &name, &name_end))
            return false;
        if (rest != NULL && *rest == '/') {
            unescape(&key, name, name_end);
            if (!token_is(rest, key.data != NULL ? key.data : "", key.len, &below))
                below = NULL;
        }
        space(w);
        if (!take(w, ':') || !value(w, below))
            return false;
        space(w);
    } while (take(w, ','));
    return take(w, '}');
}

static bool array(struct walk *w, const char *rest)
{
    size_t i = 0;
    take(w, '[');
    space(w);
    if (take(w, ']'))
        return true;
    do {
        const char *below = NULL;
        if (rest != NULL && *rest == '/') {
            char index[24];
            int n = snprintf(index, sizeof(index), "%zu", i);
            if (!token_is(rest, index, (size_t)n, &below))
                below = NULL;
        }
        if (!value(w, below))
            return false;
        i++;
        space(w);
    } while (take(w, ','));
    return take(w, ']');
}

static bool digits(struct walk *w)
{
    const char *from = w->at;
    while (w->at < w->end && *w->at >= '0' && *w->at <= '9')
        w->at++;
    return w->at > from;
}

static bool number(struct walk *w)
{
    take(w, '-');
    if (!take(w, '0') && !digits(w))
        return false;
    if (take(w, '.') && !digits(w))
        return false;
    if (take(w, 'e') || take(w, 'E')) {
        if (!take(w, '+'))
            take(w, '-');
        return digits(w);
    }
    return true;
}

static bool word(struct walk *w, const char *name)
{
    size_t len = strlen(name);
    if ((size_t)(w->end - w->at) < len || memcmp(w->at, name, len) != 0)
        return false;
    w->at += len;
    return true;
}

static bool any_value(struct walk *w, const char *rest)
{
    const char *s, *end;
    if (w->at >= w->end)
        return false;
    switch (*w->at) {
    case '{':
        return object(w, rest);
    case '[':
        return array(w, rest);
    case '"':
        return string(w, &s, &end);
    case 't':
        return word(w, "true");
    case 'f':
        return word(w, "false");
    case 'n':
        return word(w, "null");
    default:
        return number(w);
    }
}

static bool value(struct walk *w, const char *rest)
{
    space(w);
    const char *from = w->at;
    if (w->depth >= POINTER_DEPTH_MAX)
        return false;
    w->depth++;
    bool good = any_value(w, rest);
    w->depth--;
    /* A name given twice: the last one counts, as most parsers have it. */
    if (good && rest != NULL && *rest == '\0') {
        w->found = from;
        w->found_end = w->at;
    }
    return good;
}

int pointer_read(const char *json, size_t len, const char *pointer, struct buf *out)
{
    struct walk w = {.at = json, .end = json + len};
    if (!value(&w, pointer))
        return POINTER_BAD;
    space(&w);
    if (w.at != w.end)
        return POINTER_BAD;
    if (w.found == NULL)
        return POINTER_MISSING;
    if (*w.found == '"')
        unescape(out, w.found + 1, w.found_end - 1);
    else
        buf_add(out, w.found, (size_t)(w.found_end - w.found));
    return 0;
}

/* The text has been walked once and is good. */
static void give_items(const char *json, size_t len,
                       void (*each)(void *arg, const char *item, size_t item_len), void *arg)
{
    struct walk w = {.at = json, .end = json + len};
    take(&w, '[');
    do {
        space(&w);
        const char *from = w.at;
        if (!value(&w, NULL))
            return; /* an empty array */
        each(arg, from, (size_t)(w.at - from));
        space(&w);
    } while (take(&w, ','));
}

int pointer_items(const char *json, size_t len, void (*each)(void *arg, const char *item, size_t item_len),
                  void *arg)
{
    struct walk w = {.at = json, .end = json + len};
    space(&w);
    const char *from = w.at;
    if (!value(&w, NULL))
        return POINTER_BAD;
    size_t size = (size_t)(w.at - from);
    space(&w);
    if (w.at != w.end)
        return POINTER_BAD;
    if (*from == '[')
        give_items(from, size, each, arg);
    else
        each(arg, from, size);
    return 0;
}

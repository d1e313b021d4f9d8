/* Reading "a=1&b=x+y": see query.h. */
#include "dashboard/query.h"

#include <ctype.h>

static int hex(unsigned char c)
{
    return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

char *query_decode(const char *text, size_t len, bool form)
{
    auto_free char *out = xmalloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        const unsigned char *at = (const unsigned char *)text + i;
        if (*at == '%' && i + 2 < len && hex(at[1]) >= 0 && hex(at[2]) >= 0) {
            out[n++] = (char)(hex(at[1]) << 4 | hex(at[2]));
            i += 2;
        } else {
            out[n++] = form && *at == '+' ? ' ' : (char)*at;
        }
    }
    out[n] = '\0';
    if (!utf8_is_text(out, n))
        return NULL;
    char *made = out;
    out = NULL;
    return made;
}

static void add_pair(struct query *q, const char *from, size_t len)
{
    const char *eq = memchr(from, '=', len);
    size_t name_len = eq ? (size_t)(eq - from) : len;
    if (len == 0 || q->count == QUERY_MAX)
        return;
    char *name = query_decode(from, name_len, true);
    char *value = eq ? query_decode(eq + 1, len - name_len - 1, true) : xstrdup("");
    if (name && value) {
        q->pairs[q->count++] = (struct query_pair){name, value};
    } else {
        free(name);
        free(value);
    }
}

void query_read(const char *text, size_t len, struct query *ret)
{
    ret->count = 0;
    for (size_t i = 0; i < len;) {
        const char *amp = memchr(text + i, '&', len - i);
        size_t pair = amp ? (size_t)(amp - text) - i : len - i;
        add_pair(ret, text + i, pair);
        i += pair + 1;
    }
}

void query_deinit(struct query *q)
{
    for (size_t i = 0; i < q->count; i++) {
        free(q->pairs[i].name);
        free(q->pairs[i].value);
    }
    q->count = 0;
}

const char *query_get(const struct query *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++)
        if (strcmp(q->pairs[i].name, name) == 0)
            return q->pairs[i].value;
    return "";
}

bool query_has(const struct query *q, const char *name)
{
    return *query_get(q, name) != '\0';
}

bool query_number(const struct query *q, const char *name, int64_t fallback, int64_t min, int64_t max,
                  int64_t *ret)
{
    const char *text = query_get(q, name);
    char *end;
    *ret = fallback;
    if (*text == '\0')
        return true;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno != 0 || !isdigit((unsigned char)*text) || *end != '\0' || n < min || n > max)
        return false;
    *ret = n;
    return true;
}

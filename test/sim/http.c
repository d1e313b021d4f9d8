/* Reading HTTP/1.1 requests: as much of it as the drivers of smschain and curl send (no chunked bodies). */
#include "test/sim/sim.h"
#include <stdio.h>
#include <strings.h>

#define BODY_MAX (8u << 20)

static bool header_is(const char *line, const char *name, const char **ret_value)
{
    size_t n = strlen(name);
    if (strncasecmp(line, name, n) != 0 || line[n] != ':')
        return false;
    *ret_value = line + n + 1 + strspn(line + n + 1, " \t");
    return true;
}

static int read_headers(char *line, char *end, struct http_request *r, size_t *ret_length)
{
    while (line < end) {
        char *eol = strstr(line, "\r\n");
        *eol = '\0';
        const char *value;
        if (header_is(line, "Content-Length", &value)) {
            char *rest;
            errno = 0;
            *ret_length = strtoul(value, &rest, 10);
            if (errno != 0 || *rest != '\0' || *ret_length > BODY_MAX)
                return -EINVAL;
        } else if (header_is(line, "Connection", &value)) {
            r->keep_alive = strcasecmp(value, "close") != 0;
        } else if (header_is(line, "X-Api-Key", &value)) {
            r->api_key = value;
        } else if (header_is(line, "Authorization", &value)) {
            r->authorization = value;
        } else if (header_is(line, "Transfer-Encoding", &value)) {
            return -EINVAL;
        }
        line = eol + 2;
    }
    return 0;
}

/* Has it all come? Looked at before anything is written into the buffer, since it is parsed again when more
 * comes. */
static bool whole(const char *data, size_t len, char **ret_end)
{
    char *end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL)
        return false;
    if (memchr(data, '\0', (size_t)(end - data)) != NULL)
        return false; /* never whole: such a client waits for nothing */
    size_t head = (size_t)(end - data) + 4, length = 0;
    for (const char *line = data; line < end; line = strstr(line, "\r\n") + 2) {
        const char *value;
        if (header_is(line, "Content-Length", &value))
            length = strtoul(value, NULL, 10);
    }
    *ret_end = end + 2;
    return length > BODY_MAX || len - head >= length; /* too long: refused at once, by the parser */
}

int http_parse(char *data, size_t len, struct http_request *ret, size_t *ret_used)
{
    char *end;
    if (!whole(data, len, &end))
        return HTTP_MORE;
    *ret = (struct http_request){.keep_alive = true};
    char *eol = strstr(data, "\r\n");
    *eol = '\0';
    ret->method = data;
    char *target = strchr(data, ' ');
    if (target == NULL)
        return -EINVAL;
    *target++ = '\0';
    char *version = strchr(target, ' ');
    if (version == NULL || strncmp(version + 1, "HTTP/1.", 7) != 0)
        return -EINVAL;
    *version = '\0';
    if (version[8] == '0')
        ret->keep_alive = false;
    ret->path = target;
    ret->query = strchr(target, '?');
    if (ret->query != NULL)
        *ret->query++ = '\0';
    else
        ret->query = version; /* the empty string there */
    size_t length = 0;
    int r = read_headers(eol + 2, end, ret, &length);
    if (r < 0)
        return r;
    ret->body = end + 2;
    ret->body_len = length;
    *ret_used = (size_t)(end + 2 - data) + length;
    return *ret_used <= len ? 0 : -EINVAL;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void decode(char *s)
{
    char *out = s;
    for (; *s != '\0'; s++) {
        if (*s == '%' && hex_digit(s[1]) >= 0 && hex_digit(s[2]) >= 0) {
            *out++ = (char)(hex_digit(s[1]) * 16 + hex_digit(s[2]));
            s += 2;
        } else {
            *out++ = *s == '+' ? ' ' : *s;
        }
    }
    *out = '\0';
}

bool form_next(char **rest, char **ret_name, char **ret_value)
{
    char *pair;
    do {
        pair = strsep(rest, "&");
        if (pair == NULL)
            return false;
    } while (*pair == '\0');
    *ret_name = pair;
    *ret_value = strchr(pair, '=');
    if (*ret_value != NULL)
        *(*ret_value)++ = '\0';
    else
        *ret_value = pair + strlen(pair);
    decode(*ret_name);
    decode(*ret_value);
    return true;
}

bool form_read(struct http_request *r, struct form *ret)
{
    char *rests[] = {r->query, strcmp(r->method, "POST") == 0 ? r->body : NULL}, *name, *value;
    ret->count = 0;
    for (size_t i = 0; i < COUNT_OF(rests); i++)
        while (form_next(&rests[i], &name, &value)) {
            if (ret->count == FORM_MAX)
                return false;
            ret->pairs[ret->count].name = name;
            ret->pairs[ret->count++].value = value;
        }
    return true;
}

char *form_value(const struct form *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->pairs[i].name, name) == 0)
            return f->pairs[i].value;
    return NULL;
}

/* Allocation that ends the process when there is no memory: one line, then abort. */
#include "lib/base.h"

#include <stdarg.h>
#include <stdio.h>

static _Noreturn void out_of_memory(size_t bytes)
{
    /* Not through lib/log.h: that needs memory itself. */
    char line[80];
    int len = snprintf(line, sizeof(line), "level=error msg=\"out of memory\" bytes=%zu\n", bytes);
    if (write(STDERR_FILENO, line, (size_t)len) < 0)
        abort(); /* the same end, only unsaid */
    abort();
}

void *xmalloc(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);
    if (!p)
        out_of_memory(bytes);
    return p;
}

void *xcalloc(size_t count, size_t bytes)
{
    void *p = calloc(count ? count : 1, bytes ? bytes : 1);
    if (!p)
        out_of_memory(bytes);
    return p;
}

void *xrealloc(void *p, size_t bytes)
{
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q)
        out_of_memory(bytes);
    return q;
}

char *xstrdup(const char *s)
{
    return s ? xstrndup(s, strlen(s)) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = xmalloc(len + 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *xasprintf(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *s = NULL;
    int len = vasprintf(&s, format, ap);
    va_end(ap);
    if (len < 0)
        out_of_memory(0);
    return s;
}

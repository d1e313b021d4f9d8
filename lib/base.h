/* The few words that every file uses: ownership of locals, must-check results, allocation.
 *
 * Return codes, everywhere in smschain: < 0 is broken (a negative errno; forward it unchanged, the caller
 * reconnects or ends), 0 is done, > 0 is a documented answer of that header's enum which the caller must
 * handle. A function that can only say yes or no returns bool. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define must_check         __attribute__((warn_unused_result))
#define printf_like(f, a)  __attribute__((format(printf, f, a)))
#define cleanup_with(func) __attribute__((cleanup(func)))
#define auto_free          cleanup_with(free_pointed)
#define auto_fd            cleanup_with(close_pointed)

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

static inline void free_pointed(void *p)
{
    free(*(void **)p);
}

static inline void close_pointed(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Memory. All that smschain holds has a named maximum, so running out of it is a fault of the machine: these
 * say so in one log line and abort. A crash at any point is safe here (docs/design.md, "what dies when"). */
void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes);
void *xrealloc(void *p, size_t bytes);
char *xstrdup(const char *s);            /* NULL gives NULL */
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *format, ...) printf_like(1, 2);

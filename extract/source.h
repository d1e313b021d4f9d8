/* A source: a business database that rules read from. A driver is a const table of functions: postgresql, and
 * odbc for all others. What every driver MUST keep (test/service/test_extract.py and test_source_odbc.py look
 * at it through the program):
 *
 *  1. It only reads: read-only transaction, and the source's statement timeout bounds one reading as a whole.
 *  2. Rows come one at a time; its memory does not grow with the result.
 *  3. A value's text form depends on the value alone, not on settings of the server or the role: it goes into
 * keys that say, weeks later, whether a message was sent already. Times are ISO 8601, with a zone in UTC,
 * without one as the source has them; text is UTF-8.
 *  4. source_why never holds a value of a row: what the database says about data is told as its error code
 * only.
 *  5. A row's pointers live until the next call on the source.
 *  6. Nothing is tried again inside: who reads starts anew, with a new pass.
 *  7. close comes back within 10 s, whatever the database does, and nothing goes on at the server for long.
 *
 * One thread uses a source. Calls give 0, one of the answers below, or < 0: the database is away
 * (source_why); -ECANCELED: the process is to end. */
#pragma once
#include "lib/base.h"
#include "lib/conf.h"

enum {
    SOURCE_END = 1, /* no more rows */
    SOURCE_REFUSED =
        2, /* the statement is wrong, not allowed, or took too long: trying again does not help */
};
struct source_row {
    const char *const *names;  /* of the columns; the same in every row of one reading. Of a task's row only
                                  the  first ones are, among them those that the rule names */
    const char *const *values; /* NULL: SQL NULL */
    size_t count;
    /* A task's row only; else NULL: */
    const char *ext_id;   /* theirs */
    const char *template; /* its own; NULL: the rule's */
    const char *refused;  /* a constant: why it can be no message */
};

struct source;
struct source_driver {
    const char *name;                                                                /* conf_source.driver */
    struct source *(*open)(const struct conf_source *conf, const char *application); /* does not connect */
    int (*begin)(struct source *s, const char *sql);
    int (*next)(struct source *s, struct source_row *ret);
    const char *(*why)(const struct source *s); /* of the last call that did not give 0 */
    int (*line)(const struct source
                    *s); /* of the SQL text, from 0, that `why` is about; 0 where it is about all of it */
    void (*close)(
        struct source *s); /* also in the middle of reading: the statement is cancelled at the server */
};
struct source { /* the first member of every driver's own */
    const struct source_driver *driver;
};

extern const struct source_driver source_postgresql, source_odbc,
    source_task; /* not one of a source's file: source_task.h */

/* Is the driver built in? False: message says what to do (conf_checkers). */
bool source_driver_check(const char *driver, char *message, size_t size);
/* NULL: no such driver (the configuration's table lists those there are). */
struct source *source_open(const struct conf_source *conf, const char *application);
int must_check source_begin(struct source *s, const char *sql);
int must_check source_next(struct source *s, struct source_row *ret);
const char *source_why(const struct source *s);
int source_line(const struct source *s);
void source_close(struct source *s);

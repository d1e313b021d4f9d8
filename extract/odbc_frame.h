/* What passes between extract and smschain-source-odbc over their socket: frames, each a kind, a length and
 * strings. Both ends come from one build and live one reading long, so this is no wire of the pipeline and
 * has no version. Strings carry a NUL behind them, so that they are used where they stand. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"

enum odbc_frame_kind {
    ODBC_REQUEST = 'Q', /* connection, SQL, timeout in ms, memory in bytes, then each statement of `setup` */
    ODBC_COLUMNS = 'C', /* their names */
    ODBC_ROW = 'R',     /* their values */
    ODBC_END = 'E',     /* no more rows */
    ODBC_AWAY = 'A',    /* why */
    ODBC_REFUSED = 'X', /* line of the SQL from 0, why */
};
/* How the program ends where it cannot say it any more: whoever watches it ends it in the middle of a call of
 * the driver. */
enum odbc_exit {
    ODBC_EXIT_TOO_LONG = 70,      /* the statement's time is over */
    ODBC_EXIT_NO_CONNECTION = 71, /* not connected within ODBC_CONNECT_MS */
    ODBC_EXIT_MEMORY = 72,        /* over its memory_limit */
};
#define ODBC_SOCKET      3 /* where the program finds it */
#define ODBC_CONNECT_MS  30000
#define ODBC_CANCEL_MS   4000 /* so long a driver may take to cancel a statement at its server */
#define ODBC_COLUMNS_MAX 1000
/* A value that is longer makes the row too long whatever else is in it: the rest is not read. */
#define ODBC_VALUE_MAX ((64u << 10) + 1)
#define ODBC_FRAME_MAX (128u << 20)

size_t odbc_frame_begin(struct buf *out, enum odbc_frame_kind kind); /* gives what odbc_frame_end wants */
void odbc_frame_add(struct buf *out, const char *s, size_t len);     /* s NULL: NULL */
void odbc_frame_add_int(struct buf *out, int64_t n);
void odbc_frame_end(struct buf *out, size_t began);

struct odbc_frame {
    enum odbc_frame_kind kind;
    const char *at;
    size_t left;
};
/* The frame at the head of `data`: its size, 0 where it is not whole yet, -EBADMSG. */
ssize_t must_check odbc_frame_take(const char *data, size_t len, struct odbc_frame *ret);
bool odbc_frame_next(struct odbc_frame *f, const char **ret); /* false: no further string; *ret NULL: NULL */

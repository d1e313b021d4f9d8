/* One reading of an ODBC source: connection, session, statement, rows. Only extract/odbc_session.c and
 * odbc_rows.c know ODBC's own header through this one; both run in smschain-source-odbc. */
#pragma once
#include "extract/odbc_error.h"
#include "extract/odbc_frame.h"
#include "lib/base.h"
#include "lib/buf.h"
#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>

struct odbc_request { /* points into the frame that it came in */
    const char *connection, *sql;
    int64_t timeout_ms, memory_bytes;
    const char *setup[64];
    size_t setup_count;
};

struct odbc_product;
struct odbc_column {
    enum { ODBC_TEXT, ODBC_BYTES, ODBC_BIT } as;
};
struct odbc_session {
    SQLHENV environment;
    SQLHDBC connection;
    SQLHSTMT statement;
    const struct odbc_product *product; /* what we know of its database; NULL: nothing */
    char product_name[64];
    const char *connection_string;
    struct odbc_column *columns;
    SQLUSMALLINT column_count;
    struct buf value; /* of one column, kept from value to value */
};
/* Each: 0, or -1 and *t says why. */
int must_check odbc_connect(struct odbc_session *s, const struct odbc_request *q, struct odbc_trouble *t);
/* Read only, texts that depend on the value alone, then what the configuration says. */
int must_check odbc_set_up(struct odbc_session *s, const struct odbc_request *q, struct odbc_trouble *t);
int must_check odbc_prepare(struct odbc_session *s, const struct odbc_request *q, struct odbc_trouble *t);
int must_check odbc_execute(struct odbc_session *s, struct odbc_trouble *t);
/* Appends the frame of the columns' names. */
int must_check odbc_columns(struct odbc_session *s, struct buf *out, struct odbc_trouble *t);
enum { ODBC_NO_MORE = 1 };
/* Appends the next row's frame. */
int must_check odbc_row(struct odbc_session *s, struct buf *out, struct odbc_trouble *t);

/* The first diagnostic record of a handle, explained. Always -1. */
int odbc_failed(const struct odbc_session *s, SQLSMALLINT type, SQLHANDLE handle, enum odbc_phase phase,
                struct odbc_trouble *t);
bool odbc_plain_text(const struct odbc_session *s); /* the driver takes UTF-8 and gives any type as text */

/* Columns and rows of an ODBC statement as text: see odbc_session.h. Values are read in pieces, one column
 * after the other, so that no driver's idea of a column's longest value decides how much memory is taken. */
#include "extract/odbc_session.h"
#include "extract/utf16.h"
#include <stdio.h>

#define NAME_UNITS  512
#define PIECE_UNITS 4096

static int kind_of(SQLSMALLINT type)
{
    switch (type) {
    case SQL_BINARY:
    case SQL_VARBINARY:
    case SQL_LONGVARBINARY:
        return ODBC_BYTES;
    case SQL_BIT:
        return ODBC_BIT;
    default:
        return ODBC_TEXT;
    }
}

static int describe(struct odbc_session *s, SQLUSMALLINT i, struct buf *out, struct odbc_trouble *t)
{
    SQLWCHAR name[NAME_UNITS + 1] = {0};
    SQLSMALLINT type = 0;
    uint16_t high = 0;
    size_t units = 0;

    /* The length that is given back is not looked at: not all drivers mean the same by it. */
    if (!SQL_SUCCEEDED(SQLDescribeColW(s->statement, i, name, NAME_UNITS, NULL, &type, NULL, NULL, NULL)))
        return odbc_failed(s, SQL_HANDLE_STMT, s->statement, ODBC_READING, t);
    while (name[units])
        units++;
    buf_clear(&s->value);
    utf16_add(&s->value, name, units, &high);
    utf16_end(&s->value, &high);
    odbc_frame_add(out, s->value.data ? s->value.data : "", s->value.len);
    s->columns[i - 1].as = odbc_plain_text(s) ? ODBC_TEXT : kind_of(type);
    return 0;
}

int odbc_columns(struct odbc_session *s, struct buf *out, struct odbc_trouble *t)
{
    SQLSMALLINT count = 0;
    size_t began = odbc_frame_begin(out, ODBC_COLUMNS);

    if (!SQL_SUCCEEDED(SQLNumResultCols(s->statement, &count)))
        return odbc_failed(s, SQL_HANDLE_STMT, s->statement, ODBC_READING, t);
    if (count < 1 || count > ODBC_COLUMNS_MAX) {
        *t = (struct odbc_trouble){.kind = ODBC_REFUSED};
        snprintf(t->why, sizeof(t->why), "the SQL gives %d columns; expected 1 to %d", count,
                 ODBC_COLUMNS_MAX);
        return -1;
    }
    s->column_count = (SQLUSMALLINT)count;
    s->columns = xcalloc((size_t)count, sizeof(*s->columns));
    for (SQLUSMALLINT i = 1; i <= s->column_count; i++)
        if (describe(s, i, out, t) != 0)
            return -1;
    odbc_frame_end(out, began);
    return 0;
}

static void add_hex(struct buf *out, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        buf_add_char(out, digits[bytes[i] >> 4]);
        buf_add_char(out, digits[bytes[i] & 15]);
    }
}

enum { VALUE_NULL = 1, VALUE_FAILED };

/* Reads a column into s->value, piece by piece; what is over ODBC_VALUE_MAX stays where it is. */
static int read_pieces(struct odbc_session *s, SQLUSMALLINT i, bool text)
{
    SQLWCHAR piece[PIECE_UNITS];
    const SQLLEN size = (SQLLEN)sizeof(piece), whole = text ? size - (SQLLEN)sizeof(SQLWCHAR) : size;
    uint16_t high = 0;
    SQLLEN given = 0;

    while (s->value.len < ODBC_VALUE_MAX) {
        SQLRETURN r = SQLGetData(s->statement, i, text ? SQL_C_WCHAR : SQL_C_BINARY, piece, size, &given);
        if (r == SQL_NO_DATA)
            break;
        if (!SQL_SUCCEEDED(r))
            return VALUE_FAILED;
        if (given == SQL_NULL_DATA)
            return VALUE_NULL;
        bool more = given == SQL_NO_TOTAL || given > whole;
        size_t bytes = (size_t)(more ? whole : given);
        if (text)
            utf16_add(&s->value, piece, bytes / sizeof(*piece), &high);
        else
            add_hex(&s->value, (const uint8_t *)piece, bytes);
        if (!more)
            break;
    }
    utf16_end(&s->value, &high);
    return 0;
}

static int read_bit(struct odbc_session *s, SQLUSMALLINT i)
{
    uint8_t bit = 0;
    SQLLEN given = 0;

    if (!SQL_SUCCEEDED(SQLGetData(s->statement, i, SQL_C_BIT, &bit, sizeof(bit), &given)))
        return VALUE_FAILED;
    if (given == SQL_NULL_DATA)
        return VALUE_NULL;
    buf_add_char(&s->value, bit ? '1' : '0');
    return 0;
}

int odbc_row(struct odbc_session *s, struct buf *out, struct odbc_trouble *t)
{
    SQLRETURN r = SQLFetch(s->statement);
    size_t began;

    if (r == SQL_NO_DATA)
        return ODBC_NO_MORE;
    if (!SQL_SUCCEEDED(r))
        return odbc_failed(s, SQL_HANDLE_STMT, s->statement, ODBC_READING, t);
    began = odbc_frame_begin(out, ODBC_ROW);
    for (SQLUSMALLINT i = 1; i <= s->column_count; i++) {
        int x;
        buf_clear(&s->value);
        if (s->columns[i - 1].as == ODBC_BYTES)
            buf_add_str(&s->value, "\\x");
        x = s->columns[i - 1].as == ODBC_BIT ? read_bit(s, i)
                                             : read_pieces(s, i, s->columns[i - 1].as == ODBC_TEXT);
        if (x == VALUE_FAILED)
            return odbc_failed(s, SQL_HANDLE_STMT, s->statement, ODBC_READING, t);
        odbc_frame_add(out, x == VALUE_NULL ? NULL : s->value.data ? s->value.data : "", s->value.len);
    }
    odbc_frame_end(out, began);
    return 0;
}

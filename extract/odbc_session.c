/* Connection and statement: see odbc_session.h. Strings go to the driver manager as UTF-16, which means the
 * same to every driver whatever the locale. */
#include "extract/odbc_session.h"
#include "extract/utf16.h"
#include <stdio.h>

_Static_assert(sizeof(SQLWCHAR) == sizeof(uint16_t), "unixODBC's wide characters are UTF-16 here");

/* What a driver must be told so that it keeps odbc's MUSTs (source.h): where it can be recognised it is told
 * so without anybody's asking. */
struct odbc_product {
    const char *in_string[2]; /* a part of a connection string, or of a driver's file name, that tells it */
    const char *keywords[2];
    const char *session[2]; /* statements: must all succeed */
    const char *timeout;    /* a statement up to its seconds; may fail: not every version has it */
    bool plain_text;        /* see odbc_plain_text */
};
static const struct odbc_product products[] = {
    /* Row by row instead of all of it at once; a misspelt path is no new, empty database. */
    {.in_string = {"sqlite"},
     .keywords = {"StepAPI=1", "NoCreat=1"},
     .session = {"PRAGMA query_only = ON"},
     .plain_text = true},
    /* The driver reads row by row from 3.1.17 on if told so; before, it keeps the whole result in memory. */
    {.in_string = {"mariadb", "maodbc"},
     .keywords = {"NO_CACHE=1", "FORWARDONLY=1"},
     .session = {"SET SESSION TRANSACTION READ ONLY", "SET SESSION time_zone = '+00:00'"},
     .timeout = "SET SESSION max_statement_time = "},
};

bool odbc_plain_text(const struct odbc_session *s)
{
    return s->product && s->product->plain_text;
}

static const struct odbc_product *product_in(const char *text)
{
    for (size_t i = 0; i < COUNT_OF(products); i++)
        for (size_t j = 0; j < COUNT_OF(products[i].in_string) && products[i].in_string[j]; j++)
            if (strcasestr(text, products[i].in_string[j]))
                return &products[i];
    return NULL;
}

/* ---- what went wrong ---- */

static void diagnosis_of(SQLSMALLINT type, SQLHANDLE handle, struct odbc_diagnosis *d)
{
    SQLWCHAR state[6] = {0}, words[SQL_MAX_MESSAGE_LENGTH] = {0};
    SQLINTEGER native = 0;
    uint16_t high = 0;
    auto_buf text = {0};

    *d = (struct odbc_diagnosis){.state = "HY000", .words = "the driver says nothing"};
    if (!SQL_SUCCEEDED(SQLGetDiagRecW(type, handle, 1, state, &native, words, COUNT_OF(words), NULL)))
        return;
    d->native = native;
    for (size_t i = 0; i < 5; i++)
        d->state[i] = (char)state[i];
    words[COUNT_OF(words) - 1] = 0;
    for (size_t i = 0; words[i]; i++)
        utf16_add(&text, &words[i], 1, &high);
    utf16_end(&text, &high);
    if (text.len > 0)
        snprintf(d->words, sizeof(d->words), "%s", text.data);
}

static bool is_connected(const struct odbc_session *s)
{
    SQLULEN dead = SQL_CD_FALSE;

    return !SQL_SUCCEEDED(
               SQLGetConnectAttr(s->connection, SQL_ATTR_CONNECTION_DEAD, &dead, SQL_IS_UINTEGER, NULL)) ||
           dead != SQL_CD_TRUE;
}

int odbc_failed(const struct odbc_session *s, SQLSMALLINT type, SQLHANDLE handle, enum odbc_phase phase,
                struct odbc_trouble *t)
{
    struct odbc_diagnosis d;

    diagnosis_of(type, handle, &d);
    odbc_explain(t, phase, &d, s->product_name, phase == ODBC_CONNECTING || is_connected(s),
                 s->connection_string);
    return -1;
}

/* ---- connecting ---- */

/* The configured string and what its product needs beside it. */
static char *with_keywords(const char *connection, const struct odbc_product *product)
{
    auto_buf out = {0};

    buf_add_str(&out, connection);
    for (size_t i = 0; product && i < COUNT_OF(product->keywords) && product->keywords[i]; i++) {
        const char *keyword = product->keywords[i];
        auto_free char *name = xstrndup(keyword, strcspn(keyword, "="));
        if (!strcasestr(connection, name))
            buf_addf(&out, "%s%s", out.len > 0 && out.data[out.len - 1] == ';' ? "" : ";", keyword);
    }
    return buf_take(&out, NULL);
}

static int connect_with(struct odbc_session *s, const char *connection, struct odbc_trouble *t)
{
    auto_free uint16_t *wide = utf16_of(connection, NULL);
    const SQLULEN login_s = ODBC_CONNECT_MS / 1000 - 5;
    SQLRETURN r;

    SQLAllocHandle(SQL_HANDLE_DBC, s->environment, &s->connection);
    /* Both are asked for and may be refused: the session's statements and the watch are what counts. */
    SQLSetConnectAttr(s->connection, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)login_s, SQL_IS_UINTEGER);
    SQLSetConnectAttr(s->connection, SQL_ATTR_ACCESS_MODE, (SQLPOINTER)SQL_MODE_READ_ONLY, SQL_IS_UINTEGER);
    r = SQLDriverConnectW(s->connection, NULL, wide, SQL_NTS, NULL, 0, NULL, SQL_DRIVER_NOPROMPT);
    return SQL_SUCCEEDED(r) ? 0 : odbc_failed(s, SQL_HANDLE_DBC, s->connection, ODBC_CONNECTING, t);
}

static void info(const struct odbc_session *s, SQLUSMALLINT what, char *out, SQLSMALLINT size)
{
    out[0] = '\0';
    if (!SQL_SUCCEEDED(SQLGetInfo(s->connection, what, out, size, NULL)))
        out[0] = '\0';
    out[size - 1] = '\0';
}

int odbc_connect(struct odbc_session *s, const struct odbc_request *q, struct odbc_trouble *t)
{
    const struct odbc_product *guessed = product_in(q->connection);
    auto_free char *connection = with_keywords(q->connection, guessed);
    char driver[128];

    s->connection_string = q->connection;
    SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &s->environment);
    SQLSetEnvAttr(s->environment, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
    if (connect_with(s, connection, t) != 0)
        return -1;
    info(s, SQL_DRIVER_NAME, driver, sizeof(driver));
    info(s, SQL_DBMS_NAME, s->product_name, sizeof(s->product_name));
    s->product = product_in(driver);
    if (!s->product)
        s->product = product_in(s->product_name);
    if (!s->product || s->product == guessed)
        return 0;
    /* A data source's name does not tell what it is: now that it is known, once more with the right words. */
    free(connection);
    connection = with_keywords(q->connection, s->product);
    SQLDisconnect(s->connection);
    SQLFreeHandle(SQL_HANDLE_DBC, s->connection);
    return connect_with(s, connection, t);
}

/* ---- the session ---- */

static int run(struct odbc_session *s, const char *sql, struct odbc_trouble *t)
{
    auto_free uint16_t *wide = utf16_of(sql, NULL);
    SQLHSTMT statement = SQL_NULL_HSTMT;
    SQLRETURN r;
    int result = 0;

    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, s->connection, &statement)))
        return odbc_failed(s, SQL_HANDLE_DBC, s->connection, ODBC_SETTING_UP, t);
    r = SQLExecDirectW(statement, wide, SQL_NTS);
    if (!SQL_SUCCEEDED(r) && r != SQL_NO_DATA)
        result = odbc_failed(s, SQL_HANDLE_STMT, statement, ODBC_SETTING_UP, t);
    SQLFreeHandle(SQL_HANDLE_STMT, statement);
    return result;
}

/* Puts before the reason what it was that failed. */
static void name_it(struct odbc_trouble *t, const char *what)
{
    char why[sizeof(t->why)];

    snprintf(why, sizeof(why), "%s", t->why);
    snprintf(t->why, sizeof(t->why), "%.80s: %.*s", what, (int)sizeof(t->why) - 90, why);
}

int odbc_set_up(struct odbc_session *s, const struct odbc_request *q, struct odbc_trouble *t)
{
    const struct odbc_product *p = s->product;
    struct odbc_trouble ignored;

    for (size_t i = 0; p && i < COUNT_OF(p->session) && p->session[i]; i++) {
        if (run(s, p->session[i], t) != 0) {
            name_it(t, "the session cannot be made read only, with times in UTC");
            return -1;
        }
    }
    if (p && p->timeout) {
        auto_free char *sql = xasprintf("%s%lld", p->timeout, (long long)(q->timeout_ms / 1000 + 2));
        (void)!run(s, sql, &ignored);
    }
    for (size_t i = 0; i < q->setup_count; i++) {
        if (run(s, q->setup[i], t) != 0) {
            auto_free char *what = xasprintf("statement %zu of setup", i + 1);
            name_it(t, what);
            return -1;
        }
    }
    /* Never committed, so that where nothing else forbids to write, what was written is undone. SQLite's
     * session is read only, and within a transaction of its own its driver would take the whole result into
     * memory. */
    if (!odbc_plain_text(s) &&
        !SQL_SUCCEEDED(SQLSetConnectAttr(s->connection, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)SQL_AUTOCOMMIT_OFF,
                                         SQL_IS_UINTEGER)))
        return odbc_failed(s, SQL_HANDLE_DBC, s->connection, ODBC_SETTING_UP, t);
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, s->connection, &s->statement)))
        return odbc_failed(s, SQL_HANDLE_DBC, s->connection, ODBC_SETTING_UP, t);
    return 0;
}

/* ---- the statement ---- */

int odbc_prepare(struct odbc_session *s, const struct odbc_request *q, struct odbc_trouble *t)
{
    const SQLULEN seconds = (SQLULEN)(q->timeout_ms / 1000 + 2);
    SQLSMALLINT columns = 0;
    SQLRETURN r;

    SQLSetStmtAttr(s->statement, SQL_ATTR_CURSOR_TYPE, (SQLPOINTER)SQL_CURSOR_FORWARD_ONLY, SQL_IS_UINTEGER);
    SQLSetStmtAttr(s->statement, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)seconds, SQL_IS_UINTEGER);
    if (odbc_plain_text(s)) {
        auto_free char *sql = xstrdup(q->sql);
        r = SQLPrepare(s->statement, (SQLCHAR *)sql, SQL_NTS);
    } else {
        auto_free uint16_t *wide = utf16_of(q->sql, NULL);
        r = SQLPrepareW(s->statement, wide, SQL_NTS);
    }
    if (!SQL_SUCCEEDED(r) || !SQL_SUCCEEDED(SQLNumResultCols(s->statement, &columns)))
        return odbc_failed(s, SQL_HANDLE_STMT, s->statement, ODBC_READING, t);
    if (columns > 0)
        return 0;
    /* Before it has run. */
    *t = (struct odbc_trouble){.kind = ODBC_REFUSED};
    snprintf(t->why, sizeof(t->why), "the statement gives no columns; a rule's SQL is one SELECT");
    return -1;
}

int odbc_execute(struct odbc_session *s, struct odbc_trouble *t)
{
    SQLRETURN r = SQLExecute(s->statement);

    if (SQL_SUCCEEDED(r) || r == SQL_NO_DATA)
        return 0;
    return odbc_failed(s, SQL_HANDLE_STMT, s->statement, ODBC_READING, t);
}

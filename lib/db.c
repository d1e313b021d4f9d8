/* PostgreSQL: opening, losing and waiting for a connection, and what an error means. */
#include "lib/db_internal.h"

#include <poll.h>
#include <stdio.h>

struct db *db_new(const struct db_options *opts)
{
    struct db *d = xcalloc(1, sizeof(*d));

    d->conninfo = xstrdup(opts->conninfo ? opts->conninfo : "");
    d->user = xstrdup(opts->user);
    d->password = xstrdup(opts->password);
    d->name = xstrdup(opts->name ? opts->name : "smschain");
    d->statement_timeout_ms = opts->statement_timeout_ms;
    d->idle_session_timeout_ms = opts->idle_session_timeout_ms;
    d->idle_in_transaction_timeout_ms = opts->idle_in_transaction_timeout_ms;
    d->read_only = opts->read_only;
    link_begin(&d->link, opts->foreign ? NULL : &links_database);
    return d;
}

void db_free(struct db *d)
{
    if (!d)
        return;
    db_drop(d);
    link_end(&d->link);
    free(d->conninfo);
    free(d->user);
    free(d->password);
    free(d->name);
    free(d);
}

void db_forget_prepared(struct db *d, bool only_in_pipeline)
{
    struct db_prepared *s, *next;

    HASH_ITER (hh, d->prepared, s, next) {
        if (only_in_pipeline && !s->in_pipeline)
            continue;
        HASH_DEL(d->prepared, s);
        free(s->key);
        free(s);
    }
}

void db_drop(struct db *d)
{
    db_forget_prepared(d, false);
    PQclear(d->async_result);
    d->async_result = NULL;
    PQfinish(d->conn);
    d->conn = NULL;
    d->mode = DB_IDLE;
    link_closed(&d->link);
}

/* ---- what an error means ---- */

/* Errors may quote the value that did not fit, and values are numbers and texts of people: runs of digits as
 * long as a phone number's are hidden but for two, and what a class 22 message quotes at its end is left out.
 */
static void set_error(struct db *d, const char *message)
{
    size_t n = 0;

    for (const char *p = message; *p && *p != '\n' && n < sizeof(d->error) - 1;) {
        const size_t digits = strspn(p, "0123456789"), run = MAX_OF(digits, 1u);

        for (size_t i = 0; i < run && n < sizeof(d->error) - 1; i++)
            d->error[n++] = digits >= 7 && i >= 2 ? '*' : p[i];
        p += run;
    }
    d->error[n] = '\0';
    char *quoted = strncmp(d->sqlstate, "22", 2) == 0 ? strstr(d->error, ": \"") : NULL;
    if (quoted)
        *quoted = '\0';
}

static int code_of(const char *state)
{
    static const struct {
        const char *prefix;
        int code;
    } codes[] = {
        {"40001", DB_RETRY},  {"40P01", DB_RETRY}, {"55P03", DB_RETRY},   {"57014", DB_CANCELLED},
        {"42501", DB_DENIED}, {"22", DB_BAD_DATA}, {"23", DB_CONSTRAINT}, {"28", DB_DENIED},
        {"42", DB_BAD_SQL},   {"53", DB_FULL},
    };

    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        if (strncmp(state, codes[i].prefix, strlen(codes[i].prefix)) == 0)
            return codes[i].code;
    }
    return DB_OTHER;
}

/* The session ends with this error, or what we think is prepared on it is not. */
static bool ends_session(const PGresult *pg, const char *state)
{
    const char *severity = PQresultErrorField(pg, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *function = PQresultErrorField(pg, PG_DIAG_SOURCE_FUNCTION);

    if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        return true;
    if (strncmp(state, "08", 2) == 0 || strcmp(state, "26000") == 0)
        return true;
    return function &&
           strcmp(function, "RevalidateCachedQuery") == 0; /* the tables changed under the statement */
}

int db_failed(struct db *d, const PGresult *pg, const char *statement)
{
    const char *state = PQresultErrorField(pg, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(pg, PG_DIAG_MESSAGE_PRIMARY);
    const char *position = PQresultErrorField(pg, PG_DIAG_STATEMENT_POSITION);

    snprintf(d->sqlstate, sizeof(d->sqlstate), "%s", state ? state : "");
    set_error(d, message ? message : PQresultErrorMessage(pg));
    d->error_position = position ? atoi(position) : 0;
    if (!state || PQstatus(d->conn) == CONNECTION_BAD || ends_session(pg, state)) {
        char why[DB_ERROR_SIZE];
        snprintf(why, sizeof(why), "%s", d->error);
        return db_lost(d, why);
    }
    const int code = code_of(state);
    const bool expected = code == DB_RETRY || code == DB_CONSTRAINT || code == DB_BAD_DATA || code == DB_FULL;
    if (code == DB_FULL)
        db_full_met(d, statement);
    LOG_AT(expected ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, "statement failed", L_STR("statement", statement),
           L_STR("connection", d->name), L_STR("sqlstate", d->sqlstate), L_STR("error", d->error));
    return code;
}

int db_lost(struct db *d, const char *why)
{
    const int64_t now = clock_mono_ms();

    if (d->opened_mono_ms && now - d->opened_mono_ms > DB_STEADY_MS)
        d->failures = 0;
    d->opened_mono_ms = 0;
    d->failures++;
    d->next_try_mono_ms = now + clock_backoff_ms(d->failures, DB_BACKOFF_BASE_MS, DB_BACKOFF_MAX_MS);
    if (why != d->error)
        set_error(d, why);
    const struct log_field fields[] = {L_STR("connection", d->name), L_STR("sqlstate", d->sqlstate),
                                       L_STR("error", d->error)};
    log_trouble_begins(&d->away, "database is away", fields, COUNT_OF(fields));
    log_fields(LOG_LEVEL_DEBUG, "database connection failed", fields, COUNT_OF(fields));
    db_drop(d);
    link_lost(&d->link, d->error);
    return -ECONNRESET;
}

const char *db_error(const struct db *d)
{
    return d->error;
}

const char *db_sqlstate(const struct db *d)
{
    return d->sqlstate;
}

int db_error_position(const struct db *d)
{
    return d->error_position;
}

/* ---- connecting ---- */

static void notice(void *arg, const PGresult *pg)
{
    const struct db *d = arg;
    const char *message = PQresultErrorField(pg, PG_DIAG_MESSAGE_PRIMARY);

    log_debug("notice of the database", L_STR("connection", d->name),
              L_STR("notice", message ? message : ""));
}

/* `options` of the conninfo first, then ours: the later one of two settings holds. */
static void startup_options(const struct db *d, struct buf *out)
{
    PQconninfoOption *given = PQconninfoParse(d->conninfo, NULL);

    for (PQconninfoOption *o = given; o && o->keyword; o++) {
        if (strcmp(o->keyword, "options") == 0 && o->val)
            buf_addf(out, "%s ", o->val);
    }
    PQconninfoFree(given);
    /* A claim must be on disk before a byte leaves, whatever the server, the database or the role say. */
    buf_add_str(out, "-c TimeZone=UTC -c DateStyle=ISO -c synchronous_commit=on");
    buf_addf(out, " -c statement_timeout=%d", d->statement_timeout_ms);
    if (d->idle_session_timeout_ms > 0)
        buf_addf(out, " -c idle_session_timeout=%d", d->idle_session_timeout_ms);
    if (d->idle_in_transaction_timeout_ms > 0)
        buf_addf(out, " -c idle_in_transaction_session_timeout=%d", d->idle_in_transaction_timeout_ms);
    /* The same for a machine that is gone, and for a process that was stopped while it read a result. */
    if (d->idle_session_timeout_ms > 0 || d->idle_in_transaction_timeout_ms > 0)
        buf_add_str(out, " -c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
                         " -c tcp_user_timeout=30000");
    if (d->read_only)
        buf_add_str(out, " -c default_transaction_read_only=on");
}

static PGconn *connect_start(const struct db *d)
{
    const char *keys[20], *values[20];
    auto_buf options = {0};
    size_t n = 0;

    startup_options(d, &options);
#define SET(k, v) (keys[n] = (k), values[n++] = (v))
    SET("gssencmode", "disable"); /* before the conninfo: a default */
    SET("keepalives_idle", "15");
    SET("keepalives_interval", "5");
    SET("keepalives_count", "3");
    SET("tcp_user_timeout", "30000");
    SET("dbname", d->conninfo);
    if (d->user && *d->user) /* after it: ours holds */
        SET("user", d->user);
    if (d->password && *d->password)
        SET("password", d->password);
    SET("application_name", d->name);
    SET("client_encoding", "UTF8");
    SET("options", options.data);
    SET(NULL, NULL);
#undef SET
    return PQconnectStartParams(keys, values, 1);
}

static bool connect_wait(PGconn *conn, int64_t deadline)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    if (PQstatus(conn) == CONNECTION_BAD)
        return false;
    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED)
            return false;
        struct pollfd p = {.fd = PQsocket(conn),
                           .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        const int64_t left = deadline - clock_mono_ms();
        if (left <= 0)
            return false;
        int r = poll(&p, 1, (int)left);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return false;
        status = PQconnectPoll(conn);
    }
    return true;
}

static int connect_now(struct db *d)
{
    const int64_t deadline = clock_mono_ms() + DB_CONNECT_TIMEOUT_MS;

    d->sqlstate[0] = d->error[0] = '\0';
    d->conn = connect_start(d);
    if (!d->conn)
        return db_lost(d, "no memory for a connection");
    if (!connect_wait(d->conn, deadline)) {
        const char *message = PQerrorMessage(d->conn);
        char why[DB_ERROR_SIZE];

        snprintf(why, sizeof(why), "%s", *message ? message : "no connection within the time");
        return db_lost(d, why);
    }
    if (PQsetnonblocking(d->conn, 1) != 0)
        return db_lost(d, "no non-blocking connection");
    PQsetNoticeReceiver(d->conn, notice, d);
    d->opened_mono_ms = clock_mono_ms();
    d->generation++;
    log_trouble_ends(&d->away, "database is back");
    link_opened(&d->link);
    return 0;
}

static int lost_with_libpq_words(struct db *d)
{
    char why[DB_ERROR_SIZE];

    snprintf(why, sizeof(why), "%s", PQerrorMessage(d->conn));
    return db_lost(d, why);
}

/* The server may have ended the session while we were idle: then its last words and the end of the stream are
 * waiting, one after the other. */
static int still_there(struct db *d)
{
    struct pollfd p = {.fd = PQsocket(d->conn), .events = POLLIN};

    for (int looks = 0; looks < 4 && poll(&p, 1, 0) != 0; looks++) {
        if (!PQconsumeInput(d->conn) || PQstatus(d->conn) != CONNECTION_OK)
            return lost_with_libpq_words(d);
        (void)PQisBusy(d->conn); /* has libpq look at what came; notifications stay for db_notified */
    }
    return 0;
}

int db_ready(struct db *d)
{
    if (d->conn && d->mode == DB_IDLE)
        return still_there(d);
    if (d->conn)
        return 0;
    if (clock_mono_ms() < d->next_try_mono_ms)
        return -ENOTCONN;
    return connect_now(d);
}

uint64_t db_generation(const struct db *d)
{
    return d->generation;
}

int db_fd(const struct db *d)
{
    return d->conn ? PQsocket(d->conn) : -1;
}

bool db_idle(const struct db *d)
{
    return d->conn && d->mode == DB_IDLE && PQtransactionStatus(d->conn) == PQTRANS_IDLE;
}

/* ---- waiting for the server ---- */

int db_enter(struct db *d, enum db_mode mode)
{
    if (!d->conn) {
        if (!*d->error)
            snprintf(d->error, sizeof(d->error), "not connected");
        return -ENOTCONN;
    }
    if (d->mode != mode) {
        log_error("a call in the middle of another on one connection", L_STR("connection", d->name),
                  L_INT("doing", d->mode), L_INT("wanted", mode));
        abort();
    }
    d->error[0] = d->sqlstate[0] = '\0';
    d->error_position = 0;
    d->deadline_mono_ms = d->statement_timeout_ms > 0
                              ? clock_mono_ms() + d->statement_timeout_ms + DB_ANSWER_GRACE_MS
                              : INT64_MAX;
    return 0;
}

int db_exchange(struct db *d, bool wait)
{
    const int unsent = PQflush(d->conn);

    if (unsent < 0) {
        /* The server may have said why it closed before it did: read that first. */
        (void)PQconsumeInput(d->conn);
        return lost_with_libpq_words(d);
    }
    const int64_t left = d->deadline_mono_ms - clock_mono_ms();
    if (left <= 0)
        return db_lost(d, "no answer within the time");
    struct pollfd p = {.fd = PQsocket(d->conn), .events = (short)(POLLIN | (unsent ? POLLOUT : 0))};
    int r = poll(&p, 1, wait ? (int)MIN_OF(left, 60000) : 0);
    if (r < 0 && errno != EINTR)
        return db_lost(d, "poll failed");
    if (r > 0 && (p.revents & ~POLLOUT) && !PQconsumeInput(d->conn))
        return lost_with_libpq_words(d);
    return 0;
}

int db_next_result(struct db *d, PGresult **ret)
{
    int r;

    *ret = NULL;
    if (PQflush(d->conn) != 0) { /* not all sent, or broken: db_exchange finds out */
        r = db_exchange(d, false);
        if (r < 0)
            return r;
    }
    while (PQisBusy(d->conn)) {
        r = db_exchange(d, true);
        if (r < 0)
            return r;
    }
    *ret = PQgetResult(d->conn);
    return 0;
}

/* PostgreSQL: a source's query, read row by row, so that memory does not grow with the result. The text comes
 * from a rule; it goes over the extended protocol, which takes one statement only. */
#include "lib/db_internal.h"

#include <poll.h>

#define ABORT_MS     5000
#define ASK_AGAIN_MS 200

int db_stream_begin(struct db *d, const char *sql)
{
    int r = db_enter(d, DB_IDLE);

    if (r < 0)
        return r;
    if (!PQsendQueryParams(d->conn, sql, 0, NULL, NULL, NULL, NULL, 0) || !PQsetSingleRowMode(d->conn))
        return db_lost(d, PQerrorMessage(d->conn));
    d->mode = DB_STREAMING;
    return 0;
}

static void next_deadline(struct db *d)
{
    d->deadline_mono_ms = d->statement_timeout_ms > 0
                              ? clock_mono_ms() + d->statement_timeout_ms + DB_ANSWER_GRACE_MS
                              : INT64_MAX;
}

int db_stream_next(struct db *d, struct db_result **ret)
{
    *ret = NULL;
    if (!d->conn)
        return -ENOTCONN;
    if (d->mode == DB_IDLE)
        return 0; /* all rows were read */
    for (;;) {
        PGresult *pg;

        next_deadline(d);
        int r = db_next_result(d, &pg);
        if (r < 0)
            return r;
        if (!pg) {
            d->mode = DB_IDLE;
            return 0;
        }
        const ExecStatusType status = PQresultStatus(pg);
        if (status == PGRES_SINGLE_TUPLE) {
            *ret = db_result_wrap(pg);
            return 0;
        }
        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
            PQclear(pg); /* the end of the rows; NULL follows */
            continue;
        }
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
            PQclear(pg);
            return db_lost(d, "a source's SQL may not be COPY");
        }
        r = db_failed(d, pg, "source");
        PQclear(pg);
        if (r < 0)
            return r;
        const int rest = db_finish_command(d, "source");
        if (rest < 0)
            return rest;
        d->mode = DB_IDLE;
        return r;
    }
}

static void ask_to_cancel(struct db *d)
{
    char why[256];
    PGcancel *cancel = PQgetCancel(d->conn);

    if (cancel && !PQcancel(cancel, why, sizeof(why)))
        log_debug("cancelling failed", L_STR("connection", d->name), L_STR("error", why));
    PQfreeCancel(cancel);
}

/* Reads rows away, and the error that was asked for. True: that is the end of them. */
static bool drained(struct db *d)
{
    while (!PQisBusy(d->conn)) {
        PGresult *pg = PQgetResult(d->conn);

        if (!pg)
            return true;
        PQclear(pg);
    }
    return false;
}

void db_stream_abort(struct db *d)
{
    const int64_t deadline = clock_mono_ms() + ABORT_MS;
    int64_t next_ask = 0;

    if (!d->conn || d->mode != DB_STREAMING)
        return;
    while (clock_mono_ms() < deadline && PQflush(d->conn) >= 0) {
        if (drained(d) && PQstatus(d->conn) == CONNECTION_OK) {
            d->mode = DB_IDLE;
            return;
        }
        /* Again and again: what comes before the server has begun the statement is lost. */
        if (clock_mono_ms() >= next_ask) {
            ask_to_cancel(d);
            next_ask = clock_mono_ms() + ASK_AGAIN_MS;
        }
        struct pollfd p = {.fd = PQsocket(d->conn), .events = POLLIN};
        if (poll(&p, 1, ASK_AGAIN_MS) > 0 && !PQconsumeInput(d->conn))
            break;
    }
    db_drop(d);
}

/* PostgreSQL: a source's query, read row by row, so that memory does not grow with the result. The text comes from a
 * rule; it goes over the extended protocol, which takes one statement only. */
#include "lib/db_internal.h"

#define ABORT_MS 5000

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

void db_stream_abort(struct db *d)
{
    if (!d->conn || d->mode != DB_STREAMING)
        return;
    char why[256];
    PGcancel *cancel = PQgetCancel(d->conn);
    const bool asked = cancel && PQcancel(cancel, why, sizeof(why));
    const int64_t deadline = clock_mono_ms() + ABORT_MS;

    PQfreeCancel(cancel);
    d->deadline_mono_ms = deadline;
    while (asked && d->conn) {
        PGresult *pg;

        if (clock_mono_ms() > deadline || db_next_result(d, &pg) < 0)
            break;
        if (!pg) {
            d->mode = DB_IDLE;
            return;
        }
        PQclear(pg); /* rows, and the error that we asked for */
    }
    db_drop(d);
}

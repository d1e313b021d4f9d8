/* PostgreSQL: running prepared statements, alone (waiting or not) or several in a pipeline, and transactions.
 */
#include "lib/db_internal.h"

#include <stdio.h>

static const char *const statement_begin = "BEGIN", *const statement_commit = "COMMIT",
                         *const statement_rollback = "ROLLBACK";

/* ---- prepared statements ---- */

static void make_key(const struct db_sql *sql, const struct db_values *v, struct buf *key)
{
    for (int i = 0; i < v->count; i++)
        buf_addf(key, "%u,", v->types[i]);
    buf_add_char(key, ':');
    buf_add_str(key, sql->text);
}

static struct db_prepared *find_prepared(struct db *d, const struct buf *key)
{
    struct db_prepared *s;

    HASH_FIND(hh, d->prepared, key->data, key->len, s);
    return s;
}

/* Queues the preparing; the statement counts as prepared from now on (and is forgotten if that turns out
 * wrong). */
static struct db_prepared *send_prepare(struct db *d, const struct db_sql *sql, const struct db_values *v,
                                        struct buf *key)
{
    struct db_prepared *s = xcalloc(1, sizeof(*s));

    /* A new name each time: after a failed pipeline it is not known whether the old one is taken. */
    snprintf(s->name, sizeof(s->name), "%.40s_%llu", sql->name, (unsigned long long)++d->names);
    s->in_pipeline = true;
    const size_t len = key->len;
    s->key = buf_take(key, NULL);
    if (!PQsendPrepare(d->conn, s->name, sql->text, v->count, v->types)) {
        free(s->key);
        free(s);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, d->prepared, s->key, len, s);
    return s;
}

static bool send_run(struct db *d, const struct db_sql *sql, const struct db_prepared *s,
                     const struct db_values *v)
{
    return PQsendQueryPrepared(d->conn, s->name, v->count, v->values, v->lengths, v->formats, sql->binary);
}

static void keep_prepared(struct db *d)
{
    struct db_prepared *s, *next;

    HASH_ITER (hh, d->prepared, s, next)
        s->in_pipeline = false;
}

static int could_not_send(struct db *d)
{
    char why[DB_ERROR_SIZE];

    snprintf(why, sizeof(why), "%s", PQerrorMessage(d->conn));
    return db_lost(d, why);
}

/* In pipeline mode: prepares if need be, and runs. */
static bool send_in_pipeline(struct db *d, const struct db_sql *sql, const struct db_values *v,
                             struct buf *key)
{
    struct db_prepared *s = find_prepared(d, key);

    if (!s)
        s = send_prepare(d, sql, v, key);
    return s && send_run(d, sql, s, v);
}

/* ---- one statement, not waiting ---- */

int db_start(struct db *d, const struct db_sql *sql, const struct db_params *params)
{
    struct db_values v;
    auto_buf key = {0};
    bool sent;
    int r = db_enter(d, DB_IDLE);

    if (r < 0)
        return r;
    db_params_view(params, &v);
    make_key(sql, &v, &key);
    const struct db_prepared *s = find_prepared(d, &key);
    d->async_in_pipeline = !s;
    if (s) {
        sent = send_run(d, sql, s, &v);
    } else {
        /* Preparing and running go out together, so that the first use does not wait either. */
        sent = PQenterPipelineMode(d->conn) && send_in_pipeline(d, sql, &v, &key) && PQpipelineSync(d->conn);
    }
    db_values_deinit(&v);
    if (!sent)
        return could_not_send(d);
    d->mode = DB_ASYNC;
    d->async_code = 0;
    snprintf(d->running, sizeof(d->running), "%s", sql->name);
    return db_exchange(d, false);
}

/* One result of the statement that runs. */
static int take_async(struct db *d, PGresult *pg)
{
    switch (PQresultStatus(pg)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        /* The preparing's own result comes first and is replaced. */
        PQclear(d->async_result);
        d->async_result = pg;
        return 0;
    case PGRES_PIPELINE_ABORTED:
    case PGRES_PIPELINE_SYNC:
        PQclear(pg);
        return 0;
    case PGRES_FATAL_ERROR:
    case PGRES_NONFATAL_ERROR:
    case PGRES_BAD_RESPONSE:
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH:
    case PGRES_SINGLE_TUPLE:
    default: {
        const int code = db_failed(d, pg, d->running);
        PQclear(pg);
        if (code > 0 && d->async_code == 0)
            d->async_code = code;
        return MIN_OF(code, 0);
    }
    }
}

static int finish_async(struct db *d, struct db_result **ret)
{
    const int code = d->async_code;

    if (d->async_in_pipeline) {
        if (!PQexitPipelineMode(d->conn))
            return could_not_send(d);
        if (code > 0)
            db_forget_prepared(d, true);
        else
            keep_prepared(d);
    }
    d->mode = DB_IDLE;
    if (code == 0)
        db_full_over(d->running);
    if (code == 0 && ret)
        *ret = db_result_wrap(d->async_result);
    else
        PQclear(d->async_result);
    d->async_result = NULL;
    return code;
}

int db_poll(struct db *d, struct db_result **ret)
{
    int r;

    if (ret)
        *ret = NULL;
    if (!d->conn)
        return -ENOTCONN;
    if (d->mode != DB_ASYNC)
        return db_enter(d, DB_ASYNC);
    r = db_exchange(d, false);
    if (r < 0)
        return r;
    while (!PQisBusy(d->conn)) {
        PGresult *pg = PQgetResult(d->conn);

        if (!pg) {
            /* In a pipeline this ends one command's results; the pipeline's own end is its sync. */
            if (!d->async_in_pipeline)
                return finish_async(d, ret);
            if (PQstatus(d->conn) != CONNECTION_OK || PQpipelineStatus(d->conn) == PQ_PIPELINE_OFF)
                return could_not_send(d);
            continue;
        }
        const bool sync = PQresultStatus(pg) == PGRES_PIPELINE_SYNC;
        r = take_async(d, pg);
        if (r < 0)
            return r;
        if (sync)
            return finish_async(d, ret);
    }
    return DB_BUSY;
}

int db_run(struct db *d, const struct db_sql *sql, const struct db_params *params, struct db_result **ret)
{
    int r = db_start(d, sql, params);

    if (ret)
        *ret = NULL;
    while (r == 0) {
        r = db_poll(d, ret);
        if (r != DB_BUSY)
            return r;
        r = db_exchange(d, true);
    }
    return r;
}

/* ---- simple statements and transactions ---- */

int db_finish_command(struct db *d, const char *statement)
{
    int code = 0;

    for (;;) {
        PGresult *pg;
        int r = db_next_result(d, &pg);

        if (r < 0)
            return r;
        if (!pg) {
            if (code == 0)
                db_full_over(statement);
            return code;
        }
        const ExecStatusType status = PQresultStatus(pg);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY &&
            code == 0)
            code = db_failed(d, pg, statement);
        PQclear(pg);
        if (code < 0)
            return code;
    }
}

/* ret: the first result if it is fine (NULL otherwise). */
int db_simple(struct db *d, const char *sql, const char *statement, PGresult **ret)
{
    PGresult *pg;
    int r;

    *ret = NULL;
    if (!PQsendQuery(d->conn, sql))
        return could_not_send(d);
    r = db_next_result(d, &pg);
    if (r < 0)
        return r;
    const ExecStatusType status = PQresultStatus(pg);
    if (status == PGRES_COPY_IN) {
        *ret = pg;
        return 0;
    }
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
        r = db_failed(d, pg, statement);
        PQclear(pg);
        if (r < 0)
            return r;
        pg = NULL;
    }
    const int rest = db_finish_command(d, statement);
    if (rest < 0 || (rest > 0 && r == 0))
        r = rest;
    if (r == 0)
        *ret = pg;
    else
        PQclear(pg);
    return r;
}

static int run_word(struct db *d, const char *word)
{
    PGresult *pg;
    int r = db_enter(d, DB_IDLE);

    if (r < 0)
        return r;
    r = db_simple(d, word, word, &pg);
    /* The commit of a failed transaction is answered with success and the word ROLLBACK. */
    if (r == 0 && word == statement_commit && strcmp(PQcmdStatus(pg), "COMMIT") != 0) {
        snprintf(d->error, sizeof(d->error), "the transaction had failed: rolled back");
        r = DB_OTHER;
    }
    PQclear(pg);
    return r;
}

int db_script(struct db *d, const char *sql)
{
    PGresult *pg;
    int r = db_enter(d, DB_IDLE);

    if (r < 0)
        return r;
    r = db_simple(d, sql, "script", &pg);
    PQclear(pg);
    return r;
}

int db_begin(struct db *d)
{
    return run_word(d, statement_begin);
}

int db_commit(struct db *d)
{
    return run_word(d, statement_commit);
}

void db_rollback(struct db *d)
{
    char error[DB_ERROR_SIZE], sqlstate[6];
    const int position = d->error_position;

    if (!d->conn || PQtransactionStatus(d->conn) == PQTRANS_IDLE)
        return;
    if (d->mode != DB_IDLE) { /* in the middle of something: the session's end is the surest way */
        db_drop(d);
        return;
    }
    /* What went wrong before is still what the caller wants to tell. */
    memcpy(error, d->error, sizeof(error));
    memcpy(sqlstate, d->sqlstate, sizeof(sqlstate));
    if (run_word(d, statement_rollback) > 0)
        db_drop(d);
    memcpy(d->error, error, sizeof(error));
    memcpy(d->sqlstate, sqlstate, sizeof(sqlstate));
    d->error_position = position;
}

/* ---- pipeline ---- */

int db_pipeline_begin(struct db *d)
{
    int r = db_enter(d, DB_IDLE);

    if (r < 0)
        return r;
    if (!PQenterPipelineMode(d->conn))
        return could_not_send(d);
    d->mode = DB_PIPELINE;
    return 0;
}

int db_pipeline_add(struct db *d, const struct db_sql *sql, const struct db_params *params)
{
    struct db_values v;
    auto_buf key = {0};
    int r = db_enter(d, DB_PIPELINE);

    if (r < 0)
        return r;
    db_params_view(params, &v);
    make_key(sql, &v, &key);
    const bool sent = send_in_pipeline(d, sql, &v, &key);
    db_values_deinit(&v);
    if (!sent)
        return could_not_send(d);
    return db_exchange(d, false);
}

int db_pipeline_end(struct db *d)
{
    int r = db_enter(d, DB_PIPELINE), code = 0;

    if (r < 0)
        return r;
    if (!PQpipelineSync(d->conn))
        return could_not_send(d);
    for (bool sync = false; !sync;) {
        PGresult *pg;

        r = db_next_result(d, &pg);
        if (r < 0)
            return r;
        if (!pg && PQstatus(d->conn) != CONNECTION_OK)
            return could_not_send(d);
        const ExecStatusType status = pg ? PQresultStatus(pg) : PGRES_COMMAND_OK;
        sync = status == PGRES_PIPELINE_SYNC;
        if (!sync && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK &&
            status != PGRES_PIPELINE_ABORTED && status != PGRES_EMPTY_QUERY && code == 0)
            code = db_failed(d, pg, "pipeline");
        PQclear(pg);
        if (code < 0)
            return code;
    }
    if (!PQexitPipelineMode(d->conn))
        return could_not_send(d);
    d->mode = DB_IDLE;
    if (code == 0)
        db_full_over("pipeline");
    if (code > 0)
        db_forget_prepared(d, true);
    else
        keep_prepared(d);
    return code;
}

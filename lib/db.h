/* PostgreSQL: the only place that knows libpq. One connection, one thread. Statements come from .sql files (one
 * statement each, embedded at build time as `sql_<name>`) and are prepared at their first use on a connection;
 * values are always parameters. A lost connection is opened again by db_ready. */
#pragma once
#include "lib/base.h"

struct db_sql {
    const char *name, *text;
    bool binary; /* its result comes in binary ("-- result: binary" in the file): for many rows of numbers and times */
};

#define DB_HELD_IDLE_MS 30000 /* both idle time-outs of our own services, where nothing says otherwise */

struct db;
struct db_options {
    const char *conninfo;  /* libpq keyword/value string; user and password may be in it or below */
    const char *user, *password;
    const char *name;      /* application_name */
    int statement_timeout_ms; /* 0: none */
    /* 0: none. A session that holds a lock, or rows, for a process that may be stopped has them: then the server ends
     * it, and another process takes over. */
    int idle_session_timeout_ms, idle_in_transaction_timeout_ms;
    bool read_only;        /* default_transaction_read_only = on */
    bool foreign;          /* not the pipeline's own database: /readyz does not ask for it */
};

enum {
    DB_BUSY       = 1, /* async only: not finished yet */
    DB_RETRY      = 2, /* 40001, 40P01, 55P03: run the transaction again */
    DB_CONSTRAINT = 3, /* class 23 */
    DB_BAD_DATA   = 4, /* class 22: a value the server cannot take */
    DB_FULL       = 5, /* class 53: out of disk, memory, connections: wait and go on */
    DB_DENIED     = 6, /* 42501, class 28 */
    DB_BAD_SQL    = 7, /* rest of class 42 */
    DB_CANCELLED  = 8, /* 57014: statement timeout or cancel */
    DB_OTHER      = 9,
};
/* Every call: 0 done, > 0 one of the above (a transaction is then failed: db_rollback), < 0 the connection is gone
 * and with it the transaction (a commit may or may not have happened). db_error gives the server's words. */

struct db *db_new(const struct db_options *opts); /* copies; does not connect */
void db_free(struct db *d);
/* Connected and usable? Connects if not, with back-off between tries (then < 0 at once until it is time). On a new
 * connection session state (locks, temp tables) is gone: db_generation has changed. */
int must_check db_ready(struct db *d);
uint64_t db_generation(const struct db *d); /* 0: never connected */
void db_drop(struct db *d);                 /* closes the connection; db_ready opens a new one */
int db_fd(const struct db *d);              /* -1: none */
const char *db_error(const struct db *d);   /* of the last call; "" if it was fine; long numbers in it are masked */
const char *db_sqlstate(const struct db *d); /* "23505", "" */
int db_error_position(const struct db *d);  /* the character of the statement it is about, from 1; 0: none */
bool db_idle(const struct db *d);           /* connected, no transaction, nothing under way */

/* ---- parameters: $1, $2 … in the order they are added; sent in binary ---- */
struct db_params;
struct db_params *db_params_new(void);
void db_params_free(struct db_params *p);
void db_params_clear(struct db_params *p);
void db_add_null(struct db_params *p);
void db_add_bool(struct db_params *p, bool v);
void db_add_int(struct db_params *p, int32_t v);       /* int4 */
void db_add_big(struct db_params *p, int64_t v);       /* int8 */
void db_add_text(struct db_params *p, const char *s);  /* NULL: null */
void db_add_bytes(struct db_params *p, const void *data, size_t len);
void db_add_time(struct db_params *p, int64_t wall_ms); /* timestamptz; 0: null */
void db_add_big_array(struct db_params *p, const int64_t *v, size_t n);
void db_add_int_array(struct db_params *p, const int32_t *v, size_t n);
void db_add_time_array(struct db_params *p, const int64_t *wall_ms, size_t n); /* an element 0: null */
void db_add_text_array(struct db_params *p, const char *const *v, size_t n);   /* an element NULL: null */
void db_add_uuid_array(struct db_params *p, const uint8_t (*v)[16], size_t n);
#define auto_params cleanup_with(db_params_free_pointed) struct db_params *
static inline void db_params_free_pointed(struct db_params **p)
{
    db_params_free(*p);
}

/* ---- results: read by the same functions whether they come as text (TimeZone UTC, DateStyle ISO) or in binary ---- */
struct db_result;
int db_rows(const struct db_result *r);
int db_columns(const struct db_result *r);
const char *db_column_name(const struct db_result *r, int column);
bool db_is_null(const struct db_result *r, int row, int column);
const char *db_text(const struct db_result *r, int row, int column); /* "" if null; lives as long as r */
int64_t db_big(const struct db_result *r, int row, int column);      /* 0 if null */
bool db_bool(const struct db_result *r, int row, int column);
/* A timestamptz column; 0 if null, INT64_MAX and INT64_MIN for the infinities. */
int64_t db_time_ms(const struct db_result *r, int row, int column);
/* A tid (the system column ctid) as one number, for db_copy_place; 0 if null. */
int64_t db_place(const struct db_result *r, int row, int column);
int64_t db_affected(const struct db_result *r);
void db_result_free(struct db_result *r);
#define auto_result cleanup_with(db_result_free_pointed) struct db_result *
static inline void db_result_free_pointed(struct db_result **r)
{
    db_result_free(*r);
}

/* Runs a prepared statement. params and ret may be NULL. */
int must_check db_run(struct db *d, const struct db_sql *sql, const struct db_params *params, struct db_result **ret);
/* Several statements without parameters, from our own files (a migration). Not prepared. */
int must_check db_script(struct db *d, const char *sql);
int must_check db_begin(struct db *d);
int must_check db_commit(struct db *d); /* < 0: unknown whether it happened */
void db_rollback(struct db *d);

/* The same without waiting: start, then poll until it is not DB_BUSY. One at a time on a connection; wait on db_fd. */
int must_check db_start(struct db *d, const struct db_sql *sql, const struct db_params *params);
int must_check db_poll(struct db *d, struct db_result **ret);

/* Hears what is said on a channel (NOTIFY) from now on, for as long as this connection lives: after a new one
 * (db_generation) it is asked for again. What is said meanwhile is lost. */
int must_check db_listen(struct db *d, const char *channel);
/* The next thing that was said, without waiting, oldest first: its payload (caller frees). False: nothing. Between
 * statements only. */
bool db_notified(struct db *d, char **ret_payload);

/* Pipeline mode: several statements in one round trip; each call queues one, db_pipeline_end waits for all of them.
 * 0, or the first failure's code (then all after it did not run; wrap them in begin/commit queued the same way). */
int must_check db_pipeline_begin(struct db *d);
int must_check db_pipeline_add(struct db *d, const struct db_sql *sql, const struct db_params *params);
int must_check db_pipeline_end(struct db *d);

/* COPY table (columns) FROM STDIN BINARY. One db_copy_row before each row's values. */
struct db_copy;
int must_check db_copy_begin(struct db *d, const char *table_and_columns, struct db_copy **ret);
void db_copy_row(struct db_copy *c, int columns);
void db_copy_null(struct db_copy *c);
void db_copy_bool(struct db_copy *c, bool v);
void db_copy_small(struct db_copy *c, int16_t v);
void db_copy_int(struct db_copy *c, int32_t v);
void db_copy_big(struct db_copy *c, int64_t v);
void db_copy_text(struct db_copy *c, const char *s); /* NULL: null */
void db_copy_time(struct db_copy *c, int64_t wall_ms); /* 0: null */
void db_copy_place(struct db_copy *c, int64_t place);    /* a tid, as db_place gives it */
void db_copy_uuid(struct db_copy *c, const uint8_t v[16]);
int must_check db_copy_end(struct db *d, struct db_copy *c); /* frees c, also on failure */
void db_copy_abort(struct db *d, struct db_copy *c);

/* A source's query: any SQL text from a rule, read row by row (single-row mode), text format. */
int must_check db_stream_begin(struct db *d, const char *sql);
/* 0: *ret is one row (free it); DB_BUSY is never given. ret NULL after the last row. Else as above. */
int must_check db_stream_next(struct db *d, struct db_result **ret);
void db_stream_abort(struct db *d); /* cancels at the server and reads the rest away */

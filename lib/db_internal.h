/* What the files lib/db*.c share: the connection and what it is doing, and the one way to wait for the server
 * and to lose it. Only they include this. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/db.h"
#include "lib/links.h"
#include "lib/log.h"

#include <libpq-fe.h>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#include <uthash.h>
#pragma GCC diagnostic pop

#define DB_CONNECT_TIMEOUT_MS 5000
#define DB_BACKOFF_BASE_MS    200
#define DB_BACKOFF_MAX_MS     10000
#define DB_STEADY_MS          10000 /* a connection that held so long begins its back-off anew */
#define DB_ANSWER_GRACE_MS    15000 /* past statement_timeout a server that still says nothing is given up */
#define DB_ERROR_SIZE         512

enum db_mode { DB_IDLE, DB_ASYNC, DB_PIPELINE, DB_COPYING, DB_STREAMING };

struct db_prepared {
    char *
        key; /* types of the parameters, then the text: the same text with other types is another statement */
    char name[64];
    bool in_pipeline; /* prepared in the pipeline that is not at its end yet: forgotten if that fails */
    UT_hash_handle hh;
};

struct db {
    char *conninfo, *user, *password, *name;
    int statement_timeout_ms, idle_session_timeout_ms, idle_in_transaction_timeout_ms;
    bool read_only;

    PGconn *conn; /* NULL: closed */
    enum db_mode mode;
    bool async_in_pipeline; /* DB_ASYNC whose statement is prepared on the way */
    int async_code;         /* what it came to so far */
    PGresult *async_result;
    char running[48];         /* name of the statement that runs */
    int64_t deadline_mono_ms; /* for the answer to what runs now; INT64_MAX: none */
    uint64_t generation, names;
    struct db_prepared *prepared;

    unsigned failures;
    int64_t opened_mono_ms, next_try_mono_ms;
    struct log_trouble away;
    struct link link;
    char error[DB_ERROR_SIZE], sqlstate[6];
    int error_position;
};

struct db_result {
    PGresult *pg;
};
struct db_result *db_result_wrap(PGresult *pg); /* takes pg */

struct db_values { /* a view for libpq; arrays owned, what they point to is not */
    int count;
    const Oid *types;
    const char **values;
    const int *lengths, *formats;
};
void db_params_view(const struct db_params *p, struct db_values *ret); /* p may be NULL */
void db_values_deinit(struct db_values *v);

/* Begins a call: no error so far, its deadline set. -ENOTCONN without a connection; anything but `mode` going
 * on is a fault of the program. */
int must_check db_enter(struct db *d, enum db_mode mode);
/* The connection is gone: says it once, closes, and gives the negative code to return. */
int db_lost(struct db *d, const char *why);
/* Remembers the error of a failed result and gives its code (< 0: the connection went with it). */
int db_failed(struct db *d, const PGresult *pg, const char *statement);
/* A statement met class 53; one succeeded. */
void db_full_met(const struct db *d, const char *statement);
void db_full_over(const char *statement);
/* Sends what is waiting and reads what has come; waits for either until the deadline. */
int must_check db_exchange(struct db *d, bool wait);
/* Waits for the next result (NULL: the end of this command's). */
int must_check db_next_result(struct db *d, PGresult **ret);
/* Reads all results of one command away: its code. */
int must_check db_finish_command(struct db *d, const char *statement);
int must_check db_simple(struct db *d, const char *sql, const char *statement, PGresult **ret);
void db_forget_prepared(struct db *d, bool only_in_pipeline);

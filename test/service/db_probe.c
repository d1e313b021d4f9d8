/* Drives lib/db, lib/history and lib/service from a test: db_probe CONNINFO SCENARIO [ARGUMENT].
 * A scenario checks by itself and ends with 0; loop, history and figures take orders, a line each, on
 * standard input. */
#include "lib/clock.h"
#include "lib/db.h"
#include "lib/history.h"
#include "lib/log.h"
#include "lib/service.h"
#include "lib/stop.h"

#include <poll.h>
#include <stdio.h>

#define CHECK(what)                                                                                          \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            fprintf(stderr, "%s:%d: not so: %s (error: %s %s)\n", __FILE__, __LINE__, #what, db_sqlstate(d), \
                    db_error(d));                                                                            \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)
#define CHECK_STR(got, wanted)                                                                               \
    do {                                                                                                     \
        if (strcmp((got), (wanted)) != 0) {                                                                  \
            fprintf(stderr, "%s:%d: \"%s\" is not \"%s\"\n", __FILE__, __LINE__, (got), (wanted));           \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static int sql(struct db *d, const char *text, struct db_result **ret)
{
    const struct db_sql s = {.name = "probe", .text = text};
    return db_run(d, &s, NULL, ret);
}

static int64_t number(struct db *d, const char *text)
{
    auto_result r = NULL;
    CHECK(sql(d, text, &r) == 0);
    CHECK(db_rows(r) == 1);
    return db_big(r, 0, 0);
}

/* ---- values ---- */

#define T1 INT64_C(1769847300123) /* 2026-01-31T08:15:00.123Z */

static void types(struct db *d, const char *arg)
{
    static const struct db_sql all = {
        .name = "all",
        .text =
            "SELECT $1::bool, $2::int, $3::bigint, $4::text, $5::bytea, $6::timestamptz, $7::int, $8::text,"
            " $9::timestamptz, $10::bigint[], $11::int[], $12::timestamptz[], $13::text[], $14::uuid[], "
            "$15::bigint[]"};
    const int64_t bigs[] = {INT64_MIN, 0, INT64_MAX}, times[] = {T1, 0};
    const int32_t ints[] = {-1, 2147483647};
    const char *texts[] = {"a\"b,{}\\", NULL, ""};
    const uint8_t uuids[][16] = {{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 2, 3, 4, 5, 6, 7, 0xff}};
    auto_params p = db_params_new();

    for (int round = 0; round < 3; round++) { /* prepared once, run three times */
        auto_result r = NULL;
        db_params_clear(p);
        db_add_bool(p, true);
        db_add_int(p, -7);
        db_add_big(p, INT64_MIN);
        db_add_text(p, "für 'dich'");
        db_add_bytes(p, "\0\1\377", 3);
        db_add_time(p, T1);
        db_add_null(p);
        db_add_text(p, NULL);
        db_add_time(p, 0);
        db_add_big_array(p, bigs, 3);
        db_add_int_array(p, ints, 2);
        db_add_time_array(p, times, 2);
        db_add_text_array(p, texts, 3);
        db_add_uuid_array(p, uuids, 1);
        db_add_big_array(p, NULL, 0);
        CHECK(db_run(d, &all, p, &r) == 0);
        CHECK(db_rows(r) == 1 && db_columns(r) == 15);
        CHECK(db_bool(r, 0, 0) && db_big(r, 0, 1) == -7 && db_big(r, 0, 2) == INT64_MIN);
        CHECK_STR(db_text(r, 0, 3), "für 'dich'");
        CHECK_STR(db_text(r, 0, 4), "\\x0001ff");
        CHECK(db_time_ms(r, 0, 5) == T1);
        CHECK_STR(db_text(r, 0, 5), "2026-01-31 08:15:00.123+00");
        for (int i = 6; i <= 8; i++)
            CHECK(db_is_null(r, 0, i));
        CHECK(db_time_ms(r, 0, 8) == 0 && db_big(r, 0, 6) == 0 && !*db_text(r, 0, 7));
        CHECK_STR(db_text(r, 0, 9), "{-9223372036854775808,0,9223372036854775807}");
        CHECK_STR(db_text(r, 0, 10), "{-1,2147483647}");
        CHECK_STR(db_text(r, 0, 11), "{\"2026-01-31 08:15:00.123+00\",NULL}");
        CHECK_STR(db_text(r, 0, 12), "{\"a\\\"b,{}\\\\\",NULL,\"\"}");
        CHECK_STR(db_text(r, 0, 13), "{01234567-89ab-cdef-0102-0304050607ff}");
        CHECK_STR(db_text(r, 0, 14), "{}");
    }
    CHECK(number(d, "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'all%'") == 1);
    auto_result r = NULL;
    CHECK(sql(d, "SELECT 'infinity'::timestamptz, timestamptz '2026-01-31 08:15:00+05:30'", &r) == 0);
    CHECK(db_time_ms(r, 0, 0) == INT64_MAX && db_time_ms(r, 0, 1) == T1 - 123 - 19800000);
}

/* The same text with another type of parameter is another statement: a null first must not settle its type.
 */
static void same_text_other_types(struct db *d, const char *arg)
{
    static const struct db_sql echo = {.name = "echo", .text = "SELECT $1::text"};

    for (int i = 0; i < 4; i++) {
        auto_params p = db_params_new();
        auto_result r = NULL;
        if (i % 2 == 0)
            db_add_null(p);
        else
            db_add_big(p, 42);
        CHECK(db_run(d, &echo, p, &r) == 0);
        CHECK_STR(db_text(r, 0, 0), i % 2 == 0 ? "" : "42");
    }
}

/* Whether a result comes as text or in binary, the same functions read the same values from it. */
static void binary_results(struct db *d, const char *arg)
{
#define VALUES                                                                                               \
    "SELECT -7::smallint, -70000, -9007199254740993, 'q\u00e9'::text, true, false, NULL::int,"               \
    " '2026-01-31 08:15:00.123+00'::timestamptz, '1999-12-31 23:59:59.999+00'::timestamptz,"                 \
    " 'infinity'::timestamptz, '-infinity'::timestamptz, NULL::timestamptz, '(4294967294,65535)'::tid, NULL::tid"
    static const struct db_sql asked[] = {{.name = "as_text", .text = VALUES},
                                          {.name = "in_binary", .text = VALUES, .binary = true}};

    for (size_t i = 0; i < 4; i++) {
        auto_result r = NULL;
        CHECK(db_run(d, &asked[i % 2], NULL, &r) == 0);
        CHECK(db_big(r, 0, 0) == -7 && db_big(r, 0, 1) == -70000 &&
              db_big(r, 0, 2) == INT64_C(-9007199254740993));
        CHECK_STR(db_text(r, 0, 3), "q\u00e9");
        CHECK(db_bool(r, 0, 4) && !db_bool(r, 0, 5));
        CHECK(db_is_null(r, 0, 6) && db_big(r, 0, 6) == 0);
        CHECK(db_time_ms(r, 0, 7) == T1 && db_time_ms(r, 0, 8) == INT64_C(946684799999));
        CHECK(db_time_ms(r, 0, 9) == INT64_MAX && db_time_ms(r, 0, 10) == INT64_MIN);
        CHECK(db_place(r, 0, 12) == (INT64_C(4294967294) << 16 | 65535) && db_place(r, 0, 13) == 0);
        CHECK(db_is_null(r, 0, 11) && db_time_ms(r, 0, 11) == 0);
    }
#undef VALUES
}

static void many_rows(struct db *d, const char *arg)
{
    static const struct db_sql ask = {.name = "ask",
                                      .text = "SELECT x FROM unnest($1::bigint[]) AS x WHERE x % 2 = 0"};
    const size_t n = 300000;
    auto_free int64_t *v = xcalloc(n, sizeof(*v));
    auto_params p = db_params_new();
    auto_result r = NULL;

    for (size_t i = 0; i < n; i++)
        v[i] = (int64_t)i;
    db_add_big_array(p, v, n); /* 3.6 MB out, then many rows back */
    CHECK(db_run(d, &ask, p, &r) == 0);
    CHECK(db_rows(r) == (int)n / 2);
}

/* ---- errors ---- */

static void codes(struct db *d, const char *arg)
{
    static const struct {
        const char *text;
        int code;
        const char *state;
    } cases[] = {
        {"SELECT 1/0", DB_BAD_DATA, "22012"},
        {"SELECT 'x'::int", DB_BAD_DATA, "22P02"},
        {"INSERT INTO codes VALUES (1)", DB_CONSTRAINT, "23505"},
        {"INSERT INTO codes VALUES (NULL)", DB_CONSTRAINT, "23502"},
        {"SELECT no_column", DB_BAD_SQL, "42703"},
        {"SELEKT 1", DB_BAD_SQL, "42601"},
        {"SELECT * FROM no_table", DB_BAD_SQL, "42P01"},
        {"SELECT pg_sleep(10)", DB_CANCELLED, "57014"},
        {"DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", DB_RETRY, "40001"},
        {"DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", DB_RETRY, "40P01"},
        {"DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$", DB_RETRY, "55P03"},
        {"DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", DB_FULL, "53100"},
        {"DO $$ BEGIN RAISE SQLSTATE '42501'; END $$", DB_DENIED, "42501"},
        {"DO $$ BEGIN RAISE SQLSTATE '28000'; END $$", DB_DENIED, "28000"},
        {"DO $$ BEGIN RAISE SQLSTATE 'P0001'; END $$", DB_OTHER, "P0001"},
        {"DO $$ BEGIN RAISE SQLSTATE '25006'; END $$", DB_OTHER, "25006"},
    };

    CHECK(db_script(d, "CREATE TEMP TABLE codes (id int PRIMARY KEY); INSERT INTO codes VALUES (1)") == 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        auto_result r = NULL;
        const int code = sql(d, cases[i].text, &r);
        if (code != cases[i].code || strcmp(db_sqlstate(d), cases[i].state) != 0) {
            fprintf(stderr, "%s: %d %s %s\n", cases[i].text, code, db_sqlstate(d), db_error(d));
            exit(1);
        }
        CHECK(!r && *db_error(d));
        CHECK(number(d, "SELECT 1") == 1); /* the connection is as good as before */
        CHECK(!*db_error(d) && !*db_sqlstate(d));
    }
    CHECK(sql(d, "SELECT '4917012345678x'::bigint", NULL) == DB_BAD_DATA && !strstr(db_error(d), "45678"));
    CHECK(sql(d, "DO $$ BEGIN RAISE EXCEPTION 'number 4917012345678 is 12345'; END $$", NULL) == DB_OTHER);
    CHECK_STR(db_error(d), "number 49*********** is 12345");
    CHECK(sql(d, "SELECT 1 +\n no_column", NULL) == DB_BAD_SQL && db_error_position(d) == 13);
}

static void transactions(struct db *d, const char *arg)
{
    CHECK(db_script(d, "CREATE TABLE tx (id int PRIMARY KEY)") == 0);
    CHECK(db_begin(d) == 0 && !db_idle(d));
    CHECK(sql(d, "INSERT INTO tx VALUES (1)", NULL) == 0);
    CHECK(db_commit(d) == 0 && db_idle(d));
    CHECK(db_begin(d) == 0);
    CHECK(sql(d, "INSERT INTO tx VALUES (2)", NULL) == 0);
    db_rollback(d);
    CHECK(db_begin(d) == 0);
    CHECK(sql(d, "INSERT INTO tx VALUES (1)", NULL) == DB_CONSTRAINT);
    CHECK(sql(d, "INSERT INTO tx VALUES (3)", NULL) == DB_OTHER); /* 25P02 */
    db_rollback(d);
    CHECK_STR(db_sqlstate(d), "25P02"); /* what went wrong can still be told */
    CHECK(db_begin(d) == 0);
    CHECK(sql(d, "SELECT 1/0", NULL) == DB_BAD_DATA);
    CHECK(db_commit(d) == DB_OTHER); /* never "committed" after a failure */
    CHECK(db_idle(d) && number(d, "SELECT count(*) FROM tx") == 1);
    auto_result r = NULL;
    CHECK(sql(d, "UPDATE tx SET id = id + 1", &r) == 0 && db_affected(r) == 1);
    CHECK(db_script(d, "INSERT INTO tx VALUES (8); INSERT INTO tx VALUES (8)") == DB_CONSTRAINT);
    CHECK(number(d, "SELECT count(*) FROM tx") == 1);
}

static void read_only(struct db *d, const char *arg)
{
    CHECK(sql(d, "CREATE TABLE no (id int)", NULL) == DB_OTHER);
    CHECK_STR(db_sqlstate(d), "25006");
}

/* ---- COPY ---- */

static void copy(struct db *d, const char *arg)
{
    const int rows = 100000;
    const uint8_t uuid[16] = {0xfe, 0xdc};
    auto_free char *big = xmalloc(200001);
    struct db_copy *c;

    memset(big, 'x', 200000);
    big[200000] = '\0';
    CHECK(
        db_script(
            d, "CREATE TABLE copied (b bool, s smallint, i int, l bigint, t text, at timestamptz, u uuid)") ==
        0);
    CHECK(db_copy_begin(d, "copied (b, s, i, l, t, at, u)", &c) == 0);
    for (int i = 0; i < rows; i++) {
        db_copy_row(c, 7);
        db_copy_bool(c, i % 2 == 0);
        db_copy_small(c, (int16_t)(i % 1000 - 500));
        db_copy_int(c, -i);
        db_copy_big(c, (int64_t)i << 36);
        db_copy_text(c, i == 77777 ? big : i % 3 == 0 ? NULL : "größe");
        db_copy_time(c, i % 5 == 0 ? 0 : T1 + i);
        if (i % 7 == 0)
            db_copy_null(c);
        else
            db_copy_uuid(c, uuid);
    }
    CHECK(db_copy_end(d, c) == 0);
    CHECK(number(d, "SELECT count(*) FROM copied") == rows);
    CHECK(number(d, "SELECT count(*) FROM copied WHERE t IS NULL") == 33334);
    CHECK(number(d, "SELECT length(t) FROM copied WHERE i = -77777") == 200000);
    auto_result r = NULL;
    CHECK(sql(d, "SELECT b, s, l, t, at, u FROM copied WHERE i = -1", &r) == 0);
    CHECK(!db_bool(r, 0, 0) && db_big(r, 0, 1) == -499 && db_big(r, 0, 2) == INT64_C(1) << 36);
    CHECK_STR(db_text(r, 0, 3), "größe");
    CHECK(db_time_ms(r, 0, 4) == T1 + 1);
    CHECK_STR(db_text(r, 0, 5), "fedc0000-0000-0000-0000-000000000000");
    CHECK(number(d, "SELECT count(*) FROM copied WHERE at IS NULL OR u IS NULL") == 20000 + 14286 - 2858);
}

static int copy_rows(struct db *d, int rows, int same, const char *text)
{
    struct db_copy *c;

    CHECK(db_copy_begin(d, "copied2 (id, t)", &c) == 0);
    for (int i = 0; i < rows; i++) {
        db_copy_row(c, 2);
        db_copy_int(c, i == rows - 1 ? same : i);
        db_copy_text(c, i == rows / 2 ? text : "fine");
    }
    return db_copy_end(d, c);
}

static void copy_fails(struct db *d, const char *arg)
{
    struct db_copy *c;

    CHECK(db_script(d, "CREATE TABLE copied2 (id int PRIMARY KEY, t text)") == 0);
    CHECK(copy_rows(d, 50000, 7, "fine") == DB_CONSTRAINT);
    CHECK(copy_rows(d, 50000, 49999, "not \xff UTF-8") == DB_BAD_DATA);
    CHECK(number(d, "SELECT count(*) FROM copied2") == 0);
    CHECK(db_copy_begin(d, "no_such_table (id)", &c) == DB_BAD_SQL && !c);
    CHECK(db_begin(d) == 0);
    CHECK(copy_rows(d, 10, 9, "fine") == 0);
    CHECK(copy_rows(d, 10, 9, "fine") == DB_CONSTRAINT);
    db_rollback(d);
    CHECK(db_copy_begin(d, "copied2 (id, t)", &c) == 0);
    db_copy_row(c, 2);
    db_copy_int(c, 1);
    db_copy_abort(d, c);
    CHECK(db_idle(d) && number(d, "SELECT count(*) FROM copied2") == 0);
    CHECK(copy_rows(d, 0, 0, NULL) == 0);
    CHECK(copy_rows(d, 1000, 999, "fine") == 0 && number(d, "SELECT count(*) FROM copied2") == 1000);
}

/* ---- pipeline ---- */

static const struct db_sql pipe_begin = {.name = "begin", .text = "BEGIN"},
                           pipe_commit = {.name = "commit", .text = "COMMIT"},
                           pipe_insert = {.name = "pipe_insert", .text = "INSERT INTO piped VALUES ($1)"},
                           pipe_late = {.name = "pipe_late", .text = "INSERT INTO piped VALUES (-$1)"};

static void queue(struct db *d, const struct db_sql *s, int value)
{
    auto_params p = db_params_new();

    if (value >= 0)
        db_add_int(p, value);
    CHECK(db_pipeline_add(d, s, p) == 0);
}

static void pipeline(struct db *d, const char *arg)
{
    CHECK(db_script(d, "CREATE TABLE piped (id int PRIMARY KEY)") == 0);
    for (int round = 0; round < 2; round++) {
        CHECK(db_pipeline_begin(d) == 0);
        queue(d, &pipe_begin, -1);
        for (int i = 0; i < 20000; i++)
            queue(d, &pipe_insert, round * 20000 + i);
        queue(d, &pipe_commit, -1);
        CHECK(db_pipeline_end(d) == 0);
        CHECK(db_idle(d) && number(d, "SELECT count(*) FROM piped") == 20000 * (round + 1));
    }
    /* A failure in the middle: nothing after it runs, and what was prepared behind it is prepared again
     * later. */
    CHECK(db_pipeline_begin(d) == 0);
    queue(d, &pipe_begin, -1);
    queue(d, &pipe_insert, 50000);
    queue(d, &pipe_insert, 1);
    queue(d, &pipe_late, 1);
    queue(d, &pipe_commit, -1);
    CHECK(db_pipeline_end(d) == DB_CONSTRAINT);
    CHECK_STR(db_sqlstate(d), "23505");
    db_rollback(d);
    CHECK(db_idle(d) && number(d, "SELECT count(*) FROM piped") == 40000);
    CHECK(db_pipeline_begin(d) == 0);
    queue(d, &pipe_late, 1);
    queue(d, &pipe_insert, 50000);
    CHECK(db_pipeline_end(d) == 0);
    CHECK(number(d, "SELECT count(*) FROM piped") == 40002);
    CHECK(db_pipeline_begin(d) == 0);
    CHECK(db_pipeline_end(d) == 0); /* an empty one */
}

/* ---- streams ---- */

static void stream(struct db *d, const char *arg)
{
    struct db_result *row;
    int64_t sum = 0;
    int n = 0;

    CHECK(db_stream_begin(d, "SELECT i, 'x' AS word FROM generate_series(1, 200000) AS i") == 0);
    for (;; n++) {
        CHECK(db_stream_next(d, &row) == 0);
        if (!row)
            break;
        CHECK(db_rows(row) == 1);
        CHECK_STR(db_column_name(row, 1), "word");
        sum += db_big(row, 0, 0);
        db_result_free(row);
    }
    CHECK(n == 200000 && sum == INT64_C(200000) * 200001 / 2 && db_idle(d));
    CHECK(db_stream_begin(d, "SELECT 1 WHERE false") == 0);
    CHECK(db_stream_next(d, &row) == 0 && !row);
    CHECK(db_stream_next(d, &row) == 0 && !row);
    CHECK(db_stream_begin(d, "SELECT 10 / (1000 - i) FROM generate_series(1, 2000) AS i") == 0);
    int r = 0;
    for (n = 0; (r = db_stream_next(d, &row)) == 0 && row; n++)
        db_result_free(row);
    CHECK(r == DB_BAD_DATA && n == 999 && db_idle(d));
    CHECK(db_stream_begin(d, "SELECT 1; DROP TABLE x") == 0);
    CHECK(db_stream_next(d, &row) == DB_BAD_SQL);
    CHECK(db_stream_begin(d, "SELECT nothing") == 0);
    CHECK(db_stream_next(d, &row) == DB_BAD_SQL && db_error_position(d) == 8);
}

static void stream_abort(struct db *d, const char *arg)
{
    struct db_result *row;

    for (int i = 0; i < 3; i++) {
        const uint64_t generation = db_generation(d);
        CHECK(db_stream_begin(d, i == 2 ? "SELECT pg_sleep(4)" : "SELECT generate_series(1, 100000000)") ==
              0);
        if (i < 2) {
            CHECK(db_stream_next(d, &row) == 0 && row);
            db_result_free(row);
        }
        const int64_t before = clock_mono_ms();
        db_stream_abort(d);
        CHECK(clock_mono_ms() - before < 3000);
        CHECK(db_ready(d) == 0 && db_generation(d) == generation); /* not by closing it */
        CHECK(number(d, "SELECT 1") == 1);
    }
}

/* ---- not waiting ---- */

static void async(struct db *d, const char *arg)
{
    static const struct db_sql sleep = {.name = "sleep", .text = "SELECT pg_sleep(0.3), 7"},
                               bad = {.name = "bad", .text = "SELECT nothing"};

    for (int i = 0; i < 3; i++) {
        struct db_result *result = NULL;
        int64_t longest_ms = 0;
        int r;
        CHECK(db_start(d, &sleep, NULL) == 0 && !db_idle(d));
        while (true) {
            const int64_t before = clock_mono_ms();
            r = db_poll(d, &result);
            longest_ms = MAX_OF(longest_ms, clock_mono_ms() - before);
            if (r != DB_BUSY)
                break;
            struct pollfd p = {.fd = db_fd(d), .events = POLLIN};
            CHECK(poll(&p, 1, 5000) == 1);
        }
        CHECK(r == 0 && db_big(result, 0, 1) == 7 && longest_ms < 250);
        db_result_free(result);
        CHECK(db_start(d, &bad, NULL) == 0);
        while ((r = db_poll(d, &result)) == DB_BUSY)
            ;
        CHECK(r == DB_BAD_SQL && !result && db_idle(d));
    }
}

/* The server ends an idle session that holds a lock; what comes next finds it gone. */
static void idle_session(struct db *d, const char *arg)
{
    const uint64_t generation = db_generation(d);

    CHECK(sql(d, "SELECT pg_advisory_lock(2, 64)", NULL) == 0);
    stop_wait_ms(2500);
    CHECK(sql(d, "SELECT 1", NULL) < 0);
    CHECK(db_fd(d) == -1 && !db_idle(d));
    for (int i = 0; i < 50 && db_ready(d) != 0; i++)
        stop_wait_ms(50);
    CHECK(db_generation(d) == generation + 1);
    CHECK(number(d, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0);
}

/* Statements whose tables change under them, and statements that the session forgets. */
static void changed_tables(struct db *d, const char *arg)
{
    CHECK(db_script(d, "CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)") == 0);
    CHECK(sql(d, "SELECT * FROM changing", NULL) == 0);
    CHECK(db_script(d, "ALTER TABLE changing ADD b text") == 0);
    CHECK(sql(d, "SELECT * FROM changing", NULL) < 0); /* a new session prepares anew */
    for (int i = 0; i < 50 && db_ready(d) != 0; i++)
        stop_wait_ms(50);
    CHECK(sql(d, "SELECT * FROM changing", NULL) == 0);
    CHECK(db_script(d, "DEALLOCATE ALL") == 0);
    CHECK(sql(d, "SELECT * FROM changing", NULL) < 0);
    CHECK(db_fd(d) == -1);
}

/* ---- with orders ---- */

static bool order(char line[64])
{
    if (!fgets(line, 64, stdin))
        return false;
    line[strcspn(line, "\n")] = '\0';
    return strcmp(line, "quit") != 0;
}

/* Writes rows, one a transaction, for ever: "committed N" where it is sure, "unknown N" where the answer was
 * lost. */
static void loop(struct db *d, const char *arg)
{
    static const struct db_sql insert = {.name = "loop_insert", .text = "INSERT INTO loop VALUES ($1)"};
    auto_params p = db_params_new();

    for (int i = 0; !stop_requested(); i++) {
        const int64_t before = clock_mono_ms();
        bool committing = false;
        int r = db_ready(d);
        db_params_clear(p);
        db_add_int(p, i);
        if (r == 0)
            r = db_begin(d);
        if (r == 0)
            r = db_run(d, &insert, p, NULL);
        if (r == 0) {
            committing = true;
            r = db_commit(d);
        }
        if (r > 0)
            db_rollback(d);
        printf("%s %d %lld\n",
               r == 0       ? "committed"
               : committing ? "unknown"
                            : "not",
               i, (long long)(clock_mono_ms() - before));
        fflush(stdout);
        stop_wait_ms(r == 0 ? 2 : 20);
    }
}

static void history(struct db *d, const char *arg)
{
    struct history *h = history_new(arg, "probe");
    const char *why = "";
    char line[64];

    while (order(line)) {
        int r = db_ready(d);
        for (int i = 0; i < 100 && r < 0; i++) {
            stop_wait_ms(100);
            r = db_ready(d);
        }
        if (r == 0)
            r = history_check(h, d, &why);
        printf("%d %s\n", r, why);
        fflush(stdout);
    }
    history_free(h);
}

static void figures(struct db *d, const char *arg)
{
    struct figures *f = figures_new("dispatch", "alpha");
    char line[64];

    for (int i = 0; order(line); i++) {
        figures_set(f, "sent", i);
        figures_set_str(f, "state", line);
        printf("%d\n", figures_write(f, d));
        fflush(stdout);
    }
    figures_free(f);
}

static const struct {
    const char *name;
    void (*run)(struct db *d, const char *arg);
} scenarios[] = {
    {"types", types},
    {"binary_results", binary_results},
    {"same_text_other_types", same_text_other_types},
    {"many_rows", many_rows},
    {"codes", codes},
    {"transactions", transactions},
    {"read_only", read_only},
    {"copy", copy},
    {"copy_fails", copy_fails},
    {"pipeline", pipeline},
    {"stream", stream},
    {"stream_abort", stream_abort},
    {"async", async},
    {"idle_session", idle_session},
    {"changed_tables", changed_tables},
    {"loop", loop},
    {"history", history},
    {"figures", figures},
};

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    stop_init();
    log_init("db_probe", LOG_LOGFMT, LOG_LEVEL_DEBUG);
    const struct db_options opts = {
        .conninfo = argv[1],
        .name = "probe",
        .statement_timeout_ms = strcmp(argv[2], "codes") == 0 ? 500 : 20000,
        .idle_session_timeout_ms = strcmp(argv[2], "idle_session") == 0 ? 1000 : 0,
        .read_only = strcmp(argv[2], "read_only") == 0,
    };
    struct db *d = db_new(&opts);
    CHECK(db_ready(d) == 0);
    for (size_t i = 0; i < COUNT_OF(scenarios); i++) {
        if (strcmp(scenarios[i].name, argv[2]) == 0) {
            scenarios[i].run(d, argc > 3 ? argv[3] : "");
            db_free(d);
            return 0;
        }
    }
    return 2;
}

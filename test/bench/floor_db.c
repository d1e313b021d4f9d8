/* The floors of the database, in the same server as the thing measured.
 *   floor_db copy CONNINFO ROWS     COPY BINARY of ROWS keyed step rows in one transaction
 *   floor_db naive CONNINFO STEPS   one prepared update and one commit a step
 *   floor_db read CONNINFO SQL      a result read row by row (libpq's single-row mode), and nothing done with
 * it Prints one JSON line: {"rows":…,"seconds":…}. Its table floor_step is dropped at the end. */
#include "lib/clock.h"
#include "lib/db.h"
#include <stdio.h>

static const struct db_sql sql_update = {
    .name = "floor_update", .text = "UPDATE floor_step SET state = $2, changed_at = now() WHERE sms_id = $1"};

static void die(struct db *d, const char *what)
{
    fprintf(stderr, "floor_db: %s: %s\n", what, db_error(d));
    exit(1);
}

static void copy_rows(struct db *d, int64_t rows)
{
    struct db_copy *c;

    if (db_begin(d) != 0 || db_copy_begin(d, "floor_step (sms_id, step, state, changed_at, msg_id)", &c) != 0)
        die(d, "copy");
    for (int64_t i = 0; i < rows; i++) {
        char msg_id[32];

        snprintf(msg_id, sizeof(msg_id), "%llx", (unsigned long long)i * 7919u);
        db_copy_row(c, 5);
        db_copy_big(c, i / 3);
        db_copy_small(c, (int16_t)(100 + i % 3));
        db_copy_int(c, 30);
        db_copy_time(c, clock_wall_ms());
        db_copy_text(c, msg_id);
    }
    if (db_copy_end(d, c) != 0 || db_commit(d) != 0)
        die(d, "copy end");
}

static void update_one_by_one(struct db *d, int64_t steps)
{
    auto_params p = db_params_new();

    for (int64_t i = 0; i < steps; i++) {
        db_params_clear(p);
        db_add_big(p, i / 3);
        db_add_int(p, 30);
        if (db_run(d, &sql_update, p, NULL) != 0)
            die(d, "update");
    }
}

static int64_t read_rows(struct db *d, const char *sql)
{
    int64_t rows = 0;
    struct db_result *row;
    int r = db_stream_begin(d, sql);

    while (r == 0 && (r = db_stream_next(d, &row)) == 0 && row) {
        rows++;
        db_result_free(row);
    }
    if (r != 0)
        die(d, "read");
    return rows;
}

static int floor_read(struct db *d, const char *sql)
{
    int64_t begun = clock_mono_ms();

    if (db_ready(d) != 0)
        die(d, "set-up");
    int64_t rows = read_rows(d, sql);
    printf("{\"rows\":%lld,\"seconds\":%.3f}\n", (long long)rows, (double)(clock_mono_ms() - begun) / 1000.0);
    db_free(d);
    return 0;
}

int main(int argc, char **argv)
{
    int64_t rows, begun;
    struct db *d;

    if (argc == 4 && strcmp(argv[1], "read") == 0)
        return floor_read(db_new(&(struct db_options){.conninfo = argv[2], .name = "floor"}), argv[3]);
    if (argc != 4 || (strcmp(argv[1], "copy") != 0 && strcmp(argv[1], "naive") != 0)) {
        fprintf(stderr, "usage: floor_db copy|naive CONNINFO ROWS, or read CONNINFO SQL\n");
        return 2;
    }
    rows = atoll(argv[3]);
    d = db_new(&(struct db_options){.conninfo = argv[2], .name = "floor"});
    if (db_ready(d) != 0 ||
        db_script(d,
                  "DROP TABLE IF EXISTS floor_step; CREATE TABLE floor_step (sms_id bigint, step smallint, "
                  "state int, changed_at timestamptz, msg_id text, PRIMARY KEY (sms_id, step))") != 0)
        die(d, "set-up");
    if (strcmp(argv[1], "naive") == 0)
        copy_rows(d, rows);
    begun = clock_mono_ms();
    if (strcmp(argv[1], "copy") == 0)
        copy_rows(d, rows);
    else
        update_one_by_one(d, rows);
    printf("{\"rows\":%lld,\"seconds\":%.3f}\n", (long long)rows, (double)(clock_mono_ms() - begun) / 1000.0);
    if (db_script(d, "DROP TABLE floor_step") != 0)
        die(d, "drop");
    db_free(d);
    return 0;
}

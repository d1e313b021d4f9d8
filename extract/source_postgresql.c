/* The source driver for PostgreSQL, on lib/db's streaming: see source.h for what it keeps. */
#include "extract/source.h"
#include "lib/db.h"
#include <stdio.h>

/* The text of a value must not follow the settings of a server, a database or a role: it goes into keys. */
static const char stable_texts[] = "SET TimeZone = 'UTC';"
                                   "SET DateStyle = 'ISO, YMD';"
                                   "SET IntervalStyle = 'postgres';"
                                   "SET extra_float_digits = 1;"
                                   "SET bytea_output = 'hex';"
                                   "SET lc_monetary = 'C';"
                                   "SET client_encoding = 'UTF8'";

struct source_pg {
    struct source source;
    char *name;
    struct db *db;
    struct db_result *row;
    char **names;
    const char **values;
    size_t count;
    int64_t statement_timeout_ms;
    bool reading;
    char *sql;
    int line;
    char why[400];
};

static struct source *pg_open(const struct conf_source *conf, const char *application)
{
    struct source_pg *p = xmalloc(sizeof(*p));

    *p = (struct source_pg){
        .source = {&source_postgresql},
        .name = xstrdup(conf->name),
        .statement_timeout_ms = conf->statement_timeout_ms,
        .db = db_new(&(struct db_options){.conninfo = conf->conninfo,
                                          .name = application,
                                          .statement_timeout_ms = (int)conf->statement_timeout_ms,
                                          .read_only = true,
                                          .foreign = true}),
    };
    return &p->source;
}

/* The first line of what the server said; later ones (DETAIL, CONTEXT) may show rows. */
static void say_words(struct source_pg *p, const char *words)
{
    snprintf(p->why, sizeof(p->why), "source %s: %.*s", p->name, (int)strcspn(words, "\n"), words);
}

/* The server counts characters, the SQL text has bytes. */
static int line_of(const char *sql, int position)
{
    int line = 0;

    for (const char *s = sql; *s != '\0' && position > 1; s++) {
        if (((unsigned char)*s & 0xc0) != 0x80)
            position--;
        line += *s == '\n';
    }
    return line;
}

/* Only names of tables, columns and functions are in messages of class 42; others may quote a value. */
static int refused(struct source_pg *p, int r)
{
    p->line = line_of(p->sql, db_error_position(p->db));
    if (r == DB_BAD_SQL || r == DB_DENIED)
        say_words(p, db_error(p->db));
    else if (r == DB_CANCELLED)
        snprintf(p->why, sizeof(p->why),
                 "source %s: the statement took longer than its statement_timeout of %lld s", p->name,
                 (long long)(p->statement_timeout_ms / 1000));
    else
        snprintf(p->why, sizeof(p->why), "source %s: the database stopped the statement with error %s%s",
                 p->name, db_sqlstate(p->db),
                 r == DB_BAD_DATA ? " (a value that it cannot calculate with or convert)" : "");
    return SOURCE_REFUSED;
}

static int outcome(struct source_pg *p, int r)
{
    if (r == 0)
        return 0;
    p->reading = false;
    if (r > 0 && r != DB_RETRY && r != DB_FULL)
        return refused(p, r);
    /* Away, or as good as away: recovery conflicts of a replica and full servers pass. */
    say_words(p, *db_error(p->db) ? db_error(p->db) : "no connection");
    return r < 0 ? r : -EAGAIN;
}

static int pg_begin(struct source *s, const char *sql)
{
    struct source_pg *p = (struct source_pg *)s;
    int r;

    free(p->sql);
    p->sql = xstrdup(sql);
    r = db_ready(p->db);
    if (r == 0)
        r = db_script(p->db, stable_texts);
    if (r == 0)
        r = db_stream_begin(p->db, sql);
    p->reading = r == 0;
    return outcome(p, r);
}

static void learn_names(struct source_pg *p)
{
    p->count = (size_t)db_columns(p->row);
    p->names = xcalloc(p->count + 1, sizeof(*p->names));
    p->values = xcalloc(p->count + 1, sizeof(*p->values));
    for (size_t i = 0; i < p->count; i++)
        p->names[i] = xstrdup(db_column_name(p->row, (int)i));
}

static int pg_next(struct source *s, struct source_row *ret)
{
    struct source_pg *p = (struct source_pg *)s;
    int r;

    db_result_free(p->row);
    p->row = NULL;
    r = db_stream_next(p->db, &p->row);
    if (r != 0)
        return outcome(p, r);
    if (!p->row) {
        p->reading = false;
        return SOURCE_END;
    }
    if (!p->names)
        learn_names(p);
    for (size_t i = 0; i < p->count; i++)
        p->values[i] = db_is_null(p->row, 0, (int)i) ? NULL : db_text(p->row, 0, (int)i);
    *ret = (struct source_row){(const char *const *)p->names, p->values, p->count};
    return 0;
}

static const char *pg_why(const struct source *s)
{
    return ((const struct source_pg *)s)->why;
}

static int pg_line(const struct source *s)
{
    return ((const struct source_pg *)s)->line;
}

static void pg_close(struct source *s)
{
    struct source_pg *p = (struct source_pg *)s;

    db_result_free(p->row);
    if (p->reading)
        db_stream_abort(p->db);
    db_free(p->db);
    for (size_t i = 0; p->names && i < p->count; i++)
        free(p->names[i]);
    free(p->names);
    free(p->values);
    free(p->sql);
    free(p->name);
    free(p);
}

const struct source_driver source_postgresql = {.name = "postgresql",
                                                .open = pg_open,
                                                .begin = pg_begin,
                                                .next = pg_next,
                                                .why = pg_why,
                                                .line = pg_line,
                                                .close = pg_close};

/* PostgreSQL: COPY … FROM STDIN BINARY, the fastest way in, in pieces of 64 KiB. A failure on the way is kept
 * and told by db_copy_end, so that the loop over rows needs no checks. */
#include "lib/db_internal.h"

#include <arpa/inet.h>
#include <endian.h>

#define PIECE_BYTES   (64u << 10)
#define EPOCH_2000_MS INT64_C(946684800000)

struct db_copy {
    struct db *d;
    uint64_t generation; /* of the connection it runs on */
    int code;            /* the first failure */
    size_t len;
    char piece[PIECE_BYTES];
};

static bool alive(const struct db_copy *c)
{
    return c->code == 0 && c->d->conn && c->d->generation == c->generation;
}

static void put(struct db_copy *c, const char *data, size_t len)
{
    while (len > 0 && alive(c)) {
        /* The time for an answer counts from the last progress, not from the first row. */
        c->d->deadline_mono_ms = c->d->statement_timeout_ms > 0
                                     ? clock_mono_ms() + c->d->statement_timeout_ms + DB_ANSWER_GRACE_MS
                                     : INT64_MAX;
        int r = PQputCopyData(c->d->conn, data, (int)len);
        if (r > 0)
            len = 0;
        else if (r == 0)
            c->code = db_exchange(c->d, true);
        else
            c->code = db_lost(c->d, PQerrorMessage(c->d->conn));
    }
}

static void flush_piece(struct db_copy *c)
{
    put(c, c->piece, c->len);
    c->len = 0;
    /* Hand it to the kernel as it goes: libpq would keep all of it in memory. */
    while (alive(c)) {
        int r = PQflush(c->d->conn);
        if (r == 0)
            return;
        c->code = db_exchange(c->d, true);
    }
}

static void add(struct db_copy *c, const void *data, size_t len)
{
    const char *bytes = data;

    while (len > 0) {
        const size_t n = MIN_OF(len, sizeof(c->piece) - c->len);

        memcpy(c->piece + c->len, bytes, n);
        c->len += n;
        bytes += n;
        len -= n;
        if (c->len == sizeof(c->piece))
            flush_piece(c);
    }
}

static void add_u16(struct db_copy *c, uint16_t v)
{
    v = htons(v);
    add(c, &v, sizeof(v));
}

static void add_u32(struct db_copy *c, uint32_t v)
{
    v = htonl(v);
    add(c, &v, sizeof(v));
}

static void add_u64(struct db_copy *c, uint64_t v)
{
    v = htobe64(v);
    add(c, &v, sizeof(v));
}

int db_copy_begin(struct db *d, const char *table_and_columns, struct db_copy **ret)
{
    static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* signature, no flags, no extension */
    auto_free char *sql = xasprintf("COPY %s FROM STDIN (FORMAT BINARY)", table_and_columns);
    PGresult *pg;
    int r = db_enter(d, DB_IDLE);

    *ret = NULL;
    if (r < 0)
        return r;
    r = db_simple(d, sql, table_and_columns, &pg);
    PQclear(pg);
    if (r != 0)
        return r;
    d->mode = DB_COPYING;
    struct db_copy *c = xmalloc(sizeof(*c));
    c->d = d;
    c->generation = d->generation;
    c->code = 0;
    c->len = 0;
    add(c, head, 19);
    *ret = c;
    return 0;
}

void db_copy_row(struct db_copy *c, int columns)
{
    add_u16(c, (uint16_t)columns);
}

void db_copy_null(struct db_copy *c)
{
    add_u32(c, UINT32_MAX);
}

void db_copy_bool(struct db_copy *c, bool v)
{
    const char byte = v;

    add_u32(c, 1);
    add(c, &byte, 1);
}

void db_copy_small(struct db_copy *c, int16_t v)
{
    add_u32(c, sizeof(v));
    add_u16(c, (uint16_t)v);
}

void db_copy_int(struct db_copy *c, int32_t v)
{
    add_u32(c, sizeof(v));
    add_u32(c, (uint32_t)v);
}

void db_copy_big(struct db_copy *c, int64_t v)
{
    add_u32(c, sizeof(v));
    add_u64(c, (uint64_t)v);
}

void db_copy_text(struct db_copy *c, const char *s)
{
    if (!s) {
        db_copy_null(c);
        return;
    }
    const size_t len = strlen(s);
    add_u32(c, (uint32_t)len);
    add(c, s, len);
}

void db_copy_time(struct db_copy *c, int64_t wall_ms)
{
    if (wall_ms == 0) {
        db_copy_null(c);
        return;
    }
    add_u32(c, sizeof(wall_ms));
    add_u64(c, (uint64_t)((wall_ms - EPOCH_2000_MS) * 1000));
}

void db_copy_place(struct db_copy *c, int64_t place)
{
    add_u32(c, sizeof(uint32_t) + sizeof(uint16_t));
    add_u32(c, (uint32_t)(place >> 16));
    add_u16(c, (uint16_t)place);
}

void db_copy_uuid(struct db_copy *c, const uint8_t v[16])
{
    add_u32(c, 16);
    add(c, v, 16);
}

static int finish(struct db_copy *c, const char *error)
{
    struct db *d = c->d;
    int r = 0;

    /* libpq may ask to try again while its buffer is full. */
    while (alive(c) && (r = PQputCopyEnd(d->conn, error)) == 0)
        c->code = db_exchange(d, true);
    if (alive(c) && r < 0)
        c->code = db_lost(d, PQerrorMessage(d->conn));
    if (c->code == 0 && !alive(c))
        c->code = -ECONNRESET;
    if (c->code == 0)
        c->code = db_finish_command(d, "COPY");
    if (d->conn && d->generation == c->generation)
        d->mode = DB_IDLE;
    r = c->code;
    free(c);
    return r;
}

int db_copy_end(struct db *d, struct db_copy *c)
{
    add_u16(c, UINT16_MAX); /* the end of the rows */
    flush_piece(c);
    return finish(c, NULL);
}

void db_copy_abort(struct db *d, struct db_copy *c)
{
    if (!c)
        return;
    c->len = 0;
    (void)finish(c, "given up by the client"); /* answered with an error, as asked for */
}

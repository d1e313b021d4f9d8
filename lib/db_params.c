/* PostgreSQL: values on their way to the server in its binary forms, and results on their way back, as text
 * or in the same forms. */
#include "lib/db_internal.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>

enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_TIMESTAMPTZ = 1184,
    OID_UUID = 2950,
    OID_INT4_ARRAY = 1007,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016,
    OID_TIMESTAMPTZ_ARRAY = 1185,
    OID_UUID_ARRAY = 2951
};
#define PARAMS_MAX       64
#define PARAMS_MAX_BYTES (256u << 20)
#define EPOCH_2000_MS    INT64_C(946684800000)
#define NULL_LENGTH      (-1)

struct db_params {
    int count;
    Oid types[PARAMS_MAX];
    bool null[PARAMS_MAX];
    size_t offset[PARAMS_MAX];
    int length[PARAMS_MAX];
    struct buf bytes;
};

static const int all_binary[PARAMS_MAX] = {
#define EIGHT 1, 1, 1, 1, 1, 1, 1, 1
    EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT};

struct db_params *db_params_new(void)
{
    struct db_params *p = xcalloc(1, sizeof(*p));

    p->bytes.max = PARAMS_MAX_BYTES;
    return p;
}

void db_params_free(struct db_params *p)
{
    if (!p)
        return;
    buf_deinit(&p->bytes);
    free(p);
}

void db_params_clear(struct db_params *p)
{
    p->count = 0;
    buf_clear(&p->bytes);
}

static void add_u32(struct buf *b, uint32_t v)
{
    v = htonl(v);
    buf_add(b, &v, sizeof(v));
}

static void add_u64(struct buf *b, uint64_t v)
{
    v = htobe64(v);
    buf_add(b, &v, sizeof(v));
}

static uint64_t pg_time(int64_t wall_ms)
{
    return (uint64_t)((wall_ms - EPOCH_2000_MS) * 1000);
}

static void begin_value(struct db_params *p, Oid type, bool null)
{
    if (p->count == PARAMS_MAX) {
        log_error("too many parameters for one statement");
        abort();
    }
    p->types[p->count] = type;
    p->null[p->count] = null;
    p->offset[p->count] = p->bytes.len;
}

static void end_value(struct db_params *p)
{
    if (p->bytes.overflowed) {
        log_error("a statement's parameters are beyond reason", L_INT("bytes", p->bytes.len));
        abort();
    }
    p->length[p->count] = (int)(p->bytes.len - p->offset[p->count]);
    p->count++;
}

void db_add_null(struct db_params *p)
{
    begin_value(p, 0, true); /* the server finds its type */
    end_value(p);
}

void db_add_bool(struct db_params *p, bool v)
{
    begin_value(p, OID_BOOL, false);
    buf_add_char(&p->bytes, v);
    end_value(p);
}

void db_add_int(struct db_params *p, int32_t v)
{
    begin_value(p, OID_INT4, false);
    add_u32(&p->bytes, (uint32_t)v);
    end_value(p);
}

void db_add_big(struct db_params *p, int64_t v)
{
    begin_value(p, OID_INT8, false);
    add_u64(&p->bytes, (uint64_t)v);
    end_value(p);
}

void db_add_text(struct db_params *p, const char *s)
{
    begin_value(p, OID_TEXT, !s);
    if (s)
        buf_add_str(&p->bytes, s);
    end_value(p);
}

void db_add_bytes(struct db_params *p, const void *data, size_t len)
{
    begin_value(p, OID_BYTEA, false);
    buf_add(&p->bytes, data, len);
    end_value(p);
}

void db_add_time(struct db_params *p, int64_t wall_ms)
{
    begin_value(p, OID_TIMESTAMPTZ, wall_ms == 0);
    if (wall_ms != 0)
        add_u64(&p->bytes, pg_time(wall_ms));
    end_value(p);
}

/* One dimension, counted from 1. An empty array has no dimension. */
static void begin_array(struct db_params *p, Oid array, Oid element, size_t n, bool has_null)
{
    begin_value(p, array, false);
    add_u32(&p->bytes, n > 0 ? 1 : 0);
    add_u32(&p->bytes, has_null);
    add_u32(&p->bytes, element);
    if (n > 0) {
        add_u32(&p->bytes, (uint32_t)n);
        add_u32(&p->bytes, 1);
    }
}

void db_add_big_array(struct db_params *p, const int64_t *v, size_t n)
{
    begin_array(p, OID_INT8_ARRAY, OID_INT8, n, false);
    for (size_t i = 0; i < n; i++) {
        add_u32(&p->bytes, sizeof(*v));
        add_u64(&p->bytes, (uint64_t)v[i]);
    }
    end_value(p);
}

void db_add_int_array(struct db_params *p, const int32_t *v, size_t n)
{
    begin_array(p, OID_INT4_ARRAY, OID_INT4, n, false);
    for (size_t i = 0; i < n; i++) {
        add_u32(&p->bytes, sizeof(*v));
        add_u32(&p->bytes, (uint32_t)v[i]);
    }
    end_value(p);
}

void db_add_time_array(struct db_params *p, const int64_t *wall_ms, size_t n)
{
    begin_array(p, OID_TIMESTAMPTZ_ARRAY, OID_TIMESTAMPTZ, n, true);
    for (size_t i = 0; i < n; i++) {
        if (wall_ms[i] == 0) {
            add_u32(&p->bytes, (uint32_t)NULL_LENGTH);
            continue;
        }
        add_u32(&p->bytes, sizeof(*wall_ms));
        add_u64(&p->bytes, pg_time(wall_ms[i]));
    }
    end_value(p);
}

void db_add_text_array(struct db_params *p, const char *const *v, size_t n)
{
    begin_array(p, OID_TEXT_ARRAY, OID_TEXT, n, true);
    for (size_t i = 0; i < n; i++) {
        add_u32(&p->bytes, v[i] ? (uint32_t)strlen(v[i]) : (uint32_t)NULL_LENGTH);
        if (v[i])
            buf_add_str(&p->bytes, v[i]);
    }
    end_value(p);
}

void db_add_uuid_array(struct db_params *p, const uint8_t (*v)[16], size_t n)
{
    begin_array(p, OID_UUID_ARRAY, OID_UUID, n, false);
    for (size_t i = 0; i < n; i++) {
        add_u32(&p->bytes, 16);
        buf_add(&p->bytes, v[i], 16);
    }
    end_value(p);
}

void db_params_view(const struct db_params *p, struct db_values *ret)
{
    *ret = (struct db_values){0};
    if (!p || p->count == 0)
        return;
    ret->count = p->count;
    ret->types = p->types;
    ret->lengths = p->length;
    ret->formats = all_binary;
    ret->values = xcalloc((size_t)p->count, sizeof(*ret->values));
    for (int i = 0; i < p->count; i++) {
        /* An empty value is not a null: it needs an address. */
        if (!p->null[i])
            ret->values[i] = p->length[i] ? p->bytes.data + p->offset[i] : "";
    }
}

void db_values_deinit(struct db_values *v)
{
    free(v->values);
    *v = (struct db_values){0};
}

/* ---- results ---- */

struct db_result *db_result_wrap(PGresult *pg)
{
    struct db_result *r = xmalloc(sizeof(*r));

    r->pg = pg;
    return r;
}

void db_result_free(struct db_result *r)
{
    if (!r)
        return;
    PQclear(r->pg);
    free(r);
}

int db_rows(const struct db_result *r)
{
    return r ? PQntuples(r->pg) : 0;
}

int db_columns(const struct db_result *r)
{
    return r ? PQnfields(r->pg) : 0;
}

const char *db_column_name(const struct db_result *r, int column)
{
    const char *name = PQfname(r->pg, column);
    return name ? name : "";
}

bool db_is_null(const struct db_result *r, int row, int column)
{
    return PQgetisnull(r->pg, row, column);
}

const char *db_text(const struct db_result *r, int row, int column)
{
    const char *s = PQgetvalue(r->pg, row, column);
    return s ? s : "";
}

/* int2, int4, int8 and timestamptz as they come in binary; null: 0. */
static int64_t binary_integer(const struct db_result *r, int row, int column)
{
    const char *v = PQgetvalue(r->pg, row, column);
    uint64_t big;
    uint32_t four;
    uint16_t two;

    switch (PQgetlength(r->pg, row, column)) {
    case 8:
        memcpy(&big, v, sizeof(big));
        return (int64_t)be64toh(big);
    case 4:
        memcpy(&four, v, sizeof(four));
        return (int32_t)be32toh(four);
    case 2:
        memcpy(&two, v, sizeof(two));
        return (int16_t)be16toh(two);
    default:
        return 0;
    }
}

static int64_t binary_time_ms(const struct db_result *r, int row, int column)
{
    int64_t us = binary_integer(r, row, column);

    if (us == INT64_MAX || us == INT64_MIN)
        return us;
    int64_t ms = us / 1000 - (us % 1000 < 0);
    return db_is_null(r, row, column) ? 0 : ms + EPOCH_2000_MS;
}

static bool is_binary(const struct db_result *r, int column)
{
    return PQfformat(r->pg, column) == 1;
}

int64_t db_big(const struct db_result *r, int row, int column)
{
    if (is_binary(r, column))
        return binary_integer(r, row, column);
    return strtoll(db_text(r, row, column), NULL, 10);
}

/* Block and item: ten digits and five, or four bytes and two. */
int64_t db_place(const struct db_result *r, int row, int column)
{
    unsigned block = 0, item = 0;
    uint32_t four;
    uint16_t two;

    if (db_is_null(r, row, column))
        return 0;
    if (is_binary(r, column)) {
        const char *v = PQgetvalue(r->pg, row, column);
        if (PQgetlength(r->pg, row, column) != sizeof(four) + sizeof(two))
            return 0;
        memcpy(&four, v, sizeof(four));
        memcpy(&two, v + sizeof(four), sizeof(two));
        block = be32toh(four);
        item = be16toh(two);
    } else if (sscanf(db_text(r, row, column), "(%u,%u)", &block, &item) != 2) {
        return 0;
    }
    return (int64_t)block << 16 | item;
}

bool db_bool(const struct db_result *r, int row, int column)
{
    char c = db_text(r, row, column)[0];

    return c == 't' || c == 1;
}

int64_t db_time_ms(const struct db_result *r, int row, int column)
{
    const char *s = db_text(r, row, column);
    char iso[CLOCK_ISO_SIZE + 16];
    int64_t ms;

    if (is_binary(r, column))
        return binary_time_ms(r, row, column);
    if (!*s)
        return 0;
    if (strcmp(s, "infinity") == 0)
        return INT64_MAX;
    if (strcmp(s, "-infinity") == 0)
        return INT64_MIN;
    /* "2026-01-31 08:15:00.123456+00": always so, since the session's DateStyle and TimeZone are ours. */
    if (snprintf(iso, sizeof(iso), "%s%s", s, strlen(s) > 3 && s[strlen(s) - 3] == '+' ? ":00" : "") >=
        (int)sizeof(iso))
        return 0;
    return clock_parse_iso(iso, &ms) ? ms : 0;
}

int64_t db_affected(const struct db_result *r)
{
    return strtoll(PQcmdTuples(r->pg), NULL, 10);
}

/* Records as parameters: "id=9F3A01&status=delivered", in the query or in a form, or in both. One record a
 * call; or several, as repeated keys: the first value of each key makes the first record, and so on. */
#include "callback/format.h"

#define RECORDS_MAX 100000 /* the body's cap is far below; this only bounds the arithmetic */

struct values { /* of one role, in order */
    char **items;
    size_t count, cap;
};
struct parameters {
    struct values of[ROLE_COUNT];
    bool byte_0; /* some value holds one, which no field can */
};

static void parameters_deinit(struct parameters *p)
{
    for (size_t role = 0; role < ROLE_COUNT; role++) {
        for (size_t i = 0; i < p->of[role].count; i++)
            free(p->of[role].items[i]);
        free(p->of[role].items);
    }
}

static void add_value(struct parameters *p, size_t role, const char *s, size_t len)
{
    struct values *v = &p->of[role];
    auto_buf value = {0};
    format_url_decode(&value, s, len);
    p->byte_0 = p->byte_0 || (value.len > 0 && memchr(value.data, '\0', value.len));
    if (v->count == v->cap) {
        v->cap = v->cap ? v->cap * 2 : 4;
        v->items = xrealloc(v->items, v->cap * sizeof(*v->items));
    }
    v->items[v->count++] = buf_take(&value, NULL);
}

/* Two roles may stand in one parameter. */
static void add_pair(const struct conf_format *c, const char *pair, const char *stop, struct parameters *p)
{
    const char *equals = memchr(pair, '=', (size_t)(stop - pair));
    auto_buf key = {0};
    if (!equals)
        return;
    format_url_decode(&key, pair, (size_t)(equals - pair));
    for (size_t role = 0; role < ROLE_COUNT; role++) {
        const char *name = c->at[role];
        if (format_given(name) && key.len == strlen(name) && memcmp(key.data, name, key.len) == 0)
            add_value(p, role, equals + 1, (size_t)(stop - equals - 1));
    }
}

static void add_pairs(const struct conf_format *c, const char *text, size_t len, struct parameters *p)
{
    const char *end = text ? text + len : text;
    for (const char *pair = text; pair < end;) {
        const char *next = memchr(pair, '&', (size_t)(end - pair));
        const char *stop = next ? next : end;
        add_pair(c, pair, stop, p);
        pair = stop + 1;
    }
}

/* How many records there are. A key given once among repeated ones stands for all; any other difference says
 * that values and records cannot be told apart. */
static const char *count_records(const struct parameters *p, size_t *ret)
{
    *ret = 0;
    for (size_t role = 0; role < ROLE_COUNT; role++)
        *ret = MAX_OF(*ret, p->of[role].count);
    for (size_t role = 0; role < ROLE_COUNT; role++) {
        size_t count = p->of[role].count;
        if (count > 1 && count != *ret)
            return "its keys are repeated, but not equally often";
    }
    return *ret > RECORDS_MAX ? "it has too many values" : NULL;
}

/* As it would have come alone; for a person. */
static void write_raw(const struct conf_format *c, const struct format_record *r, struct buf *out)
{
    for (size_t role = 0; role < ROLE_COUNT; role++) {
        if (!r->field[role])
            continue;
        if (out->len > 0)
            buf_add_char(out, '&');
        buf_addf(out, "%s=", c->at[role]);
        buf_add_url_encoded(out, r->field[role], strlen(r->field[role]));
    }
}

/* What stands in the body is meant where a key stands in both. */
static void body_over_query(struct parameters *body, struct parameters *query)
{
    for (size_t role = 0; role < ROLE_COUNT; role++) {
        if (body->of[role].count == 0) {
            struct values none = body->of[role];
            body->of[role] = query->of[role];
            query->of[role] = none;
        }
    }
    body->byte_0 = body->byte_0 || query->byte_0;
}

const char *format_read_form(struct reading *r, const struct posted *request)
{
    cleanup_with(parameters_deinit) struct parameters p = {0}, query = {0};
    size_t count;
    if (request->body_len > 0 && !request->form)
        return "its type is not application/x-www-form-urlencoded";
    add_pairs(r->conf, request->body, request->body_len, &p);
    add_pairs(r->conf, request->query, request->query_len, &query);
    body_over_query(&p, &query);
    const char *wrong = p.byte_0 ? "it holds a byte 0" : count_records(&p, &count);
    if (wrong)
        return wrong;
    for (size_t i = 0; i < count; i++) {
        auto_buf raw = {0};
        struct format_record found = {0};
        for (size_t role = 0; role < ROLE_COUNT; role++) {
            const struct values *v = &p.of[role];
            found.field[role] = v->count == 0 ? NULL : v->items[v->count == 1 ? 0 : i];
        }
        write_raw(r->conf, &found, &raw);
        found.raw = raw.data ? raw.data : "";
        found.raw_len = raw.len;
        reading_take(r, &found);
    }
    return NULL;
}

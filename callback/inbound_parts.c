/* Arrays out, rows in; what belongs together is decided in the database (schema/0011_inbound_parts.sql). */
#include "callback/inbound_parts.h"
#include "inbound_part_add.sql.h"
#include "inbound_part_done.sql.h"
#include "inbound_part_whole.sql.h"
#include "lib/fault.h"

#define DUE_MAX 200 /* messages that have waited long enough: so many in a transaction */

void inbound_parts_deinit(struct inbound_parts *p)
{
    free(p->touched);
    free(p->whole);
    free(p->messages);
    db_result_free(p->rows);
}

/* ---- in ---- */

static void add_arrays(struct db_params *p, const struct inbound *const *in, size_t n)
{
    auto_free int32_t *ints = xcalloc(4 * n, sizeof(*ints));
    auto_free int64_t *numbers = xcalloc(n, sizeof(*numbers)), *times = xcalloc(3 * n, sizeof(*times));
    auto_free const char **texts = xcalloc(4 * n, sizeof(char *));
    auto_free uint8_t(*digests)[INBOUND_DIGEST] = xcalloc(n, INBOUND_DIGEST);
    for (size_t i = 0; i < n; i++) {
        const char *columns[] = {in[i]->from, in[i]->to, in[i]->text, in[i]->msg_id};
        const int32_t counts[] = {in[i]->gateway->id, in[i]->reference, in[i]->parts, in[i]->part};
        const int64_t moments[] = {in[i]->gateway_at, in[i]->at, in[i]->said_at};
        for (size_t k = 0; k < COUNT_OF(columns); k++)
            texts[k * n + i] = columns[k];
        for (size_t k = 0; k < COUNT_OF(counts); k++)
            ints[k * n + i] = counts[k];
        for (size_t k = 0; k < COUNT_OF(moments); k++)
            times[k * n + i] = moments[k];
        numbers[i] = in[i]->number;
        memcpy(digests[i], in[i]->digest, INBOUND_DIGEST);
    }
    db_add_int_array(p, ints, n);
    db_add_big_array(p, numbers, n);
    for (size_t k = 0; k < 4; k++)
        db_add_text_array(p, texts + k * n, n);
    for (size_t k = 0; k < 3; k++)
        db_add_time_array(p, times + k * n, n);
    db_add_uuid_array(p, (const uint8_t(*)[16])digests, n);
    for (size_t k = 1; k < 4; k++)
        db_add_int_array(p, ints + k * n, n);
}

int inbound_parts_put(struct db *d, const struct conf *conf, const struct inbound *in, size_t count,
                      struct inbound_parts *p)
{
    auto_free const struct inbound **parts = xcalloc(count + 1, sizeof(*parts));
    auto_params params = db_params_new();
    auto_result touched = NULL;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (inbound_is_part(&in[i]))
            parts[n++] = &in[i];
    }
    if (n == 0)
        return 0;
    add_arrays(params, parts, n);
    db_add_big(params, conf->main.inbound.parts_timeout_ms);
    int r = db_run(d, &sql_inbound_part_add, params, &touched);
    FAULT("consumer.inbound_parted");
    if (r != 0)
        return r;
    p->touched = xcalloc((size_t)db_rows(touched) + 1, sizeof(*p->touched));
    for (int row = 0; row < db_rows(touched); row++)
        p->touched[p->touched_count++] = db_big(touched, row, 0);
    return 0;
}

/* ---- out ---- */

static struct inbound whole_of(struct words *words, const struct db_result *rows, int row)
{
    struct inbound in = {.gateway = words_get(words, WORD_GATEWAY, db_text(rows, row, 1)),
                         .number = db_big(rows, row, 2),
                         .from = db_text(rows, row, 3),
                         .to = db_text(rows, row, 4),
                         .text = db_text(rows, row, 5),
                         .msg_id = db_text(rows, row, 6),
                         .gateway_at = db_is_null(rows, row, 7) ? 0 : db_time_ms(rows, row, 7),
                         .at = db_time_ms(rows, row, 8),
                         .said_at = db_time_ms(rows, row, 9),
                         .parts = (int32_t)db_big(rows, row, 10),
                         .missing = (int32_t)db_big(rows, row, 11),
                         .headless = !db_bool(rows, row, 12)};
    inbound_make_digest(&in);
    return in;
}

int inbound_parts_take(struct db *d, struct words *words, struct inbound_parts *p)
{
    auto_params params = db_params_new();
    db_add_big_array(params, p->touched, p->touched_count);
    db_add_int(params, DUE_MAX);
    int r = db_run(d, &sql_inbound_part_whole, params, &p->rows);
    if (r != 0)
        return r;
    p->count = (size_t)db_rows(p->rows);
    p->whole = xcalloc(p->count + 1, sizeof(*p->whole));
    p->messages = xcalloc(p->count + 1, sizeof(*p->messages));
    for (size_t i = 0; i < p->count; i++) {
        p->messages[i] = db_big(p->rows, (int)i, 0);
        p->whole[i] = whole_of(words, p->rows, (int)i);
    }
    return p->count > 0 ? words_resolve(words, d) : 0; /* another process may have been told of its gateway */
}

int inbound_parts_done(struct db *d, const struct inbound_parts *p, const struct inbound *in)
{
    auto_params params = db_params_new();
    auto_free int64_t *ids = xcalloc(p->count + 1, sizeof(*ids));
    if (p->count == 0)
        return 0;
    for (size_t i = 0; i < p->count; i++)
        ids[i] = in[i].id;
    db_add_big_array(params, p->messages, p->count);
    db_add_big_array(params, ids, p->count);
    return db_run(d, &sql_inbound_part_done, params, NULL);
}

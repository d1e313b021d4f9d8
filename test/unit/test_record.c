/* The wire: every field of the four tables there and back with hostile values, the exact form, foreign and
 * broken bodies, and what each step needs. */
#include "lib/record.h"
#include "lib/record_table.h"
#include "table.h"

/* Values are set and compared through the same table that makes the codec, so a new field is tested by being
 * there. */
static char *const hostile[] = {
    (char[]){""},
    (char[]){"plain"},
    (char[]){"\"quotes\" and \\ back / slash"},
    (char[]){"\x01\x02\x08\t\n\r\x1f\x7f"},
    (char[]){"gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9"},
    (char[]){"{\"v\":1,\"kind\":\"steps\"}],[null"},
    (char[]){"\\u0000 \\ud800"},
    (char[]){"\xEF\xBF\xBD\xE2\x80\xA8"},
};
static const int64_t numbers[] = {1, -1, 491711234567, 151135127633921, INT64_MAX, INT64_MIN + 1, 0};

static void *member(const struct field *f, void *record)
{
    return (char *)record + f->offset;
}

static void fill(const struct record_type *type, void *record, unsigned seed, struct row_cell *cells,
                 char **items)
{
    for (unsigned i = 0; i < type->count; i++) {
        void *at = member(&type->fields[i], record);
        unsigned pick = seed + i;
        switch ((enum field_type)type->fields[i].type) {
        case TYPE_INT:
            *(int64_t *)at = numbers[pick % COUNT_OF(numbers)];
            break;
        case TYPE_STR:
            *(char **)at = hostile[pick % COUNT_OF(hostile)];
            break;
        case TYPE_LIST:
            *(struct str_list *)at = (struct str_list){items, pick % 4};
            break;
        case TYPE_ROW:
            *(struct row *)at = (struct row){cells, pick % 5};
            break;
        }
    }
}

static void same_str(const char *a, const char *b)
{
    if (!a || !b)
        assert_true(a == b);
    else
        assert_string_equal(a, b);
}

static void compare(const struct record_type *type, const void *a, const void *b)
{
    for (unsigned i = 0; i < type->count; i++) {
        const struct field *f = &type->fields[i];
        const char *x = (const char *)a + f->offset, *y = (const char *)b + f->offset;
        const struct str_list *list_x = (const void *)x, *list_y = (const void *)y;
        const struct row *row_x = (const void *)x, *row_y = (const void *)y;
        switch ((enum field_type)f->type) {
        case TYPE_INT:
            assert_int_equal(*(const int64_t *)(const void *)x, *(const int64_t *)(const void *)y);
            break;
        case TYPE_STR:
            same_str(*(char *const *)(const void *)x, *(char *const *)(const void *)y);
            break;
        case TYPE_LIST:
            assert_int_equal(list_x->count, list_y->count);
            for (size_t k = 0; k < list_x->count; k++)
                same_str(list_x->items[k], list_y->items[k]);
            break;
        case TYPE_ROW:
            assert_int_equal(row_x->count, row_y->count);
            for (size_t k = 0; k < row_x->count; k++) {
                same_str(row_x->cells[k].name, row_y->cells[k].name);
                same_str(row_x->cells[k].value, row_y->cells[k].value);
            }
            break;
        }
    }
}

static struct chunk *decode(const struct buf *b)
{
    struct chunk *c = NULL;
    auto_free char *why = NULL;
    assert_false(b->overflowed);
    assert_int_equal(chunk_decode(b->data, b->len, &c, &why), 0);
    assert_null(why);
    return c;
}

#define ROUND 64
static struct row_cell round_cells[4];
static char *round_items[4];

static void set_up_values(void)
{
    round_cells[0] = (struct row_cell){hostile[1], hostile[2]};
    round_cells[1] = (struct row_cell){hostile[4], NULL};
    round_cells[2] = (struct row_cell){hostile[3], hostile[3]};
    round_cells[3] = (struct row_cell){hostile[0], hostile[0]};
    for (size_t i = 0; i < COUNT_OF(round_items); i++)
        round_items[i] = hostile[i * 2];
}

static void round_trip_rows(void **state)
{
    (void)state;
    struct row_record in[ROUND] = {0};
    auto_buf b = {0};
    chunk_begin(&b, RECORD_ROWS);
    for (unsigned i = 0; i < ROUND; i++) {
        fill(&record_types[RECORD_ROWS], &in[i], i, round_cells, round_items);
        chunk_add_row(&b, &in[i]);
    }
    chunk_end(&b);
    auto_chunk c = decode(&b);
    assert_int_equal(c->kind, RECORD_ROWS);
    assert_int_equal(c->count, ROUND);
    assert_int_equal(c->bad_count, 0);
    for (unsigned i = 0; i < ROUND; i++)
        compare(&record_types[RECORD_ROWS], &in[i], &c->rows[i]);
}

static void round_trip_texts(void **state)
{
    (void)state;
    struct text_record in[ROUND] = {0};
    auto_buf b = {0};
    chunk_begin(&b, RECORD_TEXTS);
    for (unsigned i = 0; i < ROUND; i++) {
        fill(&record_types[RECORD_TEXTS], &in[i], i, round_cells, round_items);
        chunk_add_text(&b, &in[i]);
    }
    chunk_end(&b);
    auto_chunk c = decode(&b);
    assert_int_equal(c->kind, RECORD_TEXTS);
    assert_int_equal(c->count, ROUND);
    for (unsigned i = 0; i < ROUND; i++)
        compare(&record_types[RECORD_TEXTS], &in[i], &c->texts[i]);
}

static void round_trip_steps(void **state)
{
    static const int64_t steps[] = {100, 101, 102, 110, 190};
    static char seq_id[] = "151135127633921.1.2", rejected[] = "rejected";
    (void)state;
    struct step_record in[ROUND] = {0};
    auto_buf b = {0};
    chunk_begin(&b, RECORD_STEPS);
    for (unsigned i = 0; i < ROUND; i++) {
        fill(&record_types[RECORD_STEPS], &in[i], i, round_cells, round_items);
        in[i].step = steps[i % COUNT_OF(steps)]; /* what step_check asks for; the rest stays hostile */
        in[i].number = 491711234567;
        in[i].seq_id = seq_id;
        in[i].state = i % 2 ? rejected : NULL;
        /* A record alone, as in the journal, then taken into a chunk as it is. */
        auto_buf alone = {0};
        chunk_add_step(&alone, &in[i]);
        assert_int_equal(alone.data[0], '{');
        chunk_add_raw(&b, alone.data, alone.len);
    }
    chunk_end(&b);
    auto_chunk c = decode(&b);
    assert_int_equal(c->kind, RECORD_STEPS);
    assert_int_equal(c->bad_count, 0);
    assert_int_equal(c->count, ROUND);
    for (unsigned i = 0; i < ROUND; i++)
        compare(&record_types[RECORD_STEPS], &in[i], &c->steps[i]);
}

static void round_trip_inbound(void **state)
{
    (void)state;
    struct inbound_record in[ROUND] = {0};
    auto_buf b = {0};
    chunk_begin(&b, RECORD_INBOUND);
    for (unsigned i = 0; i < ROUND; i++) {
        fill(&record_types[RECORD_INBOUND], &in[i], i, round_cells, round_items);
        chunk_add_inbound(&b, &in[i]);
    }
    chunk_end(&b);
    auto_chunk c = decode(&b);
    assert_int_equal(c->kind, RECORD_INBOUND);
    assert_int_equal(c->bad_count, 0);
    assert_int_equal(c->count, ROUND);
    for (unsigned i = 0; i < ROUND; i++)
        compare(&record_types[RECORD_INBOUND], &in[i], &c->inbounds[i]);
}

/* The wire is a promise to durable queues: this text may only change together with RECORD_VERSION. */
static void exact_form(void **state)
{
    (void)state;
    auto_buf b = {0};
    struct step_record s = {.step = STEP_ACCEPTED,
                            .at = 5,
                            .gateway = (char[]){"alpha"},
                            .seq_id = (char[]){"7.1.1"},
                            .number = 49171,
                            .msg_id = (char[]){"x\"1"}};
    chunk_begin(&b, RECORD_STEPS);
    chunk_add_step(&b, &s);
    chunk_add_step(&b, &s);
    chunk_end(&b);
#define ONE                                                                                                  \
    "{\"step\":101,\"at\":5,\"gateway\":\"alpha\",\"seq_id\":\"7.1.1\",\"number\":49171,\"msg_id\":"         \
    "\"x\\\"1\"}"
    assert_string_equal(b.data, "{\"v\":1,\"kind\":\"steps\",\"records\":[" ONE "," ONE "]}");
    buf_clear(&b);
    struct row_record r = {.rule = (char[]){"r"}, .tmpl = (char[]){"t"}};
    chunk_add_row(&b, &r);
    assert_string_equal(
        b.data, "{\"sms_id\":0,\"number\":0,\"run\":0,\"rule\":\"r\",\"tmpl\":\"t\",\"valid_until\":0,"
                "\"row\":{}}");
    buf_clear(&b);
    chunk_begin(&b, RECORD_ROWS);
    chunk_end(&b);
    auto_chunk c = decode(&b);
    assert_int_equal(c->count + c->bad_count, 0);
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
    (void)state;
    struct row_cell cell = {(char[]){"n\xFF"}, (char[]){"a\xC3"}};
    struct row_record r = {.rule = (char[]){"\xED\xA0\x80"}, .tmpl = (char[]){"t"}, .row = {&cell, 1}};
    auto_buf b = {0};
    chunk_begin(&b, RECORD_ROWS);
    chunk_add_row(&b, &r);
    chunk_end(&b);
    auto_chunk c = decode(&b);
    assert_int_equal(c->count, 1);
    assert_string_equal(c->rows[0].row.cells[0].name, "n\xEF\xBF\xBD");
    assert_string_equal(c->rows[0].row.cells[0].value, "a\xEF\xBF\xBD");
}

/* data/record.txt: kind | records | what comes of it. */
static void describe(struct buf *out, const char *body, size_t len)
{
    auto_chunk c = NULL;
    auto_free char *why = NULL;
    int r = chunk_decode(body, len, &c, &why);
    if (r != 0) {
        buf_addf(out, "%s: %s", r == CHUNK_NEWER ? "newer" : "unreadable", why);
        assert_null(c);
        return;
    }
    buf_addf(out, "%zu", c->count);
    for (size_t i = 0; i < c->bad_count; i++)
        buf_addf(out, "; %s", c->bad[i].why);
    if (c->kind == RECORD_ROWS && c->count == 1) {
        for (size_t i = 0; i < c->rows[0].row.count; i++)
            buf_addf(out, " %s=%s", c->rows[0].row.cells[i].name,
                     c->rows[0].row.cells[i].value ? c->rows[0].row.cells[i].value : "(null)");
    }
}

static void record_table(void **state)
{
    struct table t;
    (void)state;
    table_open(&t, "data/record.txt", 3);
    while (table_next(&t)) {
        auto_buf body = {0}, got = {0};
        if (strcmp(t.cell[0], "body") == 0)
            buf_add_str(&body, t.cell[1]);
        else
            buf_addf(&body, "{\"v\":1,\"kind\":\"%s\",\"records\":[%s]}", t.cell[0], t.cell[1]);
        describe(&got, body.data ? body.data : "", body.len);
        table_check(&t, got.data, t.cell[2]);
    }
    table_close(&t);
}

static void bad_records_keep_their_json(void **state)
{
    (void)state;
    static const char body[] =
        "{\"v\":1,\"kind\":\"steps\",\"records\":["
        "{\"step\":102,\"at\":1,\"gateway\":\"a/b\",\"msg_id\":\"1\",\"reason\":\"ok\"},"
        "{\"step\":102,\"at\":1,\"later\":{\"x\":[1,2]},\"reason\":\"g\xC3\xBC/\"}, 7,"
        "{\"step\":102,\"at\":2,\"gateway\":\"a\",\"msg_id\":\"2\",\"reason\":\"ok\"}]}";
    struct chunk *c = NULL;
    char *why = NULL;
    assert_int_equal(chunk_decode(body, sizeof(body) - 1, &c, &why), 0);
    assert_int_equal(c->count, 2);
    assert_string_equal(c->steps[0].gateway, "a/b");
    assert_int_equal(c->steps[1].at, 2);
    assert_int_equal(c->bad_count, 2);
    assert_string_equal(c->bad[0].json,
                        "{\"step\":102,\"at\":1,\"later\":{\"x\":[1,2]},\"reason\":\"g\xC3\xBC/\"}");
    assert_string_equal(c->bad[1].json, "7");
    chunk_free(c);
}

static void every_cut_body_is_unreadable(void **state)
{
    (void)state;
    auto_buf b = {0};
    struct step_record s = {.step = STEP_STATUS,
                            .at = -5,
                            .gateway = (char[]){"g"},
                            .msg_id = (char[]){"\xC3\xBC\n"},
                            .reason = (char[]){"r"}};
    chunk_begin(&b, RECORD_STEPS);
    chunk_add_step(&b, &s);
    chunk_end(&b);
    for (size_t len = 0; len < b.len; len++) {
        auto_free char *exact = xmalloc(len); /* so that the sanitizer sees a read behind it */
        memcpy(exact, b.data, len);
        struct chunk *c = NULL;
        auto_free char *why = NULL;
        assert_int_equal(chunk_decode(exact, len, &c, &why), CHUNK_UNREADABLE);
        assert_non_null(why);
    }
}

/* One chunk may be larger than one block of its memory: rows of many empty columns need more than their text.
 */
static void many_columns(void **state)
{
    (void)state;
    static struct row_cell cells[5000];
    static char names[5000][8];
    for (size_t i = 0; i < COUNT_OF(cells); i++) {
        snprintf(names[i], sizeof(names[i]), "%zu", i);
        cells[i].name = names[i];
    }
    struct row_record r = {.rule = (char[]){"r"}, .tmpl = (char[]){"t"}, .row = {cells, COUNT_OF(cells)}};
    auto_buf b = {0};
    chunk_begin(&b, RECORD_ROWS);
    for (int i = 0; i < 3; i++)
        chunk_add_row(&b, &r);
    chunk_end(&b);
    auto_chunk c = decode(&b);
    assert_int_equal(c->count, 3);
    for (int i = 0; i < 3; i++)
        compare(&record_types[RECORD_ROWS], &r, &c->rows[i]);
}

int main(void)
{
    set_up_values();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip_rows),
        cmocka_unit_test(round_trip_texts),
        cmocka_unit_test(round_trip_steps),
        cmocka_unit_test(round_trip_inbound),
        cmocka_unit_test(exact_form),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test(record_table),
        cmocka_unit_test(bad_records_keep_their_json),
        cmocka_unit_test(every_cut_body_is_unreadable),
        cmocka_unit_test(many_columns),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}

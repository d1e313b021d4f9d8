/* The balance of a run (data/balance.txt), and the rows of a group that it is made of: keys, records,
 * reasons. */
#include "extract/balance.h"
#include "extract/group.h"
#include "lib/record.h"
#include "table.h"
#include <inttypes.h>

static void balances(void **state)
{
    struct table t;
    (void)state;

    table_open(&t, "data/balance.txt", 2);
    while (table_next(&t)) {
        struct balance b;
        char text[BALANCE_TEXT_SIZE];
        assert_int_equal(sscanf(t.cell[0],
                                "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64
                                " %" SCNd64,
                                &b.rows, &b.gone, &b.new_, &b.seen, &b.duplicate, &b.invalid, &b.suppressed),
                         7);
        table_check(&t, balance_holds(&b) ? "yes" : "no", t.cell[1]);
        assert_true((strstr(balance_text(&b, text), "!=") == NULL) == balance_holds(&b));
    }
    table_close(&t);
}

static void balance_in_words(void **state)
{
    char text[BALANCE_TEXT_SIZE];
    (void)state;

    balance_text(&(struct balance){.rows = 5, .gone = 1, .new_ = 4, .seen = 3, .duplicate = 1, .invalid = 1},
                 text);
    assert_string_equal(text, "rows 5 + gone 1 = new 4 + duplicate 1 + invalid 1 + suppressed 0");
}

/* ---- keys ---- */

static void key_of(const char *rule, const char *const *values, size_t count, char out[KEY_HEX_SIZE])
{
    struct key_maker *k = key_maker_new(rule);
    uint8_t key[KEY_SIZE];

    key_make(k, values, count, key);
    key_hex(key, out);
    key_make(k, values, count, key); /* the maker's second key is its first */
    char again[KEY_HEX_SIZE];
    assert_string_equal(key_hex(key, again), out);
    key_maker_free(k);
}

static void keys_differ_where_the_values_do(void **state)
{
    static const struct {
        const char *rule;
        const char *values[3];
        size_t count;
    } cases[] = {
        {"r", {"ab", "c"}, 2}, {"r", {"a", "bc"}, 2},     {"r", {"abc"}, 1},
        {"r", {"abc", ""}, 2}, {"r", {"", "abc"}, 2},     {"r", {"c", "ab"}, 2},
        {"ra", {"b", "c"}, 2}, {"r", {"ab", "c", ""}, 3}, {"", {"r", "ab", "c"}, 3},
    };
    char keys[COUNT_OF(cases)][KEY_HEX_SIZE];
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        key_of(cases[i].rule, cases[i].values, cases[i].count, keys[i]);
        assert_int_equal(strlen(keys[i]), 32);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i], keys[j]);
    }
}

/* Keys stand in the table for years: this one was computed by hand (sha256sum) and must never change. */
static void keys_stay(void **state)
{
    const char *values[] = {"4711", "2026-01-31"};
    char key[KEY_HEX_SIZE];
    (void)state;

    key_of("reminder", values, 2, key);
    assert_string_equal(key, "200552c84094ce5cac69ede9eb97f2af");
}

static void sql_texts(void **state)
{
    char a[SQL_HASH_SIZE], b[SQL_HASH_SIZE];
    (void)state;

    assert_string_equal(sql_hash("SELECT a,  b\n\tFROM t\n", a), sql_hash("  SELECT a, b FROM t", b));
    assert_string_not_equal(sql_hash("SELECT a, b FROM t", a), sql_hash("SELECT a,b FROM t", b));
    assert_string_equal(sql_hash(" \n", a), sql_hash("", b));
    assert_int_equal(strlen(a), 64);
}

/* ---- groups ---- */

#define COLUMNS 4
static const char *const names[COLUMNS] = {"id", "number", "name", "note"};
static char *once_columns[] = {(char *)(uintptr_t) "id", (char *)(uintptr_t) "name"};
static char *only_numbers[] = {(char *)(uintptr_t) "+49 171 0000001"};

struct fixture {
    struct conf_rule rule;
    struct str_list nobody, one;
    struct reading reading;
    struct group group;
};

static void set_up(struct fixture *f, bool only_one)
{
    *f = (struct fixture){
        .rule = {.name = (char *)(uintptr_t) "reminder",
                 .template_name = (char *)(uintptr_t) "due",
                 .number_column = (char *)(uintptr_t) "number",
                 .lane = (char *)(uintptr_t) "bulk",
                 .once_per = {once_columns, 2}},
        .one = {only_numbers, 1},
    };
    reading_init(&f->reading, &f->rule, "49", only_one ? &f->one : &f->nobody);
    f->reading.run_id = 7;
    f->reading.valid_until_ms = 1770000000000;
    group_init(&f->group, 3);
}

static void tear_down(struct fixture *f)
{
    reading_deinit(&f->reading);
    group_deinit(&f->group);
}

static int add(struct fixture *f, const char *id, const char *number, const char *name, const char *note)
{
    const char *values[COLUMNS] = {id, number, name, note};
    const char *missing;

    return group_add(&f->group, &f->reading, &(struct source_row){names, values, COLUMNS}, &missing);
}

/* What the ledger's statement makes of a record: the sms_id in place of the 0. */
static void a_record_is_whole_with_its_sms_id(void **state)
{
    struct fixture f;
    auto_buf body = {0};
    auto_chunk chunk = NULL;
    char *why = NULL;
    (void)state;

    set_up(&f, false);
    assert_int_equal(add(&f, "4711", "0171 1234567", "Zoë \"Z\"", NULL), 0);
    assert_int_equal(f.group.count, 1);
    assert_int_equal(f.group.numbers[0], 491711234567);
    chunk_begin(&body, RECORD_ROWS);
    buf_addf(&body, "{\"sms_id\":%d%s", 42, f.group.bodies.data + f.group.bodies_at[0]);
    chunk_end(&body);
    assert_int_equal(chunk_decode(body.data, body.len, &chunk, &why), 0);
    assert_int_equal(chunk->count, 1);
    assert_int_equal(chunk->bad_count, 0);
    assert_int_equal(chunk->rows[0].sms_id, 42);
    assert_int_equal(chunk->rows[0].number, 491711234567);
    assert_int_equal(chunk->rows[0].run, 7);
    assert_int_equal(chunk->rows[0].valid_until, 1770000000000);
    assert_string_equal(chunk->rows[0].rule, "reminder");
    assert_string_equal(chunk->rows[0].tmpl, "due");
    assert_int_equal(chunk->rows[0].row.count, COLUMNS);
    assert_string_equal(chunk->rows[0].row.cells[2].value, "Zoë \"Z\"");
    assert_null(chunk->rows[0].row.cells[3].value);
    tear_down(&f);
}

static void rows_that_cannot_be_messages(void **state)
{
    struct fixture f;
    auto_free char *long_note = xcalloc(ROW_BYTES_MAX + 1, 1);
    (void)state;

    set_up(&f, false);
    memset(long_note, 'x', ROW_BYTES_MAX);
    assert_int_equal(add(&f, NULL, "0171 1234567", "A", NULL), 0);
    assert_int_equal(add(&f, "1", NULL, "A", NULL), 0);
    assert_int_equal(add(&f, "2", "0171 1234567", "A", long_note), 0);
    assert_true(group_is_full(&f.group));
    assert_int_equal(f.group.rows, 3);
    assert_int_equal(f.group.count, 0);
    assert_int_equal(f.group.skipped, 3);
    assert_string_equal(f.group.skip_reasons[0], "missing_key");
    assert_string_equal(f.group.skip_keys[0], "");
    assert_string_equal(f.group.skip_reasons[1], "empty");
    assert_int_equal(strlen(f.group.skip_keys[1]), 32);
    assert_string_equal(f.group.skip_reasons[2], "row_too_long");
    group_clear(&f.group);
    assert_int_equal(f.group.rows, 0);
    assert_false(group_is_full(&f.group));
    tear_down(&f);
}

static void staging_reaches_only_those_listed(void **state)
{
    struct fixture f;
    (void)state;

    set_up(&f, true);
    assert_int_equal(add(&f, "1", "0171 0000001", "A", NULL), 0);
    assert_int_equal(add(&f, "2", "0171 0000002", "A", NULL), 0);
    assert_int_equal(f.group.count, 1);
    assert_string_equal(f.group.skip_reasons[0], "not_listed");
    tear_down(&f);
}

static void a_column_that_the_sql_does_not_give(void **state)
{
    struct fixture f;
    const char *values[] = {"1", "0171 1234567"}, *missing = NULL;
    (void)state;

    set_up(&f, false);
    assert_int_equal(group_add(&f.group, &f.reading, &(struct source_row){names, values, 2}, &missing),
                     GROUP_NO_COLUMN);
    assert_string_equal(missing, "name");
    assert_int_equal(group_add(&f.group, &f.reading, &(struct source_row){names, values, 1}, &missing),
                     GROUP_NO_COLUMN);
    assert_string_equal(missing, "number");
    tear_down(&f);
}

static void a_group_ends_at_its_bytes(void **state)
{
    struct fixture f;
    auto_free char *note = xcalloc(ROW_BYTES_MAX, 1);
    int rows = 0;
    (void)state;

    set_up(&f, false);
    group_deinit(&f.group);
    group_init(&f.group, 5000);
    memset(note, 'x', ROW_BYTES_MAX - 1000);
    for (; !group_is_full(&f.group); rows++)
        assert_int_equal(add(&f, "1", "0171 1234567", "A", note), 0);
    assert_in_range(rows, GROUP_BYTES_MAX / ROW_BYTES_MAX, GROUP_BYTES_MAX / ROW_BYTES_MAX + 1);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(balances),
        cmocka_unit_test(balance_in_words),
        cmocka_unit_test(keys_differ_where_the_values_do),
        cmocka_unit_test(keys_stay),
        cmocka_unit_test(sql_texts),
        cmocka_unit_test(a_record_is_whole_with_its_sms_id),
        cmocka_unit_test(rows_that_cannot_be_messages),
        cmocka_unit_test(staging_reaches_only_those_listed),
        cmocka_unit_test(a_column_that_the_sql_does_not_give),
        cmocka_unit_test(a_group_ends_at_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

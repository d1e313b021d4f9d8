/* Rows become records, or reasons why not: see group.h. */
#include "extract/group.h"
#include "lib/number.h"
#include "lib/record.h"
#include "render/route.h"
#include <assert.h>
#include <ctype.h>

void reading_init(struct reading *r, const struct conf_rule *rule, const char *country,
                  const struct str_list *only_to)
{
    *r = (struct reading){.rule = rule, .country = country, .deliver_only_to = only_to};
    r->waves = rule->waves.first && *rule->waves.first;
    r->keys = key_maker_new(rule->name);
    r->once_at = xcalloc(rule->once_per.count + 1, sizeof(*r->once_at));
    r->once_values = xcalloc(rule->once_per.count + 1, sizeof(*r->once_values));
    r->only_to = xcalloc(only_to->count + 1, sizeof(*r->only_to));
    for (size_t i = 0; i < only_to->count; i++) {
        int64_t n;
        if (number_normalise(only_to->items[i], country, &n) == NUMBER_OK)
            r->only_to[r->only_count++] = n;
    }
}

void reading_deinit(struct reading *r)
{
    key_maker_free(r->keys);
    free(r->once_at);
    free(r->once_values);
    free(r->only_to);
    free(r->cells);
    *r = (struct reading){0};
}

void group_init(struct group *g, size_t max_rows)
{
    *g = (struct group){.max = max_rows};
    g->keys = xcalloc(max_rows, sizeof(*g->keys));
    g->numbers = xcalloc(max_rows, sizeof(*g->numbers));
    g->gateways = xcalloc(max_rows, sizeof(*g->gateways));
    g->bodies_at = xcalloc(max_rows, sizeof(*g->bodies_at));
    g->exts_at = xcalloc(max_rows, sizeof(*g->exts_at));
    g->skip_keys = xcalloc(max_rows, sizeof(*g->skip_keys));
    g->skip_reasons = xcalloc(max_rows, sizeof(*g->skip_reasons));
    g->skip_numbers_at = xcalloc(max_rows, sizeof(*g->skip_numbers_at));
}

void group_deinit(struct group *g)
{
    free(g->keys);
    free(g->numbers);
    free(g->gateways);
    free(g->bodies_at);
    free(g->exts_at);
    free(g->skip_keys);
    free(g->skip_reasons);
    free(g->skip_numbers_at);
    buf_deinit(&g->skip_numbers);
    buf_deinit(&g->bodies);
    buf_deinit(&g->exts);
    buf_deinit(&g->record);
    *g = (struct group){0};
}

void group_clear(struct group *g)
{
    g->rows = g->count = g->skipped = 0;
    buf_clear(&g->skip_numbers);
    buf_clear(&g->bodies);
    buf_clear(&g->exts);
}

bool group_is_full(const struct group *g)
{
    return g->rows >= g->max || g->bodies.len >= GROUP_BYTES_MAX;
}

static bool find_column(const struct source_row *row, const char *name, size_t *ret)
{
    for (size_t i = 0; i < row->count; i++) {
        if (strcmp(row->names[i], name) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static int find_columns(struct reading *r, const struct source_row *row, const char **ret_missing)
{
    const struct str_list *once = &r->rule->once_per;

    *ret_missing = r->rule->number_column;
    if (!find_column(row, *ret_missing, &r->number_at))
        return GROUP_NO_COLUMN;
    for (size_t i = 0; i < once->count; i++) {
        *ret_missing = once->items[i];
        if (!find_column(row, *ret_missing, &r->once_at[i]))
            return GROUP_NO_COLUMN;
    }
    *ret_missing = NULL;
    r->columns_known = true;
    return 0;
}

static bool make_key(struct reading *r, const struct source_row *row, uint8_t out[KEY_SIZE])
{
    for (size_t i = 0; i < r->rule->once_per.count; i++) {
        r->once_values[i] = row->values[r->once_at[i]];
        if (!r->once_values[i])
            return false;
    }
    key_make(r->keys, r->once_values, r->rule->once_per.count, out);
    return true;
}

/* By what a person asks for the row later: its number, or where it is none, what stands in its place. */
static void add_skipped_number(struct group *g, int64_t number, const char *written)
{
    g->skip_numbers_at[g->skipped] = g->skip_numbers.len;
    if (number > 0) {
        buf_add_i64(&g->skip_numbers, number);
    } else if (written) {
        size_t len = strlen(written);
        for (; len > 0 && isspace((unsigned char)*written); len--)
            written++;
        while (len > 0 && isspace((unsigned char)written[len - 1]))
            len--;
        buf_add(&g->skip_numbers, written, MIN_OF(len, SKIP_NUMBER_BYTES));
    }
    buf_add_char(&g->skip_numbers, '\0');
}

static void skip(struct group *g, const uint8_t *key, const char *reason, int64_t number, const char *written)
{
    add_skipped_number(g, number, written);
    if (key)
        key_hex(key, g->skip_keys[g->skipped]);
    else
        g->skip_keys[g->skipped][0] = '\0';
    g->skip_reasons[g->skipped++] = reason;
}

static bool is_listed(const struct reading *r, int64_t number)
{
    if (r->deliver_only_to->count == 0)
        return true;
    for (size_t i = 0; i < r->only_count; i++)
        if (r->only_to[i] == number)
            return true;
    return false;
}

/* Records have plain strings as members because a decoded one owns them; the encoder changes none. */
static char *not_owned(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* False: too long. */
static bool encode(struct group *g, struct reading *r, const struct source_row *row, int64_t number)
{
    struct row_record record = {
        .number = number,
        .run = r->run_id,
        .rule = r->rule->name,
        .tmpl = row->template ? not_owned(row->template) : r->rule->template_name,
        .lane = r->rule->lane,
        .valid_until = r->valid_until_ms,
    };

    if (row->count > r->cells_max) {
        r->cells = xrealloc(r->cells, row->count * sizeof(*r->cells));
        r->cells_max = row->count;
    }
    record.row = (struct row){r->cells, row->count};
    for (size_t i = 0; i < row->count; i++)
        r->cells[i] = (struct row_cell){not_owned(row->names[i]), not_owned(row->values[i])};
    buf_clear(&g->record);
    chunk_add_row(&g->record, &record);
    assert(memcmp(g->record.data, GROUP_HEAD, strlen(GROUP_HEAD)) == 0);
    return g->record.len <= ROW_BYTES_MAX;
}

/* By which gateway it will leave, as far as that is known beforehand: each is to have a part in the first
 * wave. */
static int32_t gateway_place(const struct conf_rule *rule, int64_t number)
{
    char *gateways[ROUTE_MAX];
    size_t count =
        route_choose(rule->routes, rule->route_count, route_share(rule->name, number), number, gateways);

    for (size_t i = 0; count > 0 && i < MIN_OF(rule->route_count, (size_t)ROUTE_MAX); i++)
        if (strcmp(rule->routes[i].gateway, gateways[0]) == 0)
            return (int32_t)i + 1;
    return 0;
}

int group_add(struct group *g, struct reading *r, const struct source_row *row, const char **ret_missing)
{
    uint8_t key[KEY_SIZE];
    int64_t number = 0;
    enum number_fault fault;

    if (!r->columns_known && find_columns(r, row, ret_missing) != 0)
        return GROUP_NO_COLUMN;
    const char *written = row->values[r->number_at];
    g->rows++;
    fault = number_normalise(written, r->country, &number);
    if (!make_key(r, row, key))
        skip(g, NULL, "missing_key", fault == NUMBER_OK ? number : 0, written);
    else if (fault != NUMBER_OK)
        skip(g, key, number_fault_word(fault), 0, written);
    else if (row->refused)
        skip(g, key, row->refused, number, written);
    else if (!is_listed(r, number))
        skip(g, key, "not_listed", number, written);
    else if (!encode(g, r, row, number))
        skip(g, key, "row_too_long", number, written);
    else {
        memcpy(g->keys[g->count], key, KEY_SIZE);
        g->numbers[g->count] = number;
        g->gateways[g->count] = r->waves ? gateway_place(r->rule, number) : 0;
        g->bodies_at[g->count] = g->bodies.len;
        buf_add(&g->bodies, g->record.data + strlen(GROUP_HEAD),
                g->record.len - strlen(GROUP_HEAD) + 1); /* and its NUL */
        if (row->ext_id) {
            g->exts_at[g->count] = g->exts.len;
            buf_add(&g->exts, row->ext_id, strlen(row->ext_id) + 1);
        }
        g->count++;
    }
    return 0;
}

/* Are two values of a table the same? Asked when a configuration is loaded again: what is the same goes on.
 */
#include "lib/conf_internal.h"

static bool same_table(const struct conf_table *t, const char *a, const char *b);

static bool same_str(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

static bool same_list(const struct str_list *a, const struct str_list *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = same_str(a->items[i], b->items[i]);
    return same;
}

static bool same_map(const struct conf_map *a, const struct conf_map *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = same_str(a->pairs[i].key, b->pairs[i].key) && same_str(a->pairs[i].value, b->pairs[i].value);
    return same;
}

static bool same_array(const struct conf_key *key, const char *a, const char *b)
{
    size_t count = *(const size_t *)(const void *)(a + key->count_at);
    const char *x = conf_pointer_at(a, key->at), *y = conf_pointer_at(b, key->at);
    bool same = count == *(const size_t *)(const void *)(b + key->count_at);

    for (size_t i = 0; same && i < count; i++) {
        if (key->type == CONF_TABLES) {
            same = same_table(key->table, x + i * key->table->size, y + i * key->table->size);
            continue;
        }
        const struct conf_status *s = (const struct conf_status *)(const void *)x + i,
                                 *t = (const struct conf_status *)(const void *)y + i;
        same = same_str(s->word, t->word) && s->state == t->state;
    }
    return same;
}

static bool same_key(const struct conf_key *key, const char *a, const char *b)
{
    const void *x = a + key->at, *y = b + key->at;

    switch (key->type) {
    case CONF_STR:
    case CONF_WORD:
        return same_str(conf_pointer_at(a, key->at), conf_pointer_at(b, key->at));
    case CONF_WORD_ENUM:
        return *(const int *)x == *(const int *)y;
    case CONF_WORD_BOOL:
    case CONF_BOOL:
        return *(const bool *)x == *(const bool *)y;
    case CONF_INT:
    case CONF_DURATION:
    case CONF_SIZE:
        return *(const int64_t *)x == *(const int64_t *)y;
    case CONF_STR_LIST:
        return same_list(x, y);
    case CONF_MAP:
        return same_map(x, y);
    case CONF_STATES:
    case CONF_TABLES:
        return same_array(key, a, b);
    case CONF_SECTION:
        return same_table(key->table, x, y);
    }
    return false;
}

static bool same_table(const struct conf_table *t, const char *a, const char *b)
{
    bool same = true;

    for (const struct conf_key *key = t->keys; key->name && same; key++)
        same = same_key(key, a, b);
    return same;
}

bool conf_gateway_key_same(const struct conf_gateway *a, const struct conf_gateway *b, const char *name)
{
    const struct conf_key *key = conf_table_key(&conf_tables[CONF_KIND_GATEWAY], name, strlen(name));

    return key && same_key(key, (const char *)a, (const char *)b);
}

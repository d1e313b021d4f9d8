/* One open request a text; when it cannot take a message, a fresh one takes its place. */
#include "dispatch/group.h"

#include <glib.h>

struct open_request {
    uint32_t request;
    unsigned count, cap;
    GHashTable *numbers;
};

static guint item_hash(gconstpointer p)
{
    const struct group_item *i = p;
    return g_str_hash(i->text) * 31 + g_str_hash(i->sender);
}

static gboolean item_equal(gconstpointer a, gconstpointer b)
{
    const struct group_item *x = a, *y = b;
    return strcmp(x->text, y->text) == 0 && strcmp(x->sender, y->sender) == 0 &&
           strcmp(x->encoding, y->encoding) == 0;
}

static void open_free(gpointer p)
{
    struct open_request *o = p;
    g_hash_table_destroy(o->numbers);
    free(o);
}

static void add(struct open_request *o, const struct group_item *item, unsigned cap)
{
    g_hash_table_add(o->numbers, g_memdup2(&item->number, sizeof(item->number)));
    o->count++;
    o->cap = MIN_OF(o->cap, cap);
}

static bool takes(const struct open_request *o, const struct group_item *item, unsigned cap)
{
    return o->count < MIN_OF(o->cap, cap) && !g_hash_table_contains(o->numbers, &item->number);
}

size_t group_requests(const struct group_item *items, size_t count, unsigned numbers_max,
                      uint32_t *ret_request)
{
    uint32_t requests = 0;
    if (numbers_max <= 1) {
        for (size_t i = 0; i < count; i++)
            ret_request[i] = requests++;
        return requests;
    }
    GHashTable *by_text = g_hash_table_new_full(item_hash, item_equal, NULL, open_free);
    for (size_t i = 0; i < count; i++) {
        unsigned cap = items[i].cap == 0 ? numbers_max : MIN_OF(items[i].cap, numbers_max);
        struct open_request *o = g_hash_table_lookup(by_text, &items[i]);
        if (o == NULL || !takes(o, &items[i], cap)) {
            /* One that cannot take this item is given up for a fresh one: the next equal texts go there. */
            o = xcalloc(1, sizeof(*o));
            o->request = requests++;
            o->cap = cap;
            o->numbers = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
            g_hash_table_replace(by_text, (gpointer)(uintptr_t)&items[i], o);
        }
        add(o, &items[i], cap);
        ret_request[i] = o->request;
    }
    g_hash_table_destroy(by_text);
    return requests;
}

/* Parts of longer messages, kept until all of one are there: then the gateway knows what the phone would
 * read, and so whether it was accepted before in other parts, or whole. */
#include "test/sim/sim.h"
#include <glib.h>
#include <stdio.h>

struct parts {
    unsigned total, count;
    char *texts[256];
};
static GHashTable *open_messages; /* "gateway/number/reference/total" */

static void parts_clear(struct parts *p)
{
    for (size_t i = 0; i < COUNT_OF(p->texts); i++) {
        free(p->texts[i]);
        p->texts[i] = NULL;
    }
    p->count = 0;
}

static void parts_free_one(void *p)
{
    parts_clear(p);
    free(p);
}

static struct parts *parts_of(char *key, unsigned total)
{
    if (open_messages == NULL)
        open_messages = g_hash_table_new_full(g_str_hash, g_str_equal, free, parts_free_one);
    struct parts *p = g_hash_table_lookup(open_messages, key);
    if (p != NULL) {
        free(key);
        return p;
    }
    p = xcalloc(1, sizeof(*p));
    p->total = total;
    g_hash_table_insert(open_messages, key, p);
    return p;
}

bool parts_whole(const char *gateway, const char *number, const char *reference, const char *text,
                 struct buf *out)
{
    unsigned ref, total, n;
    if (sscanf(reference, "seg:%u/%u/%u", &ref, &total, &n) != 3 || n < 1 || n > total || total > 255)
        return false;
    char *key = xasprintf("%s/%s/%u/%u", gateway, number, ref, total);
    struct parts *p = parts_of(key, total);
    if (p->texts[n] != NULL)
        parts_clear(p); /* references come again: what stands there is another message's rest */
    p->texts[n] = xstrdup(text);
    if (++p->count < total)
        return false;
    for (unsigned i = 1; i <= total; i++)
        buf_add_str(out, p->texts[i]);
    auto_free char *done = xasprintf("%s/%s/%u/%u", gateway, number, ref, total);
    g_hash_table_remove(open_messages, done);
    return true;
}

void parts_free(void)
{
    if (open_messages != NULL)
        g_hash_table_destroy(open_messages);
    open_messages = NULL;
}

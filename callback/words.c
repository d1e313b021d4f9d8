/* A hash table that only grows, up to its maximum. The consumer's thread enters words, its flush thread asks
 * for the numbers; the lock is for that. */
#include "callback/words.h"
#include "callback/hash.h"
#include "word_ids.sql.h"

#include <pthread.h>

#define BUCKETS 4096

struct entry {
    struct entry *next;
    struct word word;
};
struct words {
    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS];
    size_t count, versions;
    uint64_t forgotten; /* how often; only the flush thread looks */
    struct word empty;
};

struct words *words_new(void)
{
    struct words *w = xcalloc(1, sizeof(*w));
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

void words_free(struct words *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *e = w->buckets[i], *next; e; e = next) {
            next = e->next;
            free(e);
        }
    }
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static size_t cut_length(const char *text)
{
    size_t len = strnlen(text, WORD_BYTES_MAX + 1);
    if (len <= WORD_BYTES_MAX)
        return len;
    len = WORD_BYTES_MAX;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--; /* not inside a UTF-8 character */
    return len;
}

static struct word *find_or_enter(struct words *w, enum word_kind kind, const char *text, size_t len)
{
    struct entry **bucket = &w->buckets[hash_bytes((uint64_t)kind, text, len) % BUCKETS];
    for (struct entry *e = *bucket; e; e = e->next) {
        if (e->word.kind == kind && strncmp(e->word.text, text, len) == 0 && e->word.text[len] == '\0')
            return &e->word;
    }
    if (w->count >= WORDS_MAX && strcmp(text, "other") != 0)
        return find_or_enter(w, kind, "other", 5);
    struct entry *e = xcalloc(1, sizeof(*e));
    e->next = *bucket;
    e->word.kind = kind;
    memcpy(e->word.text, text, len);
    *bucket = e;
    w->count++;
    w->versions += kind == WORD_VERSION;
    return &e->word;
}

struct word *words_get(struct words *w, enum word_kind kind, const char *text)
{
    size_t len = text ? cut_length(text) : 0;
    if (len == 0)
        return &w->empty;
    pthread_mutex_lock(&w->lock);
    struct word *found = find_or_enter(w, kind, text, len);
    pthread_mutex_unlock(&w->lock);
    return found;
}

size_t words_versions(struct words *w)
{
    pthread_mutex_lock(&w->lock);
    size_t count = w->versions;
    pthread_mutex_unlock(&w->lock);
    return count;
}

static uint64_t stamp_of(const struct words *w, const struct db *d)
{
    return db_generation(d) << 32 | (w->forgotten & UINT32_MAX);
}

void words_forget(struct words *w)
{
    w->forgotten++;
}

/* Entries are never taken out, so the pointers stay good after the lock is given back. */
static struct word **unknown_words(struct words *w, enum word_kind kind, uint64_t stamp, size_t *ret_count)
{
    struct word **found = NULL;
    size_t count = 0;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *e = w->buckets[i]; e; e = e->next) {
            if (e->word.kind != kind || e->word.stamp == stamp)
                continue;
            found = xrealloc(found, (count + 1) * sizeof(struct word *));
            found[count++] = &e->word;
        }
    }
    pthread_mutex_unlock(&w->lock);
    *ret_count = count;
    return found;
}

static int resolve_kind(struct words *w, struct db *d, enum word_kind kind)
{
    size_t count;
    auto_free struct word **unknown = unknown_words(w, kind, stamp_of(w, d), &count);
    if (count == 0)
        return 0;
    auto_free const char **texts = xcalloc(count, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        texts[i] = unknown[i]->text;
    auto_params params = db_params_new();
    auto_result result = NULL;
    static const char *const kinds[] = {
        [WORD_GATEWAY] = "gateway", [WORD_REASON] = "reason", [WORD_VERSION] = "version"};
    db_add_text(params, kinds[kind]);
    db_add_text_array(params, texts, count);
    int r = db_run(d, &sql_word_ids, params, &result);
    if (r != 0)
        return r;
    for (size_t i = 0; i < count && (int)i < db_rows(result); i++) { /* in the order asked for */
        unknown[i]->id = (int)db_big(result, (int)i, 0);
        unknown[i]->stamp = stamp_of(w, d);
    }
    return 0;
}

int words_resolve(struct words *w, struct db *d)
{
    int r = resolve_kind(w, d, WORD_GATEWAY);
    if (r == 0)
        r = resolve_kind(w, d, WORD_REASON);
    return r != 0 ? r : resolve_kind(w, d, WORD_VERSION);
}

/* Words in one sorted table; a text is looked up by its whole form, then by its first word. */
#include "lib/keyword.h"

#include <glib.h>

#define LOOKED_AT_BYTES 256 /* no word is longer; what follows may at most be the rest of a text */

struct entry {
    char *form;
    enum keyword is;
    int language;
};
struct keywords {
    struct entry *entries;
    size_t count;
};

const char *const keyword_languages[INBOUND_LANGUAGES] = {
    [INBOUND_EN] = "en", [INBOUND_DE] = "de", [INBOUND_FR] = "fr", [INBOUND_ES] = "es",
    [INBOUND_IT] = "it", [INBOUND_PT] = "pt", [INBOUND_NL] = "nl", [INBOUND_PL] = "pl",
    [INBOUND_RU] = "ru", [INBOUND_TR] = "tr", [INBOUND_ZH] = "zh", [INBOUND_OTHER] = "other",
};

const char *keyword_word(enum keyword k)
{
    return k == KEYWORD_STOP ? "stop" : k == KEYWORD_START ? "start" : NULL;
}

/* Case folded and composed, then every run of anything but letters, digits and marks becomes one space. */
static char *form_of(const char *text, size_t len)
{
    auto_buf out = {0};
    if (!g_utf8_validate(text, (gssize)len, NULL))
        return xstrdup("");
    gchar *folded = g_utf8_casefold(text, (gssize)len);
    gchar *composed = g_utf8_normalize(folded, -1, G_NORMALIZE_ALL_COMPOSE);
    for (gchar *at = composed, *next; *at; at = next) {
        gunichar c = g_utf8_get_char(at);
        next = g_utf8_next_char(at);
        if (g_unichar_isalnum(c) || g_unichar_ismark(c))
            buf_add(&out, at, (size_t)(next - at));
        else if (out.len > 0 && out.data[out.len - 1] != ' ')
            buf_add_char(&out, ' ');
    }
    g_free(folded);
    g_free(composed);
    if (out.len > 0 && out.data[out.len - 1] == ' ')
        out.data[--out.len] = '\0';
    return buf_take(&out, NULL);
}

char *keyword_form(const char *text)
{
    return form_of(text, strlen(text));
}

static int by_form(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->form, y->form);
    /* A word that both lists have stops; of two languages the first one stays. */
    return order != 0 ? order : x->is != y->is ? (int)x->is - (int)y->is : x->language - y->language;
}

static void add_words(struct keywords *k, const struct str_list *words, enum keyword is, int language)
{
    k->entries = xrealloc(k->entries, (k->count + words->count + 1) * sizeof(*k->entries));
    for (size_t i = 0; i < words->count; i++) {
        char *form = keyword_form(words->items[i]);
        if (*form)
            k->entries[k->count++] = (struct entry){form, is, language};
        else
            free(form);
    }
}

struct keywords *keywords_new(const struct conf_inbound *conf)
{
    struct keywords *k = xcalloc(1, sizeof(*k));
    for (int i = 0; i < INBOUND_LANGUAGES; i++) {
        add_words(k, &conf->stop[i], KEYWORD_STOP, i);
        add_words(k, &conf->start[i], KEYWORD_START, i);
    }
    if (k->count > 0)
        qsort(k->entries, k->count, sizeof(*k->entries), by_form);
    return k;
}

void keywords_free(struct keywords *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->count; i++)
        free(k->entries[i].form);
    free(k->entries);
    free(k);
}

/* The first of the entries with this form, NULL: none. */
static const struct entry *find(const struct keywords *k, const char *form)
{
    size_t low = 0, high = k->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(k->entries[middle].form, form) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < k->count && strcmp(k->entries[low].form, form) == 0 ? &k->entries[low] : NULL;
}

enum keyword keyword_of(const struct keywords *k, const char *text, const char **ret_language)
{
    size_t len = strnlen(text, LOOKED_AT_BYTES + 1);
    bool whole = len <= LOOKED_AT_BYTES;
    while (!whole && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    auto_free char *form = form_of(text, len);
    const struct entry *found = whole ? find(k, form) : NULL;
    char *space = strchr(form, ' ');
    *ret_language = NULL;
    if (!found && space) {
        *space = '\0';
        found = find(k, form);
        if (found && found->is != KEYWORD_STOP)
            found = NULL;
    }
    if (!found)
        return KEYWORD_NONE;
    *ret_language = keyword_languages[found->language];
    return found->is;
}

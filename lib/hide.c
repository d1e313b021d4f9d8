/* See hide.h. Words are looked for as plain text, so each is kept in every form in which it may stand in a
 * request. */
#include "lib/hide.h"
#include "lib/digest.h"
#include <ctype.h>
#include <strings.h>

#define WORD_MIN   3 /* shorter ones would hide half of every text */
#define HIDDEN     "***"
#define NAME_BYTES 64

static void add_word(struct hide *h, const char *word)
{
    size_t len = strlen(word), at = 0;
    if (len < WORD_MIN)
        return;
    while (at < h->words.count && strlen(h->words.items[at]) >= len)
        if (strcmp(h->words.items[at++], word) == 0)
            return;
    h->words.items = xrealloc(h->words.items, (h->words.count + 1) * sizeof(*h->words.items));
    memmove(h->words.items + at + 1, h->words.items + at, (h->words.count - at) * sizeof(*h->words.items));
    h->words.items[at] = xstrdup(word);
    h->words.count++;
}

static void add_encoded(struct hide *h, const char *word)
{
    auto_buf once = {0}, twice = {0}, json = {0};
    add_word(h, word);
    buf_add_url_encoded(&once, word, strlen(word));
    add_word(h, once.data);
    buf_add_url_encoded(&twice, once.data, once.len);
    add_word(h, twice.data);
    buf_add_json_str(&json, word, strlen(word));
    json.data[json.len - 1] = '\0'; /* without its quotes */
    add_word(h, json.data + 1);
}

void hide_add(struct hide *h, const char *secret)
{
    static const enum digest_algorithm algorithms[] = {DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512};
    static const enum digest_form forms[] = {DIGEST_HEX, DIGEST_HEX_UPPER, DIGEST_BASE64};
    auto_buf base64 = {0};
    size_t len = strlen(secret);
    if (len < WORD_MIN)
        return;
    add_encoded(h, secret);
    buf_add_base64(&base64, secret, len);
    add_encoded(h, base64.data);
    for (size_t a = 0; a < COUNT_OF(algorithms); a++) {
        for (size_t f = 0; f < COUNT_OF(forms); f++) {
            auto_buf digest = {0};
            digest_add(&digest, algorithms[a], forms[f], secret, len);
            add_encoded(h, digest.data);
        }
    }
}

void hide_init(struct hide *h, const struct str_list *secrets)
{
    *h = (struct hide){0};
    for (size_t i = 0; i < secrets->count; i++)
        hide_add(h, secrets->items[i]);
}

void hide_deinit(struct hide *h)
{
    for (size_t i = 0; i < h->words.count; i++)
        free(h->words.items[i]);
    free(h->words.items);
    *h = (struct hide){0};
}

void hide_in(const struct hide *h, const char *text, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len;) {
        size_t hidden = 0;
        for (size_t k = 0; k < h->words.count && hidden == 0; k++) {
            size_t n = strlen(h->words.items[k]);
            if (n <= len - i && memcmp(text + i, h->words.items[k], n) == 0)
                hidden = n;
        }
        if (hidden > 0)
            buf_add_str(out, HIDDEN);
        else
            buf_add_char(out, text[i]);
        i += MAX_OF(hidden, (size_t)1);
    }
}

void hide_cut_end(const struct hide *h, char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i + WORD_MIN <= len; i++)
        for (size_t k = 0; k < h->words.count; k++) {
            const char *word = h->words.items[k];
            if (strlen(word) > len - i && memcmp(word, text + i, len - i) == 0) {
                text[i] = '\0';
                return;
            }
        }
}

/* Ids of keys are no secrets, but where a name speaks of one it is better hidden. */
static bool is_secret_name(const char *name, size_t len)
{
    static const char *const parts[] = {"authorization", "cookie", "pass", "pwd",
                                        "secret",        "token",  "key",  "sign"};
    char lower[NAME_BYTES];
    size_t n = MIN_OF(len, sizeof(lower) - 1);
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    lower[n] = '\0';
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (strstr(lower, parts[i]) != NULL)
            return true;
    return false;
}

void hide_in_header(const struct hide *h, const char *line, struct buf *out)
{
    size_t name = strcspn(line, ":");
    if (line[name] == ':' && is_secret_name(line, name)) {
        buf_add(out, line, name);
        buf_add_str(out, ": " HIDDEN);
        return;
    }
    hide_in(h, line, strlen(line), out);
}

void hide_in_pairs(const struct hide *h, const char *text, size_t len, struct buf *out)
{
    const char *end = text + len;
    for (const char *at = text; at < end;) {
        const char *stop = at;
        while (stop < end && *stop != '&' && *stop != '?')
            stop++;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        if (equals != NULL && is_secret_name(at, (size_t)(equals - at))) {
            hide_in(h, at, (size_t)(equals + 1 - at), out);
            buf_add_str(out, HIDDEN);
        } else {
            hide_in(h, at, (size_t)(stop - at), out);
        }
        if (stop < end)
            buf_add_char(out, *stop);
        at = stop + 1;
    }
}

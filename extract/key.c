/* Keys by OpenSSL's digests: see key.h. */
#include "extract/key.h"
#include "lib/buf.h"
#include <ctype.h>
#include <openssl/evp.h>

struct key_maker {
    EVP_MD *sha256;      /* fetched once: fetching costs more than a row's digest */
    EVP_MD_CTX *of_rule; /* the rule's name is in it already */
    EVP_MD_CTX *of_row;
};

/* The library fails here only when it has no memory or no SHA-256 at all: nothing can go on then. */
static void must(int ok)
{
    if (ok != 1)
        abort();
}

static void add_part(EVP_MD_CTX *ctx, const char *s)
{
    size_t len = strlen(s);
    const uint8_t size[8] = {(uint8_t)(len >> 56), (uint8_t)(len >> 48), (uint8_t)(len >> 40),
                             (uint8_t)(len >> 32), (uint8_t)(len >> 24), (uint8_t)(len >> 16),
                             (uint8_t)(len >> 8),  (uint8_t)len};

    must(EVP_DigestUpdate(ctx, size, sizeof(size)));
    must(EVP_DigestUpdate(ctx, s, len));
}

struct key_maker *key_maker_new(const char *rule)
{
    struct key_maker *k = xmalloc(sizeof(*k));

    *k = (struct key_maker){EVP_MD_fetch(NULL, "SHA256", NULL), EVP_MD_CTX_new(), EVP_MD_CTX_new()};
    must(k->sha256 && k->of_rule && k->of_row);
    must(EVP_DigestInit_ex2(k->of_rule, k->sha256, NULL));
    add_part(k->of_rule, rule);
    return k;
}

void key_maker_free(struct key_maker *k)
{
    if (!k)
        return;
    EVP_MD_CTX_free(k->of_rule);
    EVP_MD_CTX_free(k->of_row);
    EVP_MD_free(k->sha256);
    free(k);
}

void key_make(struct key_maker *k, const char *const *values, size_t count, uint8_t out[KEY_SIZE])
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    must(EVP_MD_CTX_copy_ex(k->of_row, k->of_rule));
    for (size_t i = 0; i < count; i++)
        add_part(k->of_row, values[i]);
    must(EVP_DigestFinal_ex(k->of_row, digest, NULL));
    memcpy(out, digest, KEY_SIZE);
}

static char *to_hex(const uint8_t *bytes, size_t count, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * count] = '\0';
    return out;
}

char *key_hex(const uint8_t key[KEY_SIZE], char out[KEY_HEX_SIZE])
{
    return to_hex(key, KEY_SIZE, out);
}

char *sql_hash(const char *sql, char out[SQL_HASH_SIZE])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    auto_buf folded = {0};

    for (const char *s = sql; *s != '\0'; s++) {
        if (!isspace((unsigned char)*s))
            buf_add_char(&folded, *s);
        else if (folded.len > 0 && s[1] != '\0' && !isspace((unsigned char)s[1]))
            buf_add_char(&folded, ' ');
    }
    must(EVP_Q_digest(NULL, "SHA256", NULL, folded.data ? folded.data : "", folded.len, digest, NULL));
    return to_hex(digest, 32, out);
}

/* Credentials: token, basic (RFC 7617), HMAC-SHA256 over the raw body. */
#include "callback/auth.h"
#include "callback/format.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <strings.h>

#define BASIC_MAX 1024

/* As digests: takes equally long whatever the first wrong byte or the length is. */
static bool same_secret(const char *presented, const char *secret)
{
    unsigned char a[SHA256_DIGEST_LENGTH], b[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)presented, strlen(presented), a);
    SHA256((const unsigned char *)secret, strlen(secret), b);
    return CRYPTO_memcmp(a, b, sizeof(a)) == 0;
}

/* Both are looked at always. */
static bool one_of_two(const char *presented, const char *first, const char *second)
{
    bool is_first = format_given(first) && same_secret(presented, first);
    bool is_second = format_given(second) && same_secret(presented, second);
    return is_first || is_second;
}

bool auth_signs(const struct conf_auth *a)
{
    return format_given(a->hmac.secret) || format_given(a->hmac.secret_2);
}

bool auth_has_head(const struct conf_auth *a)
{
    return format_given(a->token) || format_given(a->token_2) || format_given(a->user);
}

bool auth_configured(const struct conf_auth *a)
{
    return auth_has_head(a) || auth_signs(a);
}

/* ---- token and basic ---- */

static const char *header_of(const struct auth_request *r, const char *name)
{
    const char *value = format_given(name) ? r->header(r->arg, name) : NULL;
    return value ? value : "";
}

/* "Authorization: Bearer x" and "X-Token: x" */
static const char *token_of(const struct conf_auth *a, const struct auth_request *r)
{
    if (!format_given(a->token_header))
        return r->token ? r->token : "";
    const char *value = header_of(r, a->token_header);
    return strncasecmp(value, "Bearer ", 7) == 0 ? value + 7 : value;
}

/* user:password from "Basic …"; false: it is none. The first colon ends the user. */
static bool read_basic(const char *header, char out[BASIC_MAX], const char **ret_password)
{
    size_t len;
    if (strncasecmp(header, "Basic ", 6) != 0)
        return false;
    for (header += 6; *header == ' '; header++)
        ;
    len = strlen(header);
    if (len == 0 || len % 4 != 0 || len / 4 * 3 >= BASIC_MAX)
        return false;
    int decoded = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)header, (int)len);
    if (decoded < 0)
        return false;
    size_t padding = (header[len - 1] == '=') + (header[len - 2] == '=');
    out[(size_t)decoded - padding] = '\0';
    char *colon = strchr(out, ':');
    if (!colon)
        return false;
    *colon = '\0';
    *ret_password = colon + 1;
    return true;
}

static bool basic_right(const struct conf_auth *a, const struct auth_request *r)
{
    char text[BASIC_MAX];
    const char *password;
    if (!read_basic(header_of(r, "Authorization"), text, &password))
        return false;
    bool user = same_secret(text, a->user), secret = one_of_two(password, a->password, a->password_2);
    OPENSSL_cleanse(text, sizeof(text));
    return user && secret;
}

bool auth_head(const struct conf_auth *a, const struct auth_request *r)
{
    bool asks_token = format_given(a->token) || format_given(a->token_2);
    bool token = !asks_token || one_of_two(token_of(a, r), a->token, a->token_2);
    bool basic = !format_given(a->user) || basic_right(a, r);
    bool stray = !(asks_token && !format_given(a->token_header)) &&
                 format_given(r->token); /* an address nobody gave out */
    return token && basic && !stray;
}

/* ---- the signature ---- */

bool auth_covers_query(const struct conf_auth *a)
{
    return !auth_signs(a) || strstr(a->hmac.signs, "{query}") != NULL;
}

struct part {
    const char *word, *data;
    size_t len;
};

/* "{timestamp}.{body}": literal bytes and the three parts. */
static void add_signed(const char *signs, const struct part *parts, size_t count, EVP_MAC_CTX *mac)
{
    while (*signs) {
        const struct part *part = NULL;
        for (size_t i = 0; i < count && !part; i++) {
            if (strncmp(signs, parts[i].word, strlen(parts[i].word)) == 0)
                part = &parts[i];
        }
        const char *data = part ? part->data : signs;
        size_t len = part ? part->len : 1;
        if (len > 0)
            EVP_MAC_update(mac, (const unsigned char *)data, len);
        signs += part ? strlen(part->word) : 1;
    }
}

static void digest_of(const struct conf_auth *a, const char *secret, const char *timestamp,
                      const struct auth_request *r, unsigned char out[SHA256_DIGEST_LENGTH])
{
    const struct part parts[] = {{"{timestamp}", timestamp, strlen(timestamp)},
                                 {"{body}", r->body, r->body_len},
                                 {"{query}", r->query, r->query_len}};
    char sha256[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", sha256, 0),
                                 OSSL_PARAM_construct_end()};
    size_t len = 0;
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    if (!mac || !EVP_MAC_init(mac, (const unsigned char *)secret, strlen(secret), params))
        abort(); /* out of memory, or a libcrypto without HMAC */
    add_signed(a->hmac.signs, parts, COUNT_OF(parts), mac);
    if (!EVP_MAC_final(mac, out, &len, SHA256_DIGEST_LENGTH) || len != SHA256_DIGEST_LENGTH)
        abort();
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(hmac);
}

/* Hex of either case, or base64; "sha256=" before it goes. */
static bool read_digest(const char *text, bool base64, unsigned char out[SHA256_DIGEST_LENGTH])
{
    unsigned char room[SHA256_DIGEST_LENGTH + 4];
    size_t len;
    if (strncasecmp(text, "sha256=", 7) == 0)
        text += 7;
    if (!base64)
        return strlen(text) == (size_t)SHA256_DIGEST_LENGTH * 2 &&
               OPENSSL_hexstr2buf_ex(out, SHA256_DIGEST_LENGTH, &len, text, '\0') == 1 &&
               len == SHA256_DIGEST_LENGTH;
    if (strlen(text) != 44 || text[43] != '=' || text[42] == '=' ||
        EVP_DecodeBlock(room, (const unsigned char *)text, 44) != 33)
        return false;
    memcpy(out, room, SHA256_DIGEST_LENGTH);
    return true;
}

static bool signed_with(const struct conf_auth *a, const char *secret, const char *timestamp,
                        const struct auth_request *r, const unsigned char presented[SHA256_DIGEST_LENGTH])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    if (!format_given(secret))
        return false;
    digest_of(a, secret, timestamp, r, digest);
    return CRYPTO_memcmp(digest, presented, sizeof(digest)) == 0;
}

/* Its age counts only after the signature is right: nobody else learns which clocks fit. */
static const char *check_timestamp(const struct conf_auth *a, const char *timestamp, int64_t now_ms)
{
    int64_t at;
    if (!format_given(a->hmac.timestamp_header))
        return NULL;
    if (!format_time(timestamp, "", NULL, now_ms, &at) && !format_time(timestamp, "iso", NULL, now_ms, &at))
        return "its timestamp cannot be read";
    if (at < now_ms - a->hmac.tolerance_ms || at > now_ms + a->hmac.tolerance_ms)
        return "its timestamp is further from our clock than auth.hmac.tolerance";
    return NULL;
}

const char *auth_signature(const struct conf_auth *a, const struct auth_request *r)
{
    unsigned char presented[SHA256_DIGEST_LENGTH];
    if (!auth_signs(a))
        return NULL;
    const char *timestamp = header_of(r, a->hmac.timestamp_header);
    if (!read_digest(header_of(r, a->hmac.header), strcmp(a->hmac.encoding, "base64") == 0, presented))
        return "it has no signature that can be read";
    bool first = signed_with(a, a->hmac.secret, timestamp, r, presented);
    bool second = signed_with(a, a->hmac.secret_2, timestamp, r, presented);
    if (!first && !second)
        return "its signature is wrong";
    return check_timestamp(a, timestamp, r->at);
}

/* A password as PostgreSQL keeps it (RFC 5802, RFC 7677: SCRAM-SHA-256), made here so that the password
 * itself never travels to the server nor stands in a statement that it may log. */
#include "ctl/ctl.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#define ITERATIONS 4096
#define SALT_BYTES 16

static void base64(const uint8_t *data, int len, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, data, len);
}

static void hmac(const uint8_t key[SHA256_DIGEST_LENGTH], const char *text, uint8_t out[SHA256_DIGEST_LENGTH])
{
    unsigned len = 0;
    HMAC(EVP_sha256(), key, SHA256_DIGEST_LENGTH, (const uint8_t *)text, strlen(text), out, &len);
}

char *scram_verifier(const char *password)
{
    for (const char *c = password; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e) /* others would need SASLprep (RFC 4013) on both sides */
            return NULL;
    uint8_t salt[SALT_BYTES], salted[SHA256_DIGEST_LENGTH], key[SHA256_DIGEST_LENGTH],
        stored[SHA256_DIGEST_LENGTH], server[SHA256_DIGEST_LENGTH];
    if (RAND_bytes(salt, sizeof(salt)) != 1 ||
        PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, sizeof(salt), ITERATIONS, EVP_sha256(),
                          sizeof(salted), salted) != 1)
        return NULL;
    hmac(salted, "Client Key", key);
    SHA256(key, sizeof(key), stored);
    hmac(salted, "Server Key", server);
    char salt64[32], stored64[64], server64[64];
    base64(salt, sizeof(salt), salt64);
    base64(stored, sizeof(stored), stored64);
    base64(server, sizeof(server), server64);
    return xasprintf("SCRAM-SHA-256$%d:%s$%s:%s", ITERATIONS, salt64, stored64, server64);
}

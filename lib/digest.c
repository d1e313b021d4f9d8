/* Digests by libcrypto, as text. */
#include "lib/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

static const EVP_MD *md_of(enum digest_algorithm a)
{
    switch (a) {
    case DIGEST_MD5:
        return EVP_md5();
    case DIGEST_SHA1:
        return EVP_sha1();
    case DIGEST_SHA512:
        return EVP_sha512();
    case DIGEST_SHA256:
        break;
    }
    return EVP_sha256();
}

void buf_add_base64(struct buf *out, const void *data, size_t len)
{
    const unsigned char *p = data;
    unsigned char four[5];
    for (size_t i = 0; i < len; i += 3) {
        int n = EVP_EncodeBlock(four, p + i, (int)MIN_OF(len - i, (size_t)3));
        buf_add(out, four, (size_t)n);
    }
}

static void add(struct buf *out, enum digest_form form, const unsigned char *bytes, size_t len)
{
    const char *digits = form == DIGEST_HEX ? "0123456789abcdef" : "0123456789ABCDEF";
    if (form == DIGEST_BASE64) {
        buf_add_base64(out, bytes, len);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        buf_add_char(out, digits[bytes[i] >> 4]);
        buf_add_char(out, digits[bytes[i] & 15]);
    }
}

void digest_add(struct buf *out, enum digest_algorithm a, enum digest_form form, const void *data, size_t len)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(data, len, bytes, &size, md_of(a), NULL) != 1)
        abort(); /* out of memory, or a libcrypto that has not got the algorithm */
    add(out, form, bytes, size);
}

void digest_add_hmac(struct buf *out, enum digest_algorithm a, enum digest_form form, const void *key,
                     size_t key_len, const void *data, size_t len)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (HMAC(md_of(a), key, (int)key_len, data, len, bytes, &size) == NULL)
        abort();
    add(out, form, bytes, size);
}

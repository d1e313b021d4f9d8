/* Digests and keyed digests (HMAC), written as text. Pure. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"

enum digest_algorithm { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };
enum digest_form { DIGEST_HEX, DIGEST_HEX_UPPER, DIGEST_BASE64 };

void digest_add(struct buf *out, enum digest_algorithm a, enum digest_form form, const void *data,
                size_t len);
void digest_add_hmac(struct buf *out, enum digest_algorithm a, enum digest_form form, const void *key,
                     size_t key_len, const void *data, size_t len);
void buf_add_base64(struct buf *out, const void *data, size_t len); /* RFC 4648 section 4, padded */

/* A 64-bit hash over bytes and numbers (SipHash-2-4, Aumasson and Bernstein, with a fixed key), and an index
 * of numbered things by such a hash. Digests stand in tables: the key never changes. */
#pragma once
#include "lib/base.h"
#include <endian.h>

uint64_t hash_bytes(uint64_t seed, const void *data, size_t len);
static inline uint64_t hash_str(uint64_t seed, const char *s) /* NULL differs from "" */
{
    return s ? hash_bytes(seed, s, strlen(s) + 1) : hash_bytes(seed, "\xff", 1);
}
static inline uint64_t hash_int(uint64_t seed, int64_t n)
{
    uint64_t little = htole64((uint64_t)n); /* the same digest on every machine */
    return hash_bytes(seed, &little, sizeof(little));
}

/* Items 0 … capacity-1 by hash; several may share one. Equality is the caller's to check. */
struct hash_index {
    uint32_t *heads, *next; /* item + 1; 0: none */
    uint64_t *hashes;
    size_t mask;
};
void hash_index_init(struct hash_index *x, size_t capacity);
void hash_index_deinit(struct hash_index *x);
void hash_index_add(struct hash_index *x, uint64_t hash, size_t item);
#define HASH_NONE SIZE_MAX
size_t hash_index_first(const struct hash_index *x, uint64_t hash);
size_t hash_index_next(const struct hash_index *x, size_t item); /* another one of the same hash */

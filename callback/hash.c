/* SipHash-2-4 written from its paper, and a chained index over plain arrays. */
#include "callback/hash.h"

#define KEY_0 UINT64_C(0x736d73636861696e) /* "smschain"; not a secret, only a fixed choice */
#define KEY_1 UINT64_C(0x64696765737473aa)

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t turn(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = turn(s->v1, 13) ^ s->v0;
    s->v0 = turn(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = turn(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = turn(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = turn(s->v1, 17) ^ s->v2;
    s->v2 = turn(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    sip_round(s);
    s->v0 ^= m;
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t len)
{
    const unsigned char *p = data;
    uint64_t k0 = KEY_0, k1 = KEY_1 ^ seed, m;
    struct sip s = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                    k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    size_t rest = len;
    for (; rest >= 8; rest -= 8, p += 8) {
        memcpy(&m, p, 8);
        sip_word(&s, le64toh(m));
    }
    m = (uint64_t)len << 56;
    for (size_t i = 0; i < rest; i++)
        m |= (uint64_t)p[i] << (8 * i);
    sip_word(&s, m);
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void hash_index_init(struct hash_index *x, size_t capacity)
{
    size_t heads = 16;
    while (heads < capacity * 2)
        heads *= 2;
    *x = (struct hash_index){.mask = heads - 1};
    x->heads = xcalloc(heads, sizeof(*x->heads));
    x->next = xcalloc(capacity + 1, sizeof(*x->next));
    x->hashes = xcalloc(capacity + 1, sizeof(*x->hashes));
}

void hash_index_deinit(struct hash_index *x)
{
    free(x->heads);
    free(x->next);
    free(x->hashes);
    *x = (struct hash_index){0};
}

void hash_index_add(struct hash_index *x, uint64_t hash, size_t item)
{
    uint32_t *head = &x->heads[hash & x->mask];
    x->hashes[item] = hash;
    x->next[item] = *head;
    *head = (uint32_t)item + 1;
}

static size_t same_hash(const struct hash_index *x, uint32_t at, uint64_t hash)
{
    while (at != 0 && x->hashes[at - 1] != hash)
        at = x->next[at - 1];
    return at == 0 ? HASH_NONE : at - 1;
}

size_t hash_index_first(const struct hash_index *x, uint64_t hash)
{
    return x->heads ? same_hash(x, x->heads[hash & x->mask], hash) : HASH_NONE;
}

size_t hash_index_next(const struct hash_index *x, size_t item)
{
    return same_hash(x, x->next[item], x->hashes[item]);
}

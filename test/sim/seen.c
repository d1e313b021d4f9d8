/* A set of hashes, open addressing: two different messages meet in it once in some 10^13 pairs, which is good
 * enough to count duplicates with and cheap enough to do so for a million messages. */
#include "test/sim/sim.h"

uint64_t hash_of(uint64_t seed, const void *data, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u ^ seed;
    for (size_t i = 0; i < len; i++)
        h = (h ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    /* FNV's low bits are weak: mix (the finaliser of MurmurHash3). */
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53u;
    h ^= h >> 33;
    return h != 0 ? h : 1;
}

static bool insert(struct seen *s, uint64_t hash)
{
    size_t i = hash & (s->size - 1);
    while (s->slots[i] != 0) {
        if (s->slots[i] == hash)
            return true;
        i = (i + 1) & (s->size - 1);
    }
    s->slots[i] = hash;
    s->count++;
    return false;
}

bool seen_before(struct seen *s, uint64_t hash)
{
    if (s->count * 2 >= s->size) {
        struct seen bigger = {.size = s->size > 0 ? s->size * 2 : 4096};
        bigger.slots = xcalloc(bigger.size, sizeof(uint64_t));
        for (size_t i = 0; i < s->size; i++)
            if (s->slots[i] != 0)
                insert(&bigger, s->slots[i]);
        free(s->slots);
        *s = bigger;
    }
    return insert(s, hash);
}

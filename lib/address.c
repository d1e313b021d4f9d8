/* Addresses and networks. */
#include "lib/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#define V4_BITS 96 /* before an IPv4 address in its mapped form */

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_v4(const struct address *a)
{
    return memcmp(a->bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

static void from_v4(const void *four, struct address *ret)
{
    memcpy(ret->bytes, v4_prefix, sizeof(v4_prefix));
    memcpy(ret->bytes + sizeof(v4_prefix), four, 4);
}

bool address_parse(const char *text, size_t len, struct address *ret)
{
    char s[INET6_ADDRSTRLEN];
    struct in_addr v4;
    *ret = (struct address){0};
    if (len == 0 || len >= sizeof(s) || memchr(text, '\0', len))
        return false;
    memcpy(s, text, len);
    s[len] = '\0';
    if (inet_pton(AF_INET, s, &v4) == 1) {
        from_v4(&v4, ret);
        return true;
    }
    return inet_pton(AF_INET6, s, ret->bytes) == 1;
}

bool address_of_socket(const struct sockaddr *from, struct address *ret)
{
    *ret = (struct address){0};
    if (from->sa_family == AF_INET)
        from_v4(&((const struct sockaddr_in *)(const void *)from)->sin_addr, ret);
    else if (from->sa_family == AF_INET6)
        memcpy(ret->bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
    else
        return false;
    return true;
}

bool address_is_known(const struct address *a)
{
    static const struct address none;
    return memcmp(a, &none, sizeof(none)) != 0;
}

struct address address_counted(const struct address *a)
{
    struct address counted = *a;
    if (!is_v4(a))
        memset(counted.bytes + 8, 0, 8);
    return counted;
}

const char *address_text(const struct address *a, char out[ADDRESS_TEXT_SIZE])
{
    if (!address_is_known(a))
        snprintf(out, ADDRESS_TEXT_SIZE, "unknown");
    else if (is_v4(a))
        inet_ntop(AF_INET, a->bytes + sizeof(v4_prefix), out, ADDRESS_TEXT_SIZE);
    else
        inet_ntop(AF_INET6, a->bytes, out, ADDRESS_TEXT_SIZE);
    return out;
}

static bool bits_equal(const struct address *a, const struct address *b, int bits)
{
    int whole = bits / 8, rest = bits % 8;
    if (memcmp(a->bytes, b->bytes, (size_t)whole) != 0)
        return false;
    return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) & (0xff00 >> rest & 0xff)) == 0;
}

static struct address cut_to(const struct address *a, int bits)
{
    struct address cut = {0};
    for (int i = 0; i < 16; i++) {
        int here = bits - i * 8;
        cut.bytes[i] = here >= 8 ? a->bytes[i] : here <= 0 ? 0 : (uint8_t)(a->bytes[i] & (0xff00 >> here));
    }
    return cut;
}

bool network_parse(const char *text, struct network *ret)
{
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    if (!address_parse(text, len, &ret->address))
        return false;
    bool v4 = memchr(text, ':', len) == NULL;
    int most = v4 ? 32 : 128;
    int bits = most;
    if (slash) {
        size_t digits = strspn(slash + 1, "0123456789");
        if (digits == 0 || digits > 3 || slash[1 + digits] != '\0')
            return false;
        bits = atoi(slash + 1);
    }
    if (bits > most)
        return false;
    ret->bits = v4 ? bits + V4_BITS : bits;
    struct address cut = cut_to(&ret->address, ret->bits);
    return memcmp(&cut, &ret->address, sizeof(cut)) == 0;
}

bool network_has(const struct network *n, const struct address *a)
{
    return address_is_known(a) && bits_equal(&n->address, a, n->bits);
}

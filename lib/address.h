/* Addresses and networks of the Internet Protocol, both versions in one form: an IPv4 address is its mapped
 * IPv6 one
 * (::ffff:a.b.c.d), so that it is the same however it came. Pure. */
#pragma once
#include "lib/base.h"

struct address {
    uint8_t bytes[16]; /* all zero: not known */
};
struct network {
    struct address address;
    int bits; /* of the 128 */
};

struct sockaddr;
bool address_parse(const char *text, size_t len, struct address *ret); /* no port, no brackets */
bool address_of_socket(const struct sockaddr *from, struct address *ret);
bool address_is_known(const struct address *a);
/* What one customer of a provider has: an IPv4 address, the /64 of an IPv6 one. Limits count these. */
struct address address_counted(const struct address *a);
#define ADDRESS_TEXT_SIZE 48
const char *address_text(const struct address *a, char out[ADDRESS_TEXT_SIZE]);

/* "192.0.2.0/24", "2001:db8::/32", or one address. Bits beyond the mask must be 0: else a slip is likely. */
bool network_parse(const char *text, struct network *ret);
bool network_has(const struct network *n, const struct address *a);
bool networks_have(const struct network *networks, size_t count, const struct address *a);
/* Who sends what came from `peer`: `peer` itself, or, where that is a trusted proxy, the last hop in the
 * header's list
 * ("X-Forwarded-For" or RFC 7239's "Forwarded"; NULL: none) that is no trusted proxy. Not known where that
 * cannot be read. */
struct address address_behind(const struct address *peer, const char *forwarded, bool rfc7239,
                              const struct network *trusted, size_t trusted_count);

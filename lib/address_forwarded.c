/* The address behind trusted proxies: what a proxy says is believed only of the hop before it. */
#include "lib/address.h"

#include <ctype.h>
#include <strings.h>

#define HOPS_MAX 64 /* more is no chain of proxies */

bool networks_have(const struct network *networks, size_t count, const struct address *a)
{
    for (size_t i = 0; i < count; i++) {
        if (network_has(&networks[i], a))
            return true;
    }
    return false;
}

/* "192.0.2.7", "192.0.2.7:47011", "[2001:db8::7]:47011", "2001:db8::7" */
static bool read_hop(const char *s, size_t len, struct address *ret)
{
    if (len > 0 && *s == '[') {
        const char *end = memchr(s, ']', len);
        return end && address_parse(s + 1, (size_t)(end - s - 1), ret);
    }
    const char *colon = memchr(s, ':', len);
    bool port = colon && !memchr(colon + 1, ':', len - (size_t)(colon + 1 - s));
    return address_parse(s, port ? (size_t)(colon - s) : len, ret);
}

static void trim(const char **s, size_t *len)
{
    while (*len > 0 && isspace((unsigned char)**s)) {
        ++*s;
        --*len;
    }
    while (*len > 0 && isspace((unsigned char)(*s)[*len - 1]))
        --*len;
}

/* RFC 7239: the value of "for" in "for=192.0.2.7;proto=https"; quotes go. */
static bool read_for(const char *s, size_t len, struct address *ret)
{
    for (const char *end = s + len; s < end;) {
        const char *stop = memchr(s, ';', (size_t)(end - s));
        const char *pair = s;
        size_t n = (size_t)((stop ? stop : end) - s);
        trim(&pair, &n);
        if (n > 4 && strncasecmp(pair, "for=", 4) == 0) {
            pair += 4;
            n -= 4;
            if (n >= 2 && *pair == '"' && pair[n - 1] == '"') {
                pair++;
                n -= 2;
            }
            return read_hop(pair, n, ret);
        }
        s = stop ? stop + 1 : end;
    }
    return false;
}

struct address address_behind(const struct address *peer, const char *forwarded, bool rfc7239,
                              const struct network *trusted, size_t trusted_count)
{
    struct address at = *peer;
    const char *end = forwarded ? forwarded + strlen(forwarded) : NULL;
    for (int hops = 0; forwarded && end > forwarded && networks_have(trusted, trusted_count, &at); hops++) {
        const char *comma = memrchr(forwarded, ',', (size_t)(end - forwarded));
        const char *hop = comma ? comma + 1 : forwarded;
        size_t len = (size_t)(end - hop);
        trim(&hop, &len);
        if (hops == HOPS_MAX || !(rfc7239 ? read_for(hop, len, &at) : read_hop(hop, len, &at)))
            return (struct address){0};
        end = comma ? comma : forwarded;
    }
    return at;
}

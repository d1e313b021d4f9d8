/* Longest prefix, then weights, then the order of the file (docs/design.md, "render"). */
#include "render/route.h"
#include "lib/number.h"
#include <stdio.h>

#define NO_FIT -1

/* Length of the longest of an entry's prefixes that the number begins with. */
static int fit_of(const struct conf_route *route, const char *digits)
{
    int best = route->prefixes.count == 0 ? 0 : NO_FIT;

    for (size_t i = 0; i < route->prefixes.count; i++) {
        size_t len = strlen(route->prefixes.items[i]);
        if (strncmp(digits, route->prefixes.items[i], len) == 0)
            best = MAX_OF(best, (int)len);
    }
    return best;
}

/* Neighbouring numbers have to be far apart before a share is taken of them (splitmix64's last step). */
static uint64_t stir(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static size_t choose_first(const struct conf_route *routes, const int *fits, size_t count, uint64_t key)
{
    size_t first = count;
    uint64_t total = 0;
    int longest = NO_FIT;

    for (size_t i = 0; i < count; i++)
        longest = MAX_OF(longest, fits[i]);
    for (size_t i = 0; i < count && longest != NO_FIT; i++) {
        if (fits[i] != longest)
            continue;
        if (first == count)
            first = i;
        total += routes[i].weight > 0 ? (uint64_t)routes[i].weight : 0;
    }
    if (total == 0)
        return first; /* weight 0 everywhere: the first in order */
    uint64_t share = stir(key) % total;
    for (size_t i = 0; i < count; i++) {
        uint64_t weight = fits[i] == longest && routes[i].weight > 0 ? (uint64_t)routes[i].weight : 0;
        if (share < weight)
            return i;
        share -= weight;
    }
    return first;
}

static size_t add_once(char *ret[], size_t count, char *gateway)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(ret[i], gateway) == 0)
            return count;
    ret[count] = gateway;
    return count + 1;
}

size_t route_choose(const struct conf_route *routes, size_t count, uint64_t share, int64_t number,
                    char *ret[ROUTE_MAX])
{
    char digits[NUMBER_SIZE];
    int fits[ROUTE_MAX];
    size_t chosen = 0;

    count = MIN_OF(count, (size_t)ROUTE_MAX);
    snprintf(digits, sizeof(digits), "%lld", (long long)number);
    for (size_t i = 0; i < count; i++)
        fits[i] = fit_of(&routes[i], digits);
    size_t first = choose_first(routes, fits, count, share);
    if (first == count)
        return 0;
    chosen = add_once(ret, chosen, routes[first].gateway);
    for (size_t i = 0; i < count; i++)
        if (fits[i] != NO_FIT)
            chosen = add_once(ret, chosen, routes[i].gateway);
    return chosen;
}

uint64_t route_share(const char *rule, int64_t number)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

    for (; *rule != '\0'; rule++)
        h = (h ^ (unsigned char)*rule) * 0x100000001b3u;
    return stir(h) ^ (uint64_t)number;
}

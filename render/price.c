/* A tree by digits, so that a price list of thousands of prefixes costs as much a message as one of three. */
#include "render/price.h"
#include "lib/number.h"
#include <stdio.h>

struct node {
    int next[10]; /* by digit; 0: none */
    int price;    /* -1: none */
};
struct prices {
    struct price *items;
    struct node *nodes;
    int count;
};

static int add_node(struct prices *p)
{
    p->nodes = xrealloc(p->nodes, (size_t)(p->count + 1) * sizeof(*p->nodes));
    p->nodes[p->count] = (struct node){.price = -1};
    return p->count++;
}

struct prices *prices_new(const struct conf_price *items, size_t count)
{
    struct prices *p = xcalloc(1, sizeof(*p));

    p->items = xcalloc(count + 1, sizeof(*p->items));
    (void)add_node(p);
    for (size_t i = 0; i < count; i++) {
        int at = 0;
        p->items[i].currency = items[i].currency;
        if (!conf_price_micro(items[i].price, &p->items[i].micro))
            continue; /* the configuration's check has refused it */
        for (const char *c = items[i].prefix; *c >= '0' && *c <= '9'; c++) {
            if (p->nodes[at].next[*c - '0'] == 0) {
                int made = add_node(p);
                p->nodes[at].next[*c - '0'] = made;
            }
            at = p->nodes[at].next[*c - '0'];
        }
        p->nodes[at].price = (int)i;
    }
    return p;
}

void prices_free(struct prices *p)
{
    if (!p)
        return;
    free(p->items);
    free(p->nodes);
    free(p);
}

const struct price *prices_find(const struct prices *p, int64_t number)
{
    char digits[NUMBER_SIZE];
    int at = 0, best = p->nodes[0].price;

    snprintf(digits, sizeof(digits), "%lld", (long long)number);
    for (const char *c = digits; *c >= '0' && *c <= '9'; c++) {
        at = p->nodes[at].next[*c - '0'];
        if (at == 0)
            break;
        if (p->nodes[at].price >= 0)
            best = p->nodes[at].price;
    }
    return best >= 0 ? &p->items[best] : NULL;
}

/* What a gateway charges for a segment to a number: longest prefix first. Made once from its `prices`. Pure.
 */
#pragma once
#include "lib/conf.h"

struct price {
    int64_t micro;        /* of a segment, in millionths of the currency's unit */
    const char *currency; /* the configuration's */
};
struct prices;
struct prices *prices_new(const struct conf_price *items, size_t count); /* borrows them */
void prices_free(struct prices *p);
const struct price *prices_find(const struct prices *p, int64_t number); /* NULL: no line fits */

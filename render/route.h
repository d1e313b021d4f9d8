/* Which gateways a message goes to, in the order to try. Pure: the same message gets the same order as long
 * as the rule's route is the same, so that a chunk rendered twice gives the same messages to the same
 * gateways. */
#pragma once
#include "lib/base.h"
#include "lib/conf.h"

#define ROUTE_MAX 32 /* gateways in one message's order; a rule's further entries are not looked at */

/* Entries whose prefixes fit the number take part, those without prefixes always. Among those with the
 * longest fitting prefix the weights choose the first gateway, by `share`; the others follow as they stand in
 * the rule. ret[] holds gateways' names that belong to `routes`, each gateway once. Returns how many; 0: no
 * entry fits. */
size_t route_choose(const struct conf_route *routes, size_t count, uint64_t share, int64_t number,
                    char *ret[ROUTE_MAX]);
/* The share of a rule's message to this number: known before there is an sms_id, so a plan says which gateway
 * it will be. */
uint64_t route_share(const char *rule, int64_t number);

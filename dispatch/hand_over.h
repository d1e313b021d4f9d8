/* Which gateway gets a message that this one cannot reach. Pure. */
#pragma once
#include "lib/record.h"

/* The first gateway of the route that has not passed it on; where all others have, the route's first one, in
 * whose queue it then waits. NULL: it stays here. */
const char *hand_over_to(const struct str_list *route, const struct str_list *passed_on, const char *self);
/* The first other gateway of the route that has not passed it on: this one has it and does not take it.
 * NULL: there is none. */
const char *elsewhere_to(const struct str_list *route, const struct str_list *passed_on, const char *self);

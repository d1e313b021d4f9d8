/* Is a gateway's configuration, as far as its dispatcher is concerned, the same in two loaded configurations?
 * If not, its thread drains and a new one starts. Pure. */
#pragma once
#include "lib/conf.h"

bool same_gateway(const struct conf_gateway *a, const struct conf_gateway *b);
bool same_surroundings(const struct conf *a, const struct conf *b); /* database, broker, folders, horizon */

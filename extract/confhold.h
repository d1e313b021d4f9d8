/* The configuration in force. SIGHUP puts another in its place; runs that are being read keep theirs until
 * they end. */
#pragma once
#include "lib/conf.h"

struct confhold;                               /* one configuration and how many hold it */
struct confhold *confhold_new(struct conf *c); /* takes it; held once */
struct confhold *confhold_ref(struct confhold *h);
void confhold_unref(struct confhold *h); /* NULL is allowed */
const struct conf *confhold_conf(const struct confhold *h);

/* The address for machines, of every service: /metrics (Prometheus), /livez and /readyz, both with ?verbose. It shows no
 * number and no text, but it is not for the world: plain HTTP, nobody is asked who he is. */
#pragma once
#include "lib/base.h"

struct monitor;
/* listen "": no address, *ret is NULL. setting: the key, for messages ("render.metrics_listen"). < 0: said in the log. */
int must_check monitor_start(const char *listen, const char *setting, struct monitor **ret);
void monitor_stop(struct monitor *m); /* and frees it; NULL is fine */

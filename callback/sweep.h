/* What nobody tells: open claims whose outcome never came, accepted messages without a report, reports that
 * settle a message in doubt, parked steps that have waited too long, partitions of the days to come. One
 * sweeper at a time, over all processes, by the advisory lock (4, 0). It tells its findings as steps into the
 * update queues, so that the projection keeps one writer; telling one twice changes nothing. */
#pragma once
#include "callback/gateways.h"
#include "lib/service.h"

struct sweep;
struct sweep *sweep_start(struct gateways_now *gateways);
void sweep_stop(struct sweep *s);
void sweep_join(struct sweep *s); /* frees it */
void sweep_put_figures(struct sweep *s, struct figures *f);

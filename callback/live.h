/* The process's live figures, written by a thread of its own into the table `service`, and what /readyz says.
 * The database may be away: then the figures stay unwritten, and nothing else waits for them. */
#pragma once
#include "callback/consumer.h"
#include "lib/drain.h"
#include "callback/forward.h"
#include "callback/intake.h"
#include "callback/poller.h"
#include "callback/sweep.h"

struct live;
struct live *live_start(struct gateways_now *gateways);
/* Before any of them is freed: NULL. Those that do not run here are NULL. */
void live_watch_intake(struct live *l, struct intake *intake, struct drain *drain, struct poll_service *poll);
void live_watch_consumers(struct live *l, struct consumer **consumers, size_t count, struct sweep *sweep);
void live_watch_forward(struct live *l, struct forward *forward);
/* For intake_options.ready. */
bool live_ready(void *live, struct buf *why);
void live_free(struct live *l);

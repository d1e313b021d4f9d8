/* The batching consumer of one shard: a thread that gathers deliveries of sms.update.<shard>, hands full
 * batches to its flush thread, and acks them once they are committed (docs/design.md, "callback"). */
#pragma once
#include "callback/gateways.h"
#include "lib/service.h"

#define CONSUMER_PREFETCH 2000
/* A longer outage of the database, and the broker gets its messages back: its consumer_timeout is 30 min. */
#define CONSUMER_DB_OUTAGE_MS (10 * 60 * 1000)

struct consumer;
struct consumer *consumer_start(struct gateways_now *gateways, int shard);
/* Asks it to end: what is gathered is flushed and acked, within deadline_ms; what is not comes again. */
void consumer_stop(struct consumer *c);
void consumer_join(struct consumer *c); /* frees it */
/* Ready: connected to the broker, and the database takes its flushes. *ret_why: what is wrong, static. */
bool consumer_ready(struct consumer *c, const char **ret_why);
void consumer_put_figures(struct consumer *c, struct figures *f);

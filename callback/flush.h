/* The flush thread of one shard: takes a batch, applies it however often it takes, finds poison records by
 * bisecting, and hands the batch back. Between batches it tries the parked steps again, hourly. It alone uses
 * its database connection; the consumer's thread meanwhile serves the broker and gathers the next batch. */
#pragma once
#include "callback/apply.h"
#include "callback/batch.h"
#include "callback/inbound_apply.h"

#define FLUSH_PARKED_EVERY_MS (60 * 60 * 1000)

struct flush;
struct flush_options {
    struct db_options db;
    struct words *words;
    struct gateways_now *gateways;
    int shard, shards;
};
struct flush *flush_new(const struct flush_options *o);
/* Gives up a batch in work (it was not acked and comes again), ends the thread. */
void flush_free(struct flush *f);

int flush_fd(const struct flush *f); /* readable when a batch is done */
bool flush_idle(struct flush *f);
void flush_start(struct flush *f, struct batch *b); /* only when idle; takes the batch over */
enum flush_end { FLUSH_COMMITTED, FLUSH_GIVEN_UP };
/* The batch that is done, now the caller's; NULL: none. */
struct batch *flush_take(struct flush *f, enum flush_end *ret_end);
void flush_give_up(struct flush *f); /* the batch in work comes back as given up (unless it is committed) */
/* How long the database has kept a flush from working; 0: all is well. */
int64_t flush_trouble_ms(struct flush *f);

struct flush_figures {
    int64_t ended_at; /* wall ms; 0: none yet */
    int64_t ms, steps, rows, flushes, all_ms, all_steps, all_rows, parked, dead;
    struct inbound_figures inbound;
    int64_t trouble_ms;
};
struct flush_figures flush_figures(struct flush *f);

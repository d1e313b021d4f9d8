/* One flush: steps into the tables, in one transaction under the shard's advisory lock. What to write is
 * decided by the fold (pure); this reads what the fold needs, writes what it says, and commits. Doing it
 * twice changes nothing. */
#pragma once
#include "callback/told.h"
#include "lib/db.h"
#include "lib/state.h"

struct gateways;
struct apply;
struct apply_options {
    struct db *db; /* borrowed; used by one thread */
    struct words *words;
    int shard, shards;
    int64_t park_horizon_ms, report_horizon_ms; /* how many days back an id is looked up */
    int64_t keep_days;
};
#define APPLY_STATES (STATE_DELIVERED + 1)
struct apply_figures { /* of the last committed flush */
    size_t steps, rows, events, maps, parked, unparked, quarantined;
    int64_t ms;
    int64_t entered[APPLY_STATES]; /* messages that entered this state, by its number */
};
struct apply *apply_new(const struct apply_options *o);
void apply_free(struct apply *a);

enum {
    APPLY_AGAIN =
        101, /* another writer moved a row, or something was told before: rolled back, do it again */
};
/* 0: committed. < 0: the connection is gone; it may have been committed, apply it again. > 0: APPLY_AGAIN or
 * lib/db.h's answers; rolled back. `gateways` says how parked ids are compared. Fates are written into the
 * steps. */
int must_check apply_flush(struct apply *a, const struct gateways *gateways, struct told *steps,
                           size_t count);
/* A value or a constraint refused it: some record of the flush is to blame. */
bool apply_is_data_error(int answer);
const struct apply_figures *apply_last(const struct apply *a);

/* Tries one page of all parked steps of this shard again, in its own transaction. *io_after: id of the last
 * one looked at (0 to begin); > 0 afterwards: there may be more. */
int must_check apply_parked_page(struct apply *a, const struct gateways *gateways, int64_t *io_after);

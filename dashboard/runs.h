/* What a run is in figures and words: its messages by state, where it stands, its balance. Shared by the
 * pages that show runs; the words and the sums are pure. */
#pragma once
#include "dashboard/page.h"
#include "lib/state.h"

/* States side by side as the pages show them, the end of a message's way first. */
enum bucket {
    BUCKET_DELIVERED,
    BUCKET_UNDELIVERED, /* with expired and rejected */
    BUCKET_UNKNOWN,
    BUCKET_IN_DOUBT,
    BUCKET_ACCEPTED,
    BUCKET_SUBMITTED,
    BUCKET_NOT_SENT, /* stale, suppressed, cancelled, render_error */
    BUCKET_QUEUED,
    BUCKETS
};
extern const struct bucket_look {
    const char *word, *class, *sign;
} bucket_looks[BUCKETS];
enum bucket bucket_of(int state);

struct run_counts {
    int64_t by_state[STATE_DELIVERED + 1]; /* by enum state; queued is not among them */
    int64_t bucket[BUCKETS]; /* with queued, once run_counts_close has been told of all messages */
    int64_t told, partial;
    int64_t changed_ms; /* 0: nothing was told yet */
};
void run_counts_add(struct run_counts *c, int state, int64_t count,
                    int64_t changed_ms); /* -1: failed in part */
void run_counts_close(struct run_counts *c, int64_t messages);
/* One of `count` for each of ids, which are the run's column `id_column` of r. */
int must_check run_counts_read(struct page *p, const struct db_result *r, int id_column, int new_column,
                               struct run_counts **ret);

int64_t run_submitted(const struct run_counts *c); /* that were given to a gateway, or may have been */
int64_t run_accepted(const struct run_counts *c);  /* that a gateway has accepted */
int64_t run_open(const struct run_counts *c);      /* that something is still expected of by the machine */

enum phase { PHASE_WAITS, PHASE_WORKS, PHASE_DONE, PHASE_ATTENTION, PHASE_BAD };
struct run_stand {
    const char *state; /* run.state */
    bool publish, balance_holds, complete;
    int64_t messages;
};
/* Where a run stands, in words. "finished" only if every row and every message is accounted for. */
const char *run_phase(const struct run_stand *s, const struct run_counts *c, enum phase *ret);
void add_phase(struct buf *out, const char *words, enum phase phase);
void add_state(struct buf *out, int state); /* its sign and word */
/* All of a run's messages as one bar. */
void add_bar(struct buf *out, const struct run_counts *c, int64_t messages);

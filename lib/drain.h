/* A process's journal and the way from there to the update queues: a thread of its own, so that the broker
 * may be away as long as it likes while reports are taken. A journal's file is deleted when all its records
 * are confirmed; directories that dead processes left are drained as well. */
#pragma once
#include "lib/buf.h"
#include "lib/journal.h"
#include "lib/mq.h"
#include "lib/record.h"
#include "lib/service.h"

#define DRAIN_CHUNK_RECORDS  500
#define DRAIN_ADOPT_EVERY_MS 10000

/* What one request told, in the journal: a head line "<version> <gateway>", then its encoded records, a line
 * each. A line begins with its record (a step), or with the name of another kind and a space. */
#define DRAIN_VERSION 2 /* 1: steps only */
void drain_record_begin(struct buf *b, const char *gateway);
void drain_line_begin(struct buf *b, enum record_kind kind); /* before the record of a line */
enum record_kind drain_line_kind(const char **inout_line, size_t *inout_len); /* leaves the record */

struct drain_options {
    struct mq_options broker; /* its strings outlive the drain */
    unsigned shards;          /* update queues */
    const char *state_dir;    /* whose `journal` holds a directory for each process */
    size_t record_max_bytes;  /* of the journal; 0: its own bound */
};
struct drain;
/* Opens a journal of this process's own, under a random name, and drains it. < 0: said in the log. */
int must_check drain_open(const struct drain_options *o, struct drain **ret);
struct journal *drain_own(const struct drain *d); /* for appending */
void drain_wake(struct drain *d);                 /* something was appended; any thread */
/* Goes on until the journal is empty, at most deadline_ms, then frees it; what is left is adopted by whoever
 * drains here. Nobody appends any more. NULL is fine. */
void drain_close(struct drain *d, int64_t deadline_ms);
void drain_put_figures(struct drain *d, struct figures *f);

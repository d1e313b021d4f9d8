/* From the journal to the update queues: a thread of its own, so that the broker may be away as long as it
 * likes while reports are answered. A journal's file is deleted when all its records are confirmed;
 * directories that dead processes left are drained as well. */
#pragma once
#include "callback/gateways.h"
#include "lib/journal.h"
#include "lib/service.h"

#define DRAIN_CHUNK_RECORDS  500
#define DRAIN_ADOPT_EVERY_MS 10000

/* What one request told, in the journal: a head line "<version> <gateway>", then its encoded records, a line each. A line
 * begins with its record (a step), or with the name of another kind and a space. */
#define DRAIN_VERSION 2 /* 1: steps only */
void drain_record_begin(struct buf *b, const char *gateway);
void drain_line_begin(struct buf *b, enum record_kind kind); /* before the record of a line */
enum record_kind drain_line_kind(const char **inout_line, size_t *inout_len); /* leaves the record */

struct drain;
struct drain *drain_start(struct gateways_now *gateways, struct journal *own, const char *journal_parent);
void drain_wake(struct drain *d); /* something was appended; any thread */
/* Asks it to end: it goes on until the journal is empty, at most deadline_ms. */
void drain_stop(struct drain *d, int64_t deadline_ms);
void drain_join(struct drain *d); /* frees it */
void drain_put_figures(struct drain *d, struct figures *f);

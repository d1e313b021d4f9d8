/* An append-only journal of small records: kept on disk before anyone is told "kept".
 * A journal is a directory that one process owns (flock); each file: an 8-byte magic, then records of
 * [u32 length][u32 CRC-32C of length and payload][payload], little endian. A record cut short by a crash ends the
 * reading of its file. Threads may append at once; one fdatasync serves all that wait (group commit). */
#pragma once
#include "lib/base.h"

struct journal;
#define JOURNAL_QUEUE_MAX_BYTES (16u << 20) /* appended and not yet written: who appends more waits */

struct journal_options {
    const char *dir;         /* one directory a process: <state_dir>/journal/<random>/; made if missing */
    size_t file_bytes;       /* a new file begins above this; 0: 8 MiB */
    size_t record_max_bytes; /* 0: 1 MiB */
};
enum {
    JOURNAL_FULL = 1, /* no space, or the disk failed: nothing was kept (the record was truncated away) */
};
/* -EBUSY: another process has it. Records that an earlier owner left in this directory are read first. */
int must_check journal_open(const struct journal_options *opts, struct journal **ret);
/* Writes what is queued, calls every `done`. The directory is deleted if all that was in it was confirmed; else it is
 * left for journal_adopt. */
void journal_close(struct journal *j);

/* Appends and waits until it is on disk. 0 kept, JOURNAL_FULL not kept, -EMSGSIZE empty or too long. After a failed fdatasync all that waited get
 * JOURNAL_FULL and a new file is begun (what a failed fdatasync wrote is not known; docs/decisions.md). */
int must_check journal_append(struct journal *j, const void *record, size_t len);
/* The same for many callers without a thread each: queue it, `done(arg, result)` is called from the journal's own
 * thread after the fdatasync; it must not append or rotate itself. */
void journal_append_async(struct journal *j, const void *record, size_t len, void (*done)(void *arg, int result),
                          void *arg);
/* The same for a caller that may not wait: JOURNAL_FULL at once where JOURNAL_QUEUE_MAX_BYTES are queued, and -EMSGSIZE as
 * above; `done` is not called then. 0: it will be. */
int must_check journal_offer(struct journal *j, const void *record, size_t len, void (*done)(void *arg, int result),
                             void *arg);

/* Reading back what is on disk and not yet confirmed, from the oldest. Positions are opaque and grow. */
struct journal_record {
    uint64_t position;
    const void *data; /* until the next call */
    size_t len;
};
/* True: *ret is the next record after what was read before. False: nothing more for now. One reading thread.
 * A file damaged in its middle is read up to there and then moved beside the directory as *.damaged, for a person. */
bool journal_next(struct journal *j, struct journal_record *ret);
/* All records up to and including this position are confirmed elsewhere: files that were read to their end and lie
 * wholly below it are deleted. Any thread. */
void journal_confirm(struct journal *j, uint64_t position);
/* Ends the file being written (if it holds anything), so that it can be deleted once confirmed. */
void journal_rotate(struct journal *j);
int64_t journal_backlog_bytes(const struct journal *j); /* on disk, not deleted */

/* Directories under `parent` whose owner is dead (its lock is free) are taken over: calls `take` with an opened,
 * read-only journal for each; `take` reads it to its end and returns 0 when all is confirmed (then the directory is
 * deleted), else it is left for the next time. 0, or < 0: `parent` cannot be read (missing is 0: nothing to adopt). */
int journal_adopt(const char *parent, int (*take)(struct journal *dead, void *arg), void *arg);

/* Inside of the journal: what its two halves, writing (journal.c) and reading (journal_read.c), share. */
#pragma once
#include "lib/buf.h"
#include "lib/health.h"
#include "lib/journal.h"
#include "lib/metrics.h"

#include <pthread.h>

#define JOURNAL_MAGIC        "smsjrnl1"
#define JOURNAL_MAGIC_BYTES  8
#define JOURNAL_HEADER_BYTES 8 /* of a record: length, CRC-32C */

/* Files are kept oldest first. A node is made by the writer (or when the directory is opened) and freed by
 * whoever finds it drained and confirmed; its fields are under the journal's lock. */
struct journal_file {
    struct journal_file *next;
    uint32_t number;
    uint64_t bytes; /* known to be on disk; nothing behind it is read */
    uint64_t last;  /* position of the last record read from it; 0: none yet */
    bool closed;    /* nothing is written to it any more */
    bool drained;   /* read to its end, and closed */
    bool damaged;   /* not deleted but moved aside */
};

struct journal {
    char *dir;
    int dir_fd, lock_fd;
    size_t file_bytes, record_max_bytes;

    pthread_mutex_t lock;
    struct journal_file *files, *newest;
    uint64_t confirmed;
    _Atomic int64_t backlog_bytes;

    /* writing; `writing` is the file that newest describes, open, or -1 */
    bool has_writer, ending, rotate;
    pthread_t writer;
    pthread_cond_t work, written;
    struct journal_entry *first_entry, **last_entry;
    size_t queued_bytes;
    int writing;
    uint32_t next_number;
    struct buf batch;
    struct series *append_seconds, *kept, *not_kept;
    struct health *health; /* the check `journal` */

    /* reading, by the one reading thread */
    int reading;
    uint32_t reading_number;
    uint64_t read_at;
    struct buf window; /* bytes of the file from window_at on */
    uint64_t window_at;
};

void journal_file_name(uint32_t number, char out[32]);
struct journal_file *journal_add_file(struct journal *j, uint32_t number, uint64_t bytes,
                                      bool closed); /* locked */
void journal_drop_drained(struct journal *j);
/* Takes over the directory: its lock and the files that are in it. JOURNAL_TAKEN: its owner lives. */
enum { JOURNAL_TAKEN = 1 };
int journal_take_dir(const char *dir, bool make, struct journal **ret);
void journal_leave_dir(struct journal *j); /* deletes the directory if it holds no records; frees j */

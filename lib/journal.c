/* Writing the journal: appenders queue framed records, one thread writes all that wait and makes them durable
 * with one fdatasync. What a failed batch wrote is truncated away. */
#include "lib/journal_files.h"

#include "lib/clock.h"
#include "lib/crc32c.h"
#include "lib/fault.h"
#include "lib/log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#define BATCH_MAX_BYTES (1u << 20)
#define FILE_MAX_BYTES  (1u << 30) /* a position has 32 bits for the place in the file */

struct journal_entry {
    struct journal_entry *next;
    void (*done)(void *arg, int result);
    void *arg;
    int result;
    int64_t queued_us;
    size_t len;            /* of bytes, the header included */
    unsigned char bytes[]; /* as it will stand in the file */
};

static void put_u32(unsigned char *to, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(n >> (8 * i));
}

static struct journal_entry *make_entry(const void *record, size_t len, void (*done)(void *, int), void *arg)
{
    struct journal_entry *e = xmalloc(sizeof(*e) + JOURNAL_HEADER_BYTES + len);
    *e = (struct journal_entry){
        .done = done, .arg = arg, .queued_us = clock_mono_us(), .len = JOURNAL_HEADER_BYTES + len};
    put_u32(e->bytes, (uint32_t)len);
    memcpy(e->bytes + JOURNAL_HEADER_BYTES, record, len);
    uint32_t crc = crc32c(0, e->bytes, 4);
    put_u32(e->bytes + 4, crc32c(crc, record, len));
    return e;
}

/* ---- the writer ---- */

static int write_all(int fd, const char *data, size_t len, uint64_t at)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENOSPC;
        data += n;
        len -= (size_t)n;
        at += (size_t)n;
    }
    return 0;
}

/* Nothing more is written to the current file. One without a record in it goes at once. */
static void end_file(struct journal *j)
{
    if (j->writing < 0)
        return;
    close(j->writing);
    j->writing = -1;
    pthread_mutex_lock(&j->lock);
    j->newest->closed = true;
    if (j->newest->bytes <= JOURNAL_MAGIC_BYTES)
        j->newest->drained = true;
    pthread_mutex_unlock(&j->lock);
    journal_drop_drained(j);
}

static int begin_file(struct journal *j)
{
    char name[32];
    journal_file_name(j->next_number, name);
    int fd = openat(j->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    j->writing = fd;
    pthread_mutex_lock(&j->lock);
    /* Its magic is durable with its first batch: until then it counts as empty. */
    journal_add_file(j, j->next_number++, 0, false);
    pthread_mutex_unlock(&j->lock);
    return 0;
}

/* 0: the batch is on disk. */
static int write_batch(struct journal *j, const struct journal_entry *first)
{
    int r = j->writing < 0 ? begin_file(j) : 0;
    if (r < 0)
        return r;
    uint64_t at = j->newest->bytes; /* only this thread changes it */
    buf_clear(&j->batch);
    if (at == 0)
        buf_add(&j->batch, JOURNAL_MAGIC, JOURNAL_MAGIC_BYTES);
    for (const struct journal_entry *e = first; e; e = e->next)
        buf_add(&j->batch, e->bytes, e->len);
    r = write_all(j->writing, j->batch.data, j->batch.len, at);
    FAULT("journal.written");
    if (r == 0 && fdatasync(j->writing) < 0)
        r = -errno;
    if (r == 0 && at == 0 && fsync(j->dir_fd) < 0)
        r = -errno;
    if (r < 0) {
        /* What a failed fdatasync wrote is not known, and a second one may lie: this file ends where it was.
         */
        if (ftruncate(j->writing, (off_t)at) < 0)
            log_error("journal cannot be truncated", L_STR("dir", j->dir), L_ERRNO(-errno));
        end_file(j);
        return r;
    }
    FAULT("journal.synced");
    pthread_mutex_lock(&j->lock);
    j->newest->bytes = at + j->batch.len;
    j->backlog_bytes += (int64_t)j->batch.len;
    pthread_mutex_unlock(&j->lock);
    if (j->newest->bytes >= j->file_bytes)
        end_file(j);
    return 0;
}

/* Takes what waits, up to the batch's maximum, off the queue. Locked. */
static struct journal_entry *take_batch(struct journal *j)
{
    struct journal_entry *first = j->first_entry, *last = first;
    if (!first)
        return NULL;
    size_t bytes = first->len;
    while (last->next && bytes + last->next->len <= BATCH_MAX_BYTES) {
        last = last->next;
        bytes += last->len;
    }
    j->first_entry = last->next;
    if (!j->first_entry)
        j->last_entry = &j->first_entry;
    last->next = NULL;
    j->queued_bytes -= bytes;
    return first;
}

static void tell(struct journal *j, struct journal_entry *e, int result)
{
    int64_t now_us = clock_mono_us();
    while (e) {
        struct journal_entry *next = e->next;
        series_observe_us(j->append_seconds, now_us - e->queued_us);
        series_add(result == 0 ? j->kept : j->not_kept, 1);
        e->done(e->arg, result);
        free(e);
        e = next;
    }
}

static void say(struct journal *j, struct log_trouble *trouble, int r)
{
    if (r < 0) {
        log_trouble_begins(trouble, "journal cannot keep records",
                           (struct log_field[]){L_STR("dir", j->dir), L_ERRNO(r)}, 2);
        health_bad(j->health, "cannot keep records: %s", strerror(-r));
    } else {
        log_trouble_ends(trouble, "journal keeps records again");
        health_good(j->health, "");
    }
}

static void *writer_thread(void *arg)
{
    struct journal *j = arg;
    struct log_trouble trouble = {0};
    pthread_mutex_lock(&j->lock);
    for (;;) {
        bool rotate = j->rotate; /* first: under load the queue is never empty */
        struct journal_entry *batch = rotate ? NULL : take_batch(j);
        if (!batch && !rotate) {
            if (j->ending)
                break;
            pthread_cond_wait(&j->work, &j->lock);
            continue;
        }
        pthread_mutex_unlock(&j->lock);
        if (batch) {
            int r = write_batch(j, batch);
            say(j, &trouble, r);
            tell(j, batch, r < 0 ? JOURNAL_FULL : 0);
        } else {
            end_file(j);
        }
        pthread_mutex_lock(&j->lock);
        if (rotate)
            j->rotate = false;
        pthread_cond_broadcast(&j->written);
    }
    pthread_mutex_unlock(&j->lock);
    end_file(j);
    return NULL;
}

/* ---- appending ---- */

static int refused(const struct journal *j, size_t len)
{
    if (!j->has_writer)
        return -EROFS;
    return len == 0 || len > j->record_max_bytes ? -EMSGSIZE : 0;
}

/* Locked. */
static bool has_room(const struct journal *j, const struct journal_entry *e)
{
    return j->queued_bytes == 0 || j->queued_bytes + e->len <= JOURNAL_QUEUE_MAX_BYTES;
}

/* Locked. */
static void queue_entry(struct journal *j, struct journal_entry *e)
{
    *j->last_entry = e;
    j->last_entry = &e->next;
    j->queued_bytes += e->len;
    pthread_cond_signal(&j->work);
}

void journal_append_async(struct journal *j, const void *record, size_t len,
                          void (*done)(void *arg, int result), void *arg)
{
    int r = refused(j, len);
    if (r < 0) {
        done(arg, r);
        return;
    }
    struct journal_entry *e = make_entry(record, len, done, arg);
    pthread_mutex_lock(&j->lock);
    while (!has_room(j, e))
        pthread_cond_wait(&j->written, &j->lock);
    queue_entry(j, e);
    pthread_mutex_unlock(&j->lock);
}

int journal_offer(struct journal *j, const void *record, size_t len, void (*done)(void *arg, int result),
                  void *arg)
{
    int r = refused(j, len);
    if (r < 0)
        return r;
    struct journal_entry *e = make_entry(record, len, done, arg);
    pthread_mutex_lock(&j->lock);
    bool room = has_room(j, e);
    if (room)
        queue_entry(j, e);
    pthread_mutex_unlock(&j->lock);
    if (!room)
        free(e);
    return room ? 0 : JOURNAL_FULL;
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool is_told;
    int result;
};

static void wake_waiter(void *arg, int result)
{
    struct waiter *w = arg;
    pthread_mutex_lock(&w->lock);
    w->is_told = true;
    w->result = result;
    pthread_cond_signal(&w->told);
    pthread_mutex_unlock(&w->lock);
}

int journal_append(struct journal *j, const void *record, size_t len)
{
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER};
    journal_append_async(j, record, len, wake_waiter, &w);
    pthread_mutex_lock(&w.lock);
    while (!w.is_told)
        pthread_cond_wait(&w.told, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.told);
    pthread_mutex_destroy(&w.lock);
    return w.result;
}

void journal_rotate(struct journal *j)
{
    if (!j->has_writer)
        return;
    pthread_mutex_lock(&j->lock);
    j->rotate = true;
    pthread_cond_signal(&j->work);
    while (j->rotate)
        pthread_cond_wait(&j->written, &j->lock);
    pthread_mutex_unlock(&j->lock);
}

/* ---- opening and closing ---- */

static const struct metric append_seconds = {"smschain_journal_append_seconds",
                                             "From appending a record to its being on disk.",
                                             METRIC_SECONDS,
                                             {NULL},
                                             0};
static const struct metric records = {"smschain_journal_records_total",
                                      "Records appended, by whether they were kept.",
                                      METRIC_COUNTER,
                                      {"outcome"},
                                      0};

static void measure_begin(struct journal *j)
{
    j->append_seconds = series_new(&append_seconds, NULL, NULL);
    j->kept = series_new(&records, "kept", NULL);
    j->not_kept = series_new(&records, "not_kept", NULL);
    j->health = health_new("journal", NULL);
    health_good(j->health, "");
}

static void measure_end(struct journal *j)
{
    series_free(j->append_seconds);
    series_free(j->kept);
    series_free(j->not_kept);
    health_free(j->health);
}

int journal_open(const struct journal_options *opts, struct journal **ret)
{
    size_t file_bytes = opts->file_bytes ? opts->file_bytes : 8u << 20;
    size_t record_max_bytes = opts->record_max_bytes ? opts->record_max_bytes : 1u << 20;
    if (file_bytes > FILE_MAX_BYTES || record_max_bytes > JOURNAL_QUEUE_MAX_BYTES)
        return -EINVAL;
    struct journal *j = NULL;
    int r = journal_take_dir(opts->dir, true, &j);
    if (r != 0)
        return r < 0 ? r : -EBUSY;
    j->file_bytes = file_bytes;
    j->record_max_bytes = record_max_bytes;
    measure_begin(j);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, MAX_OF((size_t)PTHREAD_STACK_MIN, (size_t)256 << 10));
    r = pthread_create(&j->writer, &attr, writer_thread, j);
    pthread_attr_destroy(&attr);
    if (r != 0) {
        measure_end(j);
        journal_leave_dir(j);
        return -r;
    }
    j->has_writer = true;
    *ret = j;
    return 0;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->ending = true;
    pthread_cond_signal(&j->work);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->writer, NULL);
    j->has_writer = false;
    measure_end(j);
    journal_leave_dir(j);
}

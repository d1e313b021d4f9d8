/* Rounds: read what waits up to a bound, pack it into chunks by shard, publish, wait until every chunk is
 * confirmed, then confirm to the journal. A crash between the last two publishes a round twice, which changes
 * nothing. */
#include "lib/drain.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/log.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#define ROUND_REPORTS  5000
#define ROUND_BYTES    ((size_t)1 << 20)
#define TICK_MS        1000
#define PUMP_MS        200
#define ADOPT_WAIT_MS  5000 /* a dead journal waits for the next time rather than keep ours waiting */
#define RETURN_WAIT_MS 1000 /* after a chunk came back: the queue is not declared */

#define INBOUND_PREFIX "inbound "

struct open_chunk { /* of one shard and kind */
    struct buf body;
    size_t records;
};
struct drain {
    pthread_t thread;
    struct mq_options broker;
    struct mq_publisher *publisher;
    struct journal *journal;
    char *parent;
    unsigned shards;
    struct open_chunk *chunks; /* two a shard: steps, inbound */
    size_t published, settled; /* chunks of this round */
    bool returned;
    struct buf *sent; /* bodies of this round, for those that come back */
    unsigned *sent_shards;
    size_t sent_count;
    int event_fd;
    int64_t adopt_due_ms;
    atomic_bool stopping, connected;
    atomic_int_fast64_t stop_by_ms, all_reports, all_chunks, backlog_bytes, adopted;
    struct log_trouble return_trouble;
};

void drain_record_begin(struct buf *b, const char *gateway)
{
    buf_addf(b, "%d %s\n", DRAIN_VERSION, gateway);
}

void drain_line_begin(struct buf *b, enum record_kind kind)
{
    if (kind == RECORD_INBOUND)
        buf_add_str(b, INBOUND_PREFIX);
}

enum record_kind drain_line_kind(const char **inout_line, size_t *inout_len)
{
    size_t prefix = strlen(INBOUND_PREFIX);
    if (*inout_len <= prefix || memcmp(*inout_line, INBOUND_PREFIX, prefix) != 0)
        return RECORD_STEPS;
    *inout_line += prefix;
    *inout_len -= prefix;
    return RECORD_INBOUND;
}

/* ---- chunks ---- */

static struct open_chunk *chunk_of(struct drain *d, unsigned shard, enum record_kind kind)
{
    return &d->chunks[2 * shard + (kind == RECORD_INBOUND)];
}

static void end_chunk(struct drain *d, unsigned shard, enum record_kind kind)
{
    struct open_chunk *c = chunk_of(d, shard, kind);
    if (c->records == 0)
        return;
    chunk_end(&c->body);
    d->sent = xrealloc(d->sent, (d->sent_count + 1) * sizeof(*d->sent));
    d->sent_shards = xrealloc(d->sent_shards, (d->sent_count + 1) * sizeof(*d->sent_shards));
    d->sent[d->sent_count] = c->body;
    d->sent_shards[d->sent_count++] = shard;
    *c = (struct open_chunk){0};
}

static void add_line(struct drain *d, unsigned shard, const char *line, size_t len)
{
    enum record_kind kind = drain_line_kind(&line, &len);
    struct open_chunk *c = chunk_of(d, shard, kind);
    if (c->records == 0)
        chunk_begin(&c->body, kind);
    chunk_add_raw(&c->body, line, len);
    if (++c->records >= DRAIN_CHUNK_RECORDS || c->body.len >= ROUND_BYTES)
        end_chunk(d, shard, kind);
}

enum { RECORD_NEWER = 1 };
/* RECORD_NEWER: a version above ours wrote it. */
static int add_report(struct drain *d, const struct journal_record *r)
{
    const char *at = r->data, *end = at + r->len;
    const char *head_end = memchr(at, '\n', r->len);
    char gateway[256];
    int version;
    if (!head_end)
        return -EBADMSG;
    auto_free char *head = xstrndup(at, (size_t)(head_end - at));
    if (sscanf(head, "%d %255[^\n]", &version, gateway) != 2)
        return -EBADMSG;
    if (version > DRAIN_VERSION)
        return RECORD_NEWER;
    unsigned shard = mq_update_shard(gateway, d->shards);
    for (at = head_end + 1; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        if (stop > at)
            add_line(d, shard, at, (size_t)(stop - at));
        at = stop + 1;
    }
    return 0;
}

/* ---- publishing a round ---- */

static bool time_over(const struct drain *d, int64_t deadline_ms)
{
    int64_t now_ms = clock_mono_ms();
    return now_ms > deadline_ms || (d->stopping && now_ms > d->stop_by_ms);
}

static void take_outcomes(struct drain *d)
{
    struct mq_outcome outcome;
    while (mq_publisher_next(d->publisher, &outcome)) {
        if (!outcome.confirmed) {
            d->returned = true; /* stays in `sent`, for another try */
        } else {
            buf_deinit(&d->sent[outcome.cookie]);
            d->settled++;
        }
        d->published--;
    }
    d->connected = mq_publisher_connected(d->publisher);
}

/* Publishes every chunk that is not confirmed yet and waits for all outcomes. False: out of time. */
static bool publish_once(struct drain *d, int64_t deadline_ms)
{
    for (size_t i = 0; i < d->sent_count; i++) {
        char queue[MQ_QUEUE_SIZE];
        if (!d->sent[i].data)
            continue;
        struct mq_message m = {.queue = mq_queue_update(d->sent_shards[i], queue),
                               .body = d->sent[i].data,
                               .len = d->sent[i].len,
                               .cookie = i};
        while (mq_publish(d->publisher, &m) == MQ_FULL) {
            mq_publisher_pump(d->publisher, PUMP_MS);
            take_outcomes(d);
            if (time_over(d, deadline_ms))
                return false;
        }
        d->published++;
    }
    FAULT("drain.published");
    while (d->published > 0) {
        mq_publisher_pump(d->publisher, PUMP_MS);
        take_outcomes(d);
        if (d->published > 0 && time_over(d, deadline_ms))
            return false;
    }
    return true;
}

static void forget_round(struct drain *d)
{
    for (size_t i = 0; i < d->sent_count; i++)
        buf_deinit(&d->sent[i]);
    d->sent_count = d->settled = 0;
}

/* What is left in the publisher after a round was given up would be published behind our back and its
 * outcomes taken for another round's: a new one begins clean. What it had sent may be in the queue; it will
 * be there twice. */
static void new_publisher(struct drain *d)
{
    mq_publisher_free(d->publisher);
    d->publisher = mq_publisher_new(&d->broker, NULL);
    d->published = 0;
}

/* True: every chunk of the round is confirmed. */
static bool publish_round(struct drain *d, int64_t deadline_ms)
{
    for (;;) {
        d->returned = false;
        if (!publish_once(d, deadline_ms)) {
            new_publisher(d);
            return false;
        }
        if (d->settled == d->sent_count) {
            log_trouble_ends(&d->return_trouble, "update queue takes reports again");
            return true;
        }
        log_trouble_begins(&d->return_trouble, "an update queue does not exist: reports wait in the journal",
                           NULL, 0);
        mq_publisher_pump(d->publisher, RETURN_WAIT_MS);
        if (time_over(d, deadline_ms))
            return false;
    }
}

/* ---- a journal ---- */

/* Reads up to a round's bound. 0, or < 0 / RECORD_NEWER for a record that cannot be passed on. */
static int read_round(struct drain *d, struct journal *j, size_t *ret_reports, uint64_t *ret_last)
{
    struct journal_record r;
    size_t bytes = 0;
    *ret_reports = 0;
    while (*ret_reports < ROUND_REPORTS && bytes < ROUND_BYTES && journal_next(j, &r)) {
        int result = add_report(d, &r);
        if (result == -EBADMSG)
            log_error("a record of the journal has no head line: it is left out", L_INT("bytes", r.len));
        if (result > 0)
            return result;
        bytes += r.len;
        ++*ret_reports;
        *ret_last = r.position;
    }
    for (unsigned i = 0; i < d->shards; i++) {
        end_chunk(d, i, RECORD_STEPS);
        end_chunk(d, i, RECORD_INBOUND);
    }
    return 0;
}

/* Drains what there is. 0: all of it is confirmed. A round that was read once must be confirmed before the
 * next one is read: our own journal therefore waits for the broker without end (until the process ends). */
static int drain_journal(struct drain *d, struct journal *j, int64_t wait_ms)
{
    for (;;) {
        size_t reports;
        uint64_t last = 0;
        int r = read_round(d, j, &reports, &last);
        if (r == RECORD_NEWER)
            log_error("a journal was written by a newer version: it waits for one");
        if (r != 0 || reports == 0) {
            forget_round(d);
            return r;
        }
        int64_t deadline_ms = wait_ms == INT64_MAX ? INT64_MAX : clock_mono_ms() + wait_ms;
        bool confirmed = publish_round(d, deadline_ms);
        d->all_chunks += (int64_t)d->settled;
        forget_round(d);
        if (!confirmed)
            return -ETIMEDOUT;
        FAULT("drain.confirmed");
        journal_confirm(j, last);
        FAULT("journal.deleted");
        d->all_reports += (int64_t)reports;
        d->backlog_bytes = journal_backlog_bytes(d->journal);
    }
}

static int take_dead(struct journal *dead, void *arg)
{
    struct drain *d = arg;
    if (d->stopping)
        return -ECANCELED;
    int r = drain_journal(d, dead, ADOPT_WAIT_MS);
    if (r == 0) {
        d->adopted++;
        log_info("a dead process's journal is drained");
    }
    return r;
}

/* ---- the thread ---- */

static void adopt_if_due(struct drain *d)
{
    if (clock_mono_ms() < d->adopt_due_ms)
        return;
    int r = journal_adopt(d->parent, take_dead, d);
    if (r < 0 && r != -ETIMEDOUT && r != -ECANCELED)
        log_warn("journals of dead processes cannot be looked at", L_STR("dir", d->parent), L_ERRNO(r));
    d->adopt_due_ms = clock_mono_ms() + DRAIN_ADOPT_EVERY_MS;
}

static void wait_for_work(struct drain *d)
{
    eventfd_t count;
    struct pollfd fds[2] = {{.fd = d->event_fd, .events = POLLIN},
                            {.fd = mq_publisher_fd(d->publisher), .events = POLLIN}};
    /* A second without a report: what is confirmed need not stay on disk until the file is full. */
    if (poll(fds, COUNT_OF(fds), TICK_MS) == 0 && journal_backlog_bytes(d->journal) > 0)
        journal_rotate(d->journal);
    (void)!eventfd_read(d->event_fd, &count); /* EAGAIN: it was the broker, or the time */
    mq_publisher_pump(d->publisher, 0);
    take_outcomes(d);
}

static void *drain_thread(void *arg)
{
    struct drain *d = arg;
    for (;;) {
        bool stopping = d->stopping; /* before the journal is read: what was appended until then is drained */
        int r = drain_journal(d, d->journal, INT64_MAX);
        d->backlog_bytes = journal_backlog_bytes(d->journal);
        if (r != 0 || stopping)
            return NULL; /* a round that is not confirmed must not be read past: who adopts the journal begins
                            with it */
        if (!stopping)
            adopt_if_due(d);
        if (!stopping)
            wait_for_work(d);
    }
}

/* ---- opening and closing ---- */

static int open_journal(const struct drain_options *o, const char *parent, struct journal **ret)
{
    uint64_t random;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        log_error("no random name for the journal", L_ERRNO(-errno));
        return -EIO;
    }
    auto_free char *dir = xasprintf("%s/%016llx", parent, (unsigned long long)random);
    int r = journal_open(&(struct journal_options){.dir = dir, .record_max_bytes = o->record_max_bytes}, ret);
    if (r < 0)
        log_error("journal cannot be opened", L_STR("dir", dir), L_ERRNO(r));
    return r;
}

int drain_open(const struct drain_options *o, struct drain **ret)
{
    struct journal *journal;
    auto_free char *parent = xasprintf("%s/journal", o->state_dir);
    int r = open_journal(o, parent, &journal);
    if (r < 0)
        return r;
    struct drain *d = xcalloc(1, sizeof(*d));
    d->broker = o->broker;
    d->journal = journal;
    d->parent = parent;
    parent = NULL;
    d->shards = MAX_OF(o->shards, 1u);
    d->chunks = xcalloc(d->shards, 2 * sizeof(*d->chunks));
    d->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    new_publisher(d);
    if (d->event_fd < 0 || pthread_create(&d->thread, NULL, drain_thread, d) != 0) {
        log_error("drain thread cannot be started", L_ERRNO(-errno));
        abort();
    }
    *ret = d;
    return 0;
}

struct journal *drain_own(const struct drain *d)
{
    return d->journal;
}

void drain_wake(struct drain *d)
{
    (void)!eventfd_write(d->event_fd, 1); /* fails only where it is readable anyway */
}

void drain_close(struct drain *d, int64_t deadline_ms)
{
    if (!d)
        return;
    d->stop_by_ms = clock_mono_ms() + deadline_ms;
    d->stopping = true;
    drain_wake(d);
    pthread_join(d->thread, NULL);
    journal_close(d->journal);
    forget_round(d);
    mq_publisher_free(d->publisher);
    for (unsigned i = 0; i < 2 * d->shards; i++)
        buf_deinit(&d->chunks[i].body);
    close(d->event_fd);
    free(d->chunks);
    free(d->sent);
    free(d->sent_shards);
    free(d->parent);
    free(d);
}

void drain_put_figures(struct drain *d, struct figures *f)
{
    figures_set(f, "journal_backlog_bytes", d->backlog_bytes);
    figures_set(f, "drained_reports", d->all_reports);
    figures_set(f, "drained_chunks", d->all_chunks);
    figures_set(f, "adopted_journals", d->adopted);
    figures_set_str(f, "broker", d->connected ? "connected" : "away");
}

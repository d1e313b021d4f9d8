/* A publisher a lane, each a thread with connections of its own, so that nothing of the instant lane waits
 * for what the bulk lane has taken: take, publish, wait for the confirms, mark, commit. */
#include "extract/outbox.h"
#include "extract/history_guard.h"
#include "extract/measure.h"
#include "lib/clock.h"
#include "lib/db.h"
#include "lib/fault.h"
#include "lib/log.h"
#include "lib/mq.h"
#include "lib/stop.h"

#include "outbox_delay.sql.h"
#include "outbox_mark.sql.h"
#include "outbox_take.sql.h"
#include "outbox_take_instant.sql.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TAKE_ROWS_MAX  1000      /* a transaction */
#define TAKE_INSTANT   100       /* the same of the instant lane: what comes next waits for no more */
#define TAKE_BYTES_MAX (4 << 20) /* of bodies in memory */
#define BROKER_WAIT_MS                                                                                       \
    15000 /* for confirms, with the rows locked; longer: they are given back and taken again */
#define HISTORY_EVERY_MS 4000

enum { LANE_INSTANT, LANE_BULK, LANES };
static const struct outbox_lane {
    const char *word;
    const struct db_sql *take;
    int rows;
} outbox_lanes[LANES] = {[LANE_INSTANT] = {"instant", &sql_outbox_take_instant, TAKE_INSTANT},
                         [LANE_BULK] = {"bulk", &sql_outbox_take, TAKE_ROWS_MAX}};

struct lane_publisher {
    const struct outbox_lane *lane;
    pthread_t thread;
    struct extract_shared *shared;
    int wake_fd;
    char *name; /* of its connections */
    struct db *db;
    struct mq_options mq;
    struct mq_publisher *publisher;
    struct db_params *params;
    int64_t poll_ms;
    struct log_trouble db_trouble, mq_trouble, queue_trouble;
    int64_t looked_at_history;
    uint64_t generation;
    int64_t *confirmed, *returned; /* of one take */
    size_t confirmed_count, returned_count;
};

struct outbox {
    struct lane_publisher *lanes[LANES];
};

/* Never idle while there is work: what a turn found decides how long to wait before the next. */
enum turn { TURN_MORE, TURN_IDLE, TURN_TROUBLE };

static struct mq_publisher *new_publisher(const struct lane_publisher *o)
{
    return mq_publisher_new(&o->mq, NULL);
}

static enum turn db_away(struct lane_publisher *o, const char *what)
{
    log_trouble_begins(&o->db_trouble, "outbox: the database is away, or refuses",
                       (const struct log_field[]){L_STR("lane", o->lane->word), L_STR("at", what),
                                                  L_STR("error", db_error(o->db))},
                       3);
    return TURN_TROUBLE;
}

/* A statement that failed (> 0) or a lost connection (< 0): either way this turn is over. */
static enum turn failed(struct lane_publisher *o, int r, const char *what)
{
    enum turn t = db_away(o, what);

    if (r > 0)
        db_rollback(o->db);
    return t;
}

static bool broker_is_there(struct lane_publisher *o)
{
    mq_publisher_pump(o->publisher, 0);
    if (!mq_publisher_connected(o->publisher) || mq_publisher_blocked(o->publisher)) {
        mq_publisher_pump(o->publisher, (int)o->poll_ms);
        if (!mq_publisher_connected(o->publisher) || mq_publisher_blocked(o->publisher)) {
            log_trouble_begins(&o->mq_trouble, "outbox: the broker takes nothing",
                               (const struct log_field[]){L_STR("lane", o->lane->word)}, 1);
            return false;
        }
    }
    log_trouble_ends(&o->mq_trouble, "outbox: the broker is back");
    return true;
}

static bool database_is_there(struct lane_publisher *o)
{
    int64_t now = clock_mono_ms();

    if (db_ready(o->db) != 0) {
        (void)db_away(o, "connecting");
        return false;
    }
    log_trouble_ends(&o->db_trouble, "outbox: the database is back");
    if (o->generation == db_generation(o->db) && now - o->looked_at_history < HISTORY_EVERY_MS)
        return !history_guard_lost(o->shared->history);
    if (!history_guard_fine(o->shared->history, o->db))
        return false;
    o->looked_at_history = now;
    o->generation = db_generation(o->db);
    return true;
}

static void collect(struct lane_publisher *o)
{
    struct mq_outcome out;

    while (mq_publisher_next(o->publisher, &out)) {
        if (out.confirmed)
            o->confirmed[o->confirmed_count++] = (int64_t)out.cookie;
        else
            o->returned[o->returned_count++] = (int64_t)out.cookie;
    }
}

/* Publishes all rows and waits for every outcome. False: the broker went away for long; nothing more will
 * come. */
static bool publish(struct lane_publisher *o, const struct db_result *rows)
{
    int64_t deadline = clock_mono_ms() + BROKER_WAIT_MS;
    int next = 0, count = db_rows(rows);

    o->confirmed_count = o->returned_count = 0;
    while (o->confirmed_count + o->returned_count < (size_t)count) {
        while (next < count) {
            const char *body = db_text(rows, next, 2);
            struct mq_message m = {.queue = db_text(rows, next, 1),
                                   .body = body,
                                   .len = strlen(body),
                                   /* a refused request that is given back: the door believes who is named in
                                      it only from us */
                                   .with_user = strcmp(db_text(rows, next, 1), MQ_QUEUE_REQUEST) == 0,
                                   .cookie = (uint64_t)db_big(rows, next, 0)};
            if (mq_publish(o->publisher, &m) != 0)
                break; /* the window is full */
            next++;
        }
        mq_publisher_pump(o->publisher, 100);
        collect(o);
        if (clock_mono_ms() > deadline)
            return false;
    }
    return true;
}

static int note(struct lane_publisher *o, const struct db_sql *sql, const int64_t *ids, size_t count)
{
    if (count == 0)
        return 0;
    db_params_clear(o->params);
    db_add_big_array(o->params, ids, count);
    return db_run(o->db, sql, o->params, NULL);
}

static void say_returned(struct lane_publisher *o)
{
    if (o->returned_count == 0)
        log_trouble_ends(&o->queue_trouble, "outbox: every chunk has its queue again");
    else
        log_trouble_begins(
            &o->queue_trouble,
            "outbox: chunks whose queue does not exist are kept; smschain migrate makes it",
            (const struct log_field[]){L_STR("lane", o->lane->word), L_INT("chunks", o->returned_count)}, 2);
}

static enum turn mark_and_commit(struct lane_publisher *o)
{
    int r = note(o, &sql_outbox_mark, o->confirmed, o->confirmed_count);

    if (r == 0)
        r = note(o, &sql_outbox_delay, o->returned, o->returned_count);
    if (r == 0) {
        FAULT("outbox.marked");
        r = db_commit(o->db);
    }
    if (r != 0)
        return failed(o, r, "marking");
    atomic_fetch_add(&o->shared->published, (int64_t)o->confirmed_count);
    say_returned(o);
    return TURN_MORE;
}

static void measure_take(const struct lane_publisher *o, const struct db_result *rows, int64_t taken_us)
{
    const struct measure *m = o->shared->measure;
    size_t lane = (size_t)(o->lane - outbox_lanes); /* as MEASURE_INSTANT, MEASURE_BULK */
    int64_t took_us = clock_mono_us() - taken_us;

    series_observe_us(m->outbox_publish[lane], took_us);
    for (int i = 0; i < db_rows(rows); i++)
        series_observe_us(m->outbox_wait[lane], db_big(rows, i, 3) + took_us);
    series_set(m->outbox_last[lane], clock_wall_ms());
}

static enum turn turn(struct lane_publisher *o)
{
    auto_result rows = NULL;
    int64_t taken_us;
    enum turn result;
    int r;

    if (!broker_is_there(o) || !database_is_there(o))
        return TURN_TROUBLE;
    db_params_clear(o->params);
    db_add_int(o->params, o->lane->rows);
    db_add_big(o->params, TAKE_BYTES_MAX);
    r = db_begin(o->db);
    if (r == 0)
        r = db_run(o->db, o->lane->take, o->params, &rows);
    if (r != 0)
        return failed(o, r, "taking");
    if (db_rows(rows) == 0) {
        db_rollback(o->db);
        return TURN_IDLE;
    }
    FAULT("outbox.selected");
    taken_us = clock_mono_us();
    if (!publish(o, rows)) {
        /* What is confirmed is marked; the rest is taken again by a publisher that remembers none of it. */
        mq_publisher_free(o->publisher);
        o->publisher = new_publisher(o);
    }
    FAULT("outbox.published");
    result = mark_and_commit(o);
    if (result == TURN_MORE)
        measure_take(o, rows, taken_us);
    return result;
}

/* Until the poll is over, somebody has said that there is something, or the process stops. */
static void wait_for_work(struct lane_publisher *o)
{
    struct pollfd fds[] = {{.fd = o->wake_fd, .events = POLLIN}, {.fd = stop_fd(), .events = POLLIN}};
    eventfd_t said;

    (void)!poll(fds, COUNT_OF(fds), (int)o->poll_ms);
    /* Read before the look that it asks for: what is committed during that look asks for another. */
    (void)!eventfd_read(o->wake_fd, &said);
}

static void *outbox_thread(void *arg)
{
    struct lane_publisher *o = arg;

    while (!stop_requested()) {
        switch (turn(o)) {
        case TURN_MORE:
            break;
        case TURN_IDLE:
            wait_for_work(o);
            break;
        case TURN_TROUBLE:
            stop_wait_ms(MAX_OF(o->poll_ms, (int64_t)200));
            break;
        }
    }
    return NULL;
}

static struct lane_publisher *lane_start(const struct conf *conf, struct extract_shared *shared,
                                         const struct outbox_lane *lane)
{
    struct lane_publisher *o = xmalloc(sizeof(*o));
    const struct conf_main *m = &conf->main;
    char *name = xasprintf("smschain-extract outbox %s", lane->word);

    *o = (struct lane_publisher){
        .lane = lane,
        .shared = shared,
        .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .name = name,
        .params = db_params_new(),
        .poll_ms = m->extract.outbox_poll_ms,
        .db = db_new(&(struct db_options){.conninfo = m->database.conninfo,
                                          .user = m->extract.service.database_user,
                                          .password = m->extract.service.database_password,
                                          .name = name,
                                          .idle_in_transaction_timeout_ms = DB_HELD_IDLE_MS}),
        .mq = {.host = xstrdup(m->broker.host),
               .vhost = xstrdup(m->broker.vhost),
               .user = xstrdup(m->extract.service.broker_user),
               .password = xstrdup(m->extract.service.broker_password),
               .port = (int)m->broker.port,
               .name = name,
               .heartbeat_s = (int)(m->broker.heartbeat_ms / 1000),
               .tls = m->broker.tls,
               .ca_file = m->broker.ca_file && *m->broker.ca_file ? xstrdup(m->broker.ca_file) : NULL},
        .confirmed = xcalloc((size_t)lane->rows, sizeof(int64_t)),
        .returned = xcalloc((size_t)lane->rows, sizeof(int64_t)),
    };
    o->publisher = new_publisher(o);
    if (o->wake_fd < 0 || pthread_create(&o->thread, NULL, outbox_thread, o) != 0)
        abort();
    return o;
}

struct outbox *outbox_start(const struct conf *conf, struct extract_shared *shared)
{
    struct outbox *outbox = xcalloc(1, sizeof(*outbox));

    for (int i = 0; i < LANES; i++)
        outbox->lanes[i] = lane_start(conf, shared, &outbox_lanes[i]);
    return outbox;
}

void outbox_wake(struct outbox *outbox)
{
    if (eventfd_write(outbox->lanes[LANE_INSTANT]->wake_fd, 1) < 0) {
        /* EAGAIN: its counter is full, so it is readable */
    }
}

static void free_const(const char *s)
{
    free((char *)(uintptr_t)s);
}

static void lane_join(struct lane_publisher *o)
{
    pthread_join(o->thread, NULL);
    mq_publisher_free(o->publisher);
    db_params_free(o->params);
    db_free(o->db);
    free_const(o->mq.host);
    free_const(o->mq.vhost);
    free_const(o->mq.user);
    free_const(o->mq.password);
    free_const(o->mq.ca_file);
    free(o->name);
    free(o->confirmed);
    free(o->returned);
    close(o->wake_fd);
    free(o);
}

void outbox_join(struct outbox *outbox)
{
    for (int i = 0; i < LANES; i++)
        lane_join(outbox->lanes[i]);
    free(outbox);
}

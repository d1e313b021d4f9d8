/* One batch in, one batch out. The database being away, busy or full is waited for; only a record that the
 * database refuses by itself is taken out. */
#include "callback/flush.h"
#include "callback/measure.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <pthread.h>
#include <sys/eventfd.h>

#define RETRY_MIN_MS 20
#define RETRY_MAX_MS 5000

enum work { WORK_IDLE, WORK_GIVEN, WORK_DONE };

struct flush {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int event_fd;
    /* under the lock */
    enum work work;
    struct batch *batch;
    enum flush_end end;
    bool give_up, ending;
    struct flush_figures figures;
    int64_t trouble_since_ms;
    /* the thread's own */
    struct flush_options o;
    struct db *db;
    struct apply *apply;
    struct log_trouble trouble;
    struct measure *measure;
    int64_t parked_due_ms, parked_after;
};

static bool ordered_to_stop(struct flush *f)
{
    pthread_mutex_lock(&f->lock);
    bool stop = f->give_up || f->ending;
    pthread_mutex_unlock(&f->lock);
    return stop;
}

/* Sleeps, but not through an order to stop. */
static void rest(struct flush *f, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&f->lock);
    while (!f->give_up && !f->ending && pthread_cond_timedwait(&f->wake, &f->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&f->lock);
}

static void note_trouble(struct flush *f, bool is)
{
    pthread_mutex_lock(&f->lock);
    if (!is)
        f->trouble_since_ms = 0;
    else if (f->trouble_since_ms == 0)
        f->trouble_since_ms = clock_mono_ms();
    pthread_mutex_unlock(&f->lock);
    if (is) {
        const struct log_field fields[] = {L_INT("shard", f->o.shard), L_STR("error", db_error(f->db))};
        log_trouble_begins(&f->trouble, "flush has to wait for the database", fields, COUNT_OF(fields));
    } else {
        log_trouble_ends(&f->trouble, "flush goes on");
    }
}

enum { GIVEN_UP = 200 };

static void note_flush(struct flush *f)
{
    const struct apply_figures *last = apply_last(f->apply);
    measure_flush(f->measure, last);
    pthread_mutex_lock(&f->lock);
    f->figures.ended_at = clock_wall_ms();
    f->figures.ms = last->ms;
    f->figures.steps = (int64_t)last->steps;
    f->figures.rows = (int64_t)last->rows;
    f->figures.flushes++;
    f->figures.all_ms += last->ms;
    f->figures.all_steps += (int64_t)last->steps;
    f->figures.all_rows += (int64_t)last->rows;
    f->figures.parked += (int64_t)last->parked;
    pthread_mutex_unlock(&f->lock);
}

static int apply_steps(struct flush *f, struct batch *b, size_t from, size_t count)
{
    int r = apply_flush(f->apply, b->gateways, b->steps + from, count);
    if (r == 0)
        note_flush(f);
    return r;
}

static int apply_inbound(struct flush *f, struct batch *b, size_t from, size_t count)
{
    struct inbound_figures figures;
    pthread_mutex_lock(&f->lock);
    figures = f->figures.inbound;
    pthread_mutex_unlock(&f->lock);
    int r = inbound_apply(f->db, f->o.words, gateways_conf(b->gateways), b->inbound + from, count, &figures);
    pthread_mutex_lock(&f->lock);
    f->figures.inbound = figures;
    pthread_mutex_unlock(&f->lock);
    return r;
}

/* What is flushed: steps, or messages from phones. */
struct part {
    int (*apply)(struct flush *f, struct batch *b, size_t from, size_t count);
    void (*give_up_one)(struct flush *f, struct batch *b, size_t at, const char *why);
};

/* 0, a data error, or GIVEN_UP: everything else is tried again until it works. */
static int apply_patiently(struct flush *f, const struct part *part, struct batch *b, size_t from,
                           size_t count)
{
    for (unsigned attempt = 1;; attempt++) {
        int r = db_ready(f->db);
        if (r == 0)
            r = part->apply(f, b, from, count);
        if (r == 0 || apply_is_data_error(r)) {
            note_trouble(f, false);
            return r;
        }
        if (r != APPLY_AGAIN && r != DB_RETRY)
            note_trouble(f, true);
        if (ordered_to_stop(f))
            return GIVEN_UP;
        rest(f, clock_backoff_ms(attempt, RETRY_MIN_MS, RETRY_MAX_MS));
    }
}

/* Halves the range until the record that the database refuses stands alone. */
static int apply_range(struct flush *f, const struct part *part, struct batch *b, size_t from, size_t count)
{
    int r = apply_patiently(f, part, b, from, count);
    if (r == 0 || r == GIVEN_UP)
        return r;
    if (count > 1) {
        r = apply_range(f, part, b, from, count / 2);
        return r == 0 ? apply_range(f, part, b, from + count / 2, count - count / 2) : r;
    }
    auto_free char *why = xasprintf("the database refuses it: %s %s", db_sqlstate(f->db), db_error(f->db));
    part->give_up_one(f, b, from, why);
    return 0;
}

static void give_up_step(struct flush *f, struct batch *b, size_t at, const char *why)
{
    log_error("a step cannot be applied and goes to sms.dead", L_INT("shard", f->o.shard),
              L_INT("step", b->steps[at].step), L_INT("sms_id", b->steps[at].id.sms_id),
              L_STR("sqlstate", db_sqlstate(f->db)));
    batch_add_dead(b, &b->steps[at], why);
}

static void give_up_inbound(struct flush *f, struct batch *b, size_t at, const char *why)
{
    log_error("a message from a phone cannot be applied and goes to sms.dead", L_INT("shard", f->o.shard),
              L_STR("gateway", b->inbound[at].gateway->text), L_STR("sqlstate", db_sqlstate(f->db)));
    batch_add_dead_inbound(b, &b->inbound[at], why);
}

/* Steps first; what a phone said comes in a transaction of its own, and both may be done again. */
static int apply_batch(struct flush *f, struct batch *b)
{
    static const struct part steps = {apply_steps, give_up_step}, inbound = {apply_inbound, give_up_inbound};
    int r = b->count > 0 ? apply_range(f, &steps, b, 0, b->count) : 0;
    return r == 0 && b->inbound_count > 0 ? apply_range(f, &inbound, b, 0, b->inbound_count) : r;
}

/* ---- the thread ---- */

static void end_batch(struct flush *f, int r)
{
    pthread_mutex_lock(&f->lock);
    f->end = r == 0 ? FLUSH_COMMITTED : FLUSH_GIVEN_UP;
    f->figures.dead += (int64_t)f->batch->dead_count;
    f->work = WORK_DONE;
    f->give_up = false;
    pthread_mutex_unlock(&f->lock);
    if (eventfd_write(f->event_fd, 1) < 0)
        log_error("eventfd cannot be written", L_ERRNO(-errno));
}

/* Between batches: is the database there, and is it time to try the parked ones? A page at a time, so that a
 * batch never waits long. */
static void idle_work(struct flush *f)
{
    if (db_ready(f->db) != 0) {
        note_trouble(f, true);
        return;
    }
    note_trouble(f, false);
    if (clock_mono_ms() < f->parked_due_ms)
        return;
    auto_gateways gateways = gateways_now_get(f->o.gateways);
    int r = apply_parked_page(f->apply, gateways, &f->parked_after);
    if (r != 0 || f->parked_after == 0) {
        f->parked_after = 0;
        f->parked_due_ms = clock_mono_ms() + (r == 0 ? FLUSH_PARKED_EVERY_MS : RETRY_MAX_MS);
    }
}

static bool wait_for_batch(struct flush *f, bool *ret_ending)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_mutex_lock(&f->lock);
    bool waited = false;
    while (f->work != WORK_GIVEN && !f->ending && !waited)
        waited = pthread_cond_timedwait(&f->wake, &f->lock, &until) != 0;
    bool given = f->work == WORK_GIVEN;
    *ret_ending = f->ending;
    pthread_mutex_unlock(&f->lock);
    return given;
}

static void *flush_thread(void *arg)
{
    struct flush *f = arg;
    for (;;) {
        bool ending;
        if (wait_for_batch(f, &ending)) {
            end_batch(f, apply_batch(f, f->batch));
        } else if (ending) {
            return NULL;
        } else {
            idle_work(f);
        }
    }
}

struct flush *flush_new(const struct flush_options *o)
{
    struct flush *f = xcalloc(1, sizeof(*f));
    pthread_condattr_t attr;
    f->o = *o;
    f->db = db_new(&o->db);
    auto_free char *shard = xasprintf("%d", o->shard);
    f->measure = measure_new(shard);
    auto_gateways gateways = gateways_now_get(o->gateways);
    const struct conf_main *conf = &gateways_conf(gateways)->main;
    f->apply = apply_new(&(struct apply_options){.db = f->db,
                                                 .words = o->words,
                                                 .shard = o->shard,
                                                 .shards = o->shards,
                                                 .park_horizon_ms = conf->callback.park_horizon_ms,
                                                 .report_horizon_ms = conf->callback.report_horizon_ms,
                                                 .keep_days = conf->database.claims_keep_days});
    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&f->wake, &attr);
    pthread_condattr_destroy(&attr);
    f->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->event_fd < 0 || pthread_create(&f->thread, NULL, flush_thread, f) != 0) {
        log_error("flush thread cannot be started", L_ERRNO(-errno));
        abort();
    }
    return f;
}

void flush_free(struct flush *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->ending = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    batch_free(f->batch);
    measure_free(f->measure);
    apply_free(f->apply);
    db_free(f->db);
    close(f->event_fd);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* ---- the consumer's side ---- */

int flush_fd(const struct flush *f)
{
    return f->event_fd;
}

bool flush_idle(struct flush *f)
{
    pthread_mutex_lock(&f->lock);
    bool idle = f->work == WORK_IDLE;
    pthread_mutex_unlock(&f->lock);
    return idle;
}

void flush_start(struct flush *f, struct batch *b)
{
    pthread_mutex_lock(&f->lock);
    f->batch = b;
    f->work = WORK_GIVEN;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

struct batch *flush_take(struct flush *f, enum flush_end *ret_end)
{
    eventfd_t count;
    struct batch *b = NULL;
    (void)!eventfd_read(f->event_fd,
                        &count); /* EAGAIN: nothing was told, which the state below says as well */
    pthread_mutex_lock(&f->lock);
    if (f->work == WORK_DONE) {
        b = f->batch;
        f->batch = NULL;
        *ret_end = f->end;
        f->work = WORK_IDLE;
    }
    pthread_mutex_unlock(&f->lock);
    return b;
}

void flush_give_up(struct flush *f)
{
    pthread_mutex_lock(&f->lock);
    if (f->work == WORK_GIVEN)
        f->give_up = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

int64_t flush_trouble_ms(struct flush *f)
{
    pthread_mutex_lock(&f->lock);
    int64_t ms = f->trouble_since_ms == 0 ? 0 : MAX_OF(clock_mono_ms() - f->trouble_since_ms, 1);
    pthread_mutex_unlock(&f->lock);
    return ms;
}

struct flush_figures flush_figures(struct flush *f)
{
    int64_t trouble_ms = flush_trouble_ms(f);
    pthread_mutex_lock(&f->lock);
    struct flush_figures copy = f->figures;
    pthread_mutex_unlock(&f->lock);
    copy.trouble_ms = trouble_ms;
    return copy;
}

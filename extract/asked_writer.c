/* The writer: one thread and one connection a process. While one batch is on its way into the database,
 * whatever is asked gathers, and goes together as the next: so a commit serves as many as there are, and one
 * that comes alone waits for nobody. See asked.h. */
#include "extract/asked_internal.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/queue.h>

#define WAITING_MAX       10000
#define WAITING_BYTES_MAX (32u << 20) /* of records */
#define BATCH_MAX         500
#define BATCH_BYTES_MAX   (1u << 20)
#define STATEMENT_MS      10000
#define AGAIN_MS          100 /* after trouble */
#define HISTORY_EVERY_MS  4000

struct waiting {
    STAILQ_ENTRY(waiting) link;
    struct asked *asked;
    asked_answered *answered;
    void *arg;
    int64_t until_mono_ms; /* then it is answered, whatever is known */
};
STAILQ_HEAD(queue, waiting);

struct asked_writer {
    pthread_t thread;
    pthread_mutex_t lock; /* for the queue, its figures and `ending` */
    pthread_cond_t changed;
    struct queue queue;
    size_t count, bytes;
    bool ending;
    int64_t end_mono_ms;
    /* the thread's own: */
    struct db *db;
    struct history_guard *history;
    void (*committed)(void *arg);
    void *committed_arg;
    int64_t looked_at_history;
    uint64_t generation;
    struct log_trouble trouble;
    char why[200];
    struct waiting *batch[BATCH_MAX];
    struct asked *asked[BATCH_MAX];
    struct asked_answer answers[BATCH_MAX];
    size_t batch_count;
};

static size_t bytes_of(const struct waiting *w)
{
    return sizeof(*w) + sizeof(*w->asked) + w->asked->record_len;
}

/* ---- those who ask ---- */

int asked_submit(struct asked_writer *w, struct asked *a, asked_answered *answered, void *arg)
{
    struct waiting *new = xmalloc(sizeof(*new));
    bool full;

    *new = (struct waiting){
        .asked = a, .answered = answered, .arg = arg, .until_mono_ms = clock_mono_ms() + ASKED_WAIT_MS};
    pthread_mutex_lock(&w->lock);
    full = w->ending || w->count >= WAITING_MAX || w->bytes + bytes_of(new) > WAITING_BYTES_MAX;
    if (!full) {
        STAILQ_INSERT_TAIL(&w->queue, new, link);
        w->count++;
        w->bytes += bytes_of(new);
        pthread_cond_signal(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    if (full)
        free(new);
    return full ? ASKED_FULL : 0;
}

/* ---- the thread ---- */

static bool in_batch(const struct asked_writer *w, const struct asked *a)
{
    for (size_t i = 0; i < w->batch_count; i++)
        if (asked_same_key(w->batch[i]->asked, a))
            return true;
    return false;
}

/* The next batch, out of the queue: each key once, so that who comes second finds what the first has entered.
 */
static void gather(struct asked_writer *w)
{
    struct queue later = STAILQ_HEAD_INITIALIZER(later);
    size_t bytes = 0;
    struct waiting *one;

    w->batch_count = 0;
    while (w->batch_count < BATCH_MAX && bytes < BATCH_BYTES_MAX && (one = STAILQ_FIRST(&w->queue))) {
        STAILQ_REMOVE_HEAD(&w->queue, link);
        if (in_batch(w, one->asked)) {
            STAILQ_INSERT_TAIL(&later, one, link);
            continue;
        }
        w->batch[w->batch_count++] = one;
        bytes += bytes_of(one);
        w->count--;
        w->bytes -= bytes_of(one);
    }
    STAILQ_CONCAT(&later, &w->queue);
    STAILQ_CONCAT(&w->queue, &later);
}

/* Waits for work. False: it is the end. */
static bool wait_for_work(struct asked_writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->count == 0 && !w->ending)
        pthread_cond_wait(&w->changed, &w->lock);
    gather(w);
    pthread_mutex_unlock(&w->lock);
    return w->batch_count > 0;
}

static bool is_ending(struct asked_writer *w, int64_t now_ms)
{
    bool over;

    pthread_mutex_lock(&w->lock);
    over = w->ending && now_ms >= w->end_mono_ms;
    pthread_mutex_unlock(&w->lock);
    return over;
}

static void answer(struct waiting *one, const struct asked_answer *a)
{
    one->answered(one->arg, a);
    asked_free(one->asked);
    free(one);
}

/* Nothing was entered. Those whose time is over are told; the others are tried again with what has come
 * meanwhile. */
static void give_up(struct asked_writer *w, bool all)
{
    int64_t now = clock_mono_ms();
    struct asked_answer away = {.outcome = ASKED_AWAY, .retry_after_s = 5};
    struct queue kept = STAILQ_HEAD_INITIALIZER(kept);
    size_t count = 0, bytes = 0;

    all = all || is_ending(w, now);
    snprintf(away.why, sizeof(away.why), "%s", w->why);
    for (size_t i = 0; i < w->batch_count; i++) {
        if (all || now >= w->batch[i]->until_mono_ms) {
            answer(w->batch[i], &away);
            continue;
        }
        count++;
        bytes += bytes_of(w->batch[i]);
        STAILQ_INSERT_TAIL(&kept, w->batch[i], link);
    }
    w->batch_count = 0;
    pthread_mutex_lock(&w->lock);
    w->count += count;
    w->bytes += bytes;
    STAILQ_CONCAT(&kept, &w->queue);
    STAILQ_CONCAT(&w->queue, &kept);
    pthread_mutex_unlock(&w->lock);
}

static void trouble(struct asked_writer *w, const char *why)
{
    snprintf(w->why, sizeof(w->why), "%s", why);
    log_trouble_begins(&w->trouble, "requests on demand cannot be entered",
                       (const struct log_field[]){L_STR("why", why), L_STR("error", db_error(w->db))}, 2);
}

/* False: the database is away, or its history is not accepted (*ret_lost), where waiting does not help. */
static bool database_is_there(struct asked_writer *w, bool *ret_lost)
{
    int64_t now = clock_mono_ms();

    *ret_lost = false;
    if (db_ready(w->db) != 0) {
        trouble(w, "the database is away");
        return false;
    }
    if (!w->history)
        return true;
    if (w->generation != db_generation(w->db) || now - w->looked_at_history >= HISTORY_EVERY_MS ||
        history_guard_lost(w->history)) {
        if (!history_guard_fine(w->history, w->db)) {
            *ret_lost = history_guard_lost(w->history);
            trouble(w, *ret_lost ? "the database has lost history, which nobody has accepted yet"
                                 : "the database is away");
            return false;
        }
        w->looked_at_history = now;
        w->generation = db_generation(w->db);
    }
    return true;
}

static const char *refusal_words(int r)
{
    switch (r) {
    case DB_DENIED:
        return "the database denies a right (smschain migrate gives them)";
    case DB_BAD_SQL:
        return "the database does not know the statement (smschain migrate)";
    case DB_FULL:
        return "the database has no room";
    default:
        return "the database is away, or too slow";
    }
}

static void answer_batch(struct asked_writer *w, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++)
        answer(w->batch[i], &w->answers[i]);
}

/* One value of some request is the trouble: each by itself, and the one that is refused says so. What has
 * trouble of another kind by then waits for another batch. */
static void enter_singly(struct asked_writer *w)
{
    size_t done = 0;

    while (done < w->batch_count) {
        struct asked_answer *a = &w->answers[done];
        int r = asked_enter(w->db, &w->asked[done], 1, a);
        if (r == DB_BAD_DATA || r == DB_CONSTRAINT) {
            *a = (struct asked_answer){.outcome = ASKED_FAILED};
            snprintf(a->why, sizeof(a->why), "the database refuses it: %s", db_error(w->db));
            log_error("a request on demand is refused by the database",
                      L_STR("caller", w->asked[done]->caller), L_STR("error", db_error(w->db)));
        } else if (r != 0) {
            break;
        }
        answer_batch(w, done++, 1);
    }
    w->batch_count -= done;
    memmove(w->batch, w->batch + done, w->batch_count * sizeof(struct waiting *));
    if (w->batch_count > 0) {
        trouble(w, refusal_words(-1));
        give_up(w, false);
    }
}

static bool any_leaves_now(const struct asked_writer *w)
{
    for (size_t i = 0; i < w->batch_count; i++)
        if (w->answers[i].outcome == ASKED_NEW && w->asked[i]->due_ms == 0)
            return true;
    return false;
}

/* The batch is answered, or goes back. False: there was trouble, so wait a little. */
static bool enter_batch(struct asked_writer *w)
{
    bool lost;
    int r;

    if (!database_is_there(w, &lost)) {
        give_up(w, lost);
        return false;
    }
    for (size_t i = 0; i < w->batch_count; i++)
        w->asked[i] = w->batch[i]->asked;
    r = asked_enter(w->db, w->asked, w->batch_count, w->answers);
    if (r == DB_BAD_DATA || r == DB_CONSTRAINT) {
        enter_singly(w);
        return true;
    }
    if (r != 0) {
        trouble(w, refusal_words(r));
        give_up(w, false);
        return false;
    }
    log_trouble_ends(&w->trouble, "requests on demand are entered again");
    if (w->committed && any_leaves_now(w))
        w->committed(w->committed_arg);
    answer_batch(w, 0, w->batch_count);
    return true;
}

static void pause_after_trouble(struct asked_writer *w)
{
    int64_t left;

    pthread_mutex_lock(&w->lock);
    left = w->ending ? MIN_OF(w->end_mono_ms - clock_mono_ms(), (int64_t)AGAIN_MS) : AGAIN_MS;
    pthread_mutex_unlock(&w->lock);
    if (left > 0)
        usleep((useconds_t)left * 1000);
}

static void *writer_thread(void *arg)
{
    struct asked_writer *w = arg;

    while (wait_for_work(w))
        if (!enter_batch(w))
            pause_after_trouble(w);
    return NULL;
}

struct asked_writer *asked_writer_start(const struct asked_writer_options *o)
{
    struct asked_writer *w = xmalloc(sizeof(*w));

    *w = (struct asked_writer){
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .history = o->history,
        .committed = o->committed,
        .committed_arg = o->arg,
        .db = db_new(&(struct db_options){.conninfo = o->main->database.conninfo,
                                          .user = o->main->extract.service.database_user,
                                          .password = o->main->extract.service.database_password,
                                          .name = "smschain-extract on demand",
                                          .statement_timeout_ms = STATEMENT_MS,
                                          .idle_in_transaction_timeout_ms = DB_HELD_IDLE_MS}),
    };
    STAILQ_INIT(&w->queue);
    if (pthread_create(&w->thread, NULL, writer_thread, w) != 0)
        abort();
    return w;
}

void asked_writer_stop(struct asked_writer *w, int64_t deadline_ms)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    w->end_mono_ms = clock_mono_ms() + deadline_ms;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    db_free(w->db);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

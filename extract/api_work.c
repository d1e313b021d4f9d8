/* Threads for what takes its time: reading a message's tables, cancelling one, reading a batch. The server's
 * thread never waits for a database. */
#include "extract/api_internal.h"
#include "lib/clock.h"
#include "lib/log.h"

#define THREADS          2
#define WAITING_MAX      200
#define HISTORY_EVERY_MS 4000

struct worker {
    struct api_work *of;
    pthread_t thread;
    struct db *db;
    uint64_t generation;
    int64_t looked_at_history_ms;
};
struct api_work {
    struct api *api;
    struct worker workers[THREADS];
    pthread_mutex_t lock;
    pthread_cond_t come;
    struct api_request *first, **last;
    size_t waiting;
    bool ends;
};

/* Nothing is read from, or written to, a database that has lost history: what it says may be of another past.
 */
static struct db *database(struct worker *w)
{
    struct history_guard *history = w->of->api->o.history;
    int64_t now_ms = clock_mono_ms();
    if (db_ready(w->db) != 0)
        return NULL;
    if (w->generation == db_generation(w->db) && now_ms - w->looked_at_history_ms < HISTORY_EVERY_MS)
        return history_guard_lost(history) ? NULL : w->db;
    if (!history_guard_fine(history, w->db))
        return NULL;
    w->looked_at_history_ms = now_ms;
    w->generation = db_generation(w->db);
    return w->db;
}

int api_work_said(struct api *a, struct db *d, int result)
{
    pthread_mutex_lock(&a->lock);
    if (result != 0)
        log_trouble_begins(&a->database_trouble, "API: the database is away, or refuses",
                           (const struct log_field[]){L_STR("error", db_error(d))}, 1);
    else
        log_trouble_ends(&a->database_trouble, "API: the database answers again");
    pthread_mutex_unlock(&a->lock);
    return result != 0 ? -EIO : 0;
}

static void work(struct worker *w, struct api_request *r)
{
    struct db *d = r->reads_database ? database(w) : NULL;
    if (r->reads_database && !d)
        api_answer_retry(r, 503, "away", 5, "the database is away, or its history is not accepted yet");
    else
        r->work(r, d);
}

static struct api_request *next(struct api_work *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->ends)
        pthread_cond_wait(&w->come, &w->lock);
    struct api_request *r = w->first;
    if (r) {
        w->first = r->next;
        w->waiting--;
        if (!w->first)
            w->last = &w->first;
    }
    pthread_mutex_unlock(&w->lock);
    return r;
}

static void *worker_thread(void *arg)
{
    struct worker *w = arg;
    struct api_request *r;
    while ((r = next(w->of)))
        work(w, r);
    return NULL;
}

void api_work_take(struct api_work *w, struct api_request *r, bool reads_database,
                   void (*does)(struct api_request *r, struct db *d))
{
    r->work = does;
    r->reads_database = reads_database;
    r->next = NULL;
    pthread_mutex_lock(&w->lock);
    bool full = w->waiting == WAITING_MAX;
    if (!full) {
        *w->last = r;
        w->last = &r->next;
        w->waiting++;
        pthread_cond_signal(&w->come);
    }
    pthread_mutex_unlock(&w->lock);
    if (full)
        api_answer_retry(r, 503, "too_many_waiting", 1, "too many requests wait");
}

struct api_work *api_work_start(struct api *a)
{
    struct api_work *w = xcalloc(1, sizeof(*w));
    const struct conf_main *m = a->main;
    w->api = a;
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->come, NULL);
    for (size_t i = 0; i < THREADS; i++) {
        struct worker *one = &w->workers[i];
        one->of = w;
        one->db = db_new(&(struct db_options){.conninfo = m->database.conninfo,
                                              .user = m->extract.service.database_user,
                                              .password = m->extract.service.database_password,
                                              .name = "smschain-extract api",
                                              .statement_timeout_ms = API_STATEMENT_MS,
                                              .idle_in_transaction_timeout_ms = DB_HELD_IDLE_MS});
        int r = pthread_create(&one->thread, NULL, worker_thread, one);
        if (r != 0) {
            log_error("a thread of the API cannot be started", L_ERRNO(-r));
            abort();
        }
    }
    return w;
}

void api_work_stop(struct api_work *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ends = true;
    pthread_cond_broadcast(&w->come);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(w->workers[i].thread, NULL);
        db_free(w->workers[i].db);
    }
    pthread_cond_destroy(&w->come);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

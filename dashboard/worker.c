/* Threads that make pages: see worker.h. */
#include "dashboard/worker.h"
#include "dashboard/answer.h"
#include "dashboard/layout.h"
#include "dashboard/measure.h"
#include "dashboard/options.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <pthread.h>

#define WAITING_MAX 200

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t come;
    struct job *first, **last;
    size_t waiting;
    bool stopping;
    struct rates *rates;
    struct depths *depths;
    size_t count;
    struct worker {
        struct workers *all;
        pthread_t thread;
        struct db *db;
    } each[];
};

void job_free(struct job *j)
{
    if (!j)
        return;
    free(j->path);
    free(j->id);
    query_deinit(&j->query);
    query_deinit(&j->form);
    free(j);
}

/* The page as made, or why there is none. */
static void make(struct worker *w, struct job *j)
{
    auto_setting s = setting_get();
    struct page p = {.conf = s->conf,
                     .route = j->route,
                     .db = w->db,
                     .rates = w->all->rates,
                     .depths = w->all->depths,
                     .role = j->who.role,
                     .user = j->who.user,
                     .path = j->path,
                     .id = j->id ? j->id : "",
                     .query = &j->query,
                     .form = &j->form,
                     .request = j->request,
                     .now_ms = clock_wall_ms(),
                     .status = 200};
    int64_t began_ms = clock_mono_ms();
    int r = db_ready(w->db);
    if (r == 0)
        r = j->route->make(&p);
    if (r != 0)
        page_failed(&p, r);
    if (!p.answered)
        answer_page(&p);
    series_add(p.status < 400 ? measure.made : p.status < 500 ? measure.refused : measure.failed, 1);
    series_observe_us(measure.seconds, (clock_mono_ms() - began_ms) * 1000);
    page_deinit(&p);
}

static struct job *take(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->stopping)
        pthread_cond_wait(&w->come, &w->lock);
    struct job *j = w->first;
    if (j) {
        w->first = j->next;
        w->waiting--;
        if (!w->first)
            w->last = &w->first;
    }
    pthread_mutex_unlock(&w->lock);
    return j;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (struct job *j; (j = take(w->all)) != NULL;) {
        make(w, j);
        job_free(j);
    }
    return NULL;
}

struct workers *workers_start(const struct conf_main *m, struct rates *rates, struct depths *depths)
{
    size_t count = (size_t)m->dashboard.workers;
    struct workers *w = xcalloc(1, sizeof(*w) + count * sizeof(w->each[0]));
    *w = (struct workers){.rates = rates, .depths = depths, .count = count};
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->come, NULL);
    for (size_t i = 0; i < count; i++) {
        struct db_options o = dashboard_db_options(m, "smschain dashboard");
        w->each[i] = (struct worker){.all = w, .db = db_new(&o)};
        int r = pthread_create(&w->each[i].thread, NULL, work, &w->each[i]);
        if (r != 0) {
            log_error("a thread cannot be started", L_ERRNO(-r));
            abort();
        }
    }
    return w;
}

bool workers_add(struct workers *w, struct job *j)
{
    pthread_mutex_lock(&w->lock);
    bool room = w->waiting < WAITING_MAX && !w->stopping;
    if (room) {
        j->next = NULL;
        *w->last = j;
        w->last = &j->next;
        w->waiting++;
        pthread_cond_signal(&w->come);
    }
    pthread_mutex_unlock(&w->lock);
    if (!room)
        job_free(j);
    return room;
}

void workers_stop(struct workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->come);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->count; i++) {
        pthread_join(w->each[i].thread, NULL);
        db_free(w->each[i].db);
    }
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->come);
    free(w);
}

/* Threads and waiting runs: see crew.h. Used by the scheduler's thread only. */
#include "extract/crew.h"
#include "lib/clock.h"
#include "lib/log.h"
#include <pthread.h>

#define WAIT_BASE_MS 500
#define WAIT_MAX_MS  30000
#define FORGOTTEN_MS                                                                                         \
    600000 /* a waiting run that nobody asked for in so long is done by another, or cancelled */

struct worker {
    struct run_job job;
    pthread_t thread;
    _Atomic bool ended;
    struct worker *next;
};

struct waiting { /* a run that met trouble */
    int64_t run_id;
    unsigned tries;
    int64_t not_before, asked_at; /* mono ms */
    struct log_trouble trouble;
    struct waiting *next;
};

struct crew {
    struct extract_shared *shared;
    struct worker *workers;
    size_t busy;
    struct waiting *waiting;
};

struct crew *crew_new(struct extract_shared *shared)
{
    struct crew *c = xmalloc(sizeof(*c));

    *c = (struct crew){.shared = shared};
    return c;
}

static struct waiting **find_waiting(struct crew *c, int64_t run_id)
{
    struct waiting **w = &c->waiting;

    while (*w && (*w)->run_id != run_id)
        w = &(*w)->next;
    return w;
}

static void forget(struct waiting **at)
{
    struct waiting *w = *at;

    *at = w->next;
    free(w);
}

void crew_free(struct crew *c)
{
    while (c->waiting)
        forget(&c->waiting);
    free(c);
}

size_t crew_busy(const struct crew *c)
{
    return c->busy;
}

bool crew_may_start(struct crew *c, int64_t run_id, int64_t now_mono_ms)
{
    struct waiting *waiting = *find_waiting(c, run_id);

    for (const struct worker *w = c->workers; w; w = w->next)
        if (w->job.run_id == run_id)
            return false;
    if (!waiting)
        return true;
    waiting->asked_at = now_mono_ms;
    return now_mono_ms >= waiting->not_before;
}

static void *work(void *arg)
{
    struct worker *w = arg;

    run_read(&w->job);
    atomic_store(&w->ended, true);
    return NULL;
}

void crew_start(struct crew *c, int64_t run_id, const char *rule, struct confhold *conf)
{
    struct worker *w = xmalloc(sizeof(*w));

    *w = (struct worker){
        .job = {.run_id = run_id, .rule = xstrdup(rule), .conf = confhold_ref(conf), .shared = c->shared},
        .next = c->workers,
    };
    if (pthread_create(&w->thread, NULL, work, w) != 0) {
        /* No thread to be had: the run stays open, and the next turn tries again. */
        log_error("no thread for a run", L_INT("run", run_id), L_ERRNO(-errno));
        confhold_unref(w->job.conf);
        free(w->job.rule);
        free(w);
        return;
    }
    c->workers = w;
    c->busy++;
}

static void wait_longer(struct crew *c, const struct run_job *job, int64_t now_mono_ms)
{
    struct waiting **at = find_waiting(c, job->run_id);

    if (!*at) {
        *at = xmalloc(sizeof(**at));
        **at = (struct waiting){.run_id = job->run_id};
    }
    (*at)->tries++;
    (*at)->asked_at = now_mono_ms;
    (*at)->not_before = now_mono_ms + clock_backoff_ms((*at)->tries, WAIT_BASE_MS, WAIT_MAX_MS);
    log_trouble_begins(&(*at)->trouble, "run waits",
                       (const struct log_field[]){L_STR("rule", job->rule), L_INT("run", job->run_id),
                                                  L_STR("why", job->why)},
                       3);
}

static void take_result(struct crew *c, const struct run_job *job, int64_t now_mono_ms)
{
    struct waiting **at;

    if (job->result == RUN_AGAIN) {
        wait_longer(c, job, now_mono_ms);
        return;
    }
    at = find_waiting(c, job->run_id);
    if (*at) {
        log_trouble_ends(&(*at)->trouble, "run waits no more");
        forget(at);
    }
}

void crew_reap(struct crew *c, int64_t now_mono_ms)
{
    for (struct worker **at = &c->workers; *at;) {
        struct worker *w = *at;
        if (!atomic_load(&w->ended)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        pthread_join(w->thread, NULL);
        take_result(c, &w->job, now_mono_ms);
        confhold_unref(w->job.conf);
        free(w->job.rule);
        free(w);
        c->busy--;
    }
    for (struct waiting **at = &c->waiting; *at;) {
        if (now_mono_ms - (*at)->asked_at > FORGOTTEN_MS)
            forget(at);
        else
            at = &(*at)->next;
    }
}

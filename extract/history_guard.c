/* One history for all threads: see history_guard.h. */
#include "extract/history_guard.h"
#include "lib/history.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

struct history_guard {
    pthread_mutex_t lock;
    struct history *history;
    _Atomic bool lost;
};

struct history_guard *history_guard_new(const char *state_dir)
{
    struct history_guard *g = xmalloc(sizeof(*g));

    /* The first service on a machine makes the directory; that it could not is said by what is written into
     * it. */
    (void)mkdir(state_dir, 0700);
    *g = (struct history_guard){.lock = PTHREAD_MUTEX_INITIALIZER,
                                .history = history_new(state_dir, "extract")};
    return g;
}

void history_guard_free(struct history_guard *g)
{
    if (!g)
        return;
    history_free(g->history);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

bool history_guard_fine(struct history_guard *g, struct db *d)
{
    const char *why = "";
    int r;

    pthread_mutex_lock(&g->lock);
    r = history_check(g->history, d, &why);
    if (r == HISTORY_LOST || r == 0)
        atomic_store(&g->lost, r == HISTORY_LOST);
    pthread_mutex_unlock(&g->lock);
    return r == 0;
}

bool history_guard_lost(const struct history_guard *g)
{
    return atomic_load(&g->lost);
}

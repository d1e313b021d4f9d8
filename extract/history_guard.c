/* One history for all threads: see history_guard.h. */
#include "extract/history_guard.h"
#include "lib/history.h"
#include "lib/log.h"
#include <pthread.h>
#include <stdatomic.h>

struct history_guard {
    pthread_mutex_t lock;
    struct history *history;
    struct log_trouble trouble;
    _Atomic bool lost;
};

struct history_guard *history_guard_new(const char *state_dir)
{
    struct history_guard *g = xmalloc(sizeof(*g));

    *g = (struct history_guard){.lock = PTHREAD_MUTEX_INITIALIZER, .history = history_new(state_dir, "extract")};
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
    if (r == HISTORY_LOST) {
        log_trouble_begins(&g->trouble, "the database has lost history: nothing is entered or published",
                           (const struct log_field[]){L_STR("why", why), L_STR("next", "smschain accept-database")}, 2);
        atomic_store(&g->lost, true);
    } else if (r == 0) {
        log_trouble_ends(&g->trouble, "the database is accepted");
        atomic_store(&g->lost, false);
    }
    pthread_mutex_unlock(&g->lock);
    return r == 0;
}

bool history_guard_lost(const struct history_guard *g)
{
    return atomic_load(&g->lost);
}

/* A server without room (class 53: disk, memory, connections) is said once for the whole process and once
 * when it is over, however many connections and tries meet it. Over is: the statement that met it first
 * succeeds again, and nothing else has met it for a while; reading goes on all the time and proves nothing.
 */
#include "lib/clock.h"
#include "lib/db_internal.h"
#include <pthread.h>
#include <stdatomic.h>

#define QUIET_MS     5000  /* between the last failure and the word that it is over */
#define FORGOTTEN_MS 60000 /* then any statement may say so: the one that met it may never run again */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool full; /* looked at without the lock: statements that succeed must not meet at one */
static char met_by[64];
static int64_t last_mono_ms;
static bool done_since; /* met_by has succeeded after it */
static struct log_trouble trouble;

void db_full_met(const struct db *d, const char *statement)
{
    const int64_t now = clock_mono_ms();

    pthread_mutex_lock(&lock);
    if (!atomic_load(&full))
        snprintf(met_by, sizeof(met_by), "%s", statement);
    log_trouble_begins(&trouble,
                       "the database has no room: what needs it waits until disk, memory or limits are more",
                       (const struct log_field[]){L_STR("statement", statement), L_STR("connection", d->name),
                                                  L_STR("sqlstate", d->sqlstate), L_STR("error", d->error)},
                       4);
    last_mono_ms = now;
    done_since = false;
    atomic_store(&full, true);
    pthread_mutex_unlock(&lock);
}

void db_full_over(const char *statement)
{
    const int64_t now = clock_mono_ms();

    if (!atomic_load_explicit(&full, memory_order_relaxed))
        return;
    pthread_mutex_lock(&lock);
    done_since = done_since || strcmp(statement, met_by) == 0;
    if (atomic_load(&full) && now - last_mono_ms >= (done_since ? QUIET_MS : FORGOTTEN_MS)) {
        log_trouble_ends(&trouble, "the database has room again");
        atomic_store(&full, false);
    }
    pthread_mutex_unlock(&lock);
}

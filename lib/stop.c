/* A small thread of its own takes the signals, and every other thread has them blocked: no system call
 * anywhere is interrupted by one, and a second SIGTERM ends the process even when all the others hang. */
#include "lib/stop.h"
#include "lib/log.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>

static _Atomic int signal_fd = -1;
static _Atomic bool stopping, reload_pending;
static pthread_mutex_t wake_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static unsigned wakes; /* under wake_lock: signals so far */
static _Thread_local unsigned
    seen_wakes; /* a signal wakes each waiting thread once, not for as long as it is pending */

static void announce(void)
{
    uint64_t one = 1;
    if (signal_fd >= 0 && write(signal_fd, &one, sizeof(one)) < 0) {
        /* EAGAIN: the counter is at its top, so it is readable, which is all that is wanted. */
    }
    pthread_mutex_lock(&wake_lock);
    wakes++;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&wake_lock);
}

static void *signal_thread(void *arg)
{
    sigset_t *set = arg;
    bool told = false;
    for (;;) {
        int sig = 0;
        if (sigwait(set, &sig) != 0)
            continue;
        if (sig == SIGHUP) {
            reload_pending = true;
        } else if (told) {
            _exit(130); /* a crash at any point is safe here */
        } else {
            told = true;
            stopping = true;
        }
        announce();
    }
    return NULL;
}

void stop_init(void)
{
    static sigset_t set;
    if (signal_fd >= 0)
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error of that write, */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file over its limit */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, MAX_OF((size_t)PTHREAD_STACK_MIN, (size_t)65536));
    int r = signal_fd < 0 ? errno : pthread_create(&thread, &attr, signal_thread, &set);
    pthread_attr_destroy(&attr);
    if (r != 0) {
        log_error("signals cannot be taken", L_ERRNO(-r));
        abort();
    }
}

int stop_fd(void)
{
    return signal_fd;
}

bool stop_requested(void)
{
    return atomic_load_explicit(&stopping, memory_order_acquire);
}

bool stop_reload_taken(void)
{
    if (!atomic_load_explicit(&reload_pending, memory_order_relaxed))
        return false;
    uint64_t count;
    if (read(signal_fd, &count, sizeof(count)) < 0) {
        /* EAGAIN: taken already */
    }
    bool taken = atomic_exchange(&reload_pending, false);
    if (stop_requested() || reload_pending)
        announce(); /* came in between: the descriptor must stay readable */
    return taken;
}

void stop_now(void)
{
    stopping = true;
    announce();
}

void stop_wait_ms(int64_t timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    timeout_ms = MAX_OF(timeout_ms, 0);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&wake_lock);
    while (!stop_requested() && wakes == seen_wakes) {
        if (pthread_cond_clockwait(&wake, &wake_lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT)
            break;
    }
    seen_wakes = wakes;
    pthread_mutex_unlock(&wake_lock);
}

/* A total deadline for every request. MHD's own timeout is renewed by each byte, so a client that sends one
 * byte a second would hold its place for ever. */
#include "callback/intake_internal.h"
#include "lib/clock.h"

#include <sys/socket.h>

void watch_init(struct watch *w, int64_t limit_ms)
{
    pthread_mutex_init(&w->lock, NULL);
    w->limit_ms = limit_ms;
}

void watch_deinit(struct watch *w)
{
    pthread_mutex_destroy(&w->lock);
}

struct watched *watch_add(struct watch *w, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct watched *c = xcalloc(1, sizeof(*c));
    c->connection = connection;
    c->fd = info ? info->connect_fd : -1;
    c->rest_ms = clock_mono_ms();
    pthread_mutex_lock(&w->lock);
    c->next = w->first;
    c->at = &w->first;
    if (c->next)
        c->next->at = &c->next;
    w->first = c;
    pthread_mutex_unlock(&w->lock);
    w->count++;
    return c;
}

void watch_remove(struct watch *w, struct watched *c)
{
    pthread_mutex_lock(
        &w->lock); /* MHD closes the socket after this, so watch_check never meets another's fd */
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    pthread_mutex_unlock(&w->lock);
    w->count--;
    free(c);
}

void watch_request(struct watch *w, struct watched *c)
{
    pthread_mutex_lock(&w->lock);
    c->request_ms = clock_mono_ms();
    pthread_mutex_unlock(&w->lock);
}

void watch_rest(struct watch *w, struct watched *c)
{
    pthread_mutex_lock(&w->lock);
    c->request_ms = 0;
    c->rest_ms = clock_mono_ms();
    c->kept = false;
    pthread_mutex_unlock(&w->lock);
}

void watch_kept(struct watch *w, struct watched *c, bool kept)
{
    pthread_mutex_lock(&w->lock);
    c->kept = kept;
    pthread_mutex_unlock(&w->lock);
}

/* A connection at rest that sends nothing is closed by MHD after one limit; one that is still there after two
 * sends its request's first line too slowly. */
static bool overdue(const struct watch *w, const struct watched *c, int64_t now_ms)
{
    if (c->ended || c->kept)
        return false;
    if (c->request_ms > 0)
        return now_ms - c->request_ms > w->limit_ms;
    return now_ms - c->rest_ms > 2 * w->limit_ms + 2000;
}

void watch_check(struct watch *w)
{
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&w->lock);
    for (struct watched *c = w->first; c; c = c->next) {
        if (!overdue(w, c, now_ms))
            continue;
        c->ended = true;
        w->ended++;
        if (c->fd >= 0)
            shutdown(c->fd, SHUT_RDWR); /* MHD then finds it closed */
    }
    pthread_mutex_unlock(&w->lock);
}

/* A total deadline for every request. libmicrohttpd's own timeout is renewed by each byte, so a client that
 * sends one byte a second would hold its place for ever. */
#include "lib/clock.h"
#include "lib/httpd_internal.h"

#include <sys/socket.h>

void httpd_watch_init(struct httpd_watch *w, int64_t limit_ms)
{
    pthread_mutex_init(&w->lock, NULL);
    w->limit_ms = limit_ms;
}

void httpd_watch_deinit(struct httpd_watch *w)
{
    pthread_mutex_destroy(&w->lock);
}

struct httpd_connection *httpd_watch_add(struct httpd_watch *w, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct httpd_connection *c = xcalloc(1, sizeof(*c));
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

void httpd_watch_remove(struct httpd_watch *w, struct httpd_connection *c)
{
    /* libmicrohttpd closes the socket after this, so httpd_watch_check never meets another's. */
    pthread_mutex_lock(&w->lock);
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    pthread_mutex_unlock(&w->lock);
    w->count--;
    free(c);
}

void httpd_watch_request(struct httpd_watch *w, struct httpd_connection *c)
{
    pthread_mutex_lock(&w->lock);
    c->request_ms = clock_mono_ms();
    pthread_mutex_unlock(&w->lock);
}

void httpd_watch_rest(struct httpd_watch *w, struct httpd_connection *c)
{
    pthread_mutex_lock(&w->lock);
    c->request_ms = 0;
    c->rest_ms = clock_mono_ms();
    c->waits = false;
    c->stream = NULL;
    pthread_mutex_unlock(&w->lock);
}

void httpd_watch_waits(struct httpd_watch *w, struct httpd_connection *c, bool waits)
{
    pthread_mutex_lock(&w->lock);
    c->waits = waits;
    if (!waits)
        c->request_ms = clock_mono_ms();
    pthread_mutex_unlock(&w->lock);
}

void httpd_watch_stream(struct httpd_watch *w, struct httpd_connection *c, struct httpd_stream *stream)
{
    pthread_mutex_lock(&w->lock);
    c->stream = stream;
    pthread_mutex_unlock(&w->lock);
}

/* A connection at rest that sends nothing is closed by libmicrohttpd after one limit; one that is still there
 * after two sends its request's first line too slowly. A stream may last, but what is left of it at its end
 * has the limit of any answer. */
static bool overdue(const struct httpd_watch *w, const struct httpd_connection *c, int64_t now_ms)
{
    if (c->ended || c->waits)
        return false;
    if (c->stream) {
        int64_t ended_ms = httpd_stream_ended_ms(c->stream);
        return ended_ms > 0 && now_ms - ended_ms > w->limit_ms;
    }
    if (c->request_ms > 0)
        return now_ms - c->request_ms > w->limit_ms;
    return now_ms - c->rest_ms > 2 * w->limit_ms + 2000;
}

void httpd_watch_check(struct httpd_watch *w)
{
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&w->lock);
    for (struct httpd_connection *c = w->first; c; c = c->next) {
        if (!overdue(w, c, now_ms))
            continue;
        c->ended = true;
        w->ended++;
        if (c->fd >= 0)
            shutdown(c->fd, SHUT_RDWR); /* libmicrohttpd then finds it closed */
    }
    pthread_mutex_unlock(&w->lock);
}

void httpd_watch_cut_streams(struct httpd_watch *w)
{
    pthread_mutex_lock(&w->lock);
    for (struct httpd_connection *c = w->first; c; c = c->next) {
        if (c->stream)
            httpd_stream_cut(c->stream);
    }
    pthread_mutex_unlock(&w->lock);
}

/* A long answer, written by a thread of its own into a bounded buffer from which the server's thread takes.
 * With nothing in it the connection is suspended, so waiting costs nothing. */
#include "lib/clock.h"
#include "lib/httpd_internal.h"

#define ROOM_BYTES  ((size_t)64 << 10)
#define BLOCK_BYTES ((size_t)16 << 10)

struct httpd_stream {
    pthread_mutex_t lock;
    pthread_cond_t moved; /* there is more room, or nobody to write for */
    struct buf data;
    size_t at; /* taken */
    bool suspended;
    bool ended;     /* nothing more will be written */
    bool cut, gone; /* it ends torn off; nobody reads it any more */
    atomic_int_fast64_t ended_ms;
    struct MHD_Connection *connection;
};

/* Its lock is held. */
static void wake(struct httpd_stream *s)
{
    if (s->suspended && !s->gone) {
        s->suspended = false;
        MHD_resume_connection(s->connection);
    }
}

/* On the server's thread: the next bytes for the network. */
static ssize_t take(void *arg, uint64_t position, char *to, size_t room)
{
    struct httpd_stream *s = arg;
    ssize_t result = 0;
    pthread_mutex_lock(&s->lock);
    size_t n = MIN_OF(s->data.len - s->at, room);
    if (s->cut) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (n > 0) {
        memcpy(to, s->data.data + s->at, n);
        s->at += n;
        if (s->at == s->data.len) {
            buf_clear(&s->data);
            s->at = 0;
        }
        pthread_cond_signal(&s->moved);
        result = (ssize_t)n;
    } else if (s->ended) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        MHD_suspend_connection(s->connection);
        s->suspended = true;
    }
    pthread_mutex_unlock(&s->lock);
    return result;
}

static struct httpd_stream *stream_new(struct MHD_Connection *connection)
{
    struct httpd_stream *s = xcalloc(1, sizeof(*s));
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->moved, &attributes);
    pthread_condattr_destroy(&attributes);
    s->connection = connection;
    return s;
}

void httpd_stream(struct httpd_request *r, const struct httpd_answer *head)
{
    struct MHD_Response *made;
    r->stream = stream_new(r->connection);
    r->holders++;
    r->h->owed++;
    httpd_watch_stream(&r->h->watch, r->c, r->stream);
    if (r->h->ending) /* after it stands in the list: so either we see that the server stops, or it sees the
                         stream */
        httpd_stream_cut(r->stream);
    made = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, take, r->stream, NULL);
    httpd_give(r, head->status, httpd_response_fields(r, made, head));
}

/* Its lock is held. */
static int wait_for_room(struct httpd_stream *s, const struct timespec *until)
{
    while (s->data.len - s->at >= ROOM_BYTES && !s->cut && !s->gone) {
        if (pthread_cond_timedwait(&s->moved, &s->lock, until) == ETIMEDOUT &&
            s->data.len - s->at >= ROOM_BYTES)
            return -ETIMEDOUT;
    }
    return s->cut ? -ESHUTDOWN : s->gone ? -EPIPE : 0;
}

int httpd_stream_write(struct httpd_request *r, const void *data, size_t len, int timeout_ms)
{
    struct httpd_stream *s = r->stream;
    const char *from = data;
    struct timespec until;
    int result = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&s->lock);
    do {
        result = wait_for_room(s, &until);
        if (result < 0)
            break;
        if (s->at > 0) { /* what was taken makes room */
            memmove(s->data.data, s->data.data + s->at, s->data.len - s->at);
            s->data.len -= s->at;
            s->at = 0;
        }
        size_t n = MIN_OF(len, ROOM_BYTES - s->data.len);
        buf_add(&s->data, from, n);
        from += n;
        len -= n;
        wake(s);
    } while (len > 0);
    s->cut = s->cut || result < 0;
    wake(s);
    pthread_mutex_unlock(&s->lock);
    return result;
}

void httpd_stream_end(struct httpd_request *r)
{
    struct httpd_stream *s = r->stream;
    struct httpd *h = r->h;
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    atomic_store(&s->ended_ms, clock_mono_ms());
    wake(s);
    pthread_mutex_unlock(&s->lock);
    httpd_request_release(r);
    h->owed--; /* from here on the server may be stopped */
}

void httpd_stream_gone(struct httpd_stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->gone = true;
    pthread_cond_signal(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

void httpd_stream_cut(struct httpd_stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->cut = true;
    wake(s);
    pthread_cond_signal(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

int64_t httpd_stream_ended_ms(const struct httpd_stream *s)
{
    return s->ended_ms;
}

void httpd_stream_free(struct httpd_stream *s)
{
    if (!s)
        return;
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    buf_deinit(&s->data);
    free(s);
}

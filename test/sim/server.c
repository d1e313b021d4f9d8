/* Connections from the dispatchers (and from tests that turn knobs). One request at a time on each; an answer
 * may be delayed, held until a report was posted, or never come. */
#include "test/sim/sim.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define CONNS_MAX 65536

struct conn {
    struct watch watch;
    int fd;
    uint64_t id;
    struct buf in, out;
    size_t sent;
    int holds;    /* reports that must be posted before the answer */
    bool busy;    /* a request is being answered */
    bool delayed; /* a timer lets the answer go */
    bool dirty;   /* in the list of this turn */
    bool keep_alive, closing, reset;
    struct conn *next_dirty;
};
static struct conn *conns[CONNS_MAX]; /* by descriptor */
static uint64_t ids;
static struct conn *dirty;

static void take_requests(struct conn *c);

uint64_t conn_id(const struct conn *c)
{
    return c->id;
}

struct conn *conn_by_id(uint64_t id)
{
    struct conn *c = conns[id % CONNS_MAX];
    return c != NULL && c->id == id ? c : NULL;
}

static void mark_dirty(struct conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    c->next_dirty = dirty;
    dirty = c;
}

static void conn_end(struct conn *c)
{
    if (c->reset) {
        struct linger l = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    }
    conns[c->fd] = NULL;
    close(c->fd);
    buf_deinit(&c->in);
    buf_deinit(&c->out);
    loop_free_later(c);
}

static void end_soon(struct conn *c)
{
    c->closing = true;
    mark_dirty(c);
}

void conn_close(struct conn *c, bool reset)
{
    buf_clear(&c->out);
    c->sent = 0;
    c->reset = reset;
    end_soon(c);
}

void conn_hang(struct conn *c)
{
    c->busy = true;
    c->holds++; /* never let go */
}

static const char *status_text(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 202:
        return "Accepted";
    case 400:
        return "Bad Request";
    case 429:
        return "Too Many Requests";
    default:
        return status >= 500 ? "Server Error" : "Status";
    }
}

void conn_answer(struct conn *c, int status, const char *more_headers, const char *type,
                 const struct buf *body)
{
    buf_addf(&c->out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s\r\n", status,
             status_text(status), type, body->len, more_headers,
             c->keep_alive ? "" : "Connection: close\r\n");
    buf_add(&c->out, body->len > 0 ? body->data : "", body->len);
    mark_dirty(c);
}

static void delay_over(void *arg, uint64_t id)
{
    struct conn *c = conn_by_id(id);
    if (c == NULL)
        return;
    c->delayed = false;
    mark_dirty(c);
}

void conn_answer_later(struct conn *c, int64_t delay_ms)
{
    if (delay_ms <= 0)
        return;
    c->delayed = true;
    timer_add(loop_now_ms() + delay_ms, 0, delay_over, NULL, c->id);
}

void conn_hold(struct conn *c)
{
    c->holds++;
}

void conn_let_go(uint64_t id)
{
    struct conn *c = conn_by_id(id);
    if (c == NULL)
        return;
    c->holds--;
    mark_dirty(c);
}

static void take_requests(struct conn *c)
{
    while (!c->busy && !c->closing && c->in.len > 0) {
        struct http_request r;
        size_t used = 0;
        int result = http_parse(c->in.data, c->in.len, &r, &used);
        if (result == HTTP_MORE)
            return;
        if (result < 0) {
            conn_close(c, false);
            return;
        }
        c->busy = true;
        c->keep_alive = r.keep_alive;
        char after = r.body[r.body_len]; /* the body becomes a string for the parsers */
        r.body[r.body_len] = '\0';
        route_request(c, &r);
        r.body[r.body_len] = after;
        memmove(c->in.data, c->in.data + used, c->in.len - used + 1);
        c->in.len -= used;
    }
}

/* Sends what may leave. False: the connection has ended. */
static bool send_out(struct conn *c)
{
    while (c->sent < c->out.len) {
        ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            loop_change(c->fd, EPOLLIN | EPOLLOUT, &c->watch);
            return true;
        }
        if (n <= 0) {
            conn_end(c);
            return false;
        }
        c->sent += (size_t)n;
    }
    buf_clear(&c->out);
    c->sent = 0;
    c->busy = false;
    if (!c->keep_alive || !sim.listen) {
        conn_end(c);
        return false;
    }
    return true;
}

void server_flush(void)
{
    while (dirty != NULL) {
        struct conn *c = dirty;
        dirty = c->next_dirty;
        c->dirty = false;
        if (c->closing) {
            conn_end(c);
        } else if (c->busy && !c->delayed && c->holds <= 0 && c->out.len > 0) {
            if (send_out(c)) {
                take_requests(c); /* one that was sent ahead of this answer */
                log_flush();
            }
        }
    }
}

static void conn_ready(struct watch *w, uint32_t events)
{
    struct conn *c = (struct conn *)w;
    if (c->closing)
        return;
    if (events & EPOLLOUT) {
        loop_change(c->fd, EPOLLIN, &c->watch);
        mark_dirty(c);
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    char chunk[65536];
    ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        end_soon(c);
        return;
    }
    buf_add(&c->in, chunk, (size_t)n);
    take_requests(c);
}

static struct listener {
    struct watch watch;
    int fd;
} listeners[2];

static void listener_ready(struct watch *w, uint32_t events)
{
    const struct listener *l = (const struct listener *)w;
    for (;;) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (fd >= CONNS_MAX) {
            close(fd);
            return;
        }
        int one = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct conn *c = xmalloc(sizeof(*c));
        *c = (struct conn){
            .watch = {conn_ready}, .fd = fd, .id = ++ids * CONNS_MAX + (uint64_t)fd, .in.max = 16u << 20};
        conns[fd] = c;
        loop_add(fd, EPOLLIN, &c->watch);
    }
}

void server_open(int fd, size_t which)
{
    listeners[which] = (struct listener){{listener_ready}, fd};
    loop_add(fd, EPOLLIN, &listeners[which].watch);
}

void server_close_idle(void)
{
    for (size_t i = 0; i < CONNS_MAX; i++)
        if (conns[i] != NULL && !conns[i]->busy)
            end_soon(conns[i]);
}

void server_free(void)
{
    dirty = NULL;
    for (size_t i = 0; i < CONNS_MAX; i++)
        if (conns[i] != NULL)
            conn_end(conns[i]);
}

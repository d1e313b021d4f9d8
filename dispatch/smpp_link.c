/* The socket is watched for reading all the time, and for writing only while something waits for it. */
#include "dispatch/smpp_link.h"
#include "dispatch/smpp_resolve.h"
#include "dispatch/smpp_tls.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum stage { STAGE_OFF, STAGE_RESOLVING, STAGE_CONNECTING, STAGE_SHAKING, STAGE_OPEN };

struct smpp_link {
    int epoll_fd, fd;
    uint32_t watched; /* what epoll is told to look for */
    enum stage stage;
    struct smpp_tls *tls;
    struct smpp_tls_link *shaken;
    struct smpp_resolve *resolve;
    const struct addrinfo *next; /* to be tried when this address cannot be reached */
    char host[264], why[256];
    bool blocked;
    size_t begin, end; /* of `out` */
    uint8_t out[SMPP_LINK_OUT_BYTES];
    struct smpp_framer framer;
};

struct smpp_link *smpp_link_new(int epoll_fd, struct smpp_tls *tls)
{
    struct smpp_link *l = xcalloc(1, sizeof(*l));
    l->epoll_fd = epoll_fd;
    l->fd = -1;
    l->tls = tls;
    return l;
}

static void close_socket(struct smpp_link *l)
{
    smpp_tls_link_free(l->shaken);
    l->shaken = NULL;
    if (l->fd >= 0)
        close(l->fd); /* and epoll forgets it */
    l->fd = -1;
    l->watched = 0;
}

void smpp_link_close(struct smpp_link *l)
{
    close_socket(l);
    smpp_resolve_free(l->resolve);
    l->resolve = NULL;
    l->next = NULL;
    l->stage = STAGE_OFF;
    l->blocked = false;
    l->begin = l->end = 0;
    smpp_framer_init(&l->framer);
}

void smpp_link_free(struct smpp_link *l)
{
    if (l == NULL)
        return;
    smpp_link_close(l);
    free(l);
}

const char *smpp_link_why(const struct smpp_link *l)
{
    return l->why;
}

struct smpp_framer *smpp_link_framer(struct smpp_link *l)
{
    return &l->framer;
}

static void watch(struct smpp_link *l, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = l};
    if (events == l->watched)
        return;
    if (epoll_ctl(l->epoll_fd, l->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, l->fd, &e) < 0)
        abort(); /* a descriptor of ours, and memory for one more: a mistake, or nothing goes on here */
    l->watched = events;
}

static int lost(struct smpp_link *l, int error)
{
    snprintf(l->why, sizeof(l->why), "%s", strerror(error));
    return -error;
}

/* ---- connecting ---- */

void smpp_link_connect(struct smpp_link *l, const char *host_port)
{
    smpp_link_close(l);
    snprintf(l->why, sizeof(l->why), "no address");
    smpp_resolve_host(host_port, l->host, sizeof(l->host));
    l->resolve = smpp_resolve_begin(host_port);
    l->stage = STAGE_RESOLVING;
}

/* The next of its addresses; -1: there is none left, and `why` says why the last one could not be reached. */
static int try_next(struct smpp_link *l)
{
    static const int on = 1;
    for (; l->next != NULL; close_socket(l)) {
        const struct addrinfo *a = l->next;
        l->next = a->ai_next;
        l->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (l->fd < 0) {
            lost(l, errno);
            continue;
        }
        (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (connect(l->fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS) {
            l->stage = STAGE_CONNECTING;
            watch(l, EPOLLIN | EPOLLOUT);
            return SMPP_LINK_WAITS;
        }
        lost(l, errno);
    }
    return -EHOSTUNREACH;
}

static int resolved(struct smpp_link *l)
{
    const char *why;
    int rc = smpp_resolve_turn(l->resolve, &l->next, &why);
    if (rc < 0)
        snprintf(l->why, sizeof(l->why), "the name cannot be resolved: %s", why);
    return rc == 0 ? try_next(l) : rc;
}

static int connected(struct smpp_link *l)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    int error = 0;
    socklen_t error_size = sizeof(error);
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &error_size) < 0)
        error = errno;
    if (error == 0 && getpeername(l->fd, (struct sockaddr *)&peer, &size) < 0)
        return SMPP_LINK_WAITS;
    if (error != 0) {
        lost(l, error);
        close_socket(l);
        return try_next(l);
    }
    l->stage = l->tls != NULL ? STAGE_SHAKING : STAGE_OPEN;
    if (l->tls != NULL)
        l->shaken = smpp_tls_link_new(l->tls, l->fd, l->host);
    watch(l, EPOLLIN);
    return 0;
}

static int shake(struct smpp_link *l)
{
    int rc = smpp_tls_shake(l->shaken);
    if (rc < 0) {
        snprintf(l->why, sizeof(l->why), "%s", smpp_tls_why(l->shaken));
        return rc;
    }
    watch(l, rc == SMPP_TLS_WRITE ? EPOLLIN | EPOLLOUT : EPOLLIN);
    if (rc > 0)
        return SMPP_LINK_WAITS;
    l->stage = STAGE_OPEN;
    return 0;
}

int smpp_link_connect_turn(struct smpp_link *l)
{
    int rc = 0;
    if (l->stage == STAGE_RESOLVING)
        rc = resolved(l);
    if (l->stage == STAGE_CONNECTING && rc >= 0)
        rc = connected(l);
    if (l->stage == STAGE_SHAKING && rc == 0)
        rc = shake(l);
    return rc;
}

int64_t smpp_link_wait_ms(const struct smpp_link *l)
{
    return l->stage == STAGE_RESOLVING ? SMPP_RESOLVE_LOOK_MS : -1;
}

/* ---- reading ---- */

static int read_plain(struct smpp_link *l, void *bytes, size_t size, size_t *ret_len)
{
    ssize_t n;
    do {
        n = recv(l->fd, bytes, size, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? SMPP_LINK_WAITS : lost(l, errno);
    *ret_len = (size_t)n;
    return 0;
}

static int read_tls(struct smpp_link *l, void *bytes, size_t size, size_t *ret_len)
{
    int rc = smpp_tls_read(l->shaken, bytes, size, ret_len);
    if (rc < 0)
        snprintf(l->why, sizeof(l->why), "%s", smpp_tls_why(l->shaken));
    else if (rc == SMPP_TLS_WRITE)
        watch(l, EPOLLIN | EPOLLOUT);
    return rc > 0 ? SMPP_LINK_WAITS : rc;
}

int smpp_link_read(struct smpp_link *l)
{
    size_t size, len = 0;
    uint8_t *room = smpp_framer_room(&l->framer, &size);
    int rc = l->shaken != NULL ? read_tls(l, room, size, &len) : read_plain(l, room, size, &len);
    if (rc != 0)
        return rc;
    if (len == 0) {
        snprintf(l->why, sizeof(l->why), "the gateway closed the connection");
        return -EPIPE;
    }
    smpp_framer_filled(&l->framer, len);
    return 0;
}

/* ---- writing ---- */

uint8_t *smpp_link_room(struct smpp_link *l, size_t *ret_size)
{
    if (l->begin == l->end)
        l->begin = l->end = 0;
    if (l->begin > sizeof(l->out) / 2) {
        memmove(l->out, l->out + l->begin, l->end - l->begin);
        l->end -= l->begin;
        l->begin = 0;
    }
    *ret_size = sizeof(l->out) - l->end;
    return l->out + l->end;
}

void smpp_link_add(struct smpp_link *l, size_t len)
{
    l->end += len;
}

size_t smpp_link_waiting(const struct smpp_link *l)
{
    return l->end - l->begin;
}

bool smpp_link_blocked(const struct smpp_link *l)
{
    return l->blocked;
}

static int write_plain(struct smpp_link *l, size_t *ret_len)
{
    ssize_t n;
    do {
        n = send(l->fd, l->out + l->begin, l->end - l->begin, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? SMPP_LINK_WAITS : lost(l, errno);
    *ret_len = (size_t)n;
    return 0;
}

static int write_tls(struct smpp_link *l, size_t *ret_len)
{
    int rc = smpp_tls_write(l->shaken, l->out + l->begin, l->end - l->begin, ret_len);
    if (rc < 0)
        snprintf(l->why, sizeof(l->why), "%s", smpp_tls_why(l->shaken));
    return rc > 0 ? SMPP_LINK_WAITS : rc;
}

int smpp_link_flush(struct smpp_link *l)
{
    int rc = 0;
    while (l->begin < l->end && rc == 0) {
        size_t len = 0;
        rc = l->shaken != NULL ? write_tls(l, &len) : write_plain(l, &len);
        l->begin += len;
    }
    if (rc < 0)
        return rc;
    l->blocked = rc == SMPP_LINK_WAITS;
    watch(l, l->blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return rc;
}

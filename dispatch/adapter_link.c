/* A stream socket of the Unix domain: connecting is done at once or not at all. */
#include "dispatch/adapter_link.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define READ_BYTES  65536
#define READS_MAX   4          /* a turn: the dispatcher has other things to do, too */
#define WAITING_MAX (1u << 20) /* bytes of lines that the adapter does not take */

int adapter_link_init(struct adapter_link *l)
{
    *l = (struct adapter_link){.fd = -1, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    return l->epoll < 0 ? -errno : 0;
}

void adapter_link_deinit(struct adapter_link *l)
{
    adapter_link_close(l);
    if (l->epoll >= 0)
        close(l->epoll);
    l->epoll = -1;
    free(l->in);
    l->in = NULL;
    l->in_room = 0;
    buf_deinit(&l->waiting);
    buf_deinit(&l->out);
}

void adapter_link_close(struct adapter_link *l)
{
    if (l->fd >= 0)
        close(l->fd); /* and out of the epoll set with it */
    l->fd = -1;
    l->in_len = l->in_begin = l->in_seen = l->out_at = 0;
    l->watches_out = false;
    buf_clear(&l->waiting);
    buf_clear(&l->out);
}

/* ---- who is behind it ---- */

static bool uid_of(const char *user, uid_t *ret)
{
    char room[4096], *end = NULL;
    struct passwd entry, *found = NULL;
    if (user == NULL || *user == '\0') {
        *ret = geteuid();
        return true;
    }
    if (getpwnam_r(user, &entry, room, sizeof(room), &found) == 0 && found != NULL) {
        *ret = found->pw_uid;
        return true;
    }
    unsigned long number = strtoul(user, &end, 10);
    *ret = (uid_t)number;
    return *user >= '0' && *user <= '9' && *end == '\0' && number < UINT32_MAX;
}

/* Whoever may write the directory could put a socket of his own there: texts and numbers go to the configured
 * account only. The kernel tells who listens. */
static int check_peer(int fd, const char *user, char why[ADAPTER_WHY_SIZE])
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    uid_t wanted;
    if (!uid_of(user, &wanted)) {
        snprintf(why, ADAPTER_WHY_SIZE, "there is no account '%.60s' here; see adapter.user", user);
        return -ENOENT;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        snprintf(why, ADAPTER_WHY_SIZE, "who listens cannot be told: %s", strerror(errno));
        return -errno;
    }
    if (peer.uid == wanted)
        return 0;
    snprintf(why, ADAPTER_WHY_SIZE, "uid %u listens there and uid %u is expected; see adapter.user",
             (unsigned)peer.uid, (unsigned)wanted);
    return -EPERM;
}

static int connect_to(const char *path, char why[ADAPTER_WHY_SIZE])
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(a.sun_path)) {
        snprintf(why, ADAPTER_WHY_SIZE, "the path is longer than %zu bytes", sizeof(a.sun_path) - 1);
        return -ENAMETOOLONG;
    }
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    int rc = -errno;
    if (fd >= 0)
        close(fd);
    snprintf(why, ADAPTER_WHY_SIZE, "%s",
             rc == -EAGAIN         ? "it does not accept connections"
             : rc == -ENOENT       ? "no such socket: the adapter does not run, or listens elsewhere"
             : rc == -ECONNREFUSED ? "nobody listens there: the adapter does not run"
             : rc == -EACCES       ? "we may not go there: see the permissions of its directory"
                                   : strerror(-rc));
    return rc;
}

int adapter_link_open(struct adapter_link *l, const char *path, const char *user,
                      char ret_why[ADAPTER_WHY_SIZE])
{
    struct epoll_event e = {.events = EPOLLIN};
    adapter_link_close(l);
    int fd = connect_to(path, ret_why);
    if (fd < 0)
        return fd;
    int rc = check_peer(fd, user, ret_why);
    if (rc == 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) < 0) {
        rc = -errno;
        snprintf(ret_why, ADAPTER_WHY_SIZE, "%s", strerror(-rc));
    }
    if (rc < 0) {
        close(fd);
        return rc;
    }
    l->fd = fd;
    return 0;
}

/* ---- from it ---- */

static void make_room(struct adapter_link *l)
{
    memmove(l->in, l->in + l->in_begin, l->in_len - l->in_begin);
    l->in_len -= l->in_begin;
    l->in_seen -= l->in_begin;
    l->in_begin = 0;
    if (l->in_room - l->in_len >= READ_BYTES)
        return;
    l->in_room = l->in_len + READ_BYTES;
    l->in = xrealloc(l->in, l->in_room);
}

int adapter_link_read(struct adapter_link *l)
{
    for (int i = 0; i < READS_MAX && l->in_len - l->in_begin <= ADAPTER_LINE_MAX; i++) {
        if (l->in == NULL)
            l->in = xmalloc(l->in_room = READ_BYTES);
        make_room(l);
        ssize_t n = recv(l->fd, l->in + l->in_len, READ_BYTES, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
            return -EPIPE;
        l->in_len += (size_t)n;
        if (n < READ_BYTES)
            return 0;
    }
    return 0;
}

int adapter_link_next(struct adapter_link *l, char **ret, size_t *ret_len)
{
    char *at = l->in_len > l->in_seen ? memchr(l->in + l->in_seen, '\n', l->in_len - l->in_seen) : NULL;
    size_t end = at != NULL ? (size_t)(at - l->in) : l->in_len;
    if (end - l->in_begin >= ADAPTER_LINE_MAX)
        return -EMSGSIZE;
    l->in_seen = end;
    if (at == NULL)
        return ADAPTER_NO_LINE;
    *at = '\0';
    *ret = l->in + l->in_begin;
    *ret_len = end - l->in_begin;
    l->in_begin = l->in_seen = end + 1;
    return 0;
}

/* ---- to it ---- */

struct buf *adapter_link_waiting(struct adapter_link *l)
{
    return &l->waiting;
}

bool adapter_link_is_free(const struct adapter_link *l)
{
    return l->out.len == 0 && l->waiting.len == 0;
}

/* What was there at the last write is watched for. */
bool adapter_link_has_news(const struct adapter_link *l)
{
    return !l->watches_out && !adapter_link_is_free(l);
}

struct buf *adapter_link_out(struct adapter_link *l)
{
    return &l->out;
}

static void swap_buffers(struct adapter_link *l)
{
    struct buf old = l->out;
    l->out = l->waiting;
    l->waiting = old;
    l->out_at = 0;
}

static void watch(struct adapter_link *l)
{
    bool wants = l->out.len > 0 || l->waiting.len > 0;
    struct epoll_event e = {.events = wants ? EPOLLIN | EPOLLOUT : EPOLLIN};
    if (wants != l->watches_out && epoll_ctl(l->epoll, EPOLL_CTL_MOD, l->fd, &e) == 0)
        l->watches_out = wants;
}

int adapter_link_write(struct adapter_link *l)
{
    if (l->waiting.len > WAITING_MAX)
        return -ENOBUFS;
    for (;;) {
        if (l->out.len == 0 && l->waiting.len > 0)
            swap_buffers(l);
        if (l->out.len == 0)
            break;
        ssize_t n = send(l->fd, l->out.data + l->out_at, l->out.len - l->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return -errno;
        if (n < 0)
            break;
        l->out_at += (size_t)n;
        if (l->out_at < l->out.len)
            continue;
        buf_clear(&l->out);
        l->out_at = 0;
    }
    watch(l);
    return 0;
}

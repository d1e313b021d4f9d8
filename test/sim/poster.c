/* Posts reports over keep-alive connections, several calls at a time, each answered before the next on its
 * connection. What is not answered 200 is posted again later, in its old order, as gateways do. */
#include "test/sim/sim.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define TICK_MS   500
#define HOST_SIZE 160

struct link {
    struct watch watch;
    struct link *next; /* of this gateway; links live as long as it, fd -1 while closed */
    struct gateway *gateway;
    int fd;
    char host[HOST_SIZE]; /* that fd is connected with, HOST[:PORT] */
    struct buf out, in;
    size_t sent;
    struct report *batch; /* being posted; NULL: idle */
    int64_t since_ms;
};

void report_ready(struct report *r)
{
    struct gateway *g = r->gateway;
    r->next = NULL;
    *g->ready_end = r;
    g->ready_end = &r->next;
    g->ready_count++;
}

static void link_close(struct link *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    buf_clear(&l->out);
    buf_clear(&l->in);
    l->sent = 0;
}

static void retry_now(void *arg, uint64_t id)
{
    ((struct gateway *)arg)->retry_waits = false;
}

static void give_back(struct gateway *g, struct report *batch)
{
    struct report **end = &batch;
    while (*end != NULL) {
        struct report *r = *end;
        g->counters.reports_failed++;
        if (++r->tries >= g->knobs.report_tries) {
            g->counters.reports_given_up++;
            *end = r->next;
            report_free(r);
            continue;
        }
        g->ready_count++;
        end = &r->next;
    }
    *end = g->ready;
    if (g->ready == NULL)
        g->ready_end = end;
    g->ready = batch;
    if (!g->retry_waits) {
        g->retry_waits = true;
        timer_add(loop_now_ms() + g->knobs.report_retry_ms, 0, retry_now, g, 0);
    }
}

void reports_end(struct gateway *g, struct report *batch, bool taken)
{
    for (struct report *r = batch; r != NULL; r = r->next) {
        if (r->held_conn != 0)
            (r->kind == REPORT_SMPP ? smpp_let_go : conn_let_go)(r->held_conn);
        r->held_conn = 0;
    }
    if (!taken) {
        give_back(g, batch);
        return;
    }
    while (batch != NULL) {
        struct report *r = batch;
        batch = r->next;
        if (r->inbound != NULL) {
            g->counters.inbound_posted++;
        } else {
            g->counters.reports_posted++;
            report_log_add(r);
        }
        report_free(r);
    }
}

static void batch_ends(struct link *l, bool posted)
{
    struct report *batch = l->batch;
    l->batch = NULL;
    reports_end(l->gateway, batch, posted);
}

static void link_fails(struct link *l)
{
    link_close(l);
    if (l->batch != NULL)
        batch_ends(l, false);
}

/* A whole answer in l->in? 1 yes, 0 not yet, -1 none that can be read. */
static int answer_whole(const struct buf *in, int *ret_status, bool *ret_close)
{
    char *end = in->len > 0 ? strstr(in->data, "\r\n\r\n") : NULL;
    if (end == NULL)
        return 0;
    if (sscanf(in->data, "HTTP/1.%*d %d", ret_status) != 1)
        return -1;
    size_t length = 0;
    for (const char *line = strstr(in->data, "\r\n") + 2; line < end; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            length = strtoul(line + 15, NULL, 10);
        if (strncasecmp(line, "Connection: close", 17) == 0)
            *ret_close = true;
    }
    return in->len >= (size_t)(end + 4 - in->data) + length;
}

static void link_reads(struct link *l)
{
    char chunk[4096];
    ssize_t n = recv(l->fd, chunk, sizeof(chunk), 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || l->batch == NULL) { /* closed, or talking without being asked */
        link_fails(l);
        return;
    }
    buf_add(&l->in, chunk, (size_t)n);
    int status = 0;
    bool close_after = false;
    int whole = answer_whole(&l->in, &status, &close_after);
    if (whole == 0)
        return;
    bool taken = whole > 0 && report_was_taken(l->batch, status, strstr(l->in.data, "\r\n\r\n") + 4);
    if (whole < 0 || close_after)
        link_close(l);
    buf_clear(&l->in);
    batch_ends(l, taken);
}

static void link_writes(struct link *l)
{
    while (l->sent < l->out.len) {
        ssize_t n = send(l->fd, l->out.data + l->sent, l->out.len - l->sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS)) {
            loop_change(l->fd, EPOLLIN | EPOLLOUT, &l->watch);
            return;
        }
        if (n <= 0) {
            link_fails(l);
            return;
        }
        l->sent += (size_t)n;
    }
    buf_clear(&l->out);
    l->sent = 0;
}

static void link_ready(struct watch *w, uint32_t events)
{
    struct link *l = (struct link *)w;
    if (l->fd < 0)
        return;
    if (events & EPOLLOUT) {
        loop_change(l->fd, EPOLLIN, &l->watch);
        link_writes(l);
    }
    if (l->fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        link_reads(l);
}

/* An address is http://HOST[:PORT]/PATH; requests may name another host each time. */
static void link_for(struct link *l, const char *url)
{
    char host[HOST_SIZE] = "";
    const char *at = strncmp(url, "http://", 7) == 0 ? url + 7 : "";
    size_t len = strcspn(at, "/?#");
    if (len < sizeof(host))
        memcpy(host, at, len);
    if (strcmp(l->host, host) != 0)
        link_close(l);
    memcpy(l->host, host, sizeof(host));
}

/* -1: cannot be reached. */
static int connect_to(const char *name)
{
    char host[128], port[16] = "80";
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    if (sscanf(name, "%127[^:]:%15[0-9]", host, port) < 1 || getaddrinfo(host, port, &hints, &found) != 0)
        return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0 && errno != EINPROGRESS) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    freeaddrinfo(found);
    return fd;
}

static struct link *free_link(struct gateway *g)
{
    for (struct link *l = g->links; l != NULL; l = l->next)
        if (l->batch == NULL)
            return l;
    if (g->link_count >= g->knobs.report_connections)
        return NULL;
    struct link *l = xmalloc(sizeof(*l));
    *l = (struct link){.watch = {link_ready}, .gateway = g, .fd = -1, .next = g->links};
    g->links = l;
    g->link_count++;
    return l;
}

struct report *report_take_ready(struct gateway *g)
{
    struct report *r = g->ready;
    if (r == NULL)
        return NULL;
    g->ready = r->next;
    g->ready_count--;
    if (g->ready == NULL)
        g->ready_end = &g->ready;
    r->next = NULL;
    return r;
}

static void take_batch(struct gateway *g, struct link *l)
{
    struct report **end = &l->batch;
    int64_t max = MAX_OF(g->knobs.batch, 1);
    const struct report *first = g->ready;
    while (g->ready != NULL && max-- > 0 && (g->ready == first || report_may_join(first, g->ready))) {
        *end = report_take_ready(g);
        end = &(*end)->next;
    }
}

static void push(struct gateway *g)
{
    while (g->ready != NULL && !g->retry_waits) {
        if (g->ready->kind >= REPORT_SMPP) {
            if (!smpp_deliver(g))
                return;
            continue;
        }
        struct link *l = free_link(g);
        if (l == NULL)
            return;
        take_batch(g, l);
        l->since_ms = loop_now_ms();
        link_for(l, report_url(l->batch));
        bool fresh = l->fd < 0;
        if (fresh)
            l->fd = connect_to(l->host);
        if (l->fd < 0) {
            link_fails(l);
            return;
        }
        g->counters.report_calls++;
        report_format(g, l->batch, &l->out);
        if (fresh)
            loop_add(l->fd, EPOLLIN | EPOLLOUT, &l->watch);
        else
            link_writes(l);
    }
}

void poster_push_all(void)
{
    for (size_t i = 0; gateway_at(i) != NULL; i++)
        push(gateway_at(i));
}

static void tick(void *arg, uint64_t id)
{
    const struct gateway *g;
    for (size_t i = 0; (g = gateway_at(i)) != NULL; i++)
        for (struct link *l = g->links; l != NULL; l = l->next)
            if (l->batch != NULL && loop_now_ms() - l->since_ms > g->knobs.report_timeout_ms)
                link_fails(l);
    timer_add(loop_now_ms() + TICK_MS, 0, tick, NULL, 0);
}

void poster_start(void)
{
    timer_add(loop_now_ms() + TICK_MS, 0, tick, NULL, 0);
}

static void free_list(struct report *r)
{
    while (r != NULL) {
        struct report *next = r->next;
        report_free(r);
        r = next;
    }
}

void poster_free(void)
{
    struct gateway *g;
    for (size_t i = 0; (g = gateway_at(i)) != NULL; i++) {
        free_list(g->ready);
        g->ready = NULL;
        g->ready_end = &g->ready;
        while (g->links != NULL) {
            struct link *l = g->links;
            g->links = l->next;
            free_list(l->batch);
            link_close(l);
            buf_deinit(&l->out);
            buf_deinit(&l->in);
            free(l);
        }
    }
}

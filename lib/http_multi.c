/* Many exchanges at a time over libcurl's multi interface and an epoll of our own. */
#include "lib/clock.h"
#include "lib/http_internal.h"

#include <sys/epoll.h>
#include <unistd.h>

struct http_multi {
    struct http_multi_options opts;
    CURLM *curl;
    int epoll_fd;
    int64_t timer_ms; /* monotonic; -1: libcurl wants no call */
    struct http_exchange *free;
    struct http_exchange **all; /* every exchange ever made */
    size_t count;
};

/* ---- libcurl's sockets and its timer ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct http_multi *m = arg;
    struct epoll_event e = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* it may be closed already */
        return 0;
    }
    e.events = ((what & CURL_POLL_IN) ? EPOLLIN : 0u) | ((what & CURL_POLL_OUT) ? EPOLLOUT : 0u);
    if (epoll_ctl(m->epoll_fd, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) < 0 &&
        epoll_ctl(m->epoll_fd, errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) < 0)
        return -1;
    curl_multi_assign(m->curl, fd, m);
    return 0;
}

static int on_timer(CURLM *curl, long timeout_ms, void *arg)
{
    struct http_multi *m = arg;
    (void)curl;
    m->timer_ms = timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms;
    return 0;
}

int64_t http_multi_wait_ms(const struct http_multi *m)
{
    return m->timer_ms < 0 ? -1 : MAX_OF(m->timer_ms - clock_mono_ms(), (int64_t)0);
}

int http_multi_fd(const struct http_multi *m)
{
    return m->epoll_fd;
}

/* ---- exchanges ---- */

static struct http_exchange *take(struct http_multi *m, void *what)
{
    struct http_exchange *x = m->free;
    if (x != NULL) {
        m->free = x->next;
    } else {
        x = http_exchange_new(&m->opts.http);
        x->first_byte = m->opts.first_byte;
        x->arg = m->opts.arg;
        m->all = xrealloc(m->all, (m->count + 1) * sizeof(struct http_exchange *));
        m->all[m->count++] = x;
    }
    x->what = what;
    return x;
}

static void start(struct http_multi *m, struct http_exchange *x)
{
    if (curl_multi_add_handle(m->curl, x->easy) != CURLM_OK)
        abort(); /* out of memory, or a handle used twice */
}

void http_multi_send(struct http_multi *m, const struct http_request *r, void *what)
{
    struct http_exchange *x = take(m, what);
    http_exchange_prepare(x, r);
    start(m, x);
}

void http_multi_connect(struct http_multi *m, const char *url, void *what)
{
    struct http_exchange *x = take(m, what);
    http_exchange_prepare_connect(x, url);
    start(m, x);
}

static void finish(struct http_multi *m, struct http_exchange *x, CURLcode code)
{
    struct http_result r;
    curl_multi_remove_handle(m->curl, x->easy);
    http_exchange_result(x, code, &r);
    m->opts.done(m->opts.arg, x->what, &r); /* what it sends meanwhile takes another exchange */
    x->what = NULL;
    x->next = m->free;
    m->free = x;
}

void http_multi_turn(struct http_multi *m)
{
    struct epoll_event events[256];
    int running = 0, left = 0;
    int n = epoll_wait(m->epoll_fd, events, COUNT_OF(events), 0);
    for (int i = 0; i < n; i++) {
        int what = ((events[i].events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
                   ((events[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
                   ((events[i].events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(m->curl, events[i].data.fd, what, &running);
    }
    if (m->timer_ms >= 0 && clock_mono_ms() >= m->timer_ms) {
        m->timer_ms = -1;
        curl_multi_socket_action(m->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    for (CURLMsg *msg; (msg = curl_multi_info_read(m->curl, &left)) != NULL;) {
        struct http_exchange *x = NULL;
        if (msg->msg != CURLMSG_DONE)
            continue;
        CURLcode code = msg->data.result;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &x);
        finish(m, x, code);
    }
}

/* ---- opening and closing ---- */

void http_multi_free(struct http_multi *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->count; i++) {
        struct http_exchange *x = m->all[i];
        if (!x->under_way)
            continue;
        x->stopped = true;
        finish(m, x, CURLE_ABORTED_BY_CALLBACK);
    }
    for (size_t i = 0; i < m->count; i++)
        http_exchange_free(m->all[i]);
    if (m->curl != NULL)
        curl_multi_cleanup(m->curl);
    if (m->epoll_fd >= 0)
        close(m->epoll_fd);
    free(m->all);
    free(m);
}

int http_multi_new(const struct http_multi_options *opts, struct http_multi **ret)
{
    struct http_multi *m = xcalloc(1, sizeof(*m));
    *m = (struct http_multi){.opts = *opts, .timer_ms = -1, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    int rc = m->epoll_fd < 0 ? -errno : 0;
    struct http_exchange *first = take(m, NULL); /* libcurl is made ready before its multi handle */
    first->next = m->free;
    m->free = first;
    m->curl = curl_multi_init();
    if (m->curl == NULL && rc == 0)
        rc = -ENOMEM;
    if (rc < 0) {
        http_multi_free(m);
        return rc;
    }
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
    curl_multi_setopt(m->curl, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, (long)opts->connections + 1);
    *ret = m;
    return 0;
}

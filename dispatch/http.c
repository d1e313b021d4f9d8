/* Many exchanges at a time over libcurl's multi interface and an epoll of our own. */
#include "dispatch/http.h"
#include "lib/clock.h"

#include <stdio.h>
#include <sys/epoll.h>

static void read_and_tell(struct gateway *g, struct http_transfer *t, CURLcode result);

/* ---- libcurl's sockets and its timer ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct gateway *g = arg;
    struct epoll_event e = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(g->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* it may be closed already */
        return 0;
    }
    e.events = ((what & CURL_POLL_IN) ? EPOLLIN : 0u) | ((what & CURL_POLL_OUT) ? EPOLLOUT : 0u);
    if (epoll_ctl(g->epoll_fd, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) < 0 &&
        epoll_ctl(g->epoll_fd, errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) < 0)
        return -1;
    curl_multi_assign(g->multi, fd, g);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct gateway *g = arg;
    (void)multi;
    g->timer_ms = timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms;
    return 0;
}

static int64_t http_wait_ms(const struct gateway *g)
{
    if (g->unmade_count > 0)
        return 0;
    return g->timer_ms < 0 ? -1 : MAX_OF(g->timer_ms - clock_mono_ms(), (int64_t)0);
}

static int http_fd(const struct gateway *g)
{
    return g->epoll_fd;
}

/* ---- transfers ---- */

static struct http_transfer *transfer_take(struct gateway *g)
{
    struct http_transfer *t = g->free;
    if (t != NULL) {
        g->free = t->next;
        return t;
    }
    t = http_transfer_new(g);
    g->all = xrealloc(g->all, (g->transfers + 1) * sizeof(struct http_transfer *));
    g->all[g->transfers++] = t;
    return t;
}

static void transfer_give_back(struct gateway *g, struct http_transfer *t)
{
    if (t->is_probe) { /* its options differ from all the others' */
        curl_easy_setopt(t->easy, CURLOPT_CONNECT_ONLY, 0L);
        curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 0L);
        curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)g->opts.conf->answer_timeout_ms);
    }
    t->open = NULL;
    t->is_probe = false;
    t->next = g->free;
    g->free = t;
}

static void http_send(struct gateway *g, struct gateway_request *r)
{
    struct http_transfer *t = transfer_take(g);
    if (http_transfer_prepare(t, r) < 0) {
        if (g->unmade_count == g->unmade_room) {
            g->unmade_room = g->unmade_room == 0 ? 16 : g->unmade_room * 2;
            g->unmade = xrealloc(g->unmade, g->unmade_room * sizeof(struct gateway_request *));
        }
        g->unmade[g->unmade_count++] = r;
        transfer_give_back(g, t);
        return;
    }
    if (curl_multi_add_handle(g->multi, t->easy) != CURLM_OK)
        abort(); /* out of memory, or a handle used twice */
    g->under_way++;
}

static void http_probe(struct gateway *g)
{
    struct http_transfer *t = transfer_take(g);
    http_transfer_prepare_probe(t, g->probe_url);
    if (curl_multi_add_handle(g->multi, t->easy) != CURLM_OK)
        abort();
    g->under_way++;
}

/* Nothing of such a request has left. The reason is found again, since the request was not kept. */
static void answer_unmade(struct gateway *g)
{
    while (g->unmade_count > 0) {
        struct gateway_request *r = g->unmade[--g->unmade_count];
        struct http_transfer *t = transfer_take(g);
        char error[sizeof(t->request.error)] = "";
        if (http_transfer_prepare(t, r) < 0)
            memcpy(error, t->request.error, sizeof(error));
        transfer_give_back(g, t);
        struct gateway_answer a = {
            .outcome = OUTCOME_REFUSED, .reason = "bad_request", .error = error, .retry_after_ms = -1};
        g->opts.events.answered(g->opts.events.arg, r, &a);
    }
}

static void finish(struct gateway *g, struct http_transfer *t, CURLcode result)
{
    curl_multi_remove_handle(g->multi, t->easy);
    g->under_way--;
    if (t->is_probe) {
        transfer_give_back(g, t);
        g->opts.events.probed(g->opts.events.arg, result == CURLE_OK);
        return;
    }
    read_and_tell(g, t, result);
}

static void read_and_tell(struct gateway *g, struct http_transfer *t, CURLcode result)
{
    long status = 0;
    struct answer *a = g->read;
    struct exchange e = {.result = result,
                         .first_bytes = t->first_bytes,
                         .too_old = t->too_old,
                         .answer_too_big = t->answer_too_big || result == CURLE_FILESIZE_EXCEEDED};
    a->reason[0] = a->error[0] = '\0';
    a->refused_count = 0;
    if (t->first_bytes == 1 && result == CURLE_OK) {
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        answer_read(g->rules, (int)status, t->answer.data != NULL ? t->answer.data : "", t->answer.len, a);
        e.status = (int)status;
        e.matched = a->is;
        e.msg_id_missing = a->msg_id_missing;
        e.refused_unreadable = a->refused_unreadable;
    }
    struct classified c = classify(&e);
    char error[ANSWER_ERROR_SIZE + 32];
    if (status != 0)
        snprintf(error, sizeof(error), "HTTP %ld: %s", status, a->error);
    else
        snprintf(error, sizeof(error), "%.200s", t->error[0] != '\0' ? t->error : curl_easy_strerror(result));
    struct gateway_answer told = {
        .outcome = c.outcome,
        .msg_id = a->own_id ? NULL : a->msg_id,
        .reason = c.reason != NULL ? c.reason : a->reason,
        .error = c.outcome == OUTCOME_ACCEPTED && a->refused_count == 0 ? "" : error,
        .throttled = c.throttled,
        .unreachable = c.unreachable,
        .retry_after_ms =
            t->retry_after[0] != '\0' ? answer_retry_after_ms(t->retry_after, clock_wall_ms()) : -1,
        .refused = a->refused,
        .refused_count = a->refused_count};
    struct gateway_request *r = t->open;
    transfer_give_back(g, t);
    g->opts.events.answered(g->opts.events.arg, r, &told);
}

static void http_turn(struct gateway *g)
{
    struct epoll_event events[256];
    int running = 0, left = 0;
    answer_unmade(g);
    int n = epoll_wait(g->epoll_fd, events, COUNT_OF(events), 0);
    for (int i = 0; i < n; i++) {
        int what = ((events[i].events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
                   ((events[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
                   ((events[i].events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(g->multi, events[i].data.fd, what, &running);
    }
    if (g->timer_ms >= 0 && clock_mono_ms() >= g->timer_ms) {
        g->timer_ms = -1;
        curl_multi_socket_action(g->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    for (CURLMsg *m; (m = curl_multi_info_read(g->multi, &left)) != NULL;) {
        struct http_transfer *t = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode result = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
        finish(g, t, result);
    }
}

/* ---- opening and closing ---- */

/* A trial request with harmless values: tells what can be told of the configuration before a message needs
 * it, and gives the address that is tried while the breaker is open. */
static int make_probe_url(struct gateway *g, char **ret_why)
{
    static const int64_t number = 491700000000;
    struct request_values v = {.numbers = &number,
                               .number_count = 1,
                               .text = "x",
                               .sender = "x",
                               .encoding = "gsm7",
                               .seq_id = "1.1.1",
                               .segments = 1};
    struct request r;
    request_init(&r, g->template);
    int rc = request_build(g->template, &v, &r);
    CURLU *url = curl_url();
    char *whole = NULL;
    if (rc < 0) {
        *ret_why = xstrdup(r.error);
    } else if (url == NULL || curl_url_set(url, CURLUPART_URL, r.url.data, 0) != CURLUE_OK ||
               curl_url_set(url, CURLUPART_QUERY, NULL, 0) != CURLUE_OK ||
               curl_url_set(url, CURLUPART_PATH, "/", 0) != CURLUE_OK ||
               curl_url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK) {
        *ret_why = xasprintf("line %d: request.url makes no URL", g->opts.conf->request.url_line);
        rc = -EINVAL;
    } else {
        g->probe_url = xstrdup(whole);
    }
    curl_free(whole);
    curl_url_cleanup(url);
    request_deinit(&r);
    return rc;
}

static void http_close(struct gateway *g)
{
    if (g == NULL)
        return;
    answer_unmade(g);
    for (size_t i = 0; i < g->transfers; i++) {
        struct http_transfer *t = g->all[i];
        if (t->open != NULL || t->is_probe)
            finish(g, t, CURLE_ABORTED_BY_CALLBACK);
    }
    for (size_t i = 0; i < g->transfers; i++)
        http_transfer_free(g->all[i]);
    if (g->multi != NULL)
        curl_multi_cleanup(g->multi);
    if (g->epoll_fd >= 0)
        close(g->epoll_fd);
    curl_slist_free_all(g->fixed_headers);
    request_template_free(g->template);
    answer_free(g->rules);
    free(g->read);
    free(g->probe_url);
    free(g->all);
    free(g->unmade);
    free(g);
}

static int http_open(const struct gateway_options *opts, struct gateway **ret, char **ret_why)
{
    struct gateway *g = xcalloc(1, sizeof(*g));
    *g =
        (struct gateway){.opts = *opts, .epoll_fd = -1, .timer_ms = -1, .read = xcalloc(1, sizeof(*g->read))};
    int rc = request_compile(opts->conf, &g->template, ret_why);
    if (rc == 0)
        rc = answer_compile(opts->conf, &g->rules, ret_why);
    if (rc == 0)
        rc = make_probe_url(g, ret_why);
    if (rc == 0) {
        g->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        g->multi = curl_multi_init();
        if (g->epoll_fd < 0 || g->multi == NULL) {
            rc = g->epoll_fd < 0 ? -errno : -ENOMEM;
            *ret_why = xasprintf("no libcurl or no descriptor: %s", strerror(-rc));
        }
    }
    if (rc < 0) {
        http_close(g);
        return rc;
    }
    curl_multi_setopt(g->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(g->multi, CURLMOPT_SOCKETDATA, g);
    curl_multi_setopt(g->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(g->multi, CURLMOPT_TIMERDATA, g);
    curl_multi_setopt(g->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    curl_multi_setopt(g->multi, CURLMOPT_MAXCONNECTS, (long)opts->window + 1);
    *ret = g;
    return 0;
}

const struct gateway_driver http_driver = {.name = "http",
                                           .open = http_open,
                                           .close = http_close,
                                           .send = http_send,
                                           .probe = http_probe,
                                           .fd = http_fd,
                                           .wait_ms = http_wait_ms,
                                           .turn = http_turn};

const struct gateway_driver *gateway_driver(const char *name)
{
    static const struct gateway_driver *const drivers[] = {&http_driver};
    for (size_t i = 0; i < COUNT_OF(drivers); i++)
        if (strcmp(drivers[i]->name, name) == 0)
            return drivers[i];
    return NULL;
}

/* The server itself: the listening socket, libmicrohttpd's thread, the connections it takes, and the end. */
#include "lib/httpd.h"
#include "lib/clock.h"
#include "lib/httpd_internal.h"
#include "lib/httpd_tls.h"
#include "lib/log.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define MEMORY_BYTES   ((size_t)48 << 10) /* of a connection: the head, and a long query */
#define BACKLOG        1024
#define WATCH_EVERY_MS 500
#define FILES_BESIDE   256

static atomic_int_fast64_t connections_of_all; /* that all servers of the process may have */
static atomic_bool tls_taken;

/* "host:port", "[v6]:port" */
static bool split_address(const char *listen_on, char *host, size_t host_size, char *port, size_t port_size)
{
    const char *colon = strrchr(listen_on, ':');
    const char *from = listen_on, *to = colon;
    if (!colon)
        return false;
    if (*from == '[' && to > from && to[-1] == ']') {
        from++;
        to--;
    }
    return snprintf(host, host_size, "%.*s", (int)(to - from), from) < (int)host_size &&
           snprintf(port, port_size, "%s", colon + 1) < (int)port_size;
}

static int bound_port(int fd)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);
    char port[16];
    if (getsockname(fd, (struct sockaddr *)&at, &len) < 0 ||
        getnameinfo((struct sockaddr *)&at, len, NULL, 0, port, sizeof(port), NI_NUMERICSERV) != 0)
        return 0;
    return atoi(port);
}

static int listen_at(const char *setting, const char *address, char **ret_why)
{
    char host[256], port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    if (!split_address(address, host, sizeof(host), port, sizeof(port))) {
        *ret_why = xasprintf("%s: '%s' is no host:port", setting, address);
        return -EINVAL;
    }
    int r = getaddrinfo(*host ? host : NULL, port, &hints, &found);
    if (r != 0) {
        *ret_why = xasprintf("%s: %s: %s", setting, address, gai_strerror(r));
        return -EADDRNOTAVAIL;
    }
    int yes = 1, fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        int error = -errno;
        *ret_why = xasprintf("%s: cannot listen on %s: %s", setting, address, strerror(-error));
        if (fd >= 0)
            close(fd);
        fd = error;
    }
    freeaddrinfo(found);
    return fd;
}

static bool is_trusted(const struct httpd *h, const struct address *peer)
{
    return h->o.trusted && h->o.trusted(h->o.arg, peer);
}

static void count_connection(struct httpd *h, struct httpd_connection *c, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr || !address_of_socket(info->client_addr, &c->peer) ||
        is_trusted(h, &c->peer))
        return;
    httpd_limit_take(h->limit, &c->peer);
    c->counted = true;
}

static void connection_changes(void *arg, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode what)
{
    struct httpd *h = arg;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        struct httpd_connection *c = *context = httpd_watch_add(&h->watch, connection);
        count_connection(h, c, connection);
    } else if (*context) {
        struct httpd_connection *c = *context;
        if (c->counted)
            httpd_limit_give(h->limit, &c->peer);
        httpd_watch_remove(&h->watch, c);
        *context = NULL;
    }
}

/* Of a flood from one address only so many connections are taken; what comes through a trusted proxy is
 * counted by request. */
static enum MHD_Result accept_connection(void *arg, const struct sockaddr *from, socklen_t len)
{
    struct httpd *h = arg;
    struct address peer;
    int64_t most = h->o.connections_per_address;
    if (most == 0 || !address_of_socket(from, &peer) || is_trusted(h, &peer) ||
        httpd_limit_has_room(h->limit, &peer, most))
        return MHD_YES;
    h->over_limit++;
    return MHD_NO;
}

static void *watch_thread(void *arg)
{
    struct httpd *h = arg;
    while (!h->watch_ends) {
        httpd_watch_check(&h->watch);
        usleep(WATCH_EVERY_MS * 1000);
    }
    return NULL;
}

/* Its own messages may hold what a client sent: only that there was one is worth a line. */
static void mhd_says(void *arg, const char *format, va_list ap)
{
    log_debug("libmicrohttpd", L_STR("message", format));
}

static struct MHD_Daemon *start_daemon(struct httpd *h)
{
    unsigned seconds = (unsigned)MAX_OF((h->o.request_ms + 999) / 1000, 1);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, httpd_tls_callback()},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1"},
        {MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                                MHD_USE_ERROR_LOG | (h->tls ? MHD_USE_TLS : 0),
                            0, accept_connection, h, httpd_request_comes, h, MHD_OPTION_EXTERNAL_LOGGER,
                            mhd_says, h, MHD_OPTION_LISTEN_SOCKET, h->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)h->o.connections, MHD_OPTION_CONNECTION_TIMEOUT, seconds,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_BYTES, MHD_OPTION_URI_LOG_CALLBACK,
                            httpd_request_begins, h, MHD_OPTION_NOTIFY_COMPLETED, httpd_request_ends, h,
                            MHD_OPTION_NOTIFY_CONNECTION, connection_changes, h, MHD_OPTION_ARRAY,
                            h->tls ? tls : tls + COUNT_OF(tls) - 1, MHD_OPTION_END);
}

/* Every connection is a file, and a login shell's limit is often 1024. */
static void allow_files(const struct httpd *h)
{
    struct rlimit limit;
    int64_t all = atomic_fetch_add(&connections_of_all, h->o.connections) + h->o.connections;
    rlim_t wanted = (rlim_t)all + FILES_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = MIN_OF(wanted, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < wanted)
        log_warn("fewer files may be open than connections are allowed", L_STR("setting", h->section),
                 L_INT("limit", limit.rlim_cur));
}

static int start_tls(struct httpd *h, char **ret_why)
{
    if (!h->o.tls_certificate || !*h->o.tls_certificate)
        return 0;
    if (atomic_exchange(&tls_taken, true)) {
        *ret_why = xasprintf(
            "%stls_certificate: another address of this process has a certificate already; put a proxy "
            "before one of them",
            h->section);
        return -EBUSY;
    }
    h->tls = true;
    return httpd_tls_load(h->section, h->o.tls_certificate, h->o.tls_key, ret_why);
}

static int start(struct httpd *h, char **ret_why)
{
    int r = start_tls(h, ret_why);
    if (r == 0)
        r = h->listen_fd = listen_at(h->o.setting, h->o.listen, ret_why);
    if (r < 0)
        return r;
    h->port = bound_port(h->listen_fd);
    h->daemon = start_daemon(h);
    if (!h->daemon) {
        *ret_why = xasprintf("%s: the HTTP server cannot be started", h->o.setting);
        close(h->listen_fd);
        return -ENOMEM;
    }
    h->watch_runs = pthread_create(&h->watch_thread, NULL, watch_thread, h) == 0;
    if (!h->watch_runs) {
        log_error("watch thread cannot be started", L_ERRNO(-errno));
        abort();
    }
    return 0;
}

int httpd_start(const struct httpd_options *o, struct httpd **ret, char **ret_why)
{
    struct httpd *h = xcalloc(1, sizeof(*h));
    const char *dot = strrchr(o->setting, '.');
    h->o = *o;
    h->section = xstrndup(o->setting, dot ? (size_t)(dot + 1 - o->setting) : 0);
    h->limit = httpd_limit_new();
    httpd_watch_init(&h->watch, o->request_ms);
    allow_files(h);
    int r = start(h, ret_why);
    if (r < 0) {
        httpd_free(h);
        return r;
    }
    *ret = h;
    return 0;
}

int httpd_reload_tls(struct httpd *h, const char *certificate, const char *key, char **ret_why)
{
    *ret_why = NULL;
    if (!h->tls || !certificate || !*certificate)
        return 0;
    return httpd_tls_load(h->section, certificate, key, ret_why);
}

int httpd_port(const struct httpd *h)
{
    return h->port;
}

void httpd_stop(struct httpd *h, int64_t deadline_ms)
{
    int64_t until_ms = clock_mono_ms() + deadline_ms;
    int fd = MHD_quiesce_daemon(h->daemon);
    if (fd >= 0)
        close(fd);
    h->ending = true;
    httpd_watch_cut_streams(&h->watch);
    while (h->open > 0 && clock_mono_ms() < until_ms)
        usleep(5000);
    h->closed = true;
    while (h->owed > 0) /* a suspended connection must be resumed before the server may be stopped */
        usleep(5000);
}

void httpd_free(struct httpd *h)
{
    if (!h)
        return;
    h->watch_ends = true;
    if (h->watch_runs)
        pthread_join(h->watch_thread, NULL);
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    if (h->tls) {
        httpd_tls_unload();
        tls_taken = false;
    }
    connections_of_all -= h->o.connections;
    httpd_watch_deinit(&h->watch);
    httpd_limit_free(h->limit);
    free(h->section);
    free(h);
}

struct httpd_figures httpd_figures(const struct httpd *h)
{
    struct httpd_figures f = {
        .connections = h->watch.count, .too_slow = h->watch.ended, .over_limit = h->over_limit};
    for (size_t i = 0; i < COUNT_OF(f.answered); i++)
        f.answered[i] = h->answered[i];
    return f;
}

/* The HTTP server: one thread with epoll, limits on connections, memory and time. */
#include "callback/intake_internal.h"
#include "callback/intake_tls.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define MEMORY_BYTES   ((size_t)48 << 10) /* of a connection: the head, and a long query */
#define BACKLOG        1024
#define WATCH_EVERY_MS 500

size_t intake_record_max(int64_t body_bytes)
{
    return (size_t)body_bytes * 6 + MEMORY_BYTES * 6 + 65536;
}

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

static int listen_at(const char *address, char **ret_why)
{
    char host[256], port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    if (!split_address(address, host, sizeof(host), port, sizeof(port))) {
        *ret_why = xasprintf("callback.listen: '%s' is no host:port", address);
        return -1;
    }
    int r = getaddrinfo(*host ? host : NULL, port, &hints, &found);
    if (r != 0) {
        *ret_why = xasprintf("callback.listen: %s: %s", address, gai_strerror(r));
        return -1;
    }
    int yes = 1, fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        *ret_why = xasprintf("cannot listen on %s: %s", address, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static void count_connection(struct intake *i, struct watched *c, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    auto_gateways g = gateways_now_get(i->o.gateways);
    size_t trusted_count;
    const struct network *trusted = gateways_trusted(g, &trusted_count);
    if (!info || !info->client_addr || !address_of_socket(info->client_addr, &c->peer) ||
        auth_listed(trusted, trusted_count, &c->peer))
        return;
    limit_take(i->limit, &c->peer);
    c->counted = true;
}

static void connection_changes(void *arg, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode what)
{
    struct intake *i = arg;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        struct watched *c = *context = watch_add(&i->watch, connection);
        count_connection(i, c, connection);
    } else if (*context) {
        struct watched *c = *context;
        if (c->counted)
            limit_give(i->limit, &c->peer);
        watch_remove(&i->watch, *context);
        *context = NULL;
    }
}

/* Of a flood from one address only so many connections are taken; what comes through a trusted proxy is
 * counted by request. */
static enum MHD_Result accept_connection(void *arg, const struct sockaddr *from, socklen_t len)
{
    struct intake *i = arg;
    struct address peer;
    auto_gateways g = gateways_now_get(i->o.gateways);
    int64_t most = gateways_conf(g)->main.callback.connections_per_address;
    size_t trusted_count;
    const struct network *trusted = gateways_trusted(g, &trusted_count);
    if (!address_of_socket(from, &peer) || auth_listed(trusted, trusted_count, &peer) ||
        limit_has_room(i->limit, &peer, most))
        return MHD_YES;
    i->over_limit++;
    return MHD_NO;
}

static void *watch_thread(void *arg)
{
    struct intake *i = arg;
    while (!i->stopping) {
        watch_check(&i->watch);
        usleep(WATCH_EVERY_MS * 1000);
    }
    return NULL;
}

/* MHD's own messages may hold what a client sent: only that there was one is worth a line. */
static void mhd_says(void *arg, const char *format, va_list ap)
{
    log_debug("libmicrohttpd", L_STR("message", format));
}

static bool speaks_tls(const struct conf_main *m)
{
    return m->callback.tls_certificate[0] != '\0';
}

static struct MHD_Daemon *start_daemon(struct intake *i, const struct conf_main *m)
{
    unsigned seconds = (unsigned)MAX_OF((m->callback.request_ms + 999) / 1000, 1);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tls_callback()},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1"},
        {MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                                MHD_USE_ERROR_LOG | (speaks_tls(m) ? MHD_USE_TLS : 0),
                            0, accept_connection, i, intake_answer, i, MHD_OPTION_EXTERNAL_LOGGER, mhd_says,
                            i, MHD_OPTION_LISTEN_SOCKET, i->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)m->callback.connections, MHD_OPTION_CONNECTION_TIMEOUT, seconds,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_BYTES, MHD_OPTION_URI_LOG_CALLBACK,
                            intake_request_begins, i, MHD_OPTION_NOTIFY_COMPLETED, intake_request_ends, i,
                            MHD_OPTION_NOTIFY_CONNECTION, connection_changes, i, MHD_OPTION_ARRAY,
                            speaks_tls(m) ? tls : tls + COUNT_OF(tls) - 1, MHD_OPTION_END);
}

/* Every connection is a file, and a login shell's limit is often 1024. */
static void allow_files(int64_t connections)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + 256;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = MIN_OF(wanted, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < wanted)
        log_warn("fewer files may be open than callback.connections asks for",
                 L_INT("limit", limit.rlim_cur));
}

struct intake *intake_start(const struct intake_options *o, char **ret_why)
{
    struct intake *i = xcalloc(1, sizeof(*i));
    auto_gateways g = gateways_now_get(o->gateways);
    const struct conf_main *m = &gateways_conf(g)->main;
    i->o = *o;
    i->keeps = true;
    i->limit = limit_new();
    allow_files(m->callback.connections);
    watch_init(&i->watch, m->callback.request_ms);
    if (speaks_tls(m) && tls_load(m->callback.tls_certificate, m->callback.tls_key, ret_why) < 0) {
        intake_free(i);
        return NULL;
    }
    i->listen_fd = listen_at(m->callback.listen, ret_why);
    if (i->listen_fd < 0) {
        intake_free(i);
        return NULL;
    }
    i->port = bound_port(i->listen_fd);
    i->daemon = start_daemon(i, m);
    if (!i->daemon) {
        *ret_why = xstrdup("the HTTP server cannot be started");
        close(i->listen_fd);
        intake_free(i);
        return NULL;
    }
    i->watch_runs = pthread_create(&i->watch_thread, NULL, watch_thread, i) == 0;
    if (!i->watch_runs) {
        log_error("watch thread cannot be started", L_ERRNO(-errno));
        abort();
    }
    return i;
}

bool intake_reload(struct intake *i, char **ret_why)
{
    auto_gateways g = gateways_now_get(i->o.gateways);
    const struct conf_main *m = &gateways_conf(g)->main;
    *ret_why = NULL;
    return !speaks_tls(m) || tls_load(m->callback.tls_certificate, m->callback.tls_key, ret_why) == 0;
}

int intake_port(const struct intake *i)
{
    return i->port;
}

void intake_stop(struct intake *i, int64_t deadline_ms)
{
    int64_t until_ms = clock_mono_ms() + deadline_ms;
    int fd = MHD_quiesce_daemon(i->daemon);
    if (fd >= 0)
        close(fd);
    while ((i->open_requests > 0 && clock_mono_ms() < until_ms) || i->in_journal > 0)
        usleep(5000); /* what the journal has must be resumed before the server may be stopped */
}

void intake_free(struct intake *i)
{
    if (!i)
        return;
    i->stopping = true;
    if (i->watch_runs)
        pthread_join(i->watch_thread, NULL);
    if (i->daemon)
        MHD_stop_daemon(i->daemon);
    tls_unload();
    watch_deinit(&i->watch);
    limit_free(i->limit);
    free(i);
}

bool intake_keeps(const struct intake *i)
{
    return i->keeps;
}

void intake_put_figures(struct intake *i, struct figures *f)
{
    figures_set(f, "connections", i->watch.count);
    figures_set(f, "requests_2xx", i->answered[2]);
    figures_set(f, "requests_4xx", i->answered[4]);
    figures_set(f, "requests_5xx", i->answered[5]);
    figures_set(f, "reports", i->reports);
    figures_set(f, "unreadable", i->unreadable);
    figures_set(f, "refused_records", i->refused);
    figures_set(f, "not_kept", i->not_kept);
    figures_set(f, "too_slow", i->watch.ended);
    figures_set(f, "unauthorized", i->unauthorized);
    figures_set(f, "over_limit", i->over_limit);
}

/* One AMQP connection: the part of AMQP that publisher, consumer and the command line have in common.
 * librabbitmq does not reconnect, drops frames of other channels, and serves heartbeats only inside its
 * calls: hence one channel a connection, frames read one by one, and no call of its that waits for a certain
 * frame once the channel is up. */
#include "lib/mq_connection.h"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define SYSTEM_CA_FILE  "/etc/ssl/certs/ca-certificates.crt"
#define FRAME_MAX_BYTES 131072
#define POLITE_CLOSE_MS 300
#define CALL_TIMEOUT_MS MQ_CONNECT_TIMEOUT_MS

void mq_connection_init(struct mq_connection *c, const struct mq_options *opts)
{
    *c = (struct mq_connection){
        .host = xstrdup(opts->host),
        .vhost = xstrdup(opts->vhost && *opts->vhost ? opts->vhost : "/"),
        .user = xstrdup(opts->user ? opts->user : ""),
        .password = xstrdup(opts->password ? opts->password : ""),
        .name = xstrdup(opts->name ? opts->name : "smschain"),
        .ca_file = xstrdup(opts->ca_file),
        .port = opts->port,
        .heartbeat_s = MAX_OF(opts->heartbeat_s, 1),
        .tls = opts->tls,
        .fd = -1,
    };
    link_begin(&c->link, &links_broker);
}

static struct timeval as_timeval(int64_t ms)
{
    ms = MAX_OF(ms, 1);
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

static void set_call_timeout(struct mq_connection *c, int64_t ms)
{
    const struct timeval t = as_timeval(ms);
    (void)amqp_set_rpc_timeout(c->amqp, &t);
}

static void close_now(struct mq_connection *c)
{
    if (c->amqp)
        amqp_destroy_connection(c->amqp);
    c->amqp = NULL;
    c->fd = -1;
}

void mq_connection_deinit(struct mq_connection *c)
{
    /* The broker answers a close only if it reads: where our bytes pile up already, just go. */
    if (c->amqp && c->opened_mono_ms && mq_connection_writable(c)) {
        set_call_timeout(c, POLITE_CLOSE_MS);
        (void)amqp_connection_close(c->amqp, AMQP_REPLY_SUCCESS);
    }
    close_now(c);
    link_end(&c->link);
    free(c->host);
    free(c->vhost);
    free(c->user);
    free(c->password);
    free(c->name);
    free(c->ca_file);
    *c = (struct mq_connection){.fd = -1};
}

static void why_close(struct mq_connection *c, const char *what, int code, amqp_bytes_t text)
{
    snprintf(c->why, sizeof(c->why), "%s closed by the broker: %d %.*s", what, code,
             (int)MIN_OF(text.len, 200), text.len ? (const char *)text.bytes : "");
}

static void why_status(struct mq_connection *c, const char *what, int status)
{
    snprintf(c->why, sizeof(c->why), "%s: %s", what, amqp_error_string2(status));
}

int mq_connection_reply(struct mq_connection *c, amqp_rpc_reply_t reply, int *ret_channel_code)
{
    if (ret_channel_code)
        *ret_channel_code = 0;
    switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL:
        return 0;
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
        why_status(c, "broker", reply.library_error);
        return reply.library_error == AMQP_STATUS_TIMEOUT ? -ETIMEDOUT : -ECONNRESET;
    case AMQP_RESPONSE_SERVER_EXCEPTION:
        break;
    case AMQP_RESPONSE_NONE:
    default:
        snprintf(c->why, sizeof(c->why), "broker: end of stream");
        return -ECONNRESET;
    }
    if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *m = reply.reply.decoded;
        amqp_channel_close_ok_t ok = {0};

        why_close(c, "channel", m->reply_code, m->reply_text);
        if (ret_channel_code)
            *ret_channel_code = m->reply_code;
        if (amqp_send_method(c->amqp, MQ_CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok) != AMQP_STATUS_OK &&
            ret_channel_code)
            *ret_channel_code = 0;
        return -EPROTO;
    }
    if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *m = reply.reply.decoded;

        why_close(c, "connection", m->reply_code, m->reply_text);
        return -ECONNRESET;
    }
    snprintf(c->why, sizeof(c->why), "broker: unexpected method 0x%08X", reply.reply.id);
    return -EPROTO;
}

static int open_socket(struct mq_connection *c, int64_t deadline_mono_ms)
{
    amqp_socket_t *socket = c->tls ? amqp_ssl_socket_new(c->amqp) : amqp_tcp_socket_new(c->amqp);
    const struct timeval t = as_timeval(deadline_mono_ms - clock_mono_ms());

    if (!socket) {
        snprintf(c->why, sizeof(c->why), "no socket");
        return -ENOMEM;
    }
    if (c->tls) {
        const char *ca_file = c->ca_file && *c->ca_file ? c->ca_file : SYSTEM_CA_FILE;
        int status = amqp_ssl_socket_set_cacert(socket, ca_file);

        if (status != AMQP_STATUS_OK) {
            snprintf(c->why, sizeof(c->why), "CA file %s: %s", ca_file, amqp_error_string2(status));
            return -EINVAL;
        }
        amqp_ssl_socket_set_verify_peer(socket, 1);
        amqp_ssl_socket_set_verify_hostname(socket, 1);
        (void)amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
    }
    int status = amqp_socket_open_noblock(socket, c->host, c->port, &t);
    if (status != AMQP_STATUS_OK) {
        why_status(c, c->tls ? "connecting (TLS)" : "connecting", status);
        return -ECONNREFUSED;
    }
    c->fd = amqp_get_sockfd(c->amqp);
    const int on = 1;
    (void)setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    mq_connection_stall_allowed(c, false);
    return 0;
}

/* Asks to be told of connection.blocked and of a consumer that the broker cancels: the default login does
 * not. */
static amqp_rpc_reply_t login(struct mq_connection *c)
{
    const amqp_field_value_t yes = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1};
    amqp_table_entry_t can[] = {
        {amqp_cstring_bytes("connection.blocked"), yes},
        {amqp_cstring_bytes("consumer_cancel_notify"), yes},
        {amqp_cstring_bytes("publisher_confirms"), yes},
        {amqp_cstring_bytes("basic.nack"), yes},
        {amqp_cstring_bytes("authentication_failure_close"), yes},
    };
    amqp_table_entry_t about[] = {
        {amqp_cstring_bytes("capabilities"),
         {.kind = AMQP_FIELD_KIND_TABLE, .value.table = {.num_entries = COUNT_OF(can), .entries = can}}},
        {amqp_cstring_bytes("connection_name"),
         {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(c->name)}},
        {amqp_cstring_bytes("product"),
         {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("smschain")}},
    };
    const amqp_table_t properties = {.num_entries = COUNT_OF(about), .entries = about};

    return amqp_login_with_properties(c->amqp, c->vhost, MQ_CHANNEL, FRAME_MAX_BYTES, c->heartbeat_s,
                                      &properties, AMQP_SASL_METHOD_PLAIN, c->user, c->password);
}

int mq_connection_open(struct mq_connection *c)
{
    const int64_t deadline = clock_mono_ms() + MQ_CONNECT_TIMEOUT_MS;
    int r;

    close_now(c);
    c->opened_mono_ms = 0;
    c->amqp = amqp_new_connection();
    if (!c->amqp) {
        snprintf(c->why, sizeof(c->why), "no memory");
        return -ENOMEM;
    }
    r = open_socket(c, deadline);
    if (r < 0)
        return r;
    const struct timeval t = as_timeval(deadline - clock_mono_ms());
    (void)amqp_set_handshake_timeout(c->amqp, &t);
    set_call_timeout(c, deadline - clock_mono_ms());
    r = mq_connection_reply(c, login(c), NULL);
    if (r < 0)
        return r;
    /* What is still to be set up (channel, confirms, consumer) takes from the same time, but gets a little.
     */
    set_call_timeout(c, MAX_OF(deadline - clock_mono_ms(), CALL_TIMEOUT_MS / 3));
    return 0;
}

int mq_connection_open_channel(struct mq_connection *c)
{
    amqp_channel_open(c->amqp, MQ_CHANNEL);
    return mq_connection_reply(c, amqp_get_rpc_reply(c->amqp), NULL);
}

void mq_connection_up(struct mq_connection *c)
{
    set_call_timeout(c, CALL_TIMEOUT_MS);
    c->opened_mono_ms = clock_mono_ms();
    log_trouble_ends(&c->away, "broker is back");
    link_opened(&c->link);
}

void mq_connection_fail(struct mq_connection *c, const char *why)
{
    const int64_t now = clock_mono_ms();

    close_now(c);
    if (c->opened_mono_ms && now - c->opened_mono_ms > MQ_STEADY_MS)
        c->failures = 0;
    c->opened_mono_ms = 0;
    c->failures++;
    c->next_try_mono_ms = now + clock_backoff_ms(c->failures, MQ_BACKOFF_BASE_MS, MQ_BACKOFF_MAX_MS);
    const struct log_field fields[] = {L_STR("connection", c->name), L_STR("host", c->host),
                                       L_INT("port", c->port), L_STR("error", why)};
    link_lost(&c->link, why);
    log_trouble_begins(&c->away, "broker is away", fields, COUNT_OF(fields));
    log_fields(LOG_LEVEL_DEBUG, "broker connection failed", fields, COUNT_OF(fields));
}

bool mq_connection_due(const struct mq_connection *c, int64_t now_mono_ms, int64_t *ret_wait_ms)
{
    *ret_wait_ms = MAX_OF(c->next_try_mono_ms - now_mono_ms, 0);
    return *ret_wait_ms == 0;
}

int mq_connection_read(struct mq_connection *c, amqp_frame_t *ret)
{
    struct timeval none = {0};
    int status;

    amqp_maybe_release_buffers(c->amqp);
    status = amqp_simple_wait_frame_noblock(c->amqp, ret, &none);
    if (status == AMQP_STATUS_OK)
        return 0;
    if (status == AMQP_STATUS_TIMEOUT)
        return MQ_NOTHING;
    why_status(c, "reading", status);
    return -ECONNRESET;
}

enum mq_control mq_connection_control(struct mq_connection *c, const amqp_frame_t *frame)
{
    if (frame->frame_type != AMQP_FRAME_METHOD)
        return MQ_CONTROL_NONE;
    switch (frame->payload.method.id) {
    case AMQP_CONNECTION_BLOCKED_METHOD: {
        const amqp_connection_blocked_t *m = frame->payload.method.decoded;
        snprintf(c->why, sizeof(c->why), "%.*s", (int)MIN_OF(m->reason.len, 200),
                 m->reason.len ? (const char *)m->reason.bytes : "");
        return MQ_CONTROL_BLOCKED;
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        return MQ_CONTROL_UNBLOCKED;
    case AMQP_CONNECTION_CLOSE_METHOD: {
        const amqp_connection_close_t *m = frame->payload.method.decoded;
        amqp_connection_close_ok_t ok = {0};
        why_close(c, "connection", m->reply_code, m->reply_text);
        if (mq_connection_writable(c))
            (void)amqp_send_method(c->amqp, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
        return MQ_CONTROL_CLOSED;
    }
    default:
        return MQ_CONTROL_NONE;
    }
}

void mq_connection_channel_closed(struct mq_connection *c, const amqp_frame_t *frame)
{
    const amqp_channel_close_t *m = frame->payload.method.decoded;
    amqp_channel_close_ok_t ok = {0};

    why_close(c, "channel", m->reply_code, m->reply_text);
    (void)amqp_send_method(c->amqp, MQ_CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
}

bool mq_connection_writable(const struct mq_connection *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLOUT};
    int waiting = 0;

    if (c->fd < 0 || poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
        return false;
    return ioctl(c->fd, SIOCOUTQ, &waiting) != 0 || waiting <= (int)MQ_SOCKET_BACKLOG_BYTES;
}

void mq_connection_wait(const struct mq_connection *c, bool want_room, int64_t timeout_ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};

    /* Room is not only what POLLOUT says (see mq_connection_writable): look again soon. */
    if (want_room)
        timeout_ms = MIN_OF(timeout_ms, 5);
    /* Heartbeats are sent in mq_connection_read only: be back there in time. */
    timeout_ms = MIN_OF(timeout_ms, MIN_OF(MQ_PUMP_EVERY_MS, c->heartbeat_s * 1000 / 2));
    (void)poll(&p, c->fd >= 0 ? 1 : 0, (int)MAX_OF(timeout_ms, 0));
}

void mq_connection_stall_allowed(struct mq_connection *c, bool allowed)
{
    const unsigned ms = allowed ? 0 : MQ_STALL_MS;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

bool mq_bytes_equal(amqp_bytes_t a, const char *s)
{
    const size_t len = strlen(s);
    return a.len == len && memcmp(a.bytes, s, len) == 0;
}

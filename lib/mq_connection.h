/* One AMQP connection with one channel (number 1), as publisher, consumer and the command line share it:
 * opening with a deadline, reading frames without waiting, back-off between tries, and ending it with a
 * reason. Only lib/mq*.c include this. */
#pragma once
#include "lib/base.h"
#include "lib/clock.h"
#include "lib/links.h"
#include "lib/log.h"
#include "lib/mq.h"

#include <amqp.h>
#include <amqp_framing.h>

#define MQ_CHANNEL         1
#define MQ_BACKOFF_BASE_MS 200
#define MQ_BACKOFF_MAX_MS  10000
#define MQ_STEADY_MS       10000 /* a connection that held so long begins its back-off anew */
#define MQ_STALL_MS        15000 /* a socket that takes nothing for so long is broken */
#define MQ_SOCKET_BACKLOG_BYTES                                                                              \
    (256u << 10) /* above this in the kernel's send queue nothing more is written */

struct mq_connection {
    char *host, *vhost, *user, *password, *name, *ca_file;
    int port, heartbeat_s;
    bool tls;

    amqp_connection_state_t amqp; /* NULL: closed */
    int fd;                       /* -1: closed */
    int64_t opened_mono_ms;
    unsigned failures;
    int64_t next_try_mono_ms;
    struct log_trouble away;
    struct link link;
    char why[256]; /* of the last failure */
};

void mq_connection_init(struct mq_connection *c, const struct mq_options *opts);
void mq_connection_deinit(struct mq_connection *c); /* polite where that takes no time */

/* Opens socket and connection, both within MQ_CONNECT_TIMEOUT_MS. < 0: c->why. */
int must_check mq_connection_open(struct mq_connection *c);
/* Opens the channel; 0, or < 0 with c->why. */
int must_check mq_connection_open_channel(struct mq_connection *c);
/* All is set up: ends the trouble. */
void mq_connection_up(struct mq_connection *c);
/* The one end of a connection: closes it, says why (once), sets the time of the next try. */
void mq_connection_fail(struct mq_connection *c, const char *why);
/* May it be opened now? Else *ret_wait_ms says when. */
bool mq_connection_due(const struct mq_connection *c, int64_t now_mono_ms, int64_t *ret_wait_ms);

enum { MQ_NOTHING = 1 };
/* The next frame, without waiting; valid until the next call. MQ_NOTHING: none. < 0: broken, c->why.
 * Heartbeats are served in here. */
int must_check mq_connection_read(struct mq_connection *c, amqp_frame_t *ret);
enum mq_control { MQ_CONTROL_NONE, MQ_CONTROL_BLOCKED, MQ_CONTROL_UNBLOCKED, MQ_CONTROL_CLOSED };
/* What a frame of channel 0 means; answers a close. */
enum mq_control mq_connection_control(struct mq_connection *c, const amqp_frame_t *frame);
/* Answers a channel.close and writes its text to c->why. */
void mq_connection_channel_closed(struct mq_connection *c, const amqp_frame_t *frame);
/* Is there room in the socket, so that writing a frame does not wait? */
bool mq_connection_writable(const struct mq_connection *c);
/* Waits until the socket is readable (or has room, if want_room) or timeout_ms is over. */
void mq_connection_wait(const struct mq_connection *c, bool want_room, int64_t timeout_ms);
/* While the broker reads nothing on purpose (connection.blocked), an unread send queue is no fault. */
void mq_connection_stall_allowed(struct mq_connection *c, bool allowed);

/* 0: a normal reply. < 0: c->why holds the library's or the server's words; a channel closed by the server is
 * answered (*ret_channel_code its code, 404 for example, 0: the connection is broken). */
int must_check mq_connection_reply(struct mq_connection *c, amqp_rpc_reply_t reply, int *ret_channel_code);
bool mq_bytes_equal(amqp_bytes_t a, const char *s);

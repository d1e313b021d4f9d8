/* RabbitMQ: the only place that knows AMQP. A publisher and a consumer are separate connections, each used by one
 * thread; both connect by themselves, again and again with jittered back-off, inside their pump. Queues and exchange
 * are declared by `smschain migrate`; here they are only looked at (passive declare).
 *
 * Nothing here blocks longer than its timeout_ms, except that opening a connection may take MQ_CONNECT_TIMEOUT_MS.
 * Call a pump at least every MQ_PUMP_EVERY_MS: heartbeats are served in it, and only there. */
#pragma once
#include "lib/base.h"

#define MQ_EXCHANGE           "sms"
#define MQ_CONNECT_TIMEOUT_MS 3000
#define MQ_PUMP_EVERY_MS      5000

#define MQ_QUEUE_DEAD    "sms.dead"
#define MQ_QUEUE_INBOUND "sms.inbound"
/* Requests on demand from other systems. They publish to an exchange of this name: a right to write to MQ_EXCHANGE would
 * be one to every queue. */
#define MQ_QUEUE_REQUEST    "sms.request"
#define MQ_EXCHANGE_REQUEST "sms.request"
#define MQ_QUEUE_SIZE    128
/* "sms.render.bulk", "sms.dispatch.alpha.bulk", "sms.update.0": each returns out. */
char *mq_queue_render(const char *lane, char out[MQ_QUEUE_SIZE]);
char *mq_queue_dispatch(const char *gateway, const char *lane, char out[MQ_QUEUE_SIZE]);
char *mq_queue_update(unsigned shard, char out[MQ_QUEUE_SIZE]);
/* The update queue of a gateway (all steps of one gateway go to one shard; gateway NULL: shard 0). */
unsigned mq_update_shard(const char *gateway, unsigned shards);

struct mq_options {
    const char *host, *vhost, *user, *password;
    int port;
    const char *name;    /* shown in the broker's list of connections: "dispatch alpha" */
    int heartbeat_s;     /* > 0 */
    bool tls;
    const char *ca_file; /* NULL: the system's */
};

/* ---- publishing: a window of unconfirmed messages, kept until the broker has confirmed them ---- */
struct mq_publisher;
struct mq_publish_limits {
    size_t messages; /* unconfirmed at most; 0: 1000 */
    size_t bytes;    /* unconfirmed at most; 0: 2 MiB (under a broker's alarm ~3.6 MB block for ever) */
};
struct mq_message {
    const char *queue; /* routing key on MQ_EXCHANGE: the queue's name */
    const void *body;  /* copied */
    size_t len;
    uint64_t cookie;   /* given back with the outcome */
    bool with_user;    /* says who publishes it (user-id): the broker lets nobody say another name than his own */
    const char *dead_from, *dead_why; /* sms.dead only: written as headers x-smschain-from, -why, -at */
};
struct mq_outcome {
    uint64_t cookie;
    bool confirmed; /* false: returned as unroutable (no such queue): not published; the caller decides */
};
enum {
    MQ_FULL = 1, /* the window is full: pump, then try again */
};
/* opts and limits are copied. Never fails; the connection comes up in the pump. */
struct mq_publisher *mq_publisher_new(const struct mq_options *opts, const struct mq_publish_limits *limits);
void mq_publisher_free(struct mq_publisher *p); /* what is unconfirmed may or may not be in the queue */
/* Takes the message (0) or MQ_FULL. A nack or a broken connection is retried inside until confirmed or returned. */
int must_check mq_publish(struct mq_publisher *p, const struct mq_message *m);
/* Connects if need be, sends, reads confirms; returns when something was settled or timeout_ms is over. */
void mq_publisher_pump(struct mq_publisher *p, int timeout_ms);
bool mq_publisher_next(struct mq_publisher *p, struct mq_outcome *ret); /* outcomes in the order they came */
size_t mq_publisher_unconfirmed(const struct mq_publisher *p);
bool mq_publisher_connected(const struct mq_publisher *p);
bool mq_publisher_blocked(const struct mq_publisher *p); /* the broker has raised an alarm (connection.blocked) */
int mq_publisher_fd(const struct mq_publisher *p);       /* -1 while not connected; for poll: readable -> pump(0) */
/* Publishes and waits for the outcome of all messages so far: 0, or -ETIMEDOUT after timeout_ms. For tools and ends. */
int must_check mq_publisher_flush(struct mq_publisher *p, int timeout_ms);

/* ---- consuming ---- */
struct mq_consumer;
struct mq_delivery {
    uint64_t epoch; /* of the channel it came on: tags are worth nothing on another */
    uint64_t tag;
    char *body;     /* owned by the receiver: mq_delivery_deinit */
    size_t len;
    bool redelivered;
    char *message_id, *user; /* as the publisher wrote them, the user as the broker vouches for it; NULL: none */
    char *dead_from, *dead_why, *dead_at; /* of sms.dead: the headers x-smschain-from, -why, -at as they came; NULL: none */
};
void mq_delivery_deinit(struct mq_delivery *d);
struct mq_consumer *mq_consumer_new(const struct mq_options *opts, const char *queue, uint16_t prefetch);
void mq_consumer_free(struct mq_consumer *c);
/* Connects if need be, reads deliveries until some have come or timeout_ms is over. */
void mq_consumer_pump(struct mq_consumer *c, int timeout_ms);
bool mq_consumer_next(struct mq_consumer *c, struct mq_delivery *ret);
/* Acks one delivery, or it and all before it on its channel. A past epoch is left alone: the broker gives it again. */
void mq_consumer_ack(struct mq_consumer *c, uint64_t epoch, uint64_t tag, bool multiple);
/* Closes the channel: everything unacked goes back to the queue, `next` gives nothing more of it. */
void mq_consumer_pause(struct mq_consumer *c);
void mq_consumer_resume(struct mq_consumer *c); /* opens a new channel in the next pump */
bool mq_consumer_paused(const struct mq_consumer *c);
uint64_t mq_consumer_epoch(const struct mq_consumer *c); /* of the channel open now; 0: none */
bool mq_consumer_connected(const struct mq_consumer *c);
int mq_consumer_fd(const struct mq_consumer *c);

/* ---- set-up and a look, for the command line (blocking, one connection for the call) ---- */
/* Declares the exchange and one queue with its arguments; < 0 with *ret_why (caller frees). */
int must_check mq_declare(const struct mq_options *opts, const char *const *queues, size_t count, char **ret_why);
/* Messages ready in each queue, -1 where the queue does not exist. */
int must_check mq_depths(const struct mq_options *opts, const char *const *queues, size_t count, int64_t *ret_ready,
                         char **ret_why);

/* Names of the queues, and what `smschain migrate` and `smschain status` ask of the broker: one connection
 * for one call, waiting for each answer. */
#include "lib/mq_connection.h"

#include <stdio.h>

#define NOT_FOUND          404
#define SHARD_QUEUE_PREFIX "sms.update."

static char *checked(int len, char out[MQ_QUEUE_SIZE])
{
    if (len < 0 || len >= MQ_QUEUE_SIZE) {
        /* Names of gateways are checked to be short when the configuration is loaded. */
        log_error("a queue's name is too long", L_STR("begins", out));
        abort();
    }
    return out;
}

char *mq_queue_render(const char *lane, char out[MQ_QUEUE_SIZE])
{
    return checked(snprintf(out, MQ_QUEUE_SIZE, "sms.render.%s", lane), out);
}

char *mq_queue_dispatch(const char *gateway, const char *lane, char out[MQ_QUEUE_SIZE])
{
    return checked(snprintf(out, MQ_QUEUE_SIZE, "sms.dispatch.%s.%s", gateway, lane), out);
}

char *mq_queue_update(unsigned shard, char out[MQ_QUEUE_SIZE])
{
    return checked(snprintf(out, MQ_QUEUE_SIZE, SHARD_QUEUE_PREFIX "%u", shard), out);
}

unsigned mq_update_shard(const char *gateway, unsigned shards)
{
    uint32_t hash =
        2166136261u; /* FNV-1a: the same in every service and version, for steps already in queues */

    if (!gateway || shards <= 1)
        return 0;
    for (; *gateway; gateway++)
        hash = (hash ^ (uint8_t)*gateway) * 16777619u;
    return hash % shards;
}

static int bind(struct mq_connection *c, const char *queue, const char *exchange)
{
    amqp_queue_bind(c->amqp, MQ_CHANNEL, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                    amqp_cstring_bytes(queue), amqp_empty_table);
    return mq_connection_reply(c, amqp_get_rpc_reply(c->amqp), NULL);
}

static int declare_exchange(struct mq_connection *c, const char *exchange)
{
    amqp_exchange_declare(c->amqp, MQ_CHANNEL, amqp_cstring_bytes(exchange), amqp_cstring_bytes("direct"), 0,
                          1, 0, 0, amqp_empty_table);
    return mq_connection_reply(c, amqp_get_rpc_reply(c->amqp), NULL);
}

static int declare_queue(struct mq_connection *c, const char *queue)
{
    const amqp_bytes_t name = amqp_cstring_bytes(queue);
    amqp_table_entry_t entries[] = {
        {amqp_cstring_bytes("x-queue-type"),
         {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("quorum")}},
        {amqp_cstring_bytes("x-single-active-consumer"),
         {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}},
    };
    const bool single = strncmp(queue, SHARD_QUEUE_PREFIX, strlen(SHARD_QUEUE_PREFIX)) == 0;
    const amqp_table_t arguments = {.num_entries = single ? 2 : 1, .entries = entries};
    int r;

    amqp_queue_declare(c->amqp, MQ_CHANNEL, name, 0, 1, 0, 0, arguments);
    r = mq_connection_reply(c, amqp_get_rpc_reply(c->amqp), NULL);
    if (r == 0)
        r = bind(c, queue, MQ_EXCHANGE);
    if (r == 0 && strcmp(queue, MQ_QUEUE_REQUEST) == 0) {
        r = declare_exchange(c, MQ_EXCHANGE_REQUEST);
        if (r == 0)
            r = bind(c, queue, MQ_EXCHANGE_REQUEST);
    }
    return r;
}

static int declare_all(struct mq_connection *c, const char *const *queues, size_t count)
{
    int r = mq_connection_open(c);

    if (r < 0)
        return r;
    r = mq_connection_open_channel(c);
    if (r < 0)
        return r;
    mq_connection_up(c);
    r = declare_exchange(c, MQ_EXCHANGE);
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = declare_queue(c, queues[i]);
        amqp_maybe_release_buffers(c->amqp);
    }
    return r;
}

int mq_declare(const struct mq_options *opts, const char *const *queues, size_t count, char **ret_why)
{
    struct mq_connection c;
    int r;

    mq_connection_init(&c, opts);
    r = declare_all(&c, queues, count);
    *ret_why = r < 0 ? xstrdup(c.why) : NULL;
    mq_connection_deinit(&c);
    return r;
}

/* A look at a queue that is not there closes the channel: the next look needs a new one. */
static int depth(struct mq_connection *c, const char *queue, int64_t *ret_ready)
{
    int code, r;
    const amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(c->amqp, MQ_CHANNEL, amqp_cstring_bytes(queue), 1, 1, 0, 0, amqp_empty_table);

    *ret_ready = ok ? (int64_t)ok->message_count : -1;
    r = mq_connection_reply(c, amqp_get_rpc_reply(c->amqp), &code);
    if (r < 0 && code == NOT_FOUND)
        r = mq_connection_open_channel(c);
    amqp_maybe_release_buffers(c->amqp);
    return r;
}

int mq_depths(const struct mq_options *opts, const char *const *queues, size_t count, int64_t *ret_ready,
              char **ret_why)
{
    struct mq_connection c;
    int r;

    mq_connection_init(&c, opts);
    r = mq_connection_open(&c);
    if (r == 0)
        r = mq_connection_open_channel(&c);
    if (r == 0)
        mq_connection_up(&c);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = depth(&c, queues[i], &ret_ready[i]);
    *ret_why = r < 0 ? xstrdup(c.why) : NULL;
    mq_connection_deinit(&c);
    return r;
}

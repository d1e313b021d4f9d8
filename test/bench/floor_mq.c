/* The floor of the broker: CHUNKS bodies of BYTES published with confirms to a quorum queue and consumed with acks.
 *   floor_mq HOST PORT VHOST USER PASSWORD CHUNKS BYTES        the queue sms.dead is used and must be empty
 * Prints one JSON line: {"chunks":…,"publish_s":…,"consume_s":…} */
#include "lib/clock.h"
#include "lib/mq.h"
#include <stdio.h>

static double publish_all(const struct mq_options *o, int chunks, size_t bytes)
{
    struct mq_publisher *p = mq_publisher_new(o, NULL);
    char *body = xmalloc(bytes);
    int64_t begun = 0;
    struct mq_outcome outcome;

    memset(body, 'x', bytes);
    while (!mq_publisher_connected(p))
        mq_publisher_pump(p, 100);
    begun = clock_mono_ms();
    for (int i = 0; i < chunks;) {
        if (mq_publish(p, &(struct mq_message){.queue = MQ_QUEUE_DEAD, .body = body, .len = bytes, .dead_from = "bench",
                                               .dead_why = "bench"}) == 0) {
            i++;
            continue;
        }
        mq_publisher_pump(p, 100);
        while (mq_publisher_next(p, &outcome))
            ;
    }
    if (mq_publisher_flush(p, 60000) != 0)
        exit(1);
    free(body);
    mq_publisher_free(p);
    return (double)(clock_mono_ms() - begun) / 1000.0;
}

static double consume_all(const struct mq_options *o, int chunks)
{
    struct mq_consumer *c = mq_consumer_new(o, MQ_QUEUE_DEAD, 200);
    int64_t begun = clock_mono_ms();
    struct mq_delivery d;

    for (int got = 0; got < chunks;) {
        mq_consumer_pump(c, 100);
        while (mq_consumer_next(c, &d)) {
            got++;
            if (got % 50 == 0 || got == chunks)
                mq_consumer_ack(c, d.epoch, d.tag, true);
            mq_delivery_deinit(&d);
        }
    }
    mq_consumer_free(c);
    return (double)(clock_mono_ms() - begun) / 1000.0;
}

int main(int argc, char **argv)
{
    struct mq_options o = {.name = "floor", .heartbeat_s = 20};
    double published, consumed;

    if (argc != 8) {
        fprintf(stderr, "usage: floor_mq HOST PORT VHOST USER PASSWORD CHUNKS BYTES\n");
        return 2;
    }
    o.host = argv[1];
    o.port = atoi(argv[2]);
    o.vhost = argv[3];
    o.user = argv[4];
    o.password = argv[5];
    published = publish_all(&o, atoi(argv[6]), (size_t)atoll(argv[7]));
    consumed = consume_all(&o, atoi(argv[6]));
    printf("{\"chunks\":%s,\"publish_s\":%.3f,\"consume_s\":%.3f}\n", argv[6], published, consumed);
    return 0;
}

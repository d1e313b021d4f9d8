/* Fills the update queue for the measurement of the batching consumer: steps 100, 101 and 102 of MESSAGES messages with
 * consecutive sms_ids, in chunks of 500 records, each kind in the order in which dispatch and intake would tell them.
 *   step_load HOST PORT VHOST USER PASSWORD GATEWAY FIRST_SMS_ID MESSAGES */
#include "lib/clock.h"
#include "lib/mq.h"
#include "lib/record.h"
#include "lib/seq_id.h"
#include <stdio.h>

enum { CHUNK = 500 };

static void add_step(struct buf *body, int step, const char *gateway, int64_t sms_id, int64_t n)
{
    char seq_id[SEQ_ID_SIZE], msg_id[32];
    struct step_record r = {.step = step, .at = clock_wall_ms(), .gateway = (char *)(uintptr_t)gateway,
                            .number = 491510000000 + n};

    snprintf(msg_id, sizeof(msg_id), "m%llx", (unsigned long long)n);
    if (step != STEP_STATUS)
        r.seq_id = seq_id_format(&(struct seq_id){sms_id, 1, 1}, seq_id);
    if (step == STEP_SUBMITTED)
        r.segments = 1;
    if (step != STEP_SUBMITTED)
        r.msg_id = msg_id;
    if (step == STEP_STATUS) {
        r.state = (char *)(uintptr_t)"delivered";
        r.reason = (char *)(uintptr_t)"DELIVRD";
        r.gateway_at = r.at;
    }
    chunk_add_step(body, &r);
}

static void publish(struct mq_publisher *p, const char *queue, struct buf *body)
{
    struct mq_outcome outcome;

    while (mq_publish(p, &(struct mq_message){.queue = queue, .body = body->data, .len = body->len}) != 0)
        mq_publisher_pump(p, 100);
    while (mq_publisher_next(p, &outcome))
        if (!outcome.confirmed)
            exit(1);
}

int main(int argc, char **argv)
{
    static const int steps[] = {STEP_SUBMITTED, STEP_ACCEPTED, STEP_STATUS};
    struct mq_options o = {.name = "step load", .heartbeat_s = 20};
    struct mq_publisher *p;
    char queue[MQ_QUEUE_SIZE];
    int64_t first, messages;

    if (argc != 9) {
        fprintf(stderr, "usage: step_load HOST PORT VHOST USER PASSWORD GATEWAY FIRST_SMS_ID MESSAGES\n");
        return 2;
    }
    o.host = argv[1];
    o.port = atoi(argv[2]);
    o.vhost = argv[3];
    o.user = argv[4];
    o.password = argv[5];
    first = atoll(argv[7]);
    messages = atoll(argv[8]);
    mq_queue_update(0, queue);
    p = mq_publisher_new(&o, NULL);
    for (int64_t from = 0; from < messages; from += CHUNK) {
        for (size_t s = 0; s < COUNT_OF(steps); s++) {
            auto_buf body = {0};

            chunk_begin(&body, RECORD_STEPS);
            for (int64_t n = from; n < from + CHUNK && n < messages; n++)
                add_step(&body, steps[s], argv[6], first + n, n);
            chunk_end(&body);
            publish(p, queue, &body);
        }
    }
    if (mq_publisher_flush(p, 60000) != 0)
        return 1;
    mq_publisher_free(p);
    return 0;
}

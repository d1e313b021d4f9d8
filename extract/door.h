/* The door: requests on demand out of the queue sms.request. Whose a request is says the broker (AMQP's
 * user-id), its idempotency key is the message-id; it is acked after it was entered, or after what became of
 * it stands in sms.dead. */
#pragma once
#include "extract/asked.h"

struct door_options {
    const struct conf_main *main; /* copied */
    struct asked_current *current;
    struct asked_writer *writer;
    /* A body {"task_id": "…"}, the sign that a task is ready; called on the door's thread. 0 taken; > 0
     * refused, *ret_why is the door's; < 0 not now, it comes again. NULL: there are no tasks. */
    int (*task_ready)(void *arg, const char *task_id, char **ret_why);
    void *arg;
};
struct door;
struct door *door_start(const struct door_options *o);
/* After stop_requested: what is being entered is waited for and acked, the rest stays in its queue. Then the
 * writer is stopped, which may answer the door still, and then the door is freed. NULL is allowed. */
void door_join(struct door *d);
void door_free(struct door *d);

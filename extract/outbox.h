/* The outbox's publishers, one a lane: each takes chunks that may leave, publishes them with confirms, marks
 * them. Any number of processes may do it at the same time (FOR UPDATE SKIP LOCKED). Dying between the confirm
 * and the mark publishes a chunk twice: the claim takes care of it. */
#pragma once
#include "extract/run.h"
#include "lib/conf.h"

struct outbox;
struct outbox *outbox_start(const struct conf *conf,
                            struct extract_shared *shared); /* copies what it needs */
/* Something of the instant lane was committed by this process: it is looked for at once, not at the next poll.
 * Any thread, until outbox_join. */
void outbox_wake(struct outbox *o);
void outbox_join(struct outbox *o); /* after stop_requested: waits for its end, frees it */

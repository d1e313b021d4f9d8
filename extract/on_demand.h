/* Messages on demand as a part of the process: the configuration in force, the rates, the writer, and the
 * doors. */
#pragma once
#include "extract/asked.h"
#include "extract/run.h"

struct on_demand_options {
    struct confhold *hold; /* held by itself */
    struct extract_shared *shared;
    void (*committed)(void *arg); /* as asked_writer_options */
    void *arg;
};
struct on_demand;
/* NULL: why says what is wrong with the configuration. */
struct on_demand *on_demand_start(const struct on_demand_options *o, struct buf *why);
/* Another configuration: callers' keys, caps, rates, templates and routes count from the next request on.
 * -EINVAL: why; then the old one stays. */
int must_check on_demand_reload(struct on_demand *o, struct confhold *hold, struct buf *why);
/* After stop_requested: what was taken is answered first. */
void on_demand_stop(struct on_demand *o);

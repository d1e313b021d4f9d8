/* What a gateway's dispatcher tells of itself: its figures are metrics as well, and beside them stand
 * durations, a loop and two checks. Counted is in the dispatcher, once. */
#pragma once
#include "lib/health.h"
#include "lib/record.h"
#include "lib/service.h"

struct measure {
    struct series *claim, *submit, *wait[2], *last_accepted; /* wait: by lane */
    struct loop *loop;
    struct health *place, *history;
    int64_t claim_us; /* when the statement under way was started; 0: none */
};
struct dispatcher;
void measure_init(struct dispatcher *d); /* after its figures */
void measure_deinit(struct dispatcher *d);
void measure_ready(struct dispatcher *d); /* about every second: what /readyz says */

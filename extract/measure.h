/* What extract tells of itself beside its figures, which are metrics as well. One for the process. */
#pragma once
#include "lib/health.h"
#include "lib/service.h"

enum { MEASURE_INSTANT, MEASURE_BULK, MEASURE_LANES };
struct measure {
    struct series *rows_new, *rows_duplicate, *rows_invalid, *rows_suppressed, *rows_gone; /* of whole passes */
    struct series *runs_read, *runs_held, *runs_closed, *runs_again;
    struct series *group, *last_group;
    struct series *outbox_wait[MEASURE_LANES], *outbox_publish[MEASURE_LANES], *outbox_last[MEASURE_LANES];
    struct health *history;
};
extern const struct figure_metric measure_figures[];
struct measure *measure_new(void);
void measure_free(struct measure *m);

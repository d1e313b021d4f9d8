/* Which of callback's figures are metrics, too, and what is measured beside them. */
#pragma once
#include "lib/service.h"

extern const struct figure_metric measure_whole[], measure_intake[];
extern const struct figure_metric measure_consumer[]; /* of one shard: its number is the first label's value */

struct apply_figures;
struct measure; /* of one shard's flushes */
struct measure *measure_new(const char *shard);
void measure_free(struct measure *m);
void measure_flush(struct measure *m, const struct apply_figures *last); /* it is committed */

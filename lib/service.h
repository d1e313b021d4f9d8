/* A process's live figures in the table `service`, written at most once a second (for status and the page). */
#pragma once
#include "lib/base.h"
#include "lib/db.h"
#include "lib/metrics.h"

struct figures; /* named numbers and words of one part ("dispatch", gateway "alpha"), set at will, sent as one JSON */
struct figures *figures_new(const char *service, const char *part); /* part "" : the whole process */
void figures_free(struct figures *f);
void figures_set(struct figures *f, const char *name, int64_t value);
void figures_set_str(struct figures *f, const char *name, const char *value);
/* Writes if a second has passed. Errors are left to the next real statement: < 0 only when the connection is gone. */
int figures_write(struct figures *f, struct db *d);

/* What is counted once is told twice: from now on the figures named in `rows` (figure NULL at the end) are metrics as
 * well, set whenever the figure is. `of` is the value of the metrics' first label (a gateway's name); NULL: they have
 * none such. */
struct figure_metric {
    const char *figure;
    const struct metric *metric;
    const char *value; /* of the label after `of`; NULL: none */
    const char *word;  /* of a figure that is a word: 1 while it is this one, else 0 */
};
void figures_tell(struct figures *f, const struct figure_metric *rows, const char *of);

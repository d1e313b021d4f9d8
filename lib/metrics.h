/* What a process counts and measures, as Prometheus reads it (text format 0.0.4). A metric is declared once,
 * as a constant beside what it measures; a series of it is one set of label values. Counting takes no lock:
 * an atomic addition. Two series with equal labels are told as one, their values added up. Labels say
 * gateway, lane, state and the like, from lists that the configuration or the code bounds; never a number, an
 * id or a text: series_new sees to it. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_SECONDS, /* a histogram of durations */
};
#define METRIC_LABELS_MAX 2
#define METRIC_SERIES_MAX 2048 /* of one metric; above it label values become "other" */
struct metric {
    const char *name; /* "smschain_render_texts_total" */
    const char *help;
    enum metric_type type;
    const char *labels[METRIC_LABELS_MAX]; /* keys, all of metric_label_keys */
    int64_t per; /* the value is told divided by this: 1000 where milliseconds are set; 0: as it is */
};
extern const char *const metric_label_keys[]; /* NULL at the end */

struct series;
/* a, b: the values of the labels in their order; NULL or "": this one is left out. A value that could be a
 * person's (longer than a name, seven digits in a row) is told as "other". */
struct series *series_new(const struct metric *m, const char *a, const char *b);
void series_free(struct series *s); /* it is not told any more */
/* Any thread; s may be NULL. Counters and histograms are told from the beginning, a gauge from its first value on. */
void series_add(struct series *s, int64_t n);
void series_set(struct series *s, int64_t value);     /* also a counter that is counted elsewhere */
void series_observe_us(struct series *s, int64_t us); /* METRIC_SECONDS */
int64_t series_value(const struct series *s);         /* of a histogram: how many were observed */

void metrics_print(struct buf *out); /* all series, and the process's own figures */
void metrics_print_process(struct buf *out);

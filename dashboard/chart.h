/* Charts as SVG, made on the server: stacked columns over time, with a scale, a key and the figures as a
 * table for who cannot see it. Pure. */
#pragma once
#include "dashboard/html.h"

#define CHART_SERIES_MAX  12
#define CHART_COLUMNS_MAX 400

struct chart {
    const char *title, *unit; /* "Messages by state", "messages" */
    size_t series_count, column_count;
    struct chart_series {
        const char *word, *class; /* class: the colour (style.css) */
    } series[CHART_SERIES_MAX];
    const int64_t *values; /* column_count rows of series_count */
    char (*labels)[32];    /* of each column: "08:15", "2026-01-31" */
};
/* The least round number (1, 2 or 5 times a power of ten) times `steps` that reaches max; the step. */
int64_t chart_step(int64_t max, int steps);
void chart_add(struct buf *out, const struct chart *c);

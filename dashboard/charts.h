/* Charts over time out of the counters: by the minute a state was reached (stats_minute), or by the day
 * messages were entered on and where they stand now (stats). Never out of messages. */
#pragma once
#include "dashboard/page.h"

enum chart_by { CHART_BY_STATE = 1, CHART_BY_GATEWAY, CHART_BY_REASON, CHART_BY_RULE };
struct chart_question {
    const char *title;
    enum chart_by by;
    int days;        /* chart_days */
    int64_t back_ms; /* chart_minutes: how far back, and how much a column is */
    int column_s;
    int32_t gateway, rule; /* word.id, rule.id; 0: all */
};
int must_check chart_days(struct page *p, const struct chart_question *q);
int must_check chart_minutes(struct page *p,
                             const struct chart_question *q); /* by state or gateway; no rule */

/* Lists of runs, as tables: the rows of runs.sql, whose columns begin like those of run.sql and now_runs.sql.
 */
#pragma once
#include "dashboard/runs.h"

enum run_column {
    RUN_ID,
    RUN_RULE,
    RUN_SCHEDULED,
    RUN_STATE,
    RUN_WHY,
    RUN_ORIGIN,
    RUN_PUBLISH,
    RUN_COMPLETE,
    RUN_ROWS,
    RUN_GONE,
    RUN_NEW,
    RUN_DUPLICATE,
    RUN_INVALID,
    RUN_SUPPRESSED,
    RUN_SEEN,
    RUN_STARTED,
    RUN_ENDED,
    RUN_COLUMNS
};
struct run_stand run_stand_of(const struct db_result *r, int i);
const char *run_phase_of(const struct db_result *r, int i, const struct run_counts *c, enum phase *ret);
/* `which`: NULL: all rows; else those for which it says true. Returns how many. */
int run_table(struct page *p, const struct db_result *r, const struct run_counts *c, bool with_rule,
              bool (*which)(const struct db_result *r, int i, const struct run_counts *c));
const char *run_origin_words(const char *origin);

/* The source of tasks' rows: the pipeline's own table task_row. See source.h for what it keeps. */
#pragma once
#include "extract/source.h"

#define SOURCE_TASK_TIMEOUT_MS 60000 /* of one page of rows */
struct source *source_task_open(const struct conf_main *conf, const struct conf_rule *rule, int64_t run_id,
                                const char *application);

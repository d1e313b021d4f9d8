/* Figures of a run (render/planned.h) as a person reads them: what plan, status, release and cancel share. */
#pragma once
#include "render/planned.h"

#define SHOW_GROUPED_SIZE 32
const char *show_grouped(int64_t n, char out[SHOW_GROUPED_SIZE]); /* "1,234,567" */
#define SHOW_DURATION_SIZE 48
const char *show_duration(int64_t ms, char out[SHOW_DURATION_SIZE]); /* "3 min 20 s" */
void show_costs(const struct planned_cost *costs, size_t count);     /* "12.34 EUR + 1 CHF" */
/* "1,234 messages in 1,300 segments, 92.56 EUR; 3 rows cannot be rendered" */
void show_planned_line(const struct planned *f);
void show_planned_gateways(const struct planned *f, const char *indent); /* a line each */
void show_planned_errors(const struct planned *f, const char *indent); /* a line a reason, and its examples */

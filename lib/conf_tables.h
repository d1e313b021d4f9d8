/* The rows of the tables, between the two files that hold them. Only lib/conf_tables*.c include this. */
#pragma once
#include "lib/conf_internal.h"

#define DAY_MS ((int64_t)86400000)

extern const struct conf_key conf_main_keys[], conf_source_keys[], conf_template_keys[], conf_gateway_keys[],
    conf_rule_keys[];
extern const struct conf_table conf_report_table; /* section report of a gateway */

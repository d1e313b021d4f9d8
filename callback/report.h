/* Delivery reports as a gateway writes them -> steps 102. Pure, as the formats are. A record whose status
 * word is not in the gateway's file, or that lacks a field, becomes a step 190 by itself. */
#pragma once
#include "callback/format.h"

#define REPORT_ERROR_MAX 500 /* bytes of the gateway's error text that are kept */

/* As format_parse; `f` is of the gateway's section report. */
int must_check report_parse(const struct format *f, const struct posted *request, struct parsed *ret);

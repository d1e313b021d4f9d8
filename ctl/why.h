/* smschain why: how what lib/why.h has found is shown (why_print.c). */
#pragma once
#include "ctl/ctl.h"
#include "lib/why.h"

/* number: as it is shown, masked or whole; "-" none */
void why_print(const struct why *w, const char *number);
void why_json(const struct why *w, const char *number);

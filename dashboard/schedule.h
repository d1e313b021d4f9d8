/* A rule's schedule in words a person says: "every day at 09:00", "every 15 minutes from 08:00 to 20:59,
 * Monday to Friday". Pure. */
#pragma once
#include "extract/cron.h"
#include "lib/buf.h"

/* expression compiles. What has no short words is shown as it is. */
void schedule_words(const char *expression, struct buf *out);

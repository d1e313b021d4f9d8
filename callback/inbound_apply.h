/* Messages from phones into the tables, in one transaction: the row, what it does (STOP, START), its record
 * for sms.inbound, its answer. Doing it twice changes nothing: only rows that are new do anything. */
#pragma once
#include "callback/inbound.h"
#include "lib/db.h"

struct inbound_figures { /* added up */
    int64_t told, entered, stops, starts, replies,
        withheld; /* withheld: answers above replies_per_day, or not for this number */
};
/* Messages in parts whose others have been waited for long enough are entered, too, whatever came; also for
 * count 0. 0: committed. < 0: the connection is gone; it may have been committed, apply it again. > 0:
 * lib/db.h's answers; rolled back. */
int must_check inbound_apply(struct db *d, struct words *words, const struct conf *conf,
                             const struct inbound *in, size_t count, struct inbound_figures *io);

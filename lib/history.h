/* Has the database lost history? (design section 5.8). Each service keeps the system identifier, timeline and last
 * write position that it saw in <state_dir>/history-<service>; a database that was restored or failed over shows
 * another identifier, another timeline or an earlier position. Then nothing is sent until
 * `smschain accept-database --since TIME` has run, which counts up `database_history.generation`. */
#pragma once
#include "lib/base.h"
#include "lib/db.h"

struct history;
enum { HISTORY_LOST = 1 };
struct history *history_new(const char *state_dir, const char *service); /* never fails; file made at first check */
void history_free(struct history *h);
/* Call after each connect and at least every 5 s. 0: the same database, no earlier than before (and remembers it).
 * HISTORY_LOST: *why says what changed (static until the next call). < 0 the connection is gone; > 1 db answers. */
/* A loss once seen stays one until it is accepted, also over a restart (<state_dir>/history-<service>.lost). */
int must_check history_check(struct history *h, struct db *d, const char **ret_why);
int64_t history_generation(const struct history *h); /* of the last check that was fine; 0: none */
/* What was committed is not there any more: from now on history_check gives HISTORY_LOST. */
void history_refuse(struct history *h, const char *why);

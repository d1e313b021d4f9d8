/* lib/history for many threads: each connection of this process is looked at before it is used, and again
 * every few seconds, so that nothing is entered or published in a database that has lost history
 * (lib/history.h). */
#pragma once
#include "lib/base.h"
#include "lib/db.h"

struct history_guard;
struct history_guard *history_guard_new(const char *state_dir);
void history_guard_free(struct history_guard *g);
/* True: this connection's database is the one we know. False: it is away, or has lost history (said once). */
bool history_guard_fine(struct history_guard *g, struct db *d);
/* Lost, as far as any thread has seen: what is going on stops. */
bool history_guard_lost(const struct history_guard *g);

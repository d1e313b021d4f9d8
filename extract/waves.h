/* Runs that leave in waves: when their first wave has been sent, and what becomes of the rest. Each is one
 * statement over the run's row, so any number of processes may look; any process decides, by what the run's
 * row says. */
#pragma once
#include "lib/db.h"

int must_check waves_look(struct db *d); /* as db_run */

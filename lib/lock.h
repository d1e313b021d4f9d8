/* Advisory locks, by which one of several processes does a thing (docs/design.md, "Advisory locks"). A holder
 * that was stopped or cut off loses its session by the server's time-outs for idle ones, except in the middle
 * of sending a statement: there whoever waits for the lock ends the session. */
#pragma once
#include "lib/db.h"

enum lock_class { LOCK_RUN = 1, LOCK_PLACE = 2, LOCK_SHARD = 3, LOCK_SWEEP = 4 };
#define LOCK_ANY     (-1)
#define LOCK_LOOK_MS 5000 /* for callers that come more often: look so often for stuck holders */

/* Ends the sessions of our own role that hold this lock (id LOCK_ANY: any of its class) and have waited
 * DB_HELD_IDLE_MS for the rest of a statement; says so in the log. Answers as db_run. */
int must_check lock_end_stuck(struct db *d, enum lock_class class, int id);

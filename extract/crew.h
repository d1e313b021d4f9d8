/* The threads that read runs, at most so many, and the runs that wait because something was away. */
#pragma once
#include "extract/confhold.h"
#include "extract/run.h"

struct crew;
struct crew *crew_new(struct extract_shared *shared);
void crew_free(struct crew *c); /* nothing is being read any more */

size_t crew_busy(const struct crew *c);
/* May this run be started now: not being read here, and not waiting? */
bool crew_may_start(struct crew *c, int64_t run_id, int64_t now_mono_ms);
void crew_start(struct crew *c, int64_t run_id, const char *rule, struct confhold *conf);
/* Takes the results of threads that have ended: a run that met trouble waits, longer each time. */
void crew_reap(struct crew *c, int64_t now_mono_ms);

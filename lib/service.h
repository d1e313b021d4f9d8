/* A process's live figures in the table `service`, written at most once a second (for status and the page). */
#pragma once
#include "lib/base.h"
#include "lib/db.h"

struct figures; /* named numbers and words of one part ("dispatch", gateway "alpha"), set at will, sent as one JSON */
struct figures *figures_new(const char *service, const char *part); /* part "" : the whole process */
void figures_free(struct figures *f);
void figures_set(struct figures *f, const char *name, int64_t value);
void figures_set_str(struct figures *f, const char *name, const char *value);
/* Writes if a second has passed. Errors are left to the next real statement: < 0 only when the connection is gone. */
int figures_write(struct figures *f, struct db *d);

/* How far heartbeats come: entered by dispatch, through outbox, queue, gateway and report into the tables. Their ages are
 * metrics, which say that the whole chain works when nothing else goes through it. */
#pragma once
#include "lib/db.h"

struct heartbeats;
struct heartbeats *heartbeats_new(void);
void heartbeats_free(struct heartbeats *h);
void heartbeats_look(struct heartbeats *h, struct db *d); /* at most every five seconds */

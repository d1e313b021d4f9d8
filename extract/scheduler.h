/* The scheduler: the process's main loop. Enters firings that are due, hands open runs to threads, keeps
 * house. */
#pragma once
#include "extract/confhold.h"
#include "extract/run.h"

struct scheduler;
struct scheduler *scheduler_new(struct confhold *conf, struct extract_shared *shared); /* takes the hold */
/* One turn; returns after how many ms the next is due. */
int64_t scheduler_turn(struct scheduler *s);
void scheduler_reload(struct scheduler *s, struct confhold *conf); /* takes the hold */
/* Waits for the runs' threads to leave their runs between two groups. False: some still wait for their
 * source. */
bool scheduler_drain(struct scheduler *s, int64_t timeout_ms);
void scheduler_free(struct scheduler *s); /* after scheduler_drain has given true */

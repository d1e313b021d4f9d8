/* Signals as a file descriptor. SIGTERM or SIGINT: drain and end; a second one: end at once (exit code 130).
 * SIGHUP: load the configuration again. Call stop_init first thing in main, before any thread is started. */
#pragma once
#include "lib/base.h"

void stop_init(void);
int stop_fd(void);             /* readable when a signal has come; never read it yourself */
bool stop_requested(void);     /* any thread; reads what has come */
bool stop_reload_taken(void);  /* true once for each SIGHUP; one thread only */
void stop_now(void);           /* as if SIGTERM had come (a thread found something it cannot go on with) */
/* Waits until timeout_ms is over or a signal comes. */
void stop_wait_ms(int64_t timeout_ms);

/* Is the process alive, and is it ready? Alive: each of its loops has turned lately, not only the thread that
 * answers. Ready: every check is good. Whoever knows sets a check when it changes, or is asked when somebody
 * wants to know. Any thread; one process, one list. Each check is also a metric, smschain_ready. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"

#define HEALTH_LATE_MS                                                                                       \
    120000 /* a loop that has not turned for so long hangs: longer than any wait of its own */

struct loop;
struct loop *loop_new(const char *name, int64_t late_ms); /* "dispatcher alpha" */
void loop_free(struct loop *l);
void loop_turned(struct loop *l); /* l may be NULL */

struct health;
/* check: "database"; gateway: whose, or NULL. Not ready until it is first set. */
struct health *health_new(const char *check, const char *gateway);
void health_free(struct health *h);
void health_good(struct health *h, const char *words); /* "" : nothing to add; h may be NULL in all three */
void health_bad(struct health *h, const char *format, ...) printf_like(2, 3);
/* It is asked instead of being set: true is good; words go into `words` either way. Not from within health_*.
 */
typedef bool health_asked(void *arg, struct buf *words);
struct health *health_ask(const char *check, health_asked *ask, void *arg);

/* A line for each that is wrong, with `verbose` for each: "[+]database" or "[-]database: connection refused".
 * True: nothing is wrong. */
bool health_live(struct buf *out, bool verbose);
bool health_ready(struct buf *out, bool verbose);

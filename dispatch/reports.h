/* What comes over a gateway's own link, reports and messages from phones, on its way into the process's
 * journal: the dispatcher's loop puts it in and is told in its next turn whether it is kept; it never waits
 * for the disk. Each is a journal record of its own, as one post at the intake is, so whoever drains the
 * directory need not know which it was. */
#pragma once
#include "dispatch/gateway.h"
#include "lib/drain.h"

#define REPORTS_WAITING_MAX                                                                                  \
    4096 /* in the journal's hands; beyond it nothing is kept, and the gateway sends again */

struct reports;
struct reports_counters {
    int64_t reports, inbound, unreadable, not_kept;
};
/* drain and gateway outlive it. */
struct reports *reports_new(struct drain *drain, const struct conf_gateway *gateway);
void reports_free(struct reports *r); /* waits until the journal has answered for all; NULL is fine */

/* Puts it in. The gateway's own words (report.states) go before the state that the driver brings. */
void reports_put(struct reports *r, const struct step_record *s, uint64_t token);
void reports_put_inbound(struct reports *r, const struct inbound_record *in, uint64_t token);

int reports_fd(const struct reports *r); /* readable: reports_turn has something */
/* `kept` is called once for each that the journal has answered for and whose token is not 0. */
void reports_turn(struct reports *r, void (*kept)(void *arg, uint64_t token, bool kept), void *arg);
size_t reports_waiting(const struct reports *r); /* put in, and not told yet */
const struct reports_counters *reports_counters(const struct reports *r);

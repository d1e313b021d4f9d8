/* The address that gateways post their reports to: /report/<gateway>/<token>, by GET or POST. A report is
 * parsed, appended to the journal, and answered 200 only after it is on disk. Needs neither database nor
 * broker. Also /livez (the process answers) and /readyz (what `ready` says). */
#pragma once
#include "callback/gateways.h"
#include "lib/drain.h"
#include "lib/service.h"

struct intake;
struct intake_options {
    struct gateways_now *gateways;
    struct drain *drain;
    /* Fills `why` with a line for each thing that is wrong; true: none. Called from the server's thread. */
    bool (*ready)(void *arg, struct buf *why);
    void *ready_arg;
};
/* Listens. NULL: *ret_why says why not, caller frees. */
struct intake *intake_start(const struct intake_options *o, char **ret_why);
/* Reads certificate and key again. False: the ones before stay, *ret_why says why, caller frees. */
bool intake_reload(struct intake *i, char **ret_why);
int intake_port(const struct intake *i);
/* Takes no new connection, answers what has been read, at most deadline_ms. */
void intake_stop(struct intake *i, int64_t deadline_ms);
void intake_free(struct intake *i);
bool intake_keeps(const struct intake *i); /* the last record was kept by the journal */
void intake_put_figures(struct intake *i, struct figures *f);

/* The largest journal record a body of this size can make: every byte escaped, and the rest of the record. */
size_t intake_record_max(int64_t body_bytes);

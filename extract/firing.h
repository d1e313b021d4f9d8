/* Which firings of a rule are to be entered now, and as what. Pure: the scheduler asks, and writes the rows.
 *
 * A rule fires by a cron schedule or at one moment (`at:`). Looked at are the firings after the latest of:
 * the moment from which the rule is planned, its last entered firing, and look_back before now. The newest of
 * them is run (`due`, or `missed` if it is more than FIRING_LATE_MS late and the rule says run_once); all
 * others are entered as skipped, so that each firing has its row and its reason. */
#pragma once
#include "extract/cron.h"
#include "lib/base.h"
#include "lib/conf.h"

#define FIRING_LATE_MS 60000
#define FIRING_MAX     2000 /* entered at one time; of more, the newest (a day of minutes is 1440) */
#define FIRING_NEVER   INT64_MAX

struct firing_plan {
    struct cron cron;
    struct zone *zone;
    bool once; /* by at_ms, not by cron */
    int64_t at_ms;
};
/* Exactly one of schedule and at is not "". 0 (firing_plan_deinit), or -EINVAL with a message. */
int must_check firing_plan_init(struct firing_plan *p, const char *schedule, const char *at,
                                const char *time_zone, char message[CRON_MESSAGE_SIZE]);
void firing_plan_deinit(struct firing_plan *p);
/* The first firing after that moment, FIRING_NEVER if there is none. */
int64_t firing_next(const struct firing_plan *p, int64_t after_ms);

enum firing_verdict {
    FIRING_DUE,        /* run it */
    FIRING_MISSED,     /* late, run it all the same */
    FIRING_SKIP_LATE,  /* late, and the rule says `missed: skip` */
    FIRING_SKIP_OLDER, /* a newer firing is entered as well: a rule that was missed several times runs once */
};
struct firing {
    int64_t scheduled_ms;
    enum firing_verdict verdict;
};
struct firing_question {
    int64_t planned_from_ms;
    int64_t last_entered_ms; /* 0: none yet */
    int64_t now_ms;
    int64_t look_back_ms;
    enum conf_missed missed;
};
/* Oldest first, at most FIRING_MAX. */
size_t firing_due(const struct firing_plan *p, const struct firing_question *q,
                  struct firing out[FIRING_MAX]);

const char *firing_origin(enum firing_verdict v); /* run.origin: "schedule" or "missed" */
const char *firing_state(enum firing_verdict v);  /* run.state: "new" or "skipped" */
const char *firing_why(enum firing_verdict v);    /* run.why: "" for those that run */

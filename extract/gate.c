/* What may be done with a run: see gate.h. */
#include "extract/gate.h"
#include "lib/clock.h"
#include <stdio.h>

enum gate gate_decide(const struct run_row *run, const struct conf_rule *rule, int64_t now_ms,
                      char why[GATE_WHY_SIZE])
{
    char iso[CLOCK_ISO_SIZE];

    *why = '\0';
    if (strcmp(run->state, "new") != 0 && strcmp(run->state, "reading") != 0)
        return GATE_LEAVE;
    if (run->cancelled) /* before paused: what is cancelled needs no start to end */
        return GATE_CANCEL;
    if (run->paused)
        return GATE_WAIT;
    if (!rule) {
        snprintf(why, GATE_WHY_SIZE, "rule %s is not in the configuration any more", run->rule);
        return GATE_FAIL;
    }
    if (*run->held_why) { /* the very words: `smschain accept` finds its runs by them */
        snprintf(why, GATE_WHY_SIZE, "%s", run->held_why);
        return GATE_HOLD;
    }
    if (!run->once_per_known) {
        /* This process has another once_per than the accepted one, and the row says no hold: it was accepted
         * with another configuration than ours. Reading with ours would send everything again. */
        snprintf(why, GATE_WHY_SIZE, "%s: once_per here is not the one that was accepted", rule->file);
        return GATE_HOLD;
    }
    if (run->of_task && !rule->tasks) { /* it would be read by an SQL that has nothing to do with it */
        snprintf(why, GATE_WHY_SIZE, "%s: has no 'tasks: true' any more", rule->file);
        return GATE_FAIL;
    }
    if (run->scheduled_ms + rule->valid_for_ms <= now_ms) {
        snprintf(why, GATE_WHY_SIZE, "valid_for was over at %s, before it could be read",
                 clock_iso(run->scheduled_ms + rule->valid_for_ms, iso));
        return GATE_SKIP;
    }
    return GATE_GO;
}

const char *gate_state(enum gate g)
{
    switch (g) {
    case GATE_CANCEL:
        return "cancelled";
    case GATE_FAIL:
        return "failed";
    case GATE_HOLD:
        return "held";
    case GATE_SKIP:
        return "skipped";
    case GATE_GO:
    case GATE_LEAVE:
    case GATE_WAIT:
        break;
    }
    abort();
}

int64_t gate_max_recipients(const struct run_row *run, const struct conf_rule *rule)
{
    return run->released & HOLD_MAX_RECIPIENTS ? INT64_MAX : rule->max_recipients;
}

/* Release, tell again, in doubt: from one slot. */
#include "dispatch/recovery.h"

static struct recovered tell(enum step step, enum state state, const char *reason)
{
    return (struct recovered){.what = RECOVERED_TELL, .step = step, .state = state, .reason = reason};
}

static struct recovered answered(const struct slot *slot)
{
    struct recovered r = {.what = RECOVERED_NOTHING};
    switch ((enum slot_answer)slot->answer) {
    case SLOT_ANSWER_ACCEPTED:
        r = tell(STEP_ACCEPTED, STATE_ACCEPTED, "");
        r.msg_id = slot->msg_id;
        return r;
    case SLOT_ANSWER_REFUSED:
        return tell(STEP_OUTCOME, STATE_REJECTED, slot->reason);
    case SLOT_ANSWER_IN_DOUBT:
        return tell(STEP_OUTCOME, STATE_IN_DOUBT, slot->reason);
    case SLOT_ANSWER_RETRY:
        return (struct recovered){.what = RECOVERED_SETTLE, .settled = SETTLED_RETRY};
    }
    return r;
}

struct recovered recovery_plan(const struct slot *slot)
{
    enum slot_verdict v = slots_verdict(slot);
    if (v == SLOT_RELEASE)
        return (struct recovered){.what = RECOVERED_SETTLE, .settled = SETTLED_RELEASED};
    /* Without its attempt an outcome cannot be named; a slot is marked only after that is known. */
    if (v == SLOT_PROVES_NOTHING || slot->attempt <= 0)
        return (struct recovered){.what = RECOVERED_NOTHING};
    return v == SLOT_DOUBT ? tell(STEP_OUTCOME, STATE_IN_DOUBT, "dispatcher_died") : answered(slot);
}

/* What follows from a dead dispatcher's slot. Pure. */
#pragma once
#include "dispatch/retry.h"
#include "lib/record.h"
#include "lib/slots.h"
#include "lib/state.h"

struct recovered {
    enum {
        RECOVERED_NOTHING = 0, /* it proves nothing, or nothing is to be done: the sweep has it */
        RECOVERED_SETTLE,      /* its claim is settled as `settled`: the next attempt may be made */
        RECOVERED_TELL,        /* its outcome is told (again) */
    } what;
    enum settled settled;
    enum step step;
    enum state state;   /* STEP_OUTCOME */
    const char *reason; /* of the slot, or ours */
    const char *msg_id; /* STEP_ACCEPTED */
};
struct recovered recovery_plan(const struct slot *slot);

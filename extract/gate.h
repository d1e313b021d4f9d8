/* What may be done with a run that is to be read: go, or why not. Pure. */
#pragma once
#include "extract/ledger.h"
#include "lib/base.h"
#include "lib/conf.h"

enum gate {
    GATE_GO,
    GATE_LEAVE,  /* not to be read any more: somebody was faster */
    GATE_WAIT,   /* paused: it stays as it is */
    GATE_CANCEL, /* run.state cancelled; the same for the rest: */
    GATE_FAIL,
    GATE_HOLD,
    GATE_SKIP,
};
#define GATE_WHY_SIZE 400
/* rule NULL: not in the configuration (any more). why is filled for FAIL, HOLD and SKIP. */
enum gate gate_decide(const struct run_row *run, const struct conf_rule *rule, int64_t now_ms,
                      char why[GATE_WHY_SIZE]);
const char *gate_state(enum gate g); /* run.state of CANCEL, FAIL, HOLD, SKIP */
int64_t gate_max_recipients(const struct run_row *run, const struct conf_rule *rule);

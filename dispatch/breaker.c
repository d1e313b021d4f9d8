/* Closed, open, trial: one function changes it. */
#include "dispatch/breaker.h"

void breaker_init(struct breaker *b, int64_t failures_max, int64_t pause_ms)
{
    *b = (struct breaker){.state = BREAKER_CLOSED,
                          .failures_max = MAX_OF(failures_max, (int64_t)1),
                          .pause_ms = MAX_OF(pause_ms, (int64_t)1)};
}

const char *breaker_word(enum breaker_state s)
{
    static const char *const words[] = {
        [BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_TRIAL] = "trial"};
    return words[s];
}

static void open_until(struct breaker *b, int64_t until_ms)
{
    b->state = BREAKER_OPEN;
    b->until_ms = until_ms;
}

bool breaker_event(struct breaker *b, enum breaker_event event, int64_t now_ms)
{
    enum breaker_state before = b->state;
    switch (event) {
    case BREAKER_CONNECTED:
        b->failures = 0;
        b->state = BREAKER_CLOSED;
        break;
    case BREAKER_FAILED:
        b->failures++;
        /* Requests that were on their way when it opened do not lengthen the pause; a failed trial begins
         * another. */
        if (before == BREAKER_TRIAL || (before == BREAKER_CLOSED && b->failures >= b->failures_max))
            open_until(b, now_ms + b->pause_ms);
        break;
    case BREAKER_TICK:
        if (before == BREAKER_OPEN && now_ms >= b->until_ms)
            b->state = BREAKER_TRIAL;
        break;
    }
    return b->state != before;
}

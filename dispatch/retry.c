/* Tell, settle, wait: the plan for one message after its exchange. */
#include "dispatch/retry.h"

/* base, 2 base, 4 base … up to max, each times 0.5 to 1. */
static int64_t backoff_ms(const struct retry_facts *f, double jitter)
{
    int64_t wait = MAX_OF(f->base_ms, (int64_t)1);
    for (int i = 1; i < f->attempt && wait < f->max_ms; i++)
        wait *= 2;
    wait = MIN_OF(wait, MAX_OF(f->max_ms, (int64_t)1));
    return (int64_t)((double)wait * (0.5 + jitter / 2));
}

static struct retry_plan again(const struct retry_facts *f, enum settled settle, int64_t wait_ms)
{
    struct retry_plan p = {.next = NEXT_AGAIN, .settle = settle, .wait_ms = wait_ms};
    p.in_outbox = wait_ms > RETRY_IN_MEMORY_MAX_MS || !f->may_wait_in_memory ||
                  f->unacked_ms + wait_ms > RETRY_UNACKED_MAX_MS;
    return p;
}

/* Several numbers were refused together. Those that were named are refused for good and the others are free
 * of them; where none was named, one bad number may have spoiled all: each half goes its own way, down to
 * single numbers. */
static struct retry_plan refused(const struct retry_facts *f)
{
    struct retry_plan rejected = {.next = NEXT_REJECTED};
    if (f->numbers <= 1 || f->this_one_named)
        return rejected;
    struct retry_plan p =
        again(f, SETTLED_NOT_SENT, 0); /* the others' fault: no attempt of this one is used up */
    p.tell_refusal = true;
    p.numbers_cap = f->named ? 0 : (f->numbers + 1) / 2;
    return p;
}

struct retry_plan retry_plan(const struct retry_facts *f, double jitter)
{
    struct retry_plan exhausted = {.next = NEXT_REJECTED, .reason = "retries_exhausted"};
    if (f->outcome != OUTCOME_ACCEPTED && f->outcome != OUTCOME_IN_DOUBT && f->attempt >= RETRY_ATTEMPT_MAX)
        return exhausted;
    switch (f->outcome) {
    case OUTCOME_ACCEPTED:
        return (struct retry_plan){.next = f->this_one_named ? NEXT_REJECTED : NEXT_ACCEPTED};
    case OUTCOME_REFUSED:
        return refused(f);
    case OUTCOME_NOT_SENT:
        /* No limit but valid_until: the message has not been to the gateway yet. */
        return again(f, SETTLED_NOT_SENT, backoff_ms(f, jitter));
    case OUTCOME_RETRY: {
        if (f->elsewhere)
            return (struct retry_plan){.next = NEXT_ELSEWHERE};
        /* Being too fast is ours, not the message's: it does not use up its attempts. */
        if (!f->throttled && f->tries + 1 >= f->max_attempts)
            return exhausted;
        int64_t wait = f->retry_after_ms >= 0 ? f->retry_after_ms : backoff_ms(f, jitter);
        struct retry_plan p = again(f, f->throttled ? SETTLED_NOT_SENT : SETTLED_RETRY, wait);
        p.tell_refusal = true;
        return p;
    }
    case OUTCOME_IN_DOUBT:
        break;
    }
    return (struct retry_plan){.next = NEXT_IN_DOUBT};
}

/* The rule of inference. */
#include "callback/infer.h"

bool infer_ripe(const struct infer_report *r, int64_t now_ms)
{
    return r->parked_at + r->answer_timeout_ms + 2 * r->flush_interval_ms < now_ms;
}

const struct infer_attempt *infer_match(const struct infer_report *r, const struct infer_attempt *attempts,
                                        size_t count)
{
    if (count != 1 || r->other_ids > 0)
        return NULL;
    const struct infer_attempt *a = &attempts[0];
    if (!a->in_doubt || a->claimed_at > r->received_at || r->received_at - a->claimed_at > INFER_WITHIN_MS)
        return NULL;
    return a;
}

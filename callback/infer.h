/* Does a parked report settle a message in doubt? Pure. An inference is only made where nothing else can be
 * meant: one message in doubt, of that gateway and number, submitted shortly before, and nothing else to that
 * number whose id is not known. */
#pragma once
#include "lib/base.h"
#include "lib/seq_id.h"

#define INFER_WITHIN_MS (5 * 60 * 1000)

struct infer_report {
    int64_t received_at; /* our clock */
    int64_t parked_at;
    int64_t answer_timeout_ms, flush_interval_ms; /* of its gateway; of the consumer */
    size_t other_ids; /* other ids among the parked reports of this gateway and number */
};
struct infer_attempt { /* an open attempt of that gateway to that number, without a msg_id */
    struct seq_id id;
    int64_t claimed_at;
    bool in_doubt; /* else it may still be on its way, or its answer is not applied yet */
};
/* Parked longer than the answer may take and two flushes: until then its own 101 may still come. */
bool infer_ripe(const struct infer_report *r, int64_t now_ms);
/* The attempt it is about; NULL: it cannot be said. */
const struct infer_attempt *infer_match(const struct infer_report *r, const struct infer_attempt *attempts,
                                        size_t count);

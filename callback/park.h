/* Which message a report is about, and what waits when that cannot be said yet. Pure.
 * Ids are only as unique as the gateway makes them: one id may cover a request of many numbers, and ids are
 * used again after a time. */
#pragma once
#include "lib/base.h"

struct map_row { /* a row of msg_map */
    int64_t number, sms_id, accepted_at;
    const char *msg_id, *written; /* as compared; as the gateway wrote it */
    int32_t gateway;
    int16_t segment, attempt;
    bool fresh; /* of this flush, not in the table */
};

/* Is the number that the report names this message's? 0: the report names none, so it fits all. A gateway may
 * write the national form, so it is enough that the shorter one ends the longer one and has PARK_DIGITS_MIN
 * digits. */
#define PARK_DIGITS_MIN 7
bool park_number_fits(int64_t reported, int64_t ours);

/* The row that a report received at `at` with this number is about, among the rows of its gateway and id;
 * NULL: none, or it cannot be said which. The message of the same number wins over one that only fits; of
 * several (an id used again) the newest that was accepted before the report came. Without a number there must
 * be one message on the newest day. */
const struct map_row *park_match(const struct map_row *const *rows, size_t count, int64_t number, int64_t at);

/* A parked step is given up (shown to a person, still applied if its key comes) after the horizon. */
bool park_given_up(int64_t parked_at, int64_t horizon_ms, int64_t now_ms);

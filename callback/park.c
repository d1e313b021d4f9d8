/* The matching rule. */
#include "callback/park.h"
#include "lib/seq_id.h"

#define EARLY_MS (5 * 60 * 1000) /* a report that overtook its answer, and clocks that differ */

bool park_number_fits(int64_t reported, int64_t ours)
{
    int digits = 0;
    int64_t a = reported, b = ours;
    if (reported == 0 || reported == ours)
        return true;
    for (; a > 0 && b > 0; a /= 10, b /= 10, digits++) {
        if (a % 10 != b % 10)
            return false;
    }
    return digits >= PARK_DIGITS_MIN;
}

/* Is a the better answer than b, both of the same message or both of the report's number? */
static bool newer(const struct map_row *a, const struct map_row *b, int64_t at)
{
    bool a_before = a->accepted_at <= at + EARLY_MS, b_before = b->accepted_at <= at + EARLY_MS;
    if (a_before != b_before)
        return a_before;
    if (a->sms_id != b->sms_id)
        return a->accepted_at != b->accepted_at ? a->accepted_at > b->accepted_at : a->sms_id > b->sms_id;
    if (a->attempt != b->attempt)
        return a->attempt > b->attempt;
    return a->segment < b->segment;
}

static const struct map_row *newest_equal(const struct map_row *const *rows, size_t count, int64_t number,
                                          int64_t at)
{
    const struct map_row *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (rows[i]->number == number && (!best || newer(rows[i], best, at)))
            best = rows[i];
    }
    return best;
}

static int newest_day(const struct map_row *const *rows, size_t count, int64_t number)
{
    int day = -1;
    for (size_t i = 0; i < count; i++) {
        if (park_number_fits(number, rows[i]->number))
            day = MAX_OF(day, sms_id_day(rows[i]->sms_id));
    }
    return day;
}

const struct map_row *park_match(const struct map_row *const *rows, size_t count, int64_t number, int64_t at)
{
    const struct map_row *best = number ? newest_equal(rows, count, number, at) : NULL;
    if (best)
        return best;
    int day = newest_day(rows, count, number);
    for (size_t i = 0; i < count; i++) {
        if (!park_number_fits(number, rows[i]->number) || sms_id_day(rows[i]->sms_id) != day)
            continue;
        if (best && best->sms_id != rows[i]->sms_id)
            return NULL; /* two messages: a guess would be worse than waiting */
        if (!best || newer(rows[i], best, at))
            best = rows[i];
    }
    return best;
}

bool park_given_up(int64_t parked_at, int64_t horizon_ms, int64_t now_ms)
{
    return parked_at + horizon_ms <= now_ms;
}

/* sms_id and seq_id. sms_id = days since 2020 * 2^36 + n: exact in JSON (below 2^53), and its day is its
 * partition. seq_id = "sms_id.segment.attempt", all decimal: names one attempt of one segment. */
#pragma once
#include "lib/base.h"

#define SMS_ID_DAY_SHIFT 36
#define SMS_ID_END       (INT64_C(1) << 53)
#define SEQ_ID_SIZE      40

struct seq_id {
    int64_t sms_id;
    int segment; /* from 1; 0: the whole message */
    int attempt; /* from 1; 0: before any attempt (step 110) */
};

static inline int sms_id_day(int64_t sms_id)
{
    return (int)(sms_id >> SMS_ID_DAY_SHIFT);
}
static inline int64_t sms_id_day_first(int day)
{
    return (int64_t)day << SMS_ID_DAY_SHIFT;
}

char *seq_id_format(const struct seq_id *id, char out[SEQ_ID_SIZE]); /* returns out */
/* The whole string, no sign, no leading zero; 0 < sms_id < 2^53, segment and attempt fit the tables'
 * smallint. */
bool seq_id_parse(const char *s, struct seq_id *ret);

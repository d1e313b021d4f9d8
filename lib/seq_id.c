/* seq_id as text and back. The parser is strict: a report's reference is foreign until it reads as one of
 * ours. */
#include "lib/seq_id.h"

#include <stdio.h>

char *seq_id_format(const struct seq_id *id, char out[SEQ_ID_SIZE])
{
    snprintf(out, SEQ_ID_SIZE, "%lld.%d.%d", (long long)id->sms_id, id->segment, id->attempt);
    return out;
}

/* A decimal number up to max at *s, moving it on. -1: there is none. */
static int64_t take_number(const char **s, int64_t max)
{
    const char *p = *s;
    int64_t n = 0;
    if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
        return -1;
    for (; *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (*p - '0');
        if (n > max)
            return -1;
    }
    *s = p;
    return n;
}

bool seq_id_parse(const char *s, struct seq_id *ret)
{
    int64_t sms_id = take_number(&s, SMS_ID_END - 1);
    if (sms_id <= 0 || *s++ != '.')
        return false;
    int64_t segment = take_number(&s, INT16_MAX);
    if (segment < 0 || *s++ != '.')
        return false;
    int64_t attempt = take_number(&s, INT16_MAX);
    if (attempt < 0 || *s != '\0')
        return false;
    *ret = (struct seq_id){.sms_id = sms_id, .segment = (int)segment, .attempt = (int)attempt};
    return true;
}

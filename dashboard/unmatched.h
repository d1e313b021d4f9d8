/* Reports that name an id which no message has: would another reading of the ids match them? Gateways write
 * an id in hex in the answer and in decimal in the report, or with zeros before it, and then nothing fits. */
#pragma once
#include "lib/base.h"
#include "lib/db.h"

#define UNMATCHED_SAMPLE 100 /* parked reports of a gateway that are tried, the newest */
#define UNMATCHED_ID     330 /* bytes of a form */

enum unmatched_reading {
    READ_HEX,
    READ_DECIMAL,
    READ_ANSWER_HEX,
    READ_UPPER,
    READ_LOWER,
    UNMATCHED_READINGS
};
extern const struct unmatched_words {
    const char *words;   /* "if reports are read as hex" */
    const char *setting; /* what to write into the gateway's file; "" : no key says it */
} unmatched_words[UNMATCHED_READINGS];

/* The id in that reading, as msg_map would hold it. False: it cannot be read so, or is then the same. Pure.
 */
bool unmatched_read(enum unmatched_reading how, const char *msg_id, char out[UNMATCHED_ID]);

struct unmatched_gateway {
    int32_t gateway;
    char *name;
    int64_t parked, given_up, oldest_ms; /* reports by id that wait */
    int64_t tried;                       /* of the sample */
    int64_t matched[UNMATCHED_READINGS]; /* of these */
};
/* The gateways with reports that wait, and what each reading would match. *ret: unmatched_free. 0, or
 * db_run's code. */
int must_check unmatched_list(struct db *d, struct unmatched_gateway **ret, size_t *ret_count);
void unmatched_free(struct unmatched_gateway *g, size_t count);

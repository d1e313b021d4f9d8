/* Messages from phones that come in several parts: each part is kept in the transaction that it came in; when
 * the last one is there, or the others have been waited for long enough, the whole message is entered as any
 * other. All of it happens under the one lock of inbound messages, so that whoever gets the last part sees
 * all the others. */
#pragma once
#include "callback/inbound.h"
#include "lib/db.h"

struct inbound_parts {
    int64_t *touched; /* messages that have got a part */
    size_t touched_count;
    struct inbound *whole; /* those that are to be entered; their strings are the result's */
    int64_t *messages;     /* the ids that they waited by */
    size_t count;
    struct db_result *rows;
};
void inbound_parts_deinit(struct inbound_parts *p);

/* Keeps those of `in` that are parts. */
int must_check inbound_parts_put(struct db *d, const struct conf *conf, const struct inbound *in,
                                 size_t count, struct inbound_parts *p);
/* Which messages are to be entered now. */
int must_check inbound_parts_take(struct db *d, struct words *words, struct inbound_parts *p);
/* They are entered; `in`: as many, with the ids of their rows. */
int must_check inbound_parts_done(struct db *d, const struct inbound_parts *p, const struct inbound *in);

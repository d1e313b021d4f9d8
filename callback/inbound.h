/* Messages from phones: how a gateway's post becomes records for the journal (pure), and one such record as
 * the batching consumer works with it: checked, with the number, the word and the digest that it goes by.
 *
 * The digest says which tellings are one message: the gateway's id with sender, recipient and text; where it
 * gives no id, its time instead; where it gives neither, our time of receipt, so that each post counts. */
#pragma once
#include "callback/arena.h"
#include "callback/format.h"
#include "callback/words.h"
#include "lib/keyword.h"

#define INBOUND_TEXT_MAX  65536 /* bytes; no phone sends so much */
#define INBOUND_FIELD_MAX 255   /* bytes of sender, recipient, id */
#define INBOUND_DIGEST    16
#define INBOUND_PART_MAX  1024 /* bytes of one part's text; longer than any air interface carries */
#define INBOUND_PARTS_MAX 255

/* As format_parse. */
int must_check inbound_parse(const struct format *f, const struct posted *request, struct parsed *ret);

struct inbound {
    struct word *gateway;
    int64_t number; /* 0: the sender is no number */
    int64_t at, gateway_at;
    int64_t said_at; /* the earlier of the two: what an older STOP and a newer START are told apart by */
    const char *from, *to, *text, *msg_id; /* in the batch's arena; "" : none */
    int32_t reference;
    int32_t part, parts; /* parts > 1: it is one of several until they are put together; part 0 then */
    int32_t missing;     /* so many parts have not come */
    bool headless;       /* and the first is one of them */
    uint8_t digest[INBOUND_DIGEST];
    /* filled when it is applied */
    enum keyword keyword;
    const char *language; /* whose word it is, static; NULL: none */
    int64_t id;           /* of its row; 0: told before */
};
/* NULL: *ret is good. Else why this record can never be applied, for sms.dead; static text. country: of
 * numbers in national form, NULL none. */
const char *inbound_from_record(const struct inbound_record *r, const char *country, struct words *words,
                                struct arena *arena, struct inbound *ret);
void inbound_make_digest(struct inbound *in);   /* of a whole message */
bool inbound_is_part(const struct inbound *in); /* of several, which are not together yet */
/* The record again, as it stands in sms.inbound (with id and keyword, where it has them) and in sms.dead. */
void inbound_encode(const struct inbound *in, struct buf *out);
/* First bytes of SHA-256 over the parts. */
void inbound_hash(const char *const *parts, size_t count, uint8_t out[INBOUND_DIGEST]);
/* "+49…", "0049…", "49…": international; "0171…": of that country. 0: no number, as a short code or a name.
 */
int64_t inbound_number(const char *text, const char *country);

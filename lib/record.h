/* The wire: what stands in the body of a queue's message, in the outbox and in the journal.
 *   {"v":1,"kind":"steps","records":[{...},{...}]}
 * Every record stands for itself, so records can be regrouped into other chunks anywhere on the way. Its fields are
 * declared once, below: the table makes the struct, the encoder, the decoder, and the round-trip test.
 * docs/design.md, "the wire" explains the fields. Durable queues hold old bodies across an upgrade: when a field's
 * meaning changes, count RECORD_VERSION up and keep the old decoder.
 *
 * Types: INT int64_t, absent = 0 and left out when 0 · STR char *, absent = NULL · LIST struct str_list, absent =
 * empty · ROW struct row (columns of a business row in order: name -> text or null).
 * FIELD(type, name) may be absent, NEED(type, name) makes a record without it a bad one. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"

#define RECORD_VERSION 1

/* A row of one column `text` that is sent as it is: what dispatch enters to see whether a link still delivers. No file
 * can have that name. */
#define RECORD_HEARTBEAT "heartbeat:text"

/* extract -> render: one row that became a message */
#define RECORD_FIELDS_ROW(FIELD, NEED)                                                                           \
    NEED(INT, sms_id)                                                                                            \
    NEED(INT, number)      /* E.164 digits without the plus */                                                   \
    NEED(INT, run)                                                                                               \
    NEED(STR, rule)                                                                                              \
    NEED(STR, tmpl)        /* template's name; RECORD_HEARTBEAT: of none */                                      \
    FIELD(STR, lane)       /* "bulk" or "instant"; absent: bulk */                                               \
    NEED(INT, valid_until) /* wall ms */                                                                         \
    NEED(ROW, row)                                                                                               \
    FIELD(STR, sender)     /* of a message that belongs to no configured rule, as is the route: */               \
    FIELD(LIST, route)     /* gateways in the order to try; absent: sender and route are the rule's */

/* render -> dispatch, dispatch -> dispatch, outbox -> dispatch: a text ready to be sent */
#define RECORD_FIELDS_TEXT(FIELD, NEED)                                                                          \
    NEED(INT, sms_id)                                                                                            \
    NEED(INT, number)                                                                                            \
    NEED(INT, run)                                                                                               \
    NEED(STR, rule)                                                                                              \
    FIELD(STR, lane)                                                                                             \
    NEED(INT, valid_until)                                                                                       \
    NEED(STR, text)        /* UTF-8 */                                                                           \
    NEED(STR, encoding)    /* "gsm7" or "ucs2" */                                                                \
    NEED(INT, segments)                                                                                          \
    FIELD(STR, sender)                                                                                           \
    NEED(STR, class)       /* "marketing", "service" or "code": what a STOP blocks */                            \
    FIELD(STR, version)    /* content hash of the template */                                                    \
    NEED(LIST, route)      /* gateways in the order to try; the first is where it was sent to */                 \
    FIELD(LIST, passed_on) /* gateways that handed it over; none is tried twice that way */

/* dispatch, render, intake -> batching consumer. Which fields a step needs stands in step_check (record.c). */
#define RECORD_FIELDS_STEP(FIELD, NEED)                                                                          \
    NEED(INT, step)        /* enum step */                                                                       \
    NEED(INT, at)          /* our clock, wall ms: when it was received or done */                                \
    FIELD(STR, lane)                                                                                             \
    FIELD(STR, gateway)                                                                                          \
    FIELD(STR, seq_id)     /* 100, 101, 110; a 102 whose report named our reference */                           \
    FIELD(INT, number)                                                                                           \
    FIELD(STR, msg_id)     /* as the gateway wrote it */                                                         \
    FIELD(STR, state)      /* 102, 110: our word; absent: an event that changes no state */                      \
    FIELD(STR, reason)     /* short, from a small set: the gateway's status word or code, or ours */             \
    FIELD(STR, error)      /* the gateway's error text, or ours for a person; at most 500 bytes */               \
    FIELD(INT, gateway_at) /* 102: the gateway's clock, wall ms */                                               \
    FIELD(STR, raw)        /* 190: the body as it came */                                                        \
    FIELD(STR, origin)     /* "" the service itself; "slots": told by slot recovery; "sweep"; "person" */        \
    FIELD(INT, segments)   /* 100: segments of the text */                                                       \
    FIELD(STR, version)    /* 100, 110: the template's version */                                                \
    FIELD(INT, parts)      /* 100, 101, 110: segments with a claim of their own; absent: the text went whole */

/* intake -> batching consumer: a message from a phone; consumer -> the company's own systems (sms.inbound) */
#define RECORD_FIELDS_INBOUND(FIELD, NEED)                                                                       \
    NEED(INT, at)          /* our clock, wall ms: when it was received */                                        \
    NEED(STR, gateway)                                                                                           \
    NEED(STR, from)        /* as the gateway wrote it */                                                         \
    FIELD(INT, number)     /* the same as E.164 digits; absent: the sender is no number */                       \
    FIELD(STR, to)         /* our number or short code as the gateway wrote it */                                \
    NEED(STR, text)        /* UTF-8 */                                                                           \
    FIELD(STR, msg_id)     /* the gateway's id of it */                                                          \
    FIELD(INT, gateway_at) /* the gateway's clock, wall ms */                                                    \
    FIELD(INT, inbound)    /* sms.inbound only: our id of it, the same however often it is told */               \
    FIELD(STR, keyword)    /* sms.inbound only: "stop" or "start" where it is such a word */                     \
    FIELD(INT, reference)  /* of a message in several parts: what all of them carry */                           \
    FIELD(INT, part)       /* 1 to parts; the consumer puts them together */                                     \
    FIELD(INT, parts)      /* how many; absent: it is whole. sms.inbound: how many it came in */                 \
    FIELD(INT, missing)    /* sms.inbound only: parts that did not come in time; absent: none */

enum step {
    STEP_SUBMITTED  = 100, /* seq_id by sms_id: needs seq_id, gateway, number */
    STEP_ACCEPTED   = 101, /* msg_id by seq_id: needs seq_id, gateway, number, msg_id */
    STEP_STATUS     = 102, /* status by msg_id: needs gateway, msg_id or seq_id, reason (their word) */
    STEP_OUTCOME    = 110, /* an end without a msg_id, by seq_id (attempt 0: before any attempt): rejected, in_doubt, stale,
                              suppressed, cancelled, render_error; or a refusal that is tried again (no state) */
    STEP_QUARANTINE = 190, /* a body nobody could read: needs gateway, raw, reason, error */
};

enum record_kind { RECORD_ROWS, RECORD_TEXTS, RECORD_STEPS, RECORD_INBOUND };

struct str_list {
    char **items;
    size_t count;
};
struct row {
    struct row_cell {
        char *name, *value; /* value NULL: SQL NULL */
    } *cells;
    size_t count;
};

#define RECORD_C_INT  int64_t
#define RECORD_C_STR  char *
#define RECORD_C_LIST struct str_list
#define RECORD_C_ROW  struct row
#define RECORD_MEMBER(type, name) RECORD_C_##type name;

struct row_record {
    RECORD_FIELDS_ROW(RECORD_MEMBER, RECORD_MEMBER)
};
struct text_record {
    RECORD_FIELDS_TEXT(RECORD_MEMBER, RECORD_MEMBER)
};
struct step_record {
    RECORD_FIELDS_STEP(RECORD_MEMBER, RECORD_MEMBER)
};
struct inbound_record {
    RECORD_FIELDS_INBOUND(RECORD_MEMBER, RECORD_MEMBER)
};

/* Writing a chunk: begin, any number of adds, end. One record alone (journal) is add without begin and end. */
void chunk_begin(struct buf *b, enum record_kind kind);
void chunk_add_row(struct buf *b, const struct row_record *r);
void chunk_add_text(struct buf *b, const struct text_record *r);
void chunk_add_step(struct buf *b, const struct step_record *r);
void chunk_add_inbound(struct buf *b, const struct inbound_record *r);
void chunk_add_raw(struct buf *b, const char *record_json, size_t len); /* an already encoded record */
void chunk_end(struct buf *b);

/* A read chunk owns all its records' strings; they live until chunk_free. */
struct chunk {
    enum record_kind kind;
    size_t count;
    union {
        struct row_record *rows;
        struct text_record *texts;
        struct step_record *steps;
        struct inbound_record *inbounds;
    };
    size_t bad_count;
    struct chunk_bad { /* records of a good chunk that cannot be read: for sms.dead */
        char *json, *why;
    } *bad;
    struct arena *arena;
};
enum {
    CHUNK_UNREADABLE = 1, /* not such a body: dead-letter it whole; *ret_why says why (caller frees) */
    CHUNK_NEWER      = 2, /* a version above ours: close the channel and say that this consumer must be upgraded */
};
int must_check chunk_decode(const void *body, size_t len, struct chunk **ret, char **ret_why);
void chunk_free(struct chunk *c);
#define auto_chunk cleanup_with(chunk_free_pointed) struct chunk *
static inline void chunk_free_pointed(struct chunk **c)
{
    chunk_free(*c);
}

/* The contract between the dispatcher and a kind of gateway: a const table of functions. A driver
 *
 *  1. MUST answer every request that `send` has taken exactly once, through events.answered, and never from
 * within `send`; `close` answers what is still open.
 *  2. MUST call events.first_byte once for a request, right before its first byte may leave, and send nothing
 * of it if that returns false.
 *  3. MUST NOT send a request again by itself, nor let its transport do so.
 *  4. MUST answer OUTCOME_NOT_SENT only if first_byte was not called or returned false, and OUTCOME_ACCEPTED,
 *     OUTCOME_REFUSED or OUTCOME_RETRY (also in `each`) only if the gateway's whole answer says so; whatever
 * else happened after the first byte is OUTCOME_IN_DOUBT. (A request that cannot be made of its values is
 * OUTCOME_REFUSED, nothing having left.)
 *  5. MUST NOT block: all waiting is on `fd` and `wait_ms`, all work in `turn`.
 *  6. MUST NOT touch a request after it has answered it; until then its strings stay as they are.
 *  7. MUST bound what it reads, what it keeps open and how long it waits (the gateway's answer_timeout).
 *  8. MUST open a connection and send no message in `probe`, and tell how it went through events.probed, once
 * for each `probe`, never from within it.
 *  9. MUST NOT log a text, a whole number or a secret, nor give back a secret of ours in `reason` or `error`.
 * 10. MUST NOT tell the gateway that a report or an inbound message has arrived before `kept` has said that
 * it is kept, and MUST tell it to send it again (or nothing) where it could not be kept; tokens whose link is
 *     gone are forgotten.
 * 11. MUST go on reading answers and reports while it sends: what the gateway has said is read before more is
 *     written.
 * 12. MUST begin those of the instant lane first among all that it has taken and not begun. */
#pragma once
#include "dispatch/classify.h"
#include "lib/conf.h"
#include "lib/record.h"
#include "lib/seq_id.h"
#include "lib/slots.h"

#define GATEWAY_ERROR_SIZE 200
#define GATEWAY_PARTS_MAX  255

struct request;
/* How a text is cut into the segments that are submitted one by one. A number stands in the claim: what is
 * begun in one way is never ended in another. */
struct gateway_cut {
    int16_t
        parts;   /* how many, each with its own claim, at most GATEWAY_PARTS_MAX; 1: the text goes as it is */
    int16_t way; /* the driver's own number of the way; 0 where parts is 1 and nothing is to be remembered */
};
struct gateway_item { /* one message of a request, or one segment of one */
    int64_t number;
    const char *text, *sender, *encoding;
    int64_t segments;
    int64_t valid_until;    /* wall ms */
    struct gateway_cut cut; /* of its message, as its first claim says */
    int segment;            /* 1 to cut.parts */
    uint16_t reference;     /* of the message, the same for all its segments and attempts */
    char seq_id[SEQ_ID_SIZE];
    void *message; /* the dispatcher's */
};
struct gateway_request {
    int64_t claimed_mono_ms; /* when the oldest of its claims was asked for */
    bool instant;            /* its lane */
    int64_t sent_us;         /* when its first byte left; 0: not yet. The dispatcher's, for measuring */
    size_t count;
    struct gateway_item items[];
};
struct gateway_outcome { /* of one message, where the answer tells of each by itself */
    enum outcome outcome;
    bool throttled, own_id; /* own_id: as msg_id NULL below */
    char msg_id[SLOT_MSG_ID_SIZE], reason[SLOT_REASON_SIZE], error[GATEWAY_ERROR_SIZE];
};
struct gateway_answer {
    enum outcome outcome;
    const char *msg_id; /* OUTCOME_ACCEPTED; NULL: the gateway gives none, the seq_id stands for it */
    const char *reason; /* short; never NULL but for OUTCOME_ACCEPTED without refusals */
    const char *error;  /* the gateway's words, or the transport's; "" */
    bool throttled, unreachable;
    bool elsewhere;         /* OUTCOME_RETRY: another gateway of the route may take it, this one will not */
    bool single;            /* it is about one message, however many the request has */
    int64_t retry_after_ms; /* -1: not said */
    const int64_t *refused; /* numbers that the answer names as refused */
    size_t refused_count;
    const struct gateway_outcome *each; /* as many as the request has items; NULL: they all share `outcome` */
};
struct gateway_events {
    void *arg;
    bool (*first_byte)(void *arg, struct gateway_request *r);
    /* Everything in `answer` is gone after the call; the request is the dispatcher's again. */
    void (*answered)(void *arg, struct gateway_request *r, const struct gateway_answer *answer);
    void (*probed)(void *arg, bool connected);
    /* What came over the link: a report (step 102; 190 for one that nobody can read), or a message from a
     * phone. It is put into the journal; `kept` is called with the token when it is as durable as a report
     * answered 200 is, or could not be kept; never from within. The record and its strings are the driver's,
     * and are copied; gateway and, where it is 0, `at` are filled in. Tokens are the driver's, too; 0: nobody
     * waits. Set where the driver has `kept`, else NULL. */
    void (*report)(void *arg, const struct step_record *s, uint64_t token);
    void (*inbound)(void *arg, const struct inbound_record *in, uint64_t token);
    /* For a person who looks on (smschain try), else NULL: the request as it is about to go, with its
     * secrets, and what came back; `line` is that of the answer's line that fits, 0: none. Valid during the
     * call. */
    void (*request_seen)(void *arg, const struct request *q);
    void (*result_seen)(void *arg, const struct http_result *h, int line);
    /* The same where there are no requests: what goes (ours) and comes over a link, a line each, its secrets
     * hidden. */
    void (*line_seen)(void *arg, bool ours, const char *line);
};

struct gateway_options {
    const struct conf_gateway *conf; /* outlives the gateway */
    const struct str_list
        *secrets;    /* of the configuration: what an answer must not bring into words; NULL: none */
    unsigned window; /* requests at a time at most */
    struct gateway_events events;
};
struct gateway;
struct gateway_driver {
    const char *name;
    /* < 0: *ret_why says why (caller frees). */
    int (*open)(const struct gateway_options *opts, struct gateway **ret, char **ret_why);
    void (*close)(struct gateway *g);
    void (*send)(struct gateway *g, struct gateway_request *r);
    void (*probe)(struct gateway *g);
    int (*fd)(const struct gateway *g);          /* readable: call `turn` */
    int64_t (*wait_ms)(const struct gateway *g); /* until `turn` has something to do; -1: nothing but fd */
    void (*turn)(struct gateway *g);
    /* NULL: a text is never cut. Else how this text is cut; `way` -1: as the configuration says, else as an
     * earlier claim of the message says. Pure. False: it cannot be sent so, *ret_reason says why (constant).
     */
    bool (*cut)(const struct conf_gateway *conf, const char *text, int way, struct gateway_cut *ret,
                const char **ret_reason);
    void (*kept)(struct gateway *g, uint64_t token, bool kept); /* NULL: nothing comes over its link */
    bool counted; /* the gateway counts our links: who only stands by opens none */
};
extern const struct gateway_driver http_driver, smpp_driver, adapter_driver;
const struct gateway_driver *gateway_driver(const char *name); /* NULL: none of that name */

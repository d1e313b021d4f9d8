/* The fake gateway: what its files share. One thread, one epoll; the gateways it plays differ by the path
 * they are called on (/send, /v2/messages, …; /g/NAME/send: gateway NAME), over SMPP by the system_id.
 * Everything it accepts stands in its log before the answer leaves, so that log is the truth that the chain
 * tests judge smschain by. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"

#define GATEWAY_NAME_SIZE 64
#define GATEWAYS_MAX      64
#define NUMBER_TEXT_SIZE  24
#define REFERENCE_SIZE    64

/* ---- the loop (main.c) ---- */
struct watch { /* first member of everything that has a descriptor */
    void (*ready)(struct watch *w, uint32_t events);
};
void loop_add(int fd, uint32_t events, struct watch *w);
void loop_change(int fd, uint32_t events, struct watch *w);
void loop_free_later(void *p); /* events of this turn may still point at it */
int64_t loop_now_ms(void);     /* wall clock, read once a turn */

/* ---- timers (timer.c): a heap by (due, order) ---- */
void timer_add(int64_t due_ms, int64_t order, void (*fire)(void *arg, uint64_t id), void *arg, uint64_t id);
void timers_run(int64_t now_ms);
int timers_wait_ms(int64_t now_ms); /* -1: none */
/* `release` gets what the `owning` timers would have been given. */
void timers_free(void (*owning)(void *arg, uint64_t id), void (*release)(void *arg));

/* ---- knobs and counters (knobs.c) ---- */
struct share { /* "0.1": a part of all; "n3": the next three */
    double part;
    int64_t next;
};
double share_draw(void); /* 0 up to 1 */
bool share_hits(struct share *s);

#define KNOBS(INT, SHARE, TEXT)                                                                              \
    INT(answer_delay_ms, 0, "the answer leaves so much later")                                               \
    TEXT(user, "who may send; none: anybody")                                                                \
    TEXT(password, "with this; beta, infobip-like: the key; none: any, but aliyun-like must have one")       \
    SHARE(refuse_share, "numbers refused: alpha 'refused:', beta code 20, the others as they do it")         \
    TEXT(refuse_number, "numbers refused, with commas between")                                              \
    INT(refuse_whole, 0, "1: a request that names a refused number is refused whole, without saying which")  \
    SHARE(throttle_share, "requests answered 429 (beta, kannel: 503; aliyun-like: 400 Throttling)")          \
    INT(retry_after_s, 1, "Retry-After of those")                                                            \
    SHARE(drop_before, "requests read, then closed, nothing accepted")                                       \
    SHARE(drop_after, "requests accepted, then closed without an answer")                                    \
    INT(drop_reset, 0, "1: those closes are resets")                                                         \
    SHARE(hang, "requests accepted and never answered")                                                      \
    INT(status, 0, "answer with this HTTP status, nothing accepted")                                         \
    SHARE(status_share, "how many of them (with status; 1 unless set)")                                      \
    INT(status_accepts, 0, "1: those are accepted all the same")                                             \
    SHARE(garbage, "requests accepted and answered 200 with a body that means nothing")                      \
    INT(id_form, 0, "ids in answers: 0 decimal, 1 hex, 2 HEX in capitals, 3 decimal with leading zeros")     \
    INT(report_id_form, 0, "ids in reports, the same")                                                       \
    INT(reports, 1, "0: none are made")                                                                      \
    INT(report_delay_ms, 100, "after the accepting")                                                         \
    INT(report_jitter_ms, 0, "and up to so much more: out of order")                                         \
    INT(report_reverse, 0, "1: the reports of each report_delay_ms leave last first")                        \
    INT(report_progress, 0, "1: an 'accepted' report before the final one")                                  \
    SHARE(early, "requests whose reports are posted before their answer")                                    \
    SHARE(twice, "reports posted twice")                                                                     \
    SHARE(missing, "messages that never get a report")                                                       \
    INT(follow, 0, "1: it can be asked what became of messages, and reports can be fetched")                 \
    SHARE(lookup_unknown, "questions answered as if there were no such message")                             \
    SHARE(lookup_error, "questions answered 500")                                                            \
    INT(lookup_late_ms, 0, "a message is not found before so long after it was accepted")                    \
    SHARE(poll_error, "fetched pages answered 500")                                                          \
    SHARE(undelivered_share, "messages that end undelivered")                                                \
    SHARE(expired_share, "messages that end expired")                                                        \
    SHARE(rejected_share, "messages that end rejected")                                                      \
    INT(batch, 1, "reports in a call, at most")                                                              \
    INT(report_get, 0, "1: alpha's reports come by GET, in the query")                                       \
    INT(report_reference, 1, "0: beta's and twilio-like's reports leave our reference out")                  \
    INT(report_connections, 8, "calls at a time")                                                            \
    INT(report_tries, 1000, "a report is posted at most so often")                                           \
    INT(report_retry_ms, 200, "pause after a post that was not answered 200")                                \
    INT(report_timeout_ms, 10000, "a post without an answer for so long has failed")                         \
    TEXT(report_url, "where reports go, if the request does not say; none: they are not made")               \
    SMPP_KNOBS(INT, SHARE, TEXT)

/* The others mean the same over SMPP where they can: status is a command_status, drop_… ends the link,
 * `twice` and `missing` are receipts. */
#define SMPP_KNOBS(INT, SHARE, TEXT)                                                                         \
    SHARE(bind_refused, "SMPP: binds refused")                                                               \
    INT(bind_status, 13, "with this command_status (13: ESME_RBINDFAIL)")                                    \
    INT(refuse_status, 11, "SMPP: that of numbers refused (11: ESME_RINVDSTADR)")                            \
    INT(busy_status, 88, "SMPP: that of submits throttled (88: ESME_RTHROTTLED; 20: ESME_RMSGQFUL)")         \
    INT(window_max, 0, "SMPP: submits above so many without an answer are throttled; 0: never")              \
    INT(answer_jitter_ms, 0, "SMPP: up to so much more than answer_delay_ms: answers out of order")          \
    SHARE(enquire_unanswered, "SMPP: enquire_links that are not answered")                                   \
    INT(enquire_interval_ms, 0, "SMPP: it asks, too; 0: never")                                              \
    INT(mute, 0, "1: SMPP: it reads on and writes nothing any more")                                         \
    SHARE(unbind, "SMPP: submits after whose answer it unbinds the link")                                    \
    SHARE(cut, "SMPP: PDUs that end in the middle, and the link with them:")                                 \
    TEXT(cut_pdu,                                                                                            \
         "these: submit_sm, bind_transceiver_resp, … (any end: which it reads, or which it writes)")         \
    INT(cut_byte, 0, "so many bytes of them pass (of those it reads at least the header)")                   \
    INT(write_bytes, 0, "SMPP: every write has so many bytes: PDUs are split; 0: all there is, joined")      \
    INT(join_ms, 0, "SMPP: what it writes is gathered for so long, and leaves joined")                       \
    INT(alphabet, 0, "SMPP: its default alphabet: 0 GSM 7-bit, 1 the same packed, 2 Latin-1")                \
    INT(receipt_form, 0,                                                                                     \
        "SMPP: 0 by text and optional parameters, 1 by text, 2 by parameters, 3 texts that deviate")         \
    INT(receipt_class, 4, "SMPP: their esm_class; 0: it forgets to say that they are receipts")              \
    INT(receipt_elsewhere, 0, "1: SMPP: on another bind than the message's, where there is one")             \
    INT(receipt_window, 100, "SMPP: receipts without an answer on a link, at most")

#define KNOB_INT_MEMBER(name, initial, help) int64_t name;
#define KNOB_SHARE_MEMBER(name, help)        struct share name;
#define KNOB_TEXT_MEMBER(name, help)         char name[256];
struct knobs {
    KNOBS(KNOB_INT_MEMBER, KNOB_SHARE_MEMBER, KNOB_TEXT_MEMBER)
};

#define COUNTERS(COUNTER)                                                                                    \
    COUNTER(requests)             /* calls to send */                                                        \
    COUNTER(submits)              /* messages accepted */                                                    \
    COUNTER(duplicates_reference) /* of those: our reference was accepted before */                          \
    COUNTER(duplicates_text)      /* of those: number and text were accepted before */                       \
    COUNTER(duplicates)           /* of those: either */                                                     \
    COUNTER(refused)                                                                                         \
    COUNTER(throttled)                                                                                       \
    COUNTER(dropped_before)                                                                                  \
    COUNTER(dropped_after)                                                                                   \
    COUNTER(hung)                                                                                            \
    COUNTER(bad_requests)                                                                                    \
    COUNTER(unauthorised)                                                                                    \
    COUNTER(lookups)                                                                                         \
    COUNTER(polls)                                                                                           \
    COUNTER(reports_made)                                                                                    \
    COUNTER(reports_posted) /* answered 200 */                                                               \
    COUNTER(reports_failed) /* posts not answered 200, by report */                                          \
    COUNTER(reports_given_up)                                                                                \
    COUNTER(report_calls)                                                                                    \
    COUNTER(inbound_made)                                                                                    \
    COUNTER(inbound_posted) /* answered 2xx */                                                               \
    COUNTER(messages)       /* whole ones, in one submit or in all their parts */                            \
    COUNTER(parts)          /* of the submits: parts of longer messages */                                   \
    COUNTER(binds)                                                                                           \
    COUNTER(binds_refused)                                                                                   \
    COUNTER(unbinds)         /* by the other side */                                                         \
    COUNTER(links_lost)      /* ended without an unbind, whoever ended them */                               \
    COUNTER(enquired)        /* enquire_links that came */                                                   \
    COUNTER(enquire_answers) /* to its own */                                                                \
    COUNTER(bad_pdus)
#define COUNTER_MEMBER(name) int64_t name;
struct counters {
    COUNTERS(COUNTER_MEMBER)
    int64_t first_submit_ms, last_submit_ms;
};

struct report;
struct link;
struct gateway {
    char name[GATEWAY_NAME_SIZE];
    struct knobs knobs;
    struct counters counters;
    uint64_t next_id;
    struct report *ready, **ready_end; /* reports that may be posted now */
    int64_t ready_count;
    struct link *links;
    int link_count;
    bool retry_waits; /* a timer will push again */
    bool speaks_smpp; /* it was bound to */
};
struct gateway *gateway_named(const char *name, size_t len); /* makes it; NULL: too many */
struct gateway *gateway_at(size_t i);                        /* NULL: no more */
/* "alpha.drop_after=n1" or "drop_after=n1" (all gateways, also those not yet called). False: no such knob or
 * value. */
bool knob_set(const char *name, const char *value, struct buf *why);
void knobs_help(struct buf *out);
void counters_json(struct buf *out, bool with_knobs);
extern struct sim_options {
    bool cross_gateway; /* the same number and text at two gateways is a duplicate */
    bool count_text;    /* number and text are looked at at all */
    bool listen;
} sim;
void sim_listen(bool on); /* main.c */

/* ---- HTTP ---- */
struct http_request {
    char *method, *path, *query;         /* NUL-terminated in place; query without '?', "" if none */
    const char *api_key, *authorization; /* NULL: none */
    char *body;
    size_t body_len;
    bool keep_alive;
};
enum { HTTP_MORE = 1 };
/* Reads one whole request from data (which is written into). 0: *ret, *ret_used; HTTP_MORE; < 0 not HTTP. */
int must_check http_parse(char *data, size_t len, struct http_request *ret, size_t *ret_used);
/* Takes the next NAME=VALUE off a query or form, decoded in place. False: no more. */
bool form_next(char **rest, char **ret_name, char **ret_value);

#define FORM_MAX 32
struct form {
    struct {
        char *name, *value;
    } pairs[FORM_MAX];
    size_t count;
};
/* The query and, of a POST, the body, decoded in place. False: too many fields. */
bool must_check form_read(struct http_request *r, struct form *ret);
char *form_value(const struct form *f, const char *name); /* NULL: none */

struct conn;
uint64_t conn_id(const struct conn *c); /* 0 is never one */
struct conn *conn_by_id(uint64_t id);   /* NULL: closed */
void conn_answer(struct conn *c, int status, const char *more_headers, const char *type,
                 const struct buf *body);
/* The answer is made now and leaves after delay_ms, and not before conn_hold was let go as often as it was
 * taken. */
void conn_answer_later(struct conn *c, int64_t delay_ms);
void conn_hold(struct conn *c);
void conn_let_go(uint64_t id);
void conn_close(struct conn *c, bool reset); /* at the end of this turn, without an answer */
void conn_hang(struct conn *c);
void server_open(int fd, size_t which); /* accepts on this listening socket; which: 0 or 1 */
void server_flush(void);                /* sends what this turn answered */
void server_close_idle(void);
void server_free(void);

/* ---- what gateways do ---- */
void route_request(struct conn *c, struct http_request *r); /* control.c */
/* One way to speak each, in the file of its name. */
void alpha_send(struct gateway *g, struct conn *c, struct http_request *r);
void beta_send(struct gateway *g, struct conn *c, struct http_request *r);
void kannel_send(struct gateway *g, struct conn *c, struct http_request *r);
void twilio_send(struct gateway *g, struct conn *c, struct http_request *r);
void infobip_send(struct gateway *g, struct conn *c, struct http_request *r);
void aliyun_send(struct gateway *g, struct conn *c, struct http_request *r);
void aliyun_free(void);

/* accept.c: what all do */
struct answer {
    int status;
    const char *type, *body;
};
enum before { GO_ON, DONE_WITH };
/* The knobs that end a request before it is looked at. */
enum before gateway_before(struct gateway *g, struct conn *c, const struct answer *throttled);
/* Are these the knobs user and password? What is not set there is not asked for. NULL: none came. */
bool gateway_knows(const struct gateway *g, const char *user, const char *password);
char *number_read(char *text); /* its digits, behind a plus; NULL: no number */
/* The value of a parameter in an address, not decoded; "" if it is not there or longer than fits. */
void url_parameter(const char *url, const char *name, char *ret, size_t size);
bool gateway_refuses(struct gateway *g, const char *number);
uint64_t gateway_new_id(struct gateway *g);
void id_format(int64_t form, uint64_t id, char out[32]);
struct accepted {
    uint64_t id;
    const char *number, *text, *reference; /* reference NULL: none */
    const char *request_reference;         /* where it names the request, not the message; NULL: none */
    const char *report_url;                /* NULL: the knob's */
    int64_t report_mask;                   /* kannel: which reports are asked for */
    const char *sender;                    /* over SMPP; else NULL */
    uint64_t smpp_link, smpp_answer;       /* the latter 0: nothing can wait for it */
    bool early;
    enum report_kind {
        REPORT_LIST,
        REPORT_JSON,
        REPORT_KANNEL,
        REPORT_TWILIO,
        REPORT_INFOBIP,
        REPORT_ALIYUN,
        REPORT_INBOUND_FORM, /* messages from phones go the same way */
        REPORT_INBOUND_JSON,
        REPORT_SMPP, /* these two over the link */
        REPORT_INBOUND_SMPP
    } kind;
};
/* c: NULL over SMPP. */
void gateway_accept(struct gateway *g, struct conn *c, const struct accepted *a);
void gateway_answer(struct gateway *g, struct conn *c, int status, const struct buf *body, const char *type);
void gateway_refuse(struct gateway *g, struct conn *c, const struct answer *a); /* the same for a constant */
void log_open(const char *file);
void log_flush(void);
void log_close(void);
void report_log_open(const char *file); /* every report that was answered 200 */
void report_log_add(const struct report *r);

/* ---- seen.c: a set of 64-bit hashes ---- */
struct seen {
    uint64_t *slots;
    size_t size, count;
};
bool seen_before(struct seen *s, uint64_t hash); /* and remembers it */
uint64_t hash_of(uint64_t seed, const void *data, size_t len);

/* ---- parts.c: parts of longer messages, until all of one are there ---- */
/* The reference as the log has it: seg:REFERENCE/TOTAL/NUMBER. True: that was the last one, the text is in
 * *out. */
bool parts_whole(const char *gateway, const char *number, const char *reference, const char *text,
                 struct buf *out);
void parts_free(void);

/* ---- reports ---- */
enum fate { FATE_ACCEPTED, FATE_DELIVERED, FATE_UNDELIVERED, FATE_EXPIRED, FATE_REJECTED };
struct report {
    struct report *next;
    struct gateway *gateway;
    uint64_t id, held_conn; /* held_conn: its answer waits for this post; 0 none (SMPP: the answer's id) */
    uint64_t smpp_link;     /* that the message came by */
    int64_t at_ms;
    int32_t tries;
    uint8_t fate, kind;
    char number[NUMBER_TEXT_SIZE];
    char reference[REFERENCE_SIZE], sender[NUMBER_TEXT_SIZE];
    char *url;     /* NULL: the gateway's knob */
    char *inbound; /* not NULL: no report, but a message from a phone, ready to be posted, or a whole PDU */
};
/* inbound.c: posts a message from a phone, as the form of the request says. False: why not. */
bool inbound_order(struct http_request *r, struct buf *why);
void report_free(struct report *r);
const char *report_url(const struct report *r);
/* follow.c: what became of messages, for those who ask. False: that is no such address. */
bool follow_request(struct conn *c, struct http_request *r, const char *path, const char *name,
                    size_t name_len);
void follow_keep(struct gateway *g, const struct accepted *a, enum fate fate);
void follow_free(void);
void reports_make(struct gateway *g, struct conn *c, const struct accepted *a);
int64_t reports_waiting(void);
void reports_free(void);

/* ---- report_forms.c: how reports are written ---- */
/* What this kind of gateway can say of it: some have no word for `expired`, none for `accepted`. False: it
 * says nothing then. */
bool report_can_say(enum report_kind kind, int64_t mask, enum fate *inout_fate);
bool report_may_join(const struct report *first, const struct report *next); /* in one call */
/* One HTTP request that carries `first` and those linked to it. */
void report_format(const struct gateway *g, const struct report *first, struct buf *request);
bool report_was_taken(const struct report *first, int status, const char *body); /* by the answer to it */

/* ---- poster.c: keep-alive connections to the report addresses ---- */
void report_ready(struct report *r);
struct report *report_take_ready(struct gateway *g); /* the first one; NULL: none */
/* How posting them went, each answered for at last. */
void reports_end(struct gateway *g, struct report *batch, bool taken);
void poster_push_all(void);
void poster_start(void);
void poster_free(void);

/* ---- SMPP (smpp_*.c) ---- */
void smpp_open(int fd);
void smpp_flush(void); /* sends what this turn has written */
void smpp_close_idle(void);
void smpp_free(void);
bool smpp_deliver(struct gateway *g); /* the first report that is ready. False: not now */
void smpp_hold(uint64_t answer);
void smpp_let_go(uint64_t answer);
/* A message from a phone over the links of a gateway. False: why not. */
bool smpp_inbound_order(struct gateway *g, const struct form *f, struct buf *why);

/* The SMPP driver's own state: a gateway has several sessions, each over one link. smpp.c is the driver's
 * table, smpp_session.c the states, smpp_submit.c what goes out, smpp_incoming.c what comes in. Only these
 * include this. */
#pragma once
#include "dispatch/gateway.h"
#include "dispatch/smpp_link.h"
#include "dispatch/smpp_text.h"
#include "lib/hide.h"
#include "lib/log.h"
#include "lib/zone.h"
#include <uthash.h>

enum smpp_state {
    SMPP_CLOSED,     /* no connection; the next one is tried at next_ms */
    SMPP_CONNECTING, /* name, TCP, TLS */
    SMPP_BINDING,
    SMPP_BOUND,
    SMPP_UNBINDING, /* one of the two has said unbind: nothing new is submitted, answers still count */
};
enum smpp_role { SMPP_TRANSCEIVER, SMPP_TRANSMITTER, SMPP_RECEIVER };

struct smpp_sent { /* a submit_sm whose bytes may have left, by its sequence number in this session */
    uint32_t sequence;
    struct gateway_request *request; /* NULL: it was answered (in doubt) before the gateway did */
    int64_t sent_ms;
    int64_t number; /* of what was answered, so that the gateway's late answer can be told */
    char seq_id[SEQ_ID_SIZE];
    struct smpp_sent *previous, *next;
    UT_hash_handle hh;
};
struct smpp_sent_list { /* the oldest first */
    struct smpp_sent *first, *last;
    size_t count;
};

struct smpp_session {
    struct gateway *g;
    unsigned index;
    enum smpp_role role;
    enum smpp_state state;
    uint32_t epoch;    /* counts the sessions of this link: what belongs to an older one is not this one's */
    uint32_t sequence; /* the last one given */
    struct smpp_link *link;
    size_t address;                   /* index of the one in use */
    struct smpp_sent *sent;           /* by sequence */
    struct smpp_sent_list open, late; /* unanswered; answered by ourselves */
    int64_t state_ms;                 /* since when it is in this state */
    int64_t next_ms;                  /* CLOSED: when to connect */
    int64_t received_ms, enquired_ms; /* the last byte; the enquire_link that waits for its answer, 0: none */
    uint32_t bind_sequence, unbind_sequence; /* unbind: the gateway's, to be answered; 0: ours, or none */
    unsigned failures;                       /* in a row */
    bool stranger;                           /* the gateway does not know us: wait longer */
    uint64_t used;                           /* when it last took a submit, by gateway.uses */
    char why[300];                           /* it is not bound */
    bool more; /* the last turn did not read all that was there: TLS may hold it, which no descriptor shows */
    struct log_trouble trouble;
};

struct smpp_waiting { /* taken by send, not a byte of it has left */
    struct gateway_request *request;
    int64_t since_ms;
    struct smpp_waiting *next;
};

struct gateway { /* of this driver */
    struct gateway_options opts;
    const struct conf_smpp *conf;
    struct zone *zone; /* of the times in receipts */
    struct hide hide;
    struct smpp_tls *tls; /* NULL: none */
    int epoll_fd;
    struct smpp_session *sessions;
    size_t count;
    struct smpp_waiting *first, **last; /* those of the instant lane before all others */
    struct smpp_waiting **last_instant;
    bool probing;
    int64_t probe_ms;
    uint64_t uses;
    size_t untold; /* reports and inbound messages that are not said to be kept */
    struct log_trouble refusals, strange;
};

/* ---- smpp_session.c ---- */
void smpp_session_init(struct smpp_session *s, struct gateway *g, unsigned index, enum smpp_role role);
void smpp_session_deinit(struct smpp_session *s); /* what it has open is in doubt */
void smpp_session_turn(struct smpp_session *s, int64_t now_ms);
int64_t smpp_session_wait_ms(const struct smpp_session *s, int64_t now_ms); /* -1: nothing by time */
bool smpp_session_submits(const struct smpp_session *s);                    /* it is bound, and may submit */
bool smpp_session_may_soon(const struct smpp_session *s);                   /* it is on its way there */
void smpp_session_begin_now(struct smpp_session *s);                        /* closed: connect at once */
void smpp_session_unbind(struct smpp_session *s, int64_t now_ms);
/* The one end of a session, whatever the reason: `reason` is a word, `why` a sentence. */
void smpp_session_end(struct smpp_session *s, const char *reason, const char *why, int64_t now_ms);
/* Puts a PDU into the link's buffer. False: it has no room, or cannot be encoded. */
bool must_check smpp_session_put(struct smpp_session *s, const struct smpp_pdu *pdu);
/* An answer to the gateway; where even that has no room the session ends in its next turn. */
void smpp_session_respond(struct smpp_session *s, uint32_t command, uint32_t status, uint32_t sequence);
uint32_t smpp_session_sequence(struct smpp_session *s); /* the next one that is free */
void smpp_session_flush(struct smpp_session *s, int64_t now_ms);
void smpp_show(const struct gateway *g, bool ours, const struct smpp_pdu *pdu); /* to a person who looks on */

/* ---- smpp_bind.c ---- */
struct smpp_bind_words {
    const char *what, *mend; /* what happened, what to do */
    bool stranger;
};
struct smpp_bind_words smpp_bind_words(uint32_t status);
void smpp_bind_pdu(const struct smpp_session *s, struct smpp_pdu *ret);

/* ---- smpp_submit.c ---- */
void smpp_submit_turn(struct gateway *g, int64_t now_ms); /* gives waiting requests to sessions */
void smpp_submit_answered(struct smpp_session *s, const struct smpp_pdu *pdu, int fault);
/* In doubt: unanswered for too long; all of them. */
void smpp_submit_overdue(struct smpp_session *s, int64_t now_ms);
void smpp_submit_lost(struct smpp_session *s, const char *reason, const char *why);
/* Of what waits, nothing has left. */
void smpp_submit_not_sent(struct gateway *g, const char *reason, const char *why, bool unreachable);
bool smpp_cut(const struct conf_gateway *conf, const char *text, int way, struct gateway_cut *ret,
              const char **ret_reason);

/* ---- smpp_incoming.c ---- */
void smpp_incoming(struct smpp_session *s, const struct smpp_pdu *pdu);
void smpp_kept(struct gateway *g, uint64_t token, bool kept);

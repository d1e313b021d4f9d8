/* The fake gateway's SMPP half: smpp_link.c (bytes of a link, and how they are spoilt), smpp_serve.c (what is
 * asked of the gateway), smpp_tell.c (what it tells by itself: receipts, messages from phones). */
#pragma once
#include "dispatch/smpp_framer.h"
#include "dispatch/smpp_status.h"
#include "test/sim/sim.h"
#include <glib.h>

struct smpp_link {
    struct watch watch;
    struct smpp_link *next; /* of all */
    int fd;
    uint64_t id;
    struct gateway *gateway; /* NULL: no bind has named one yet */
    bool transmits, receives;
    bool leaving;              /* nothing is read any more, it ends when all that was read is answered */
    unsigned open;             /* submits without an answer */
    bool last_words;           /* it ends when what is in `out` has left */
    bool over, reset;          /* it ends with this turn */
    bool waits;                /* a timer writes on */
    bool joined;               /* what was gathered may leave */
    bool cut_chosen, cut_this; /* of the PDU that is being read */
    bool unbound;              /* one side has said unbind */
    uint32_t sequence;
    GHashTable *told; /* sequence -> struct report: no answer yet */
    struct buf out;
    size_t sent;
    struct smpp_framer framer;
};

/* ---- smpp_link.c ---- */
struct smpp_link *smpp_link_by_id(uint64_t id); /* NULL: gone */
/* after: NULL is the first one. */
struct smpp_link *smpp_link_next(const struct smpp_link *after);
void smpp_link_write(struct smpp_link *l, const struct smpp_pdu *pdu);
void smpp_link_write_bytes(struct smpp_link *l, uint32_t command, const uint8_t *bytes, size_t len);
void smpp_link_cut(struct smpp_link *l); /* at the end of this turn; what was not sent is lost */
bool smpp_cuts(struct gateway *g, uint32_t command);

/* ---- smpp_serve.c ---- */
void smpp_serve(struct smpp_link *l, const struct smpp_pdu *pdu);
void smpp_link_gone(struct smpp_link *l); /* what was open on it */
void smpp_serve_free(void);

/* ---- smpp_tell.c ---- */
void smpp_told(struct smpp_link *l, const struct smpp_pdu *answer); /* deliver_sm_resp */
void smpp_tell_gone(struct smpp_link *l);

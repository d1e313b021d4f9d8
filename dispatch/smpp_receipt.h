/* A deliver_sm or data_sm -> the report that is in it. By the optional parameters where it has them, else by
 * its text: "id:… sub:001 dlvrd:001 submit date:… done date:… stat:DELIVRD err:000 text:…" [Appendix B] and
 * what gateways make of that form. Pure. */
#pragma once
#include "dispatch/smpp_pdu.h"
#include "lib/state.h"

struct zone;
#define SMPP_RECEIPT_ID_SIZE   128
#define SMPP_RECEIPT_WORD_SIZE 32

struct smpp_receipt {
    char msg_id[SMPP_RECEIPT_ID_SIZE]; /* as the gateway wrote it */
    char
        word[SMPP_RECEIPT_WORD_SIZE]; /* its status word in capitals; of a message_state that of Appendix B */
    bool state_known; /* false: the word is none of ours; the gateway's own list may have it */
    enum state state; /* STATE_ACCEPTED: on its way, an event only */
    char error[SMPP_RECEIPT_WORD_SIZE]; /* of err:, as written; else "network 3:34" of network_error_code; ""
                                           none */
    int64_t done_ms;                    /* done date; 0: none, or no time */
};
enum {
    SMPP_RECEIPT_NONE = 1,       /* a message from a phone */
    SMPP_RECEIPT_UNREADABLE = 2, /* said to be a receipt, and without an id, or a status: for a person */
};
/* any_class: a text that looks like a receipt is one, though esm_class does not say so (some gateways forget
 * it; a phone could write such a text, so it is never so by itself). The zone is that of the gateway's dates.
 */
int must_check smpp_receipt_read(const struct smpp_pdu *pdu, bool any_class, const struct zone *zone,
                                 int64_t now_ms, struct smpp_receipt *ret);

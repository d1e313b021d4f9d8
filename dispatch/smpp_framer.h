/* Bytes from a socket, in whatever pieces they come -> whole PDUs. Its memory is this struct; nothing is
 * allocated by a length that the other side has sent. */
#pragma once
#include "dispatch/smpp_pdu.h"

struct smpp_framer {
    size_t begin, end; /* of what was filled and not yet given out */
    uint8_t bytes[2 * SMPP_PDU_MAX_BYTES];
};
void smpp_framer_init(struct smpp_framer *f);
/* Where the next bytes go; *ret_len is never 0 once smpp_framer_next has said SMPP_FRAME_MORE. */
uint8_t *smpp_framer_room(struct smpp_framer *f, size_t *ret_len);
void smpp_framer_filled(struct smpp_framer *f, size_t len);

enum {
    SMPP_FRAME_MORE = 1, /* no whole PDU yet */
    SMPP_FRAME_BROKEN =
        2, /* command_length is below 16 or above the maximum: no PDU can be found after it. Answer with
              a generic_nack (ESME_RINVCMDLEN, *ret_sequence) and close the link [3.2.1, 4.3.1] */
};
/* 0: *ret is a PDU, for smpp_pdu_decode, until the next smpp_framer_room. */
int must_check smpp_framer_next(struct smpp_framer *f, const uint8_t **ret, size_t *ret_len,
                                uint32_t *ret_sequence);

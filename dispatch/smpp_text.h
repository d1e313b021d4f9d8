/* A text -> the parts that are submitted, and the octets of a part -> its text. Pure.
 *
 * A part ends before a character that does not fit whole: neither an escape and the character that it
 * announces nor the two halves of a surrogate pair are ever parted. With the 8-bit reference and with sar
 * parameters there are as many parts as render/text.h counts segments; the 16-bit reference takes one octet
 * more of each part, so there may be more of them, and so there may be in Latin-1; message_payload is one
 * part. */
#pragma once
#include "dispatch/smpp_pdu.h"
#include "lib/buf.h"

enum smpp_alphabet {
    SMPP_GSM7,        /* a septet in each octet */
    SMPP_GSM7_PACKED, /* eight septets in seven octets, as on the air (3GPP TS 23.038, 6.1.2.1) */
    SMPP_LATIN1,
    SMPP_UCS2, /* and the rest of Unicode as surrogate pairs, as all phones read it */
};
enum smpp_long {                  /* how parts of one text are marked */
                 SMPP_LONG_UDH8,  /* user data header, 8-bit reference (3GPP TS 23.040, 9.2.3.24.1) */
                 SMPP_LONG_UDH16, /* the same, 16-bit reference (9.2.3.24.8) */
                 SMPP_LONG_SAR, /* sar_msg_ref_num, sar_total_segments, sar_segment_seqnum [5.3.2.22 to 24] */
                 SMPP_LONG_PAYLOAD, /* one submit with message_payload [5.3.2.32]; the gateway parts it */
};

#define SMPP_PARTS_MAX 255
#define SMPP_PART_SIZE 160 /* octets, the header too */

struct smpp_text {
    enum smpp_alphabet alphabet;
    enum smpp_long way;
    struct buf octets; /* not packed: two for a UTF-16 code unit, else one */
    size_t count;      /* of parts, at least 1 */
    uint32_t begin[SMPP_PARTS_MAX + 1];
};
enum {
    SMPP_TEXT_NOT_UTF8 = 1,
    SMPP_TEXT_LONG = 2, /* more than SMPP_PARTS_MAX parts, or more than a message_payload holds */
};
/* `alphabet`: the gateway's; a text that is not whole in it goes in UCS-2. smpp_text_deinit in every case. */
int must_check smpp_text_make(const char *utf8, size_t len, enum smpp_alphabet alphabet, enum smpp_long way,
                              struct smpp_text *ret);
void smpp_text_deinit(struct smpp_text *t);
/* Puts part i (from 0) into a submit_sm: short_message or message_payload, esm_class, data_coding, sar
 * parameters. `room` and `t` live until the PDU is encoded. False: the PDU has no room for its parameters. */
bool must_check smpp_text_part(const struct smpp_text *t, size_t i, uint16_t reference,
                               uint8_t room[SMPP_PART_SIZE], struct smpp_pdu *pdu);

struct smpp_part {         /* where a received message stands in a longer one */
    const uint8_t *octets; /* without the header */
    size_t len;
    unsigned header; /* octets of the user data header, 0: none */
    uint16_t reference;
    uint8_t total, number; /* total 1, number 1: it is whole */
};
/* By its user data header, else by sar parameters. What makes no sense (part 3 of 2, part 0) counts as whole.
 */
void smpp_part_read(const struct smpp_pdu *pdu, struct smpp_part *ret);
/* Its text as UTF-8; what is no character becomes U+FFFD. */
void smpp_part_text(const struct smpp_part *part, enum smpp_alphabet alphabet, struct buf *out);

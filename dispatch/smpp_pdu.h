/* The PDUs of SMPP 3.4: bytes <-> struct smpp_pdu. Pure and without memory of its own: what is decoded points
 * into the bytes it came from, so a PDU lives as long as they do. Nothing is read beyond the bytes given,
 * whatever the lengths in them say. For bytes that decode with 0, encoding gives the same bytes again.
 * Numbers in brackets are sections of the "Short Message Peer to Peer Protocol Specification v3.4",
 * issue 1.2. */
#pragma once
#include "lib/base.h"

#define SMPP_HEADER_BYTES  16
#define SMPP_PDU_MAX_BYTES (68u << 10) /* a whole message_payload (64 KiB) and everything beside it */
#define SMPP_TLVS_MAX      32
#define SMPP_VERSION       0x34
#define SMPP_RESPONSE      0x80000000u /* this bit of the command id tells a response from its request [5.1.2] */

enum smpp_command { /* [5.1.2.1] */
                    SMPP_GENERIC_NACK = 0x80000000u,
                    SMPP_BIND_RECEIVER = 0x00000001,
                    SMPP_BIND_RECEIVER_RESP = 0x80000001u,
                    SMPP_BIND_TRANSMITTER = 0x00000002,
                    SMPP_BIND_TRANSMITTER_RESP = 0x80000002u,
                    SMPP_QUERY_SM = 0x00000003,
                    SMPP_QUERY_SM_RESP = 0x80000003u,
                    SMPP_SUBMIT_SM = 0x00000004,
                    SMPP_SUBMIT_SM_RESP = 0x80000004u,
                    SMPP_DELIVER_SM = 0x00000005,
                    SMPP_DELIVER_SM_RESP = 0x80000005u,
                    SMPP_UNBIND = 0x00000006,
                    SMPP_UNBIND_RESP = 0x80000006u,
                    SMPP_BIND_TRANSCEIVER = 0x00000009,
                    SMPP_BIND_TRANSCEIVER_RESP = 0x80000009u,
                    SMPP_ENQUIRE_LINK = 0x00000015,
                    SMPP_ENQUIRE_LINK_RESP = 0x80000015u,
                    SMPP_ALERT_NOTIFICATION = 0x00000102,
                    SMPP_DATA_SM = 0x00000103,
                    SMPP_DATA_SM_RESP = 0x80000103u,
};
const char *smpp_command_name(uint32_t id); /* "submit_sm"; NULL: none of these */

enum smpp_tag { /* [5.3.2] */
                SMPP_TAG_SC_INTERFACE_VERSION = 0x0210,
                SMPP_TAG_SAR_MSG_REF_NUM = 0x020c,
                SMPP_TAG_SAR_TOTAL_SEGMENTS = 0x020e,
                SMPP_TAG_SAR_SEGMENT_SEQNUM = 0x020f,
                SMPP_TAG_RECEIPTED_MESSAGE_ID = 0x001e,
                SMPP_TAG_USER_MESSAGE_REFERENCE = 0x0204,
                SMPP_TAG_NETWORK_ERROR_CODE = 0x0423,
                SMPP_TAG_MESSAGE_PAYLOAD = 0x0424,
                SMPP_TAG_MESSAGE_STATE = 0x0427,
};

#define SMPP_ESM_TYPE         0x3c /* of esm_class [5.2.12]: what kind of message a deliver_sm is */
#define SMPP_ESM_RECEIPT      0x04
#define SMPP_ESM_INTERMEDIATE 0x20
#define SMPP_ESM_UDHI         0x40 /* the short message begins with a user data header */

#define SMPP_CODING_DEFAULT 0x00 /* of data_coding [5.2.19]: the gateway's default alphabet */
#define SMPP_CODING_LATIN1  0x03
#define SMPP_CODING_UCS2    0x08

struct smpp_tlv {
    uint16_t tag, length;
    const uint8_t *value; /* NULL: the value is in `small` (only where we make a PDU) */
    uint8_t small[4];
};

/* All mandatory fields of all commands; each command uses those of its table (smpp_pdu.c). Strings end with
 * their NUL in the PDU's bytes; NULL is written as an empty one. */
struct smpp_pdu {
    uint32_t command, status, sequence;
    bool no_body; /* a response that ends with its header, as it may where its status is no success
                     [4.1.2, 4.4.2] */
    const char *system_id, *password, *system_type, *address_range;
    uint8_t interface_version, addr_ton, addr_npi;
    const char *service_type, *source_addr, *destination_addr, *esme_addr;
    uint8_t source_addr_ton, source_addr_npi, dest_addr_ton, dest_addr_npi, esme_addr_ton, esme_addr_npi;
    uint8_t esm_class, protocol_id, priority_flag, registered_delivery, replace_if_present_flag, data_coding;
    uint8_t sm_default_msg_id;
    const char *schedule_delivery_time, *validity_period;
    const char *message_id, *final_date;
    uint8_t message_state, error_code;
    const uint8_t *short_message;
    uint8_t sm_length;
    size_t tlv_count;
    struct smpp_tlv tlvs[SMPP_TLVS_MAX]; /* known or not, in their order */
};

enum smpp_fault {
    SMPP_PDU_LENGTH = 1,  /* command_length is not that of the bytes, or below that of the header */
    SMPP_PDU_COMMAND = 2, /* a command that we do not know; the header was read */
    SMPP_PDU_CUT = 3,     /* the bytes end within a mandatory field */
    SMPP_PDU_FIELD = 4,   /* a string is longer than its field may be */
    SMPP_PDU_TLV = 5,     /* the bytes end within a TLV, or there are more than SMPP_TLVS_MAX */
    SMPP_PDU_NO_ROOM = 6, /* encoding: it does not fit */
};
/* 0, or an enum smpp_fault. The header is read unless SMPP_PDU_LENGTH; with SMPP_PDU_TLV all mandatory fields
 * are read too, and the TLVs before the broken one: a response is understood in spite of it. */
int must_check smpp_pdu_decode(const void *bytes, size_t len, struct smpp_pdu *ret);
/* 0, SMPP_PDU_COMMAND, SMPP_PDU_FIELD or SMPP_PDU_NO_ROOM. */
int must_check smpp_pdu_encode(const struct smpp_pdu *pdu, void *out, size_t size, size_t *ret_len);
/* The command_status to answer a request with that has this fault [5.1.3]. */
uint32_t smpp_fault_status(enum smpp_fault fault);
const char *smpp_fault_words(enum smpp_fault fault);

/* The first one of this tag; NULL: none. */
const struct smpp_tlv *smpp_tlv(const struct smpp_pdu *pdu, uint16_t tag);
const uint8_t *smpp_tlv_value(const struct smpp_tlv *tlv);
/* One of 1 to 4 octets, most significant first. False: there is none, or of another length. */
bool smpp_tlv_int(const struct smpp_pdu *pdu, uint16_t tag, uint32_t *ret);
/* One that holds a string, with or without its NUL. False: there is none, or it does not fit. */
bool smpp_tlv_text(const struct smpp_pdu *pdu, uint16_t tag, char *out, size_t size);
/* False: there are SMPP_TLVS_MAX already. The value stays the caller's until the PDU is encoded. */
bool must_check smpp_tlv_add(struct smpp_pdu *pdu, uint16_t tag, const void *value, uint16_t len);
bool must_check smpp_tlv_add_int(struct smpp_pdu *pdu, uint16_t tag, uint32_t n, uint16_t octets);
/* The message's octets: short_message, or message_payload where that is empty [5.3.2.32]. */
const uint8_t *smpp_message(const struct smpp_pdu *pdu, size_t *ret_len);

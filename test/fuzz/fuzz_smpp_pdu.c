/* A PDU: what decodes is the same bytes again, and everything that reads a decoded one stays within them. */
#include "dispatch/smpp_status.h"
#include "dispatch/smpp_text.h"
#include "fuzz.h"

static void read_all(const struct smpp_pdu *pdu)
{
    static const uint16_t tags[] = {SMPP_TAG_MESSAGE_STATE, SMPP_TAG_SAR_MSG_REF_NUM,
                                    SMPP_TAG_NETWORK_ERROR_CODE};
    char text[64];
    uint32_t n;

    for (size_t i = 0; i < COUNT_OF(tags); i++)
        (void)smpp_tlv_int(pdu, tags[i], &n);
    (void)smpp_tlv_text(pdu, SMPP_TAG_RECEIPTED_MESSAGE_ID, text, sizeof(text));
    holds(smpp_status(pdu->status)->name != NULL);
    holds(smpp_command_name(pdu->command) != NULL);
    for (int a = SMPP_GSM7; a <= SMPP_UCS2; a++) {
        struct smpp_part part;
        auto_buf out = {0};
        smpp_part_read(pdu, &part);
        holds(part.number >= 1 && part.number <= part.total);
        smpp_part_text(&part, (enum smpp_alphabet)a, &out);
        holds(out.len == 0 || utf8_is_text(out.data, out.len));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[SMPP_PDU_MAX_BYTES];
    struct smpp_pdu pdu;
    size_t len = 0;
    int result = smpp_pdu_decode(data, size, &pdu);

    if (result != 0) {
        holds(smpp_fault_status((enum smpp_fault)result) != SMPP_STATUS_OK);
        if (result == SMPP_PDU_TLV)
            read_all(&pdu);
        return 0;
    }
    read_all(&pdu);
    if (size > SMPP_PDU_MAX_BYTES)
        return 0;
    holds(smpp_pdu_encode(&pdu, out, sizeof(out), &len) == 0);
    holds(len == size && memcmp(out, data, size) == 0);
    return 0;
}

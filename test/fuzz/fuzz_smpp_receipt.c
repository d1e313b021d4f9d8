/* A deliver_sm's class, coding and options in three bytes, then its text. */
#include "dispatch/smpp_receipt.h"
#include "fuzz.h"
#include "lib/zone.h"

#define NOW_MS INT64_C(1774008000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zone *zone;
    struct smpp_receipt r;
    struct smpp_pdu pdu = {.command = SMPP_DELIVER_SM};

    if (size < 3)
        return 0;
    if (!zone)
        zone = zone_open("Europe/Berlin");
    pdu.esm_class = data[0];
    pdu.data_coding = data[1];
    size_t len = MIN_OF(size - 3, 65535);
    if (data[2] & 2) {
        if (!smpp_tlv_add(&pdu, SMPP_TAG_MESSAGE_PAYLOAD, data + 3, (uint16_t)len))
            return 0;
    } else {
        pdu.short_message = data + 3;
        pdu.sm_length = (uint8_t)MIN_OF(len, 255);
    }
    if ((data[2] & 4) && !smpp_tlv_add_int(&pdu, SMPP_TAG_MESSAGE_STATE, data[2] >> 4, 1))
        return 0;
    if ((data[2] & 8) && !smpp_tlv_add(&pdu, SMPP_TAG_RECEIPTED_MESSAGE_ID, data + 3, (uint16_t)(len / 2)))
        return 0;
    int result = smpp_receipt_read(&pdu, data[2] & 1, zone, NOW_MS, &r);
    holds(result >= 0 && result <= SMPP_RECEIPT_UNREADABLE);
    holds(memchr(r.msg_id, '\0', sizeof(r.msg_id)) && memchr(r.word, '\0', sizeof(r.word)) &&
          memchr(r.error, '\0', sizeof(r.error)));
    holds(result != 0 || (r.msg_id[0] && r.word[0] && state_word(r.state)));
    return 0;
}

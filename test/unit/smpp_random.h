/* Random SMPP PDUs, the same ones for the same seed: every command, every field at its shortest and longest.
 */
#pragma once
#include "dispatch/smpp_pdu.h"

struct smpp_random {
    uint32_t seed;
    bool typed; /* optional parameters have the lengths that belong to them */
    struct smpp_pdu pdu;
    char text[16][130];
    unsigned texts;
    const char *id;
    uint8_t message[255], value[70000];
    uint8_t bytes[SMPP_PDU_MAX_BYTES];
};

static inline uint32_t smpp_random_below(struct smpp_random *r, uint32_t limit)
{
    uint64_t n = r->seed + UINT64_C(0x9e3779b9); /* a multiplicative mixer is random enough here */

    n = (n ^ n >> 15) * UINT64_C(0x2c1b3c6d);
    n = (n ^ n >> 12) * UINT64_C(0x297a2d39);
    r->seed = (uint32_t)(n ^ n >> 15);
    return limit ? r->seed % limit : 0;
}

static inline const char *smpp_random_text(struct smpp_random *r, uint32_t size)
{
    char *s = r->text[r->texts++ % 16];
    uint32_t len = smpp_random_below(r, 4) == 0 ? size - 1 : smpp_random_below(r, size);

    for (uint32_t i = 0; i < len; i++)
        s[i] = (char)(0x21 + smpp_random_below(r, 94));
    s[len] = '\0';
    return s;
}

static inline void smpp_random_tlvs(struct smpp_random *r)
{
    static const struct {
        uint16_t tag, length; /* 0: any */
    } kinds[] = {
        {SMPP_TAG_MESSAGE_STATE, 1},          {SMPP_TAG_NETWORK_ERROR_CODE, 3}, {SMPP_TAG_SAR_MSG_REF_NUM, 2},
        {SMPP_TAG_USER_MESSAGE_REFERENCE, 2}, {SMPP_TAG_MESSAGE_PAYLOAD, 0},    {0x1400, 0},
        {SMPP_TAG_SC_INTERFACE_VERSION, 1},   {SMPP_TAG_SAR_TOTAL_SEGMENTS, 1}, {0x3fff, 0},
        {SMPP_TAG_RECEIPTED_MESSAGE_ID, 0}};

    for (uint32_t n = smpp_random_below(r, 8) ? smpp_random_below(r, 4) : SMPP_TLVS_MAX; n > 0; n--) {
        uint32_t i = smpp_random_below(r, COUNT_OF(kinds));
        uint16_t len =
            (uint16_t)(smpp_random_below(r, 4) ? smpp_random_below(r, 5) : smpp_random_below(r, 300));
        const void *value = r->value;

        if (r->typed && kinds[i].length > 0)
            len = kinds[i].length;
        if (r->typed && kinds[i].tag == SMPP_TAG_RECEIPTED_MESSAGE_ID) {
            value = r->id;
            len = (uint16_t)(strlen(r->id) + 1);
        }
        if (!r->typed && r->pdu.tlv_count == 0 && smpp_random_below(r, 40) == 0)
            len = 0xffff;
        if (!smpp_tlv_add(&r->pdu, kinds[i].tag, value, len) || len == 0xffff)
            return;
    }
}

static inline void smpp_random_pdu(struct smpp_random *r, unsigned seed)
{
    static const uint32_t ids[] = {0, 1, 2, 3, 4, 4, 4, 5, 5, 5, 6, 9, 0x15, 0x102, 0x103};
    struct smpp_pdu *p = &r->pdu;

    r->seed = seed * 2654435761u;
    r->texts = 0;
    *p = (struct smpp_pdu){.command = ids[smpp_random_below(r, COUNT_OF(ids))]};
    if (p->command == 0 || (p->command != SMPP_ALERT_NOTIFICATION && smpp_random_below(r, 2)))
        p->command |= SMPP_RESPONSE;
    p->status = smpp_random_below(r, 3) ? 0 : smpp_random_below(r, 0x500);
    p->sequence = smpp_random_below(r, 0x7fffffff) + 1;
    for (size_t i = 0; i < sizeof(r->message); i++)
        r->message[i] = (uint8_t)smpp_random_below(r, 256);
    for (size_t i = 0; i < 300; i++)
        r->value[i] = (uint8_t)smpp_random_below(r, 256);
    p->system_id = smpp_random_text(r, 16), p->password = smpp_random_text(r, 9);
    p->system_type = smpp_random_text(r, 13), p->address_range = smpp_random_text(r, 41);
    p->service_type = smpp_random_text(r, 6), p->source_addr = smpp_random_text(r, 21);
    p->destination_addr = smpp_random_text(r, 21), p->esme_addr = smpp_random_text(r, 65);
    p->message_id = smpp_random_text(r, 65), r->id = smpp_random_text(r, 65);
    p->schedule_delivery_time = smpp_random_below(r, 2) ? "260101120000000+" : NULL;
    p->validity_period = smpp_random_below(r, 2) ? "000001000000000R" : "";
    p->final_date = smpp_random_below(r, 2) ? "260101120000000+" : "";
    uint8_t *const octets[] = {&p->interface_version,
                               &p->addr_ton,
                               &p->addr_npi,
                               &p->source_addr_ton,
                               &p->source_addr_npi,
                               &p->dest_addr_ton,
                               &p->dest_addr_npi,
                               &p->esme_addr_ton,
                               &p->esme_addr_npi,
                               &p->esm_class,
                               &p->protocol_id,
                               &p->priority_flag,
                               &p->registered_delivery,
                               &p->replace_if_present_flag,
                               &p->data_coding,
                               &p->sm_default_msg_id,
                               &p->message_state,
                               &p->error_code};
    for (size_t i = 0; i < COUNT_OF(octets); i++)
        *octets[i] = (uint8_t)smpp_random_below(r, 256);
    p->short_message = r->message;
    p->sm_length =
        (uint8_t)(smpp_random_below(r, 4) ? smpp_random_below(r, 255) : smpp_random_below(r, 2) * 254);
    smpp_random_tlvs(r);
}

/* Optional parameters [5.3] of a decoded PDU, and of one that is being made. */
#include "dispatch/smpp_pdu.h"

const struct smpp_tlv *smpp_tlv(const struct smpp_pdu *pdu, uint16_t tag)
{
    for (size_t i = 0; i < pdu->tlv_count; i++)
        if (pdu->tlvs[i].tag == tag)
            return &pdu->tlvs[i];
    return NULL;
}

const uint8_t *smpp_tlv_value(const struct smpp_tlv *tlv)
{
    return tlv->value ? tlv->value : tlv->small;
}

bool smpp_tlv_int(const struct smpp_pdu *pdu, uint16_t tag, uint32_t *ret)
{
    const struct smpp_tlv *t = smpp_tlv(pdu, tag);
    uint32_t n = 0;

    if (!t || t->length < 1 || t->length > 4)
        return false;
    for (unsigned i = 0; i < t->length; i++)
        n = n << 8 | smpp_tlv_value(t)[i];
    *ret = n;
    return true;
}

bool smpp_tlv_text(const struct smpp_pdu *pdu, uint16_t tag, char *out, size_t size)
{
    const struct smpp_tlv *t = smpp_tlv(pdu, tag);

    if (!t)
        return false;
    size_t len = strnlen((const char *)smpp_tlv_value(t), t->length);
    if (len >= size)
        return false;
    memcpy(out, smpp_tlv_value(t), len);
    out[len] = '\0';
    return true;
}

bool smpp_tlv_add(struct smpp_pdu *pdu, uint16_t tag, const void *value, uint16_t len)
{
    if (pdu->tlv_count == SMPP_TLVS_MAX)
        return false;
    pdu->tlvs[pdu->tlv_count++] = (struct smpp_tlv){.tag = tag, .length = len, .value = value};
    return true;
}

bool smpp_tlv_add_int(struct smpp_pdu *pdu, uint16_t tag, uint32_t n, uint16_t octets)
{
    if (octets > sizeof(pdu->tlvs[0].small) || !smpp_tlv_add(pdu, tag, NULL, octets))
        return false;
    for (unsigned i = octets; i-- > 0; n >>= 8)
        pdu->tlvs[pdu->tlv_count - 1].small[i] = (uint8_t)n;
    return true;
}

const uint8_t *smpp_message(const struct smpp_pdu *pdu, size_t *ret_len)
{
    const struct smpp_tlv *payload = smpp_tlv(pdu, SMPP_TAG_MESSAGE_PAYLOAD);

    if (pdu->sm_length == 0 && payload) {
        *ret_len = payload->length;
        return smpp_tlv_value(payload);
    }
    *ret_len = pdu->sm_length;
    return pdu->short_message;
}

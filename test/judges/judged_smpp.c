/* SMPP PDUs for the judges: one line each, "HEX-OF-THE-PDU FIELDS", the fields as JSON: numbers, and octets
 * in hex. Decoding gives what our encoder makes of it again as HEX, or the fault's number alone. */
#include "../unit/smpp_random.h"
#include "judged.h"
#include <stdio.h>

static void hex(const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        printf("%02x", ((const uint8_t *)bytes)[i]);
}

static void fields(const struct smpp_pdu *p)
{
#define FIELD(name)                                                                                          \
    {                                                                                                        \
#name, &p->name                                                                                      \
    }
    const struct {
        const char *name;
        const char *const *value;
    } texts[] = {FIELD(system_id),        FIELD(password),     FIELD(system_type),
                 FIELD(address_range),    FIELD(service_type), FIELD(source_addr),
                 FIELD(destination_addr), FIELD(esme_addr),    FIELD(schedule_delivery_time),
                 FIELD(validity_period),  FIELD(message_id),   FIELD(final_date)};
    const struct {
        const char *name;
        const uint8_t *value;
    } octets[] = {FIELD(interface_version),
                  FIELD(addr_ton),
                  FIELD(addr_npi),
                  FIELD(source_addr_ton),
                  FIELD(source_addr_npi),
                  FIELD(dest_addr_ton),
                  FIELD(dest_addr_npi),
                  FIELD(esme_addr_ton),
                  FIELD(esme_addr_npi),
                  FIELD(esm_class),
                  FIELD(protocol_id),
                  FIELD(priority_flag),
                  FIELD(registered_delivery),
                  FIELD(replace_if_present_flag),
                  FIELD(data_coding),
                  FIELD(sm_default_msg_id),
                  FIELD(message_state),
                  FIELD(error_code)};

    printf("{\"command\":\"%s\",\"command_status\":%u,\"sequence_number\":%u", smpp_command_name(p->command),
           p->status, p->sequence);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        printf(",\"%s\":\"", texts[i].name);
        hex(*texts[i].value, *texts[i].value ? strlen(*texts[i].value) : 0);
        putchar('"');
    }
    for (size_t i = 0; i < COUNT_OF(octets); i++)
        printf(",\"%s\":%u", octets[i].name, *octets[i].value);
    printf(",\"short_message\":\"");
    hex(p->short_message, p->sm_length);
    printf("\",\"tlvs\":{");
    for (size_t i = 0; i < p->tlv_count; i++) {
        printf("%s\"%u\":\"", i ? "," : "", p->tlvs[i].tag);
        hex(smpp_tlv_value(&p->tlvs[i]), p->tlvs[i].length);
        putchar('"');
    }
    printf("}}");
}

void answer_smpp_random(const char *seed)
{
    static struct smpp_random r;
    struct smpp_pdu again;
    size_t len = 0;

    r.typed = true;
    smpp_random_pdu(&r, (unsigned)strtoul(seed, NULL, 10));
    int result = smpp_pdu_encode(&r.pdu, r.bytes, sizeof(r.bytes), &len);
    if (result == 0)
        result = smpp_pdu_decode(r.bytes, len, &again);
    if (result != 0) {
        printf("%d", result);
        return;
    }
    hex(r.bytes, len);
    putchar(' ');
    fields(&again);
}

void answer_smpp_decode(const char *text)
{
    static uint8_t out[SMPP_PDU_MAX_BYTES];
    size_t len = 0, out_len = 0;
    auto_free char *bytes = bytes_of_hex(text, &len);
    struct smpp_pdu pdu;
    int result = smpp_pdu_decode(bytes, len, &pdu);

    if (result == 0)
        result = smpp_pdu_encode(&pdu, out, sizeof(out), &out_len);
    if (result != 0) {
        printf("%d", result);
        return;
    }
    hex(out, out_len);
    putchar(' ');
    fields(&pdu);
}

/* One table a command says which fields it has and in which order; decoding and encoding walk it. Optional
 * parameters are taken with every command: later versions and many gateways add some where 3.4 has none. */
#include "dispatch/smpp_pdu.h"
#include "dispatch/smpp_status.h"

/* Sizes count the NUL. Where gateways give out longer names, passwords, ids and addresses than 3.4 has room
 * for (16, 9, 65 and 21), they are taken: it is the other side that has to like them. */
#define NAME_SIZE    65
#define ADDRESS_SIZE 65
#define ID_SIZE      128

struct field {
    enum { FIELD_INT, FIELD_STR, FIELD_MESSAGE } type;
    uint16_t offset, size;
};
#define INT(name)                                                                                            \
    {                                                                                                        \
        FIELD_INT, offsetof(struct smpp_pdu, name), 1                                                        \
    }
#define STR(name, size)                                                                                      \
    {                                                                                                        \
        FIELD_STR, offsetof(struct smpp_pdu, name), size                                                     \
    }

static const struct field bind[] = {/* [4.1.1, 4.1.3, 4.1.5] */
                                    STR(system_id, NAME_SIZE),
                                    STR(password, NAME_SIZE),
                                    STR(system_type, 13),
                                    INT(interface_version),
                                    INT(addr_ton),
                                    INT(addr_npi),
                                    STR(address_range, 41)};
static const struct field bind_resp[] = {STR(system_id, NAME_SIZE)}; /* [4.1.2, 4.1.4, 4.1.6] */
static const struct field sm[] = {/* submit_sm and deliver_sm [4.4.1, 4.6.1] */
                                  STR(service_type, 6),
                                  INT(source_addr_ton),
                                  INT(source_addr_npi),
                                  STR(source_addr, ADDRESS_SIZE),
                                  INT(dest_addr_ton),
                                  INT(dest_addr_npi),
                                  STR(destination_addr, ADDRESS_SIZE),
                                  INT(esm_class),
                                  INT(protocol_id),
                                  INT(priority_flag),
                                  STR(schedule_delivery_time, 17),
                                  STR(validity_period, 17),
                                  INT(registered_delivery),
                                  INT(replace_if_present_flag),
                                  INT(data_coding),
                                  INT(sm_default_msg_id),
                                  {FIELD_MESSAGE, 0, 0}};
static const struct field id_resp[] = {STR(message_id, ID_SIZE)}; /* [4.4.2, 4.6.2, 4.7.2] */
static const struct field data[] = {                              /* [4.7.1] */
                                    STR(service_type, 6),
                                    INT(source_addr_ton),
                                    INT(source_addr_npi),
                                    STR(source_addr, ADDRESS_SIZE),
                                    INT(dest_addr_ton),
                                    INT(dest_addr_npi),
                                    STR(destination_addr, ADDRESS_SIZE),
                                    INT(esm_class),
                                    INT(registered_delivery),
                                    INT(data_coding)};
static const struct field query[] = {/* [4.8.1] */
                                     STR(message_id, ID_SIZE), INT(source_addr_ton), INT(source_addr_npi),
                                     STR(source_addr, ADDRESS_SIZE)};
static const struct field query_resp[] = {/* [4.8.2] */
                                          STR(message_id, ID_SIZE), STR(final_date, 17), INT(message_state),
                                          INT(error_code)};
static const struct field alert[] = {/* [4.12.1] */
                                     INT(source_addr_ton),
                                     INT(source_addr_npi),
                                     STR(source_addr, ADDRESS_SIZE),
                                     INT(esme_addr_ton),
                                     INT(esme_addr_npi),
                                     STR(esme_addr, ADDRESS_SIZE)};

static const struct command {
    uint32_t id;
    const char *name;
    const struct field *fields;
    size_t count;
} commands[] = {
    {SMPP_SUBMIT_SM, "submit_sm", sm, COUNT_OF(sm)},
    {SMPP_SUBMIT_SM_RESP, "submit_sm_resp", id_resp, COUNT_OF(id_resp)},
    {SMPP_DELIVER_SM, "deliver_sm", sm, COUNT_OF(sm)},
    {SMPP_DELIVER_SM_RESP, "deliver_sm_resp", id_resp, COUNT_OF(id_resp)},
    {SMPP_ENQUIRE_LINK, "enquire_link", NULL, 0}, /* [4.11] */
    {SMPP_ENQUIRE_LINK_RESP, "enquire_link_resp", NULL, 0},
    {SMPP_DATA_SM, "data_sm", data, COUNT_OF(data)},
    {SMPP_DATA_SM_RESP, "data_sm_resp", id_resp, COUNT_OF(id_resp)},
    {SMPP_BIND_TRANSCEIVER, "bind_transceiver", bind, COUNT_OF(bind)},
    {SMPP_BIND_TRANSCEIVER_RESP, "bind_transceiver_resp", bind_resp, COUNT_OF(bind_resp)},
    {SMPP_BIND_TRANSMITTER, "bind_transmitter", bind, COUNT_OF(bind)},
    {SMPP_BIND_TRANSMITTER_RESP, "bind_transmitter_resp", bind_resp, COUNT_OF(bind_resp)},
    {SMPP_BIND_RECEIVER, "bind_receiver", bind, COUNT_OF(bind)},
    {SMPP_BIND_RECEIVER_RESP, "bind_receiver_resp", bind_resp, COUNT_OF(bind_resp)},
    {SMPP_UNBIND, "unbind", NULL, 0}, /* [4.2] */
    {SMPP_UNBIND_RESP, "unbind_resp", NULL, 0},
    {SMPP_QUERY_SM, "query_sm", query, COUNT_OF(query)},
    {SMPP_QUERY_SM_RESP, "query_sm_resp", query_resp, COUNT_OF(query_resp)},
    {SMPP_ALERT_NOTIFICATION, "alert_notification", alert, COUNT_OF(alert)},
    {SMPP_GENERIC_NACK, "generic_nack", NULL, 0}, /* [4.3] */
};

static const struct command *command_of(uint32_t id)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (commands[i].id == id)
            return &commands[i];
    return NULL;
}

const char *smpp_command_name(uint32_t id)
{
    const struct command *c = command_of(id);

    return c ? c->name : NULL;
}

/* ---- decoding ---- */

struct reader {
    const uint8_t *at, *end;
};

static size_t rest(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

static uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint16_t u16_at(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static int read_str(struct reader *r, size_t size, const char **ret)
{
    const uint8_t *nul = memchr(r->at, '\0', MIN_OF(rest(r), size));

    if (!nul)
        return rest(r) < size ? SMPP_PDU_CUT : SMPP_PDU_FIELD;
    *ret = (const char *)r->at;
    r->at = nul + 1;
    return 0;
}

static int read_message(struct reader *r, struct smpp_pdu *pdu)
{
    if (rest(r) < 1 || rest(r) - 1 < r->at[0])
        return SMPP_PDU_CUT;
    pdu->sm_length = *r->at++;
    pdu->short_message = r->at;
    r->at += pdu->sm_length;
    return 0;
}

static int read_field(struct reader *r, const struct field *f, struct smpp_pdu *pdu)
{
    char *place = (char *)pdu + f->offset;

    switch (f->type) {
    case FIELD_INT:
        if (rest(r) < 1)
            return SMPP_PDU_CUT;
        *(uint8_t *)place = *r->at++;
        return 0;
    case FIELD_STR:
        return read_str(r, f->size, (const char **)(void *)place);
    case FIELD_MESSAGE:
        return read_message(r, pdu);
    }
    return SMPP_PDU_FIELD;
}

static int read_tlvs(struct reader *r, struct smpp_pdu *pdu)
{
    while (rest(r) > 0) { /* [3.2.4.1] */
        if (rest(r) < 4 || rest(r) - 4 < u16_at(r->at + 2) || pdu->tlv_count == SMPP_TLVS_MAX)
            return SMPP_PDU_TLV;
        struct smpp_tlv *tlv = &pdu->tlvs[pdu->tlv_count++];
        *tlv = (struct smpp_tlv){.tag = u16_at(r->at), .length = u16_at(r->at + 2), .value = r->at + 4};
        r->at += 4 + tlv->length;
    }
    return 0;
}

/* The TLVs are not cleared: tlv_count says how many there are, and they are most of the struct. */
static void clear(struct smpp_pdu *pdu)
{
    memset(pdu, 0, offsetof(struct smpp_pdu, tlvs));
}

int smpp_pdu_decode(const void *bytes, size_t len, struct smpp_pdu *ret)
{
    const uint8_t *head = bytes;
    int result = 0;

    clear(ret);
    if (len < SMPP_HEADER_BYTES || u32_at(head) != len) /* [3.2] */
        return SMPP_PDU_LENGTH;
    ret->command = u32_at(head + 4);
    ret->status = u32_at(head + 8);
    ret->sequence = u32_at(head + 12);
    const struct command *c = command_of(ret->command);
    if (!c)
        return SMPP_PDU_COMMAND;
    struct reader r = {head + SMPP_HEADER_BYTES, head + len};
    ret->no_body = c->count > 0 && (c->id & SMPP_RESPONSE) && rest(&r) == 0;
    for (size_t i = 0; i < c->count && result == 0 && !ret->no_body; i++)
        result = read_field(&r, &c->fields[i], ret);
    return result == 0 ? read_tlvs(&r, ret) : result;
}

/* ---- encoding ---- */

struct writer {
    uint8_t *at, *end;
};

static int write_bytes(struct writer *w, const void *bytes, size_t len)
{
    if ((size_t)(w->end - w->at) < len)
        return SMPP_PDU_NO_ROOM;
    if (len > 0)
        memcpy(w->at, bytes, len);
    w->at += len;
    return 0;
}

static int write_str(struct writer *w, const char *s, size_t size)
{
    size_t len = s ? strlen(s) + 1 : 1;

    return len > size ? SMPP_PDU_FIELD : write_bytes(w, s ? s : "", len);
}

static int write_field(struct writer *w, const struct field *f, const struct smpp_pdu *pdu)
{
    const char *place = (const char *)pdu + f->offset;
    int result;

    switch (f->type) {
    case FIELD_INT:
        return write_bytes(w, place, 1);
    case FIELD_STR:
        return write_str(w, *(const char *const *)(const void *)place, f->size);
    case FIELD_MESSAGE:
        result = write_bytes(w, &pdu->sm_length, 1);
        return result == 0 ? write_bytes(w, pdu->short_message, pdu->sm_length) : result;
    }
    return SMPP_PDU_FIELD;
}

static int write_tlv(struct writer *w, const struct smpp_tlv *t)
{
    uint8_t head[4] = {(uint8_t)(t->tag >> 8), (uint8_t)t->tag, (uint8_t)(t->length >> 8),
                       (uint8_t)t->length};
    int result = write_bytes(w, head, sizeof(head));

    return result == 0 ? write_bytes(w, smpp_tlv_value(t), t->length) : result;
}

static void put_u32(uint8_t *p, uint32_t n)
{
    p[0] = (uint8_t)(n >> 24);
    p[1] = (uint8_t)(n >> 16);
    p[2] = (uint8_t)(n >> 8);
    p[3] = (uint8_t)n;
}

int smpp_pdu_encode(const struct smpp_pdu *pdu, void *out, size_t size, size_t *ret_len)
{
    const struct command *c = command_of(pdu->command);
    uint8_t *head = out;
    struct writer w = {head, head + MIN_OF(size, SMPP_PDU_MAX_BYTES)};
    uint8_t zero[SMPP_HEADER_BYTES] = {0};

    if (!c)
        return SMPP_PDU_COMMAND;
    int result = write_bytes(&w, zero, sizeof(zero));
    for (size_t i = 0; i < c->count && result == 0 && !pdu->no_body; i++)
        result = write_field(&w, &c->fields[i], pdu);
    for (size_t i = 0; i < pdu->tlv_count && result == 0; i++)
        result = write_tlv(&w, &pdu->tlvs[i]);
    if (result != 0)
        return result;
    *ret_len = (size_t)(w.at - head);
    put_u32(head, (uint32_t)*ret_len);
    put_u32(head + 4, pdu->command);
    put_u32(head + 8, pdu->status);
    put_u32(head + 12, pdu->sequence);
    return 0;
}

/* ---- faults ---- */

uint32_t smpp_fault_status(enum smpp_fault fault)
{
    switch (fault) {
    case SMPP_PDU_LENGTH:
    case SMPP_PDU_CUT:
        return SMPP_STATUS_INVCMDLEN;
    case SMPP_PDU_COMMAND:
        return SMPP_STATUS_INVCMDID;
    case SMPP_PDU_TLV:
        return SMPP_STATUS_INVOPTPARSTREAM;
    case SMPP_PDU_FIELD:
    case SMPP_PDU_NO_ROOM:
        break;
    }
    return SMPP_STATUS_INVPARLEN;
}

const char *smpp_fault_words(enum smpp_fault fault)
{
    switch (fault) {
    case SMPP_PDU_LENGTH:
        return "its command_length is not its length";
    case SMPP_PDU_COMMAND:
        return "its command_id is not known";
    case SMPP_PDU_CUT:
        return "it ends within a mandatory field";
    case SMPP_PDU_FIELD:
        return "a string in it is longer than its field may be";
    case SMPP_PDU_TLV:
        return "it ends within an optional parameter, or has too many of them";
    case SMPP_PDU_NO_ROOM:
        return "it is longer than a PDU may be";
    }
    return "unknown fault";
}

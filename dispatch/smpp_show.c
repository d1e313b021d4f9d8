/* A PDU in one line, for a person who looks on (smschain try). The password is never shown. */
#include "dispatch/smpp_session.h"
#include "dispatch/smpp_status.h"

static void add(struct buf *b, const char *name, const char *value)
{
    if (value != NULL && *value != '\0')
        buf_addf(b, " %s=%s", name, value);
}

static void add_sm(struct buf *b, const struct smpp_pdu *p)
{
    if (p->destination_addr == NULL)
        return;
    buf_addf(b, " source=%s (ton %d, npi %d) destination=%s (ton %d, npi %d)",
             p->source_addr != NULL ? p->source_addr : "", p->source_addr_ton, p->source_addr_npi,
             p->destination_addr, p->dest_addr_ton, p->dest_addr_npi);
    buf_addf(b, " esm_class=0x%02x data_coding=0x%02x registered_delivery=%d", p->esm_class, p->data_coding,
             p->registered_delivery);
    add(b, "validity_period", p->validity_period);
    buf_addf(b, " short_message=%d octets", p->sm_length);
}

static void add_tlvs(struct buf *b, const struct smpp_pdu *p)
{
    for (size_t i = 0; i < p->tlv_count; i++) {
        const uint8_t *value = smpp_tlv_value(&p->tlvs[i]);
        buf_addf(b, " tlv 0x%04x=", p->tlvs[i].tag);
        if (p->tlvs[i].length > 8)
            buf_addf(b, "%u octets", p->tlvs[i].length);
        for (size_t k = 0; p->tlvs[i].length <= 8 && k < p->tlvs[i].length; k++)
            buf_addf(b, "%02x", value[k]);
    }
}

void smpp_show(const struct gateway *g, bool ours, const struct smpp_pdu *p)
{
    auto_buf line = {0}, hidden = {0};
    if (g->opts.events.line_seen == NULL)
        return;
    const char *name = smpp_command_name(p->command);
    buf_addf(&line, "%s sequence=%u", name != NULL ? name : "unknown command", p->sequence);
    if (p->command & SMPP_RESPONSE)
        buf_addf(&line, " status=0x%x %s (%s)", p->status, smpp_status(p->status)->name,
                 smpp_status(p->status)->words);
    add(&line, "system_id", p->system_id);
    add(&line, "password", p->password != NULL && *p->password != '\0' ? "***" : NULL);
    add(&line, "system_type", p->system_type);
    add(&line, "message_id", p->message_id);
    add_sm(&line, p);
    add_tlvs(&line, p);
    hide_in(&g->hide, line.data, line.len, &hidden);
    g->opts.events.line_seen(g->opts.events.arg, ours, hidden.data);
}

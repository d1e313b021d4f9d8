/* deliver_sm and data_sm: reports, and messages from phones. The gateway hears that one has arrived only
 * when it is kept; until then its token says where the answer belongs: which link, which of its sessions,
 * which PDU. A token whose session is over is forgotten, since the gateway will send it again. */
#include "dispatch/smpp_receipt.h"
#include "dispatch/smpp_session.h"
#include "dispatch/smpp_status.h"
#include "lib/clock.h"

#include <ctype.h>
#include <stdio.h>

#define UNTOLD_MAX    1000 /* not said to be kept; beyond it the gateway is asked to send again */
#define NUMBER_DIGITS 15

/* ---- tokens: epoch 24 bits, link 7, data_sm 1, sequence 32 ---- */

static uint64_t token_of(const struct smpp_session *s, const struct smpp_pdu *pdu)
{
    return (uint64_t)(s->epoch & 0xffffff) << 40 | (uint64_t)s->index << 33 |
           (uint64_t)(pdu->command == SMPP_DATA_SM) << 32 | pdu->sequence;
}

void smpp_kept(struct gateway *g, uint64_t token, bool kept)
{
    size_t index = token >> 33 & 0x7f;
    if (token == 0 || index >= g->count)
        return;
    g->untold -= g->untold > 0;
    struct smpp_session *s = &g->sessions[index];
    if (s->state < SMPP_BOUND || (s->epoch & 0xffffff) != token >> 40)
        return;
    smpp_session_respond(s, token & UINT64_C(1) << 32 ? SMPP_DATA_SM_RESP : SMPP_DELIVER_SM_RESP,
                         kept ? SMPP_STATUS_OK : SMPP_STATUS_X_T_APPN, (uint32_t)token);
}

/* ---- reports ---- */

/* The wire's records own their strings and are not const; nothing here changes them. */
static char *words(const char *s)
{
    return s == NULL || *s == '\0' ? NULL : (char *)(uintptr_t)s;
}

/* 0: it is none. */
static int64_t number_of(const char *address)
{
    int64_t n = 0;
    size_t digits = 0;
    if (address == NULL)
        return 0;
    address += *address == '+' ? 1 : address[0] == '0' && address[1] == '0' ? 2 : 0;
    for (; *address >= '0' && *address <= '9' && digits <= NUMBER_DIGITS; address++, digits++)
        n = n * 10 + (*address - '0');
    return *address == '\0' && digits <= NUMBER_DIGITS ? n : 0;
}

/* The gateway's own list first, word by word; then what SMPP says. False: nobody knows the word. */
static bool state_of(const struct conf_gateway *c, const struct smpp_receipt *r, enum state *ret)
{
    for (size_t i = 0; i < c->report.status_count; i++) {
        if (strcasecmp(c->report.statuses[i].word, r->word) == 0) {
            *ret = c->report.statuses[i].state;
            return true;
        }
    }
    *ret = r->state;
    return r->state_known;
}

/* For a person: the text that it came with, and what its parameters say. */
static void raw_of(const struct smpp_pdu *pdu, const struct smpp_receipt *r, struct buf *out)
{
    size_t len;
    const uint8_t *text = smpp_message(pdu, &len);
    buf_addf(out, "%s from %s: ", smpp_command_name(pdu->command),
             pdu->source_addr != NULL ? pdu->source_addr : "");
    for (size_t i = 0; i < MIN_OF(len, (size_t)1000); i++)
        buf_add_char(out, isprint(text[i]) ? (char)text[i] : '?');
    buf_addf(out, " (msg_id '%s', status '%s')", r->msg_id, r->word);
}

static void report(struct gateway *g, const struct smpp_pdu *pdu, int fault, const struct smpp_receipt *r,
                   uint64_t token)
{
    const struct conf_gateway *c = g->opts.conf;
    struct step_record s = {.step = STEP_STATUS, .at = clock_wall_ms(), .gateway = c->name};
    enum state state;
    auto_buf raw = {0};

    bool known = state_of(c, r, &state);
    if (fault == 0 && known) {
        s.number = number_of(pdu->source_addr);
        s.msg_id = words(r->msg_id);
        s.reason = words(r->word);
        s.error = words(r->error);
        s.state = state == STATE_ACCEPTED ? NULL : words(state_word(state));
        s.gateway_at = r->done_ms;
    } else {
        raw_of(pdu, r, &raw);
        s.step = STEP_QUARANTINE;
        s.raw = raw.data;
        s.reason = words(fault == 0 ? "unlisted_status" : r->msg_id[0] == '\0' ? "no_msg_id" : "no_status");
        s.error = words(fault == 0 ? "its status word is none of SMPP's, and not listed under report: states:"
                                   : "a receipt without an id, or without a status");
    }
    g->opts.events.report(g->opts.events.arg, &s, token);
}

/* ---- messages from phones ---- */

static enum smpp_alphabet alphabet_of(const struct gateway *g, const struct smpp_pdu *pdu)
{
    switch (pdu->data_coding) {
    case SMPP_CODING_UCS2:
        return SMPP_UCS2;
    case 0x01: /* ASCII */
    case SMPP_CODING_LATIN1:
        return SMPP_LATIN1;
    default:
        return g->conf->alphabet == SMPP_UCS2 ? SMPP_GSM7 : (enum smpp_alphabet)g->conf->alphabet;
    }
}

static void inbound(struct gateway *g, const struct smpp_pdu *pdu, uint64_t token)
{
    struct smpp_part part;
    auto_buf text = {0};

    smpp_part_read(pdu, &part);
    smpp_part_text(&part, alphabet_of(g, pdu), &text);
    struct inbound_record in = {.at = clock_wall_ms(),
                                .gateway = g->opts.conf->name,
                                .from = (char *)(uintptr_t)(pdu->source_addr != NULL ? pdu->source_addr : ""),
                                .number = number_of(pdu->source_addr),
                                .to = words(pdu->destination_addr),
                                .text = text.data};
    if (in.text == NULL)
        in.text = (char[]){""};
    if (part.total > 1) {
        in.reference = part.reference;
        in.part = part.number;
        in.parts = part.total;
    }
    g->opts.events.inbound(g->opts.events.arg, &in, token);
}

void smpp_incoming(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    struct gateway *g = s->g;
    struct smpp_receipt r;
    int rc = smpp_receipt_read(pdu, g->conf->receipt_any_class, g->zone, clock_wall_ms(), &r);
    bool nobody = rc == SMPP_RECEIPT_NONE ? g->opts.events.inbound == NULL : g->opts.events.report == NULL;

    if (nobody || g->untold >= UNTOLD_MAX || s->state == SMPP_UNBINDING) {
        smpp_session_respond(s, pdu->command | SMPP_RESPONSE, SMPP_STATUS_X_T_APPN, pdu->sequence);
        return;
    }
    g->untold++;
    if (rc == SMPP_RECEIPT_NONE)
        inbound(g, pdu, token_of(s, pdu));
    else
        report(g, pdu, rc, &r, token_of(s, pdu));
}

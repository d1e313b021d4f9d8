/* What a gateway tells over its links: receipts and messages from phones, each a deliver_sm that is told
 * again until it is answered with ESME_ROK. */
#include "dispatch/smpp_text.h"
#include "test/sim/smpp.h"
#include <stdio.h>
#include <time.h>

/* ---- receipts ---- */

#define FATES     (FATE_REJECTED + 1)
#define WHEN_SIZE 16

struct receipt_words {
    const char *word, *other; /* other: as gateways write it that do not read specifications */
    uint8_t state;            /* message_state [5.2.28] */
    const char *error;
    uint16_t network_error;
};
static const struct receipt_words receipt_words[FATES] = {
    [FATE_ACCEPTED] = {"ENROUTE", "EN_ROUTE", 1, "000", 0},
    [FATE_DELIVERED] = {"DELIVRD", "Delivered", 2, "000", 0},
    [FATE_UNDELIVERED] = {"UNDELIV", "FAILED", 5, "027", 27},
    [FATE_EXPIRED] = {"EXPIRED", "expired", 3, "001", 1},
    [FATE_REJECTED] = {"REJECTD", "REJECTED", 8, "011", 11},
};

enum { TO_MINUTES, TO_SECONDS, WITH_CENTURY };

static const char *receipt_time(int64_t at_ms, int form, char out[WHEN_SIZE])
{
    time_t t = (time_t)(at_ms / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    char whole[WHEN_SIZE];
    strftime(whole, sizeof(whole), "%Y%m%d%H%M%S", &tm);
    snprintf(out, WHEN_SIZE, "%.*s", form == TO_MINUTES ? 10 : 14, whole + (form == WITH_CENTURY ? 0 : 2));
    return out;
}

static void write_deviation(char *out, size_t size, const struct report *r, const char *id)
{
    const struct receipt_words *w = &receipt_words[r->fate];
    unsigned ok = r->fate == FATE_DELIVERED;
    char done[WHEN_SIZE];
    switch (r->id % 5) {
    case 0:
        snprintf(out, size, "ID:%s SUB:1 DLVRD:%u DONE DATE:%s STAT:%s ERR:%s TEXT:", id, ok,
                 receipt_time(r->at_ms, TO_SECONDS, done), w->other, w->error);
        break;
    case 1:
        snprintf(out, size, "id: %s  stat: %s", id, w->word);
        break;
    case 2:
        snprintf(out, size, "stat:%s err:%s id:%s", w->other, w->error, id);
        break;
    case 3:
        snprintf(out, size, "id:%s,sub:001,dlvrd:%03u,done date:%s,stat:%s,err:%s", id, ok,
                 receipt_time(r->at_ms, WITH_CENTURY, done), w->word, w->error);
        break;
    default:
        snprintf(out, size, "message_id:%s\nstatus:%s\nerror:%s\ntext:%s", id, w->other, w->error,
                 "id:7 stat:x");
    }
}

static void write_text(const struct gateway *g, const struct report *r, const char *id, char *out,
                       size_t size)
{
    const struct receipt_words *w = &receipt_words[r->fate];
    char submitted[WHEN_SIZE], done[WHEN_SIZE];
    if (g->knobs.receipt_form == 3) {
        write_deviation(out, size, r, id);
        return;
    }
    snprintf(out, size, "id:%s sub:001 dlvrd:%03u submit date:%s done date:%s stat:%s err:%s text:-", id,
             r->fate == FATE_DELIVERED, receipt_time(r->at_ms, TO_MINUTES, submitted),
             receipt_time(loop_now_ms(), TO_MINUTES, done), w->word, w->error);
}

static void add_parameters(const struct report *r, const char *id, struct smpp_pdu *pdu)
{
    const struct receipt_words *w = &receipt_words[r->fate];
    bool ok = smpp_tlv_add(pdu, SMPP_TAG_RECEIPTED_MESSAGE_ID, id, (uint16_t)(strlen(id) + 1)) &&
              smpp_tlv_add_int(pdu, SMPP_TAG_MESSAGE_STATE, w->state, 1);
    if (w->network_error != 0) /* 3: GSM */
        ok = ok && smpp_tlv_add_int(pdu, SMPP_TAG_NETWORK_ERROR_CODE, 3u << 16 | w->network_error, 3);
    if (!ok)
        abort();
}

static void write_receipt(struct smpp_link *l, const struct report *r, uint32_t sequence)
{
    const struct gateway *g = l->gateway;
    char id[32], text[255] = "";
    struct smpp_pdu pdu = {.command = SMPP_DELIVER_SM,
                           .sequence = sequence,
                           .source_addr_ton = 1,
                           .source_addr_npi = 1,
                           .source_addr = r->number,
                           .destination_addr = r->sender,
                           .esm_class = (uint8_t)g->knobs.receipt_class,
                           .short_message = (const uint8_t *)text};
    id_format(g->knobs.report_id_form, r->id, id);
    if (r->fate == FATE_ACCEPTED && pdu.esm_class != 0)
        pdu.esm_class = SMPP_ESM_INTERMEDIATE;
    if (g->knobs.receipt_form != 2)
        write_text(g, r, id, text, sizeof(text));
    pdu.sm_length = (uint8_t)strlen(text);
    if (g->knobs.receipt_form == 0 || g->knobs.receipt_form == 2)
        add_parameters(r, id, &pdu);
    smpp_link_write(l, &pdu);
}

/* ---- what is under way ---- */

static bool takes_more(const struct smpp_link *l, const struct gateway *g)
{
    return l->gateway == g && l->receives && !l->unbound && !l->over && !l->last_words && !l->leaving &&
           g_hash_table_size(l->told) < g->knobs.receipt_window;
}

/* The link that the message came by, if it receives, or any other; or the other way round. */
static struct smpp_link *link_for(struct gateway *g, uint64_t own)
{
    uint64_t turn = (uint64_t)random();
    struct smpp_link *of_message = NULL, *found = NULL;
    unsigned others = 0;
    for (struct smpp_link *l = NULL; (l = smpp_link_next(l)) != NULL;)
        if (takes_more(l, g)) {
            if (l->id == own)
                of_message = l;
            else if (turn % ++others == 0)
                found = l;
        }
    if (of_message != NULL && (g->knobs.receipt_elsewhere == 0 || others == 0))
        return of_message;
    return found;
}

static void tell_late(void *arg, uint64_t id)
{
    struct smpp_link *l = smpp_link_by_id(id >> 32);
    struct report *r = l != NULL ? g_hash_table_lookup(l->told, GUINT_TO_POINTER((uint32_t)id)) : NULL;
    if (r == NULL)
        return;
    g_hash_table_remove(l->told, GUINT_TO_POINTER((uint32_t)id));
    reports_end(l->gateway, r, false);
}

bool smpp_deliver(struct gateway *g)
{
    struct smpp_link *l = link_for(g, g->ready->smpp_link);
    if (l == NULL)
        return false;
    struct report *r = report_take_ready(g);
    uint32_t sequence = ++l->sequence;
    g->counters.report_calls++;
    g_hash_table_insert(l->told, GUINT_TO_POINTER(sequence), r);
    timer_add(loop_now_ms() + g->knobs.report_timeout_ms, 0, tell_late, NULL, l->id << 32 | sequence);
    if (r->kind == REPORT_SMPP) {
        write_receipt(l, r, sequence);
        return true;
    }
    struct smpp_pdu pdu;
    const uint8_t *at = (const uint8_t *)r->inbound;
    size_t len = (size_t)at[2] << 8 | at[3] | (size_t)at[1] << 16;
    if (smpp_pdu_decode(at, len, &pdu) != 0)
        abort();
    pdu.sequence = sequence;
    smpp_link_write(l, &pdu);
    return true;
}

void smpp_told(struct smpp_link *l, const struct smpp_pdu *answer)
{
    void *key = GUINT_TO_POINTER(answer->sequence);
    struct report *r = g_hash_table_lookup(l->told, key);
    if (r == NULL)
        return;
    g_hash_table_remove(l->told, key);
    reports_end(l->gateway, r, answer->command == SMPP_DELIVER_SM_RESP && answer->status == SMPP_STATUS_OK);
}

void smpp_tell_gone(struct smpp_link *l)
{
    GHashTableIter i;
    void *value;
    struct report *all = NULL;
    g_hash_table_iter_init(&i, l->told);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        ((struct report *)value)->next = all;
        all = value;
    }
    g_hash_table_destroy(l->told);
    l->told = NULL;
    if (all != NULL)
        reports_end(l->gateway, all, false);
}

/* ---- messages from phones ---- */

static int64_t number_of(const struct form *f, const char *name, int64_t absent)
{
    const char *value = form_value(f, name);
    return value != NULL ? strtoll(value, NULL, 10) : absent;
}

static void tell_inbound(struct gateway *g, const struct smpp_pdu *pdu)
{
    static uint8_t bytes[SMPP_PDU_MAX_BYTES];
    size_t len;
    if (smpp_pdu_encode(pdu, bytes, sizeof(bytes), &len) != 0)
        abort();
    struct report *r = xmalloc(sizeof(*r));
    *r = (struct report){
        .gateway = g, .at_ms = loop_now_ms(), .kind = REPORT_INBOUND_SMPP, .inbound = xmalloc(len)};
    memcpy(r->inbound, bytes, len);
    g->counters.inbound_made++;
    report_ready(r);
}

static bool tell_part(struct gateway *g, const struct form *f, const struct smpp_text *text, size_t part,
                      uint16_t reference)
{
    uint8_t room[SMPP_PART_SIZE];
    struct smpp_pdu pdu = {.command = SMPP_DELIVER_SM,
                           .source_addr_ton = 1,
                           .source_addr_npi = 1,
                           .source_addr = form_value(f, "from"),
                           .destination_addr = form_value(f, "to")};
    if (part >= text->count || !smpp_text_part(text, part, reference, room, &pdu))
        return false;
    tell_inbound(g, &pdu);
    return true;
}

bool smpp_inbound_order(struct gateway *g, const struct form *f, struct buf *why)
{
    static uint16_t references;
    const char *words = form_value(f, "text");
    uint16_t reference = (uint16_t)number_of(f, "reference", ++references);
    struct smpp_text text;
    enum smpp_alphabet alphabet = (enum smpp_alphabet)number_of(f, "alphabet", g->knobs.alphabet);
    bool done = true;
    int result =
        smpp_text_make(words, strlen(words), alphabet, (enum smpp_long)number_of(f, "way", 0), &text);
    for (int64_t n = number_of(f, "count", 1); result == 0 && n > 0; n--) {
        const char *only = form_value(f, "parts");
        for (size_t i = 0; only == NULL && i < text.count; i++)
            done = done && tell_part(g, f, &text, i, reference);
        while (only != NULL && *only != '\0') {
            char *end;
            size_t part = (size_t)strtoull(only, &end, 10);
            done = done && part > 0 && tell_part(g, f, &text, part - 1, reference);
            only = *end == ',' ? end + 1 : "";
        }
    }
    if (result != 0 || !done)
        buf_add_str(why, "that text has no such parts, or too many of them\n");
    smpp_text_deinit(&text);
    return result == 0 && done;
}

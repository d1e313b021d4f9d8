/* What a gateway is asked over SMPP: binds, submits, enquire_link, unbind. An answer that is delayed, or that
 * waits for its receipt, stands in a table by its id until then. */
#include "dispatch/smpp_text.h"
#include "test/sim/smpp.h"
#include <stdio.h>

struct waiting { /* an answer */
    uint64_t id, link;
    int holds;
    bool delayed;
    struct smpp_answer {
        uint32_t command, status, sequence;
        char message_id[32];
        bool garbage, unbinds;
    } answer;
};
static GHashTable *waiting;
static uint64_t answer_ids;

/* An answer of a good length with a message_id that does not end. */
static void write_garbage(struct smpp_link *l, const struct smpp_pdu *pdu)
{
    uint8_t bytes[128];
    size_t len = 0;
    if (smpp_pdu_encode(pdu, bytes, sizeof(bytes), &len) != 0)
        abort();
    bytes[3] = (uint8_t)--len;
    smpp_link_write_bytes(l, pdu->command, bytes, len);
}

static void send_answer(struct smpp_link *l, const struct smpp_answer *a)
{
    struct smpp_pdu pdu = {.command = a->command,
                           .status = a->status,
                           .sequence = a->sequence,
                           .no_body = a->status != SMPP_STATUS_OK,
                           .message_id = a->message_id};
    if (a->garbage)
        write_garbage(l, &pdu);
    else
        smpp_link_write(l, &pdu);
    if (a->unbinds) {
        struct smpp_pdu unbind = {.command = SMPP_UNBIND, .sequence = ++l->sequence};
        smpp_link_write(l, &unbind);
    }
}

static void waiting_ends(struct waiting *w)
{
    struct smpp_link *l = smpp_link_by_id(w->link);
    if (w->delayed || w->holds > 0)
        return;
    if (l != NULL) {
        l->open--;
        send_answer(l, &w->answer);
    }
    g_hash_table_remove(waiting, &w->id);
}

static void delay_over(void *arg, uint64_t id)
{
    struct waiting *w = g_hash_table_lookup(waiting, &id);
    if (w == NULL)
        return;
    w->delayed = false;
    waiting_ends(w);
}

void smpp_hold(uint64_t answer)
{
    struct waiting *w = waiting != NULL ? g_hash_table_lookup(waiting, &answer) : NULL;
    if (w != NULL)
        w->holds++;
}

void smpp_let_go(uint64_t answer)
{
    struct waiting *w = waiting != NULL ? g_hash_table_lookup(waiting, &answer) : NULL;
    if (w == NULL)
        return;
    w->holds--;
    waiting_ends(w);
}

static struct waiting *wait_with(struct smpp_link *l, const struct smpp_answer *a)
{
    const struct knobs *k = &l->gateway->knobs;
    int64_t delay = k->answer_delay_ms + (k->answer_jitter_ms > 0 ? random() % (k->answer_jitter_ms + 1) : 0);
    if (waiting == NULL)
        waiting = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, free);
    struct waiting *w = xmalloc(sizeof(*w));
    *w = (struct waiting){.id = ++answer_ids, .link = l->id, .delayed = delay > 0, .answer = *a};
    g_hash_table_insert(waiting, &w->id, w);
    l->open++;
    if (w->delayed)
        timer_add(loop_now_ms() + delay, (int64_t)w->id, delay_over, NULL, w->id);
    return w;
}

static gboolean is_of_link(void *key, void *value, void *link)
{
    return ((struct waiting *)value)->link == ((struct smpp_link *)link)->id;
}

static bool receives_any(const struct gateway *g)
{
    for (struct smpp_link *l = NULL; (l = smpp_link_next(l)) != NULL;)
        if (l->gateway == g && l->receives && !l->over && !l->last_words)
            return true;
    return false;
}

/* Answers must not wait for receipts that nobody is there for. */
static void let_all_go(const struct gateway *g)
{
    GHashTableIter i;
    void *value;
    GSList *held = NULL;
    g_hash_table_iter_init(&i, waiting);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        struct waiting *w = value;
        const struct smpp_link *l = smpp_link_by_id(w->link);
        if (w->holds > 0 && l != NULL && l->gateway == g)
            held = g_slist_prepend(held, w);
    }
    for (GSList *at = held; at != NULL; at = at->next) {
        ((struct waiting *)at->data)->holds = 0;
        waiting_ends(at->data);
    }
    g_slist_free(held);
}

void smpp_link_gone(struct smpp_link *l)
{
    if (waiting == NULL)
        return;
    g_hash_table_foreach_remove(waiting, is_of_link, l);
    if (l->gateway != NULL && l->receives && !receives_any(l->gateway))
        let_all_go(l->gateway);
}

void smpp_serve_free(void)
{
    if (waiting != NULL)
        g_hash_table_destroy(waiting);
    waiting = NULL;
}

/* ---- requests ---- */

static void answer_status(struct smpp_link *l, const struct smpp_pdu *request, uint32_t status)
{
    struct smpp_answer a = {
        .command = request->command | SMPP_RESPONSE, .status = status, .sequence = request->sequence};
    send_answer(l, &a);
}

static uint32_t bind_status(struct smpp_link *l, struct gateway *g, const struct smpp_pdu *pdu)
{
    if (g == NULL)
        return SMPP_STATUS_INVSYSID;
    l->gateway = g;
    if (share_hits(&g->knobs.bind_refused))
        return (uint32_t)g->knobs.bind_status;
    if (gateway_knows(g, NULL, pdu->password))
        return SMPP_STATUS_OK;
    g->counters.unauthorised++;
    return SMPP_STATUS_INVPASWD;
}

static void serve_bind(struct smpp_link *l, const struct smpp_pdu *pdu)
{
    if (l->transmits || l->receives) {
        answer_status(l, pdu, SMPP_STATUS_ALYBND);
        return;
    }
    struct gateway *g = gateway_named(pdu->system_id, strlen(pdu->system_id));
    if (g != NULL && smpp_cuts(g, pdu->command)) {
        smpp_link_cut(l);
        return;
    }
    uint32_t status = bind_status(l, g, pdu);
    struct smpp_pdu answer = {.command = pdu->command | SMPP_RESPONSE,
                              .status = status,
                              .sequence = pdu->sequence,
                              .no_body = status != SMPP_STATUS_OK,
                              .system_id = "fake-gateway"};
    if (status == SMPP_STATUS_OK) {
        if (!smpp_tlv_add_int(&answer, SMPP_TAG_SC_INTERFACE_VERSION, SMPP_VERSION, 1))
            abort();
        g->speaks_smpp = true;
        g->counters.binds++;
        l->transmits = pdu->command != SMPP_BIND_RECEIVER;
        l->receives = pdu->command != SMPP_BIND_TRANSMITTER;
    } else if (g != NULL) {
        g->counters.binds_refused++;
    }
    smpp_link_write(l, &answer);
    l->last_words |= status != SMPP_STATUS_OK;
}

/* 0: it is looked at; else what it is answered with before that. */
static uint32_t busy_status(struct smpp_link *l)
{
    struct gateway *g = l->gateway;
    struct knobs *k = &g->knobs;
    unsigned open = 0;
    if (k->status != 0 && k->status_accepts == 0 && share_hits(&k->status_share))
        return (uint32_t)k->status;
    for (struct smpp_link *at = NULL; k->window_max > 0 && (at = smpp_link_next(at)) != NULL;)
        open += at->gateway == g ? at->open : 0;
    if (!share_hits(&k->throttle_share) && (k->window_max == 0 || open < k->window_max))
        return SMPP_STATUS_OK;
    g->counters.throttled++;
    return (uint32_t)k->busy_status;
}

static enum smpp_alphabet alphabet_of(const struct gateway *g, uint8_t coding)
{
    static const enum smpp_alphabet defaults[] = {SMPP_GSM7, SMPP_GSM7_PACKED, SMPP_LATIN1};
    if (coding == SMPP_CODING_UCS2)
        return SMPP_UCS2;
    if (coding == SMPP_CODING_LATIN1)
        return SMPP_LATIN1;
    return defaults[MIN_OF(g->knobs.alphabet, 2)];
}

static void accept_submit(struct smpp_link *l, const struct smpp_pdu *pdu, const char *number)
{
    struct gateway *g = l->gateway;
    struct knobs *k = &g->knobs;
    struct smpp_part part;
    auto_buf text = {0};
    char reference[REFERENCE_SIZE] = "";
    struct accepted a = {.id = gateway_new_id(g),
                         .number = number,
                         .reference = reference,
                         .sender = pdu->source_addr,
                         .report_mask = pdu->registered_delivery,
                         .smpp_link = l->id,
                         .kind = REPORT_SMPP};
    struct smpp_answer answer = {.command = pdu->command | SMPP_RESPONSE,
                                 .sequence = pdu->sequence,
                                 .garbage = share_hits(&k->garbage),
                                 .unbinds = share_hits(&k->unbind)};

    smpp_part_read(pdu, &part);
    buf_add_str(&text, "");
    smpp_part_text(&part, alphabet_of(g, pdu->data_coding), &text);
    if (part.total > 1)
        snprintf(reference, sizeof(reference), "seg:%u/%u/%u", part.reference, part.total, part.number);
    a.text = text.data;
    id_format(k->id_form, a.id, answer.message_id);
    if (k->status != 0 && k->status_accepts != 0 && share_hits(&k->status_share))
        answer.status = (uint32_t)k->status;
    bool drops = share_hits(&k->drop_after), hangs = !drops && share_hits(&k->hang);
    a.early = !drops && !hangs && share_hits(&k->early) && receives_any(g);
    struct waiting *w = NULL;
    if (!drops && !hangs && (a.early || k->answer_delay_ms > 0 || k->answer_jitter_ms > 0)) {
        w = wait_with(l, &answer);
        a.smpp_answer = w->id;
    }
    gateway_accept(g, NULL, &a);
    g->counters.dropped_after += drops;
    g->counters.hung += hangs;
    if (drops)
        smpp_link_cut(l);
    else if (w != NULL)
        waiting_ends(w);
    else if (!hangs)
        send_answer(l, &answer);
}

static void serve_submit(struct smpp_link *l, const struct smpp_pdu *pdu)
{
    struct gateway *g = l->gateway;
    char digits[NUMBER_TEXT_SIZE + 2];
    if (!l->transmits || l->unbound) {
        answer_status(l, pdu, SMPP_STATUS_INVBNDSTS);
        return;
    }
    g->counters.requests++;
    if (share_hits(&g->knobs.drop_before)) {
        g->counters.dropped_before++;
        smpp_link_cut(l);
        return;
    }
    uint32_t status = busy_status(l);
    if (status != SMPP_STATUS_OK) {
        answer_status(l, pdu, status);
        return;
    }
    snprintf(digits, sizeof(digits), "%s", pdu->destination_addr);
    const char *number = number_read(digits);
    if (number == NULL) {
        g->counters.bad_requests++;
        answer_status(l, pdu, 11 /* ESME_RINVDSTADR */);
    } else if (gateway_refuses(g, number)) {
        g->counters.refused++;
        answer_status(l, pdu, (uint32_t)g->knobs.refuse_status);
    } else {
        accept_submit(l, pdu, number);
    }
}

static void serve_unbind(struct smpp_link *l, const struct smpp_pdu *pdu)
{
    if (l->gateway != NULL)
        l->gateway->counters.unbinds++;
    l->unbound = true;
    answer_status(l, pdu, SMPP_STATUS_OK);
    l->last_words = true;
}

void smpp_serve(struct smpp_link *l, const struct smpp_pdu *pdu)
{
    switch (pdu->command) {
    case SMPP_BIND_RECEIVER:
    case SMPP_BIND_TRANSMITTER:
    case SMPP_BIND_TRANSCEIVER:
        serve_bind(l, pdu);
        break;
    case SMPP_SUBMIT_SM:
    case SMPP_DATA_SM:
        serve_submit(l, pdu);
        break;
    case SMPP_ENQUIRE_LINK:
        if (l->gateway != NULL) {
            l->gateway->counters.enquired++;
            if (share_hits(&l->gateway->knobs.enquire_unanswered))
                return;
        }
        answer_status(l, pdu, SMPP_STATUS_OK);
        break;
    case SMPP_ENQUIRE_LINK_RESP:
        if (l->gateway != NULL)
            l->gateway->counters.enquire_answers++;
        break;
    case SMPP_UNBIND:
        serve_unbind(l, pdu);
        break;
    case SMPP_UNBIND_RESP:
        l->unbound = l->last_words = true;
        break;
    case SMPP_DELIVER_SM_RESP:
    case SMPP_GENERIC_NACK:
        smpp_told(l, pdu);
        break;
    case SMPP_QUERY_SM:
        answer_status(l, pdu, 0x67 /* ESME_RQUERYFAIL */);
        break;
    default:
        if ((pdu->command & SMPP_RESPONSE) == 0) {
            struct smpp_pdu nack = {
                .command = SMPP_GENERIC_NACK, .status = SMPP_STATUS_INVCMDID, .sequence = pdu->sequence};
            smpp_link_write(l, &nack);
        }
    }
}

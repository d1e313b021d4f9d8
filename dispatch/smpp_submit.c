/* A message, or one segment of it, -> submit_sm, and its answer back. Its sequence number names it within the
 * session that it was given to, and nowhere else. */
#include "dispatch/smpp_session.h"
#include "dispatch/smpp_status.h"
#include "dispatch/smpp_time.h"
#include "lib/clock.h"

#include <ctype.h>
#include <stdio.h>

#define BATCH_BYTES                                                                                          \
    (32u << 10) /* handed to the socket at once: what it does not take is marked as sent, too */
#define LATE_MAX     1000
#define SHORT_DIGITS 6
#define WAYS         4 /* enum smpp_long */

/* ---- the text's way ---- */

/* Its number in claims: 0 whole and short; else alphabet and marking, so that what is begun in one way can be
 * ended in it, whatever the configuration says by then. */
static int way_of(int alphabet, int how)
{
    return 1 + alphabet * WAYS + how;
}

static bool way_parse(int way, const struct conf_smpp *c, enum smpp_alphabet *ret_alphabet,
                      enum smpp_long *ret_long)
{
    *ret_alphabet = (enum smpp_alphabet)(way > 0 ? (way - 1) / WAYS : c->alphabet);
    *ret_long = (enum smpp_long)(way > 0 ? (way - 1) % WAYS : SMPP_LONG_UDH8);
    return way >= 0 && way <= way_of(SMPP_UCS2, SMPP_LONG_PAYLOAD);
}

static const char *text_reason(int rc)
{
    return rc == SMPP_TEXT_NOT_UTF8 ? "bad_text" : "too_many_segments";
}

static bool cut_as(const char *text, int way, enum smpp_alphabet alphabet, enum smpp_long how,
                   struct gateway_cut *ret, const char **ret_reason)
{
    struct smpp_text t;
    int rc = smpp_text_make(text, strlen(text), alphabet, how, &t);
    *ret = (struct gateway_cut){.parts = (int16_t)t.count, .way = (int16_t)way};
    *ret_reason = text_reason(rc);
    smpp_text_deinit(&t);
    return rc == 0;
}

bool smpp_cut(const struct conf_gateway *conf, const char *text, int way, struct gateway_cut *ret,
              const char **ret_reason)
{
    const struct conf_smpp *c = &conf->smpp;
    enum smpp_alphabet alphabet;
    enum smpp_long how;
    const char *short_reason;

    if (way > 0) {
        *ret_reason = "segmentation_changed";
        return way_parse(way, c, &alphabet, &how) && cut_as(text, way, alphabet, how, ret, ret_reason);
    }
    alphabet = (enum smpp_alphabet)c->alphabet;
    if (cut_as(text, 0, alphabet, SMPP_LONG_UDH8, ret, &short_reason) && ret->parts == 1)
        return true;
    if (way == 0) {
        *ret_reason = "segmentation_changed";
        return false;
    }
    if (!cut_as(text, way_of(c->alphabet, c->long_way), alphabet, (enum smpp_long)c->long_way, ret,
                ret_reason))
        return false;
    *ret_reason = "too_many_segments";
    return ret->parts <= c->segments_max;
}

/* ---- the PDU ---- */

struct building {
    struct smpp_text text;
    uint8_t room[SMPP_PART_SIZE];
    char source[65], number[24], validity[SMPP_TIME_SIZE];
    struct smpp_pdu pdu;
};

static bool all_digits(const char *s)
{
    return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

/* Letters: alphanumeric; a few digits: a short code; else a number [5.2.5, 5.2.6]. */
static bool put_source(const struct conf_smpp *c, const char *sender, struct building *b)
{
    bool plus = sender[0] == '+' && all_digits(sender + 1), digits = plus || all_digits(sender);
    bool is_short = digits && !plus && strlen(sender) <= SHORT_DIGITS;
    uint8_t ton = *sender == '\0' ? 0 : !digits ? 5 : is_short ? 3 : 1;

    for (const char *p = sender; *p != '\0'; p++)
        if (!isascii((unsigned char)*p) || iscntrl((unsigned char)*p))
            return false;
    if (strlen(sender) >= sizeof(b->source))
        return false;
    memcpy(b->source, sender + plus, strlen(sender + plus) + 1);
    b->pdu.source_addr = b->source;
    b->pdu.source_addr_ton = c->source_ton >= 0 ? (uint8_t)c->source_ton : ton;
    b->pdu.source_addr_npi = c->source_npi >= 0 ? (uint8_t)c->source_npi : ton == 1;
    return true;
}

/* Relative, so that neither side's clock matters. */
static void put_validity(const struct gateway_item *item, struct building *b)
{
    int64_t left = item->valid_until - clock_wall_ms();
    if (item->valid_until == 0)
        return;
    smpp_time_relative(MAX_OF(left, (int64_t)1000), b->validity);
    b->pdu.validity_period = b->validity;
}

/* NULL, or why there can be no such PDU (constant); nothing has left then. */
static const char *build(const struct smpp_session *s, const struct gateway_item *item, struct building *b)
{
    const struct conf_smpp *c = s->g->conf;
    enum smpp_alphabet alphabet;
    enum smpp_long how;
    size_t part = item->segment > 0 ? (size_t)item->segment - 1 : 0;

    b->pdu = (struct smpp_pdu){.command = SMPP_SUBMIT_SM,
                               .service_type = c->service_type,
                               .dest_addr_ton = (uint8_t)c->dest_ton,
                               .dest_addr_npi = (uint8_t)c->dest_npi,
                               .registered_delivery = (uint8_t)c->registered_delivery};
    if (!way_parse(item->cut.way, c, &alphabet, &how))
        return "segmentation_changed";
    int rc = smpp_text_make(item->text, strlen(item->text), alphabet, how, &b->text);
    if (rc != 0)
        return text_reason(rc);
    if (b->text.count != (size_t)MAX_OF(item->cut.parts, (int16_t)1) || part >= b->text.count)
        return "segmentation_changed";
    if (!put_source(c, item->sender != NULL ? item->sender : "", b))
        return "bad_sender";
    snprintf(b->number, sizeof(b->number), "%lld", (long long)item->number);
    b->pdu.destination_addr = b->number;
    if (c->validity)
        put_validity(item, b);
    return smpp_text_part(&b->text, part, item->reference, b->room, &b->pdu) ? NULL : "bad_request";
}

/* ---- out ---- */

static void tell(struct gateway *g, struct gateway_request *r, struct gateway_answer a)
{
    if (a.error == NULL)
        a.error = "";
    a.retry_after_ms = -1;
    g->opts.events.answered(g->opts.events.arg, r, &a);
}

static void list_add(struct smpp_sent_list *l, struct smpp_sent *x)
{
    x->previous = l->last;
    x->next = NULL;
    *(l->last != NULL ? &l->last->next : &l->first) = x;
    l->last = x;
    l->count++;
}

static void list_remove(struct smpp_sent_list *l, struct smpp_sent *x)
{
    *(x->previous != NULL ? &x->previous->next : &l->first) = x->next;
    *(x->next != NULL ? &x->next->previous : &l->last) = x->previous;
    l->count--;
}

static void forget(struct smpp_session *s, struct smpp_sent *x)
{
    list_remove(x->request != NULL ? &s->open : &s->late, x);
    HASH_DEL(s->sent, x);
    free(x);
}

static void remember(struct smpp_session *s, struct gateway_request *r, uint32_t sequence, int64_t now_ms)
{
    struct smpp_sent *x = xcalloc(1, sizeof(*x));
    x->sequence = sequence;
    x->request = r;
    x->sent_ms = now_ms;
    list_add(&s->open, x);
    HASH_ADD(hh, s->sent, sequence, sizeof(x->sequence), x);
}

static void submit(struct smpp_session *s, struct gateway_request *r, int64_t now_ms)
{
    struct gateway *g = s->g;
    struct building b = {0};
    size_t size, len = 0;
    const char *why = r->count == 1 ? build(s, &r->items[0], &b) : "bad_request";
    uint8_t *room = smpp_link_room(s->link, &size);
    if (why == NULL) {
        b.pdu.sequence = smpp_session_sequence(s);
        why = smpp_pdu_encode(&b.pdu, room, size, &len) == 0 ? NULL : "bad_request";
    }
    if (why != NULL) {
        tell(g, r,
             (struct gateway_answer){.outcome = OUTCOME_REFUSED,
                                     .reason = why,
                                     .error = "no submit_sm can be made of this message; nothing was sent"});
    } else if (!g->opts.events.first_byte(g->opts.events.arg, r)) {
        tell(g, r,
             (struct gateway_answer){.outcome = OUTCOME_NOT_SENT,
                                     .reason = "claim_too_old",
                                     .error = "the claim was too old to be sent"});
    } else {
        remember(s, r, b.pdu.sequence, now_ms);
        smpp_link_add(s->link, len);
        s->used = ++g->uses;
        smpp_show(g, true, &b.pdu);
    }
    smpp_text_deinit(&b.text);
}

/* Of those that may submit and can write now, the one that did so longest ago. */
static struct smpp_session *least_used(struct gateway *g)
{
    struct smpp_session *best = NULL;
    for (size_t i = 0; i < g->count; i++) {
        struct smpp_session *s = &g->sessions[i];
        if (smpp_session_submits(s) && !smpp_link_blocked(s->link) &&
            smpp_link_waiting(s->link) < BATCH_BYTES && (best == NULL || s->used < best->used))
            best = s;
    }
    return best;
}

static struct gateway_request *take_waiting(struct gateway *g)
{
    struct smpp_waiting *w = g->first;
    struct gateway_request *r = w->request;
    g->first = w->next;
    if (g->last == &w->next)
        g->last = &g->first;
    if (g->last_instant == &w->next)
        g->last_instant = &g->first;
    free(w);
    return r;
}

void smpp_submit_not_sent(struct gateway *g, const char *reason, const char *why, bool unreachable)
{
    while (g->first != NULL)
        tell(g, take_waiting(g),
             (struct gateway_answer){
                 .outcome = OUTCOME_NOT_SENT, .reason = reason, .error = why, .unreachable = unreachable});
}

/* Nobody submits, and nobody is about to: the message may go elsewhere. One that is bound and never takes it
 * is as good as none. */
static void give_up(struct gateway *g, int64_t now_ms)
{
    bool hope = false;
    const char *why = "";
    for (size_t i = 0; i < g->count; i++) {
        const struct smpp_session *s = &g->sessions[i];
        hope = hope || smpp_session_submits(s) || smpp_session_may_soon(s);
        if (s->role != SMPP_RECEIVER)
            why = s->why;
    }
    if (!hope)
        smpp_submit_not_sent(g, "not_bound", why, true);
    else if (g->first != NULL && now_ms - g->first->since_ms >= g->opts.conf->answer_timeout_ms)
        smpp_submit_not_sent(g, "link_busy", "the gateway does not read what we have sent before", true);
}

void smpp_submit_turn(struct gateway *g, int64_t now_ms)
{
    struct smpp_session *s;
    while (g->first != NULL && (s = least_used(g)) != NULL)
        submit(s, take_waiting(g), now_ms);
    for (size_t i = 0; i < g->count; i++)
        smpp_session_flush(&g->sessions[i], now_ms);
    if (g->first != NULL)
        give_up(g, now_ms);
}

/* ---- and back ---- */

struct reading { /* of an answer */
    struct gateway_answer answer;
    char reason[32], error[GATEWAY_ERROR_SIZE];
};

static void read_refusal(const struct smpp_pdu *pdu, struct reading *r)
{
    const struct smpp_status *status = smpp_status(pdu->status);
    bool named = status->code == pdu->status;
    enum smpp_meaning meaning = pdu->status == SMPP_STATUS_OK ? SMPP_MEANS_DOUBT : status->meaning;
    static const enum outcome outcomes[] = {
        [SMPP_MEANS_REFUSED] = OUTCOME_REFUSED, [SMPP_MEANS_ELSEWHERE] = OUTCOME_RETRY,
        [SMPP_MEANS_LATER] = OUTCOME_RETRY,     [SMPP_MEANS_THROTTLED] = OUTCOME_RETRY,
        [SMPP_MEANS_OURS] = OUTCOME_REFUSED,    [SMPP_MEANS_DOUBT] = OUTCOME_IN_DOUBT};
    if (named)
        snprintf(r->reason, sizeof(r->reason), "%s", status->name);
    else
        snprintf(r->reason, sizeof(r->reason), "0x%x", pdu->status);
    snprintf(r->error, sizeof(r->error), "%s 0x%x %s: %s", smpp_command_name(pdu->command), pdu->status,
             status->name, status->words);
    r->answer = (struct gateway_answer){.outcome = outcomes[meaning],
                                        .reason = r->reason,
                                        .error = r->error,
                                        .throttled = meaning == SMPP_MEANS_THROTTLED,
                                        .elsewhere = meaning == SMPP_MEANS_ELSEWHERE};
}

static void read_answer(const struct smpp_pdu *pdu, int fault, struct reading *r)
{
    bool readable = fault == 0 || fault == SMPP_PDU_TLV;
    if (pdu->command == SMPP_GENERIC_NACK || (readable && pdu->status != SMPP_STATUS_OK)) {
        read_refusal(pdu, r);
    } else if (!readable) {
        snprintf(r->error, sizeof(r->error), "submit_sm_resp: %s", smpp_fault_words((enum smpp_fault)fault));
        r->answer = (struct gateway_answer){
            .outcome = OUTCOME_IN_DOUBT, .reason = "answer_unknown", .error = r->error};
    } else if (pdu->message_id != NULL && strlen(pdu->message_id) >= SLOT_MSG_ID_SIZE) {
        r->answer = (struct gateway_answer){.outcome = OUTCOME_IN_DOUBT,
                                            .reason = "msg_id_too_long",
                                            .error = "the gateway's id cannot be kept whole"};
    } else {
        bool has_id = pdu->message_id != NULL && *pdu->message_id != '\0';
        r->answer = (struct gateway_answer){
            .outcome = OUTCOME_ACCEPTED, .msg_id = has_id ? pdu->message_id : NULL, .reason = ""};
    }
}

/* We had called it in doubt; what the gateway says after all is told like a report. */
static void tell_late(struct gateway *g, const struct smpp_sent *x, const struct reading *r)
{
    const struct gateway_answer *a = &r->answer;
    struct step_record step = {.step = STEP_ACCEPTED,
                               .at = clock_wall_ms(),
                               .gateway = g->opts.conf->name,
                               .seq_id = (char *)(uintptr_t)x->seq_id,
                               .number = x->number};
    if (g->opts.events.report == NULL || a->outcome == OUTCOME_IN_DOUBT)
        return;
    if (a->outcome == OUTCOME_ACCEPTED) {
        step.msg_id = (char *)(uintptr_t)(a->msg_id != NULL ? a->msg_id : x->seq_id);
    } else {
        step.step = STEP_OUTCOME;
        step.state = (char *)(uintptr_t)state_word(STATE_REJECTED);
        step.reason = (char *)(uintptr_t)a->reason;
        step.error = (char *)(uintptr_t)a->error;
    }
    g->opts.events.report(g->opts.events.arg, &step, 0);
}

static void say_ours(struct gateway *g, const struct smpp_pdu *pdu)
{
    const struct smpp_status *status = smpp_status(pdu->status);
    struct log_field fields[] = {L_STR("gateway", g->opts.conf->name), L_STR("status", status->name),
                                 L_STR("why", status->words)};
    if (status->meaning == SMPP_MEANS_OURS)
        log_trouble_begins(&g->refusals, "the gateway refuses what only its file in conf/gateways can mend",
                           fields, COUNT_OF(fields));
}

void smpp_submit_answered(struct smpp_session *s, const struct smpp_pdu *pdu, int fault)
{
    struct gateway *g = s->g;
    struct smpp_sent *x;
    struct reading r;
    HASH_FIND(hh, s->sent, &pdu->sequence, sizeof(pdu->sequence), x);
    if (x == NULL) {
        log_debug("an answer to nothing that we asked in this session", L_STR("gateway", g->opts.conf->name));
        return;
    }
    read_answer(pdu, fault, &r);
    say_ours(g, pdu);
    if (r.answer.outcome == OUTCOME_ACCEPTED)
        log_trouble_ends(&g->refusals, "the gateway accepts messages");
    struct gateway_request *request = x->request;
    if (request == NULL)
        tell_late(g, x, &r);
    forget(s, x);
    if (request != NULL)
        tell(g, request, r.answer);
}

void smpp_submit_overdue(struct smpp_session *s, int64_t now_ms)
{
    struct smpp_sent *x;
    while ((x = s->open.first) != NULL && now_ms - x->sent_ms >= s->g->opts.conf->answer_timeout_ms) {
        struct gateway_request *r = x->request;
        list_remove(&s->open, x);
        x->request = NULL;
        x->number = r->items[0].number;
        memcpy(x->seq_id, r->items[0].seq_id, sizeof(x->seq_id));
        list_add(&s->late, x);
        if (s->late.count > LATE_MAX)
            forget(s, s->late.first);
        tell(s->g, r,
             (struct gateway_answer){.outcome = OUTCOME_IN_DOUBT,
                                     .reason = "answer_timeout",
                                     .error = "no submit_sm_resp within answer_timeout"});
    }
}

void smpp_submit_lost(struct smpp_session *s, const char *reason, const char *why)
{
    while (s->late.first != NULL)
        forget(s, s->late.first);
    while (s->open.first != NULL) {
        struct gateway_request *r = s->open.first->request;
        forget(s, s->open.first);
        tell(s->g, r, (struct gateway_answer){.outcome = OUTCOME_IN_DOUBT, .reason = reason, .error = why});
    }
}

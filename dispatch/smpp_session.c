/* A session from the first connect to its end, and again: states, timers, and the PDUs that keep it alive. */
#include "dispatch/smpp_session.h"
#include "dispatch/smpp_status.h"
#include "lib/clock.h"

#include <stdio.h>

#define READS_MAX       64    /* a turn reads no more: others have their turn, too */
#define LASTED_MS       10000 /* a session that lived so long was a good one */
#define AGAIN_MS        200   /* after a good one the next is tried at once, within this */
#define UNBIND_GRACE_MS 2000
#define STRANGER_TIMES  10

/* ---- states ---- */

static void set_state(struct smpp_session *s, enum smpp_state to, int64_t now_ms)
{
    static const bool may[][SMPP_UNBINDING + 1] = {
        [SMPP_CLOSED] = {[SMPP_CONNECTING] = true},
        [SMPP_CONNECTING] = {[SMPP_CLOSED] = true, [SMPP_BINDING] = true},
        [SMPP_BINDING] = {[SMPP_CLOSED] = true, [SMPP_BOUND] = true},
        [SMPP_BOUND] = {[SMPP_CLOSED] = true, [SMPP_UNBINDING] = true},
        [SMPP_UNBINDING] = {[SMPP_CLOSED] = true},
    };
    if (!may[s->state][to])
        abort(); /* a mistake of ours */
    s->state = to;
    s->state_ms = now_ms;
}

bool smpp_session_submits(const struct smpp_session *s)
{
    return s->state == SMPP_BOUND && s->role != SMPP_RECEIVER;
}

bool smpp_session_may_soon(const struct smpp_session *s)
{
    return (s->state == SMPP_CONNECTING || s->state == SMPP_BINDING) && s->role != SMPP_RECEIVER;
}

static const char *address(const struct smpp_session *s)
{
    return s->g->conf->address.items[s->address];
}

static const char *role_word(const struct smpp_session *s)
{
    static const char *const words[] = {"transceiver", "transmitter", "receiver"};
    return words[s->role];
}

void smpp_session_init(struct smpp_session *s, struct gateway *g, unsigned index, enum smpp_role role)
{
    *s = (struct smpp_session){
        .g = g, .index = index, .role = role, .address = index % g->conf->address.count};
    s->link = smpp_link_new(g->epoll_fd, g->tls);
    snprintf(s->why, sizeof(s->why), "not connected yet");
}

void smpp_session_deinit(struct smpp_session *s)
{
    if (s->state != SMPP_CLOSED)
        smpp_session_end(s, "stopped", "this program ended before the gateway answered", clock_mono_ms());
    smpp_link_free(s->link);
}

/* ---- what goes out ---- */

bool smpp_session_put(struct smpp_session *s, const struct smpp_pdu *pdu)
{
    size_t size, len = 0;
    uint8_t *room = smpp_link_room(s->link, &size);
    if (smpp_pdu_encode(pdu, room, size, &len) != 0)
        return false;
    smpp_link_add(s->link, len);
    smpp_show(s->g, true, pdu);
    return true;
}

void smpp_session_respond(struct smpp_session *s, uint32_t command, uint32_t status, uint32_t sequence)
{
    struct smpp_pdu pdu = {.command = command, .status = status, .sequence = sequence};
    /* Without room the gateway has not read for long, so it will not miss this one: what it does not hear of
     * it sends again, and a link that nobody reads is given up by dead_after. */
    if (!smpp_session_put(s, &pdu))
        log_debug("no room for an answer", L_STR("gateway", s->g->opts.conf->name));
}

uint32_t smpp_session_sequence(struct smpp_session *s)
{
    struct smpp_sent *taken;
    do { /* 1 to 0x7fffffff, then from 1 again [3.2] */
        s->sequence = s->sequence >= 0x7fffffff ? 1 : s->sequence + 1;
        HASH_FIND(hh, s->sent, &s->sequence, sizeof(s->sequence), taken);
    } while (taken != NULL);
    return s->sequence;
}

void smpp_session_flush(struct smpp_session *s, int64_t now_ms)
{
    if (s->state < SMPP_BINDING || smpp_link_waiting(s->link) == 0)
        return;
    if (smpp_link_flush(s->link) < 0)
        smpp_session_end(s, "connection_lost", smpp_link_why(s->link), now_ms);
}

/* ---- the end of a session ---- */

static void say_why(struct smpp_session *s, const char *why, const char *mend)
{
    struct log_field fields[] = {L_STR("gateway", s->g->opts.conf->name), L_STR("address", address(s)),
                                 L_STR("bind", role_word(s)), L_STR("why", why), L_STR("do", mend)};
    log_trouble_begins(&s->trouble, "the gateway cannot be bound", fields, COUNT_OF(fields));
}

static void plan_next(struct smpp_session *s, int64_t now_ms)
{
    const struct conf_smpp *c = s->g->conf;
    int64_t wait = s->failures == 0 ? random() % AGAIN_MS
                   : s->stranger    ? clock_backoff_ms(s->failures, c->reconnect_max_ms,
                                                       c->reconnect_max_ms * STRANGER_TIMES)
                                 : clock_backoff_ms(s->failures, c->reconnect_base_ms, c->reconnect_max_ms);
    s->next_ms = now_ms + wait;
    s->address = (s->address + (s->failures > 0)) % c->address.count;
}

void smpp_session_end(struct smpp_session *s, const char *reason, const char *why, int64_t now_ms)
{
    bool was_bound = s->state >= SMPP_BOUND, lasted = was_bound && now_ms - s->state_ms >= LASTED_MS;
    snprintf(s->why, sizeof(s->why), "%s", why);
    if (was_bound)
        LOG_AT(strcmp(reason, "unbound") == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
               "a link to the gateway is over", L_STR("gateway", s->g->opts.conf->name),
               L_STR("address", address(s)), L_STR("bind", role_word(s)), L_STR("why", s->why),
               L_INT("unanswered", s->open.count));
    smpp_link_close(s->link);
    set_state(s, SMPP_CLOSED, now_ms);
    s->failures = lasted ? 0 : s->failures + 1;
    plan_next(s, now_ms);
    smpp_submit_lost(s, reason, s->why); /* last: whoever hears of it sees a closed session */
}

static void cannot_bind(struct smpp_session *s, const char *why, const char *mend, int64_t now_ms)
{
    char words[sizeof(s->why)]; /* `why` may be the session's own */
    snprintf(words, sizeof(words), "%s", why);
    say_why(s, words, mend);
    smpp_session_end(s, "not_bound", words, now_ms);
}

/* ---- connecting and binding ---- */

static void begin(struct smpp_session *s, int64_t now_ms)
{
    set_state(s, SMPP_CONNECTING, now_ms);
    s->epoch++;
    s->sequence = 0;
    s->received_ms = now_ms;
    s->enquired_ms = 0;
    s->bind_sequence = s->unbind_sequence = 0;
    smpp_link_connect(s->link, address(s));
}

void smpp_session_begin_now(struct smpp_session *s)
{
    if (s->state == SMPP_CLOSED)
        s->next_ms = 0;
}

static void send_bind(struct smpp_session *s, int64_t now_ms)
{
    struct smpp_pdu pdu;
    set_state(s, SMPP_BINDING, now_ms);
    s->received_ms = now_ms;
    s->bind_sequence = smpp_session_sequence(s);
    smpp_bind_pdu(s, &pdu);
    if (!smpp_session_put(s, &pdu))
        cannot_bind(s, "the bind cannot be written", "shorten system_id, password or system_type", now_ms);
}

static void connect_turn(struct smpp_session *s, int64_t now_ms)
{
    char why[300];
    int rc = smpp_link_connect_turn(s->link);
    if (rc == 0) {
        send_bind(s, now_ms);
    } else if (rc < 0) {
        snprintf(why, sizeof(why), "%s", smpp_link_why(s->link));
        cannot_bind(s, why, "see that smpp.address is right and reachable from here", now_ms);
    } else if (now_ms - s->state_ms >= s->g->opts.conf->connect_timeout_ms) {
        cannot_bind(s, "no connection within connect_timeout",
                    "see that smpp.address is right, and that its owner lets our address in", now_ms);
    }
}

static void bind_answered(struct smpp_session *s, const struct smpp_pdu *pdu, int64_t now_ms)
{
    char why[300];
    if (pdu->status == SMPP_STATUS_OK && pdu->command != SMPP_GENERIC_NACK) {
        set_state(s, SMPP_BOUND, now_ms);
        s->stranger = false;
        log_trouble_ends(&s->trouble, "the gateway is bound");
        log_info("bound", L_STR("gateway", s->g->opts.conf->name), L_STR("address", address(s)),
                 L_STR("bind", role_word(s)));
        return;
    }
    struct smpp_bind_words w = smpp_bind_words(pdu->status);
    if (w.stranger && !s->stranger)
        s->failures = 0; /* what failed before was something else: the long waits begin with the short one */
    s->stranger = w.stranger;
    snprintf(why, sizeof(why), "%s (%s, 0x%08x)", w.what, smpp_status(pdu->status)->name, pdu->status);
    cannot_bind(s, why, w.mend, now_ms);
}

/* ---- what comes in ---- */

static void unbind_asked(struct smpp_session *s, const struct smpp_pdu *pdu, int64_t now_ms)
{
    if (s->state == SMPP_BOUND)
        set_state(s, SMPP_UNBINDING, now_ms);
    s->unbind_sequence = pdu->sequence; /* answered when nothing is open, or after a while */
}

static void took(struct smpp_session *s, const struct smpp_pdu *pdu, int fault, int64_t now_ms)
{
    switch (pdu->command) {
    case SMPP_SUBMIT_SM_RESP:
    case SMPP_GENERIC_NACK:
        smpp_submit_answered(s, pdu, fault);
        return;
    case SMPP_DELIVER_SM:
    case SMPP_DATA_SM:
        smpp_incoming(s, pdu);
        return;
    case SMPP_ENQUIRE_LINK:
        smpp_session_respond(s, SMPP_ENQUIRE_LINK_RESP, SMPP_STATUS_OK, pdu->sequence);
        return;
    case SMPP_UNBIND:
        unbind_asked(s, pdu, now_ms);
        return;
    case SMPP_UNBIND_RESP:
        if (s->state == SMPP_UNBINDING)
            smpp_session_end(s, "unbound", "unbound as we asked", now_ms);
        return;
    default: /* its answer to our enquire_link has done its work by arriving; alerts concern nobody */
        if (!(pdu->command & SMPP_RESPONSE) && pdu->command != SMPP_ALERT_NOTIFICATION)
            smpp_session_respond(s, SMPP_GENERIC_NACK, SMPP_STATUS_INVCMDID, pdu->sequence);
    }
}

/* A broken parameter behind the fields does no harm; a response that cannot be read still answers. */
static void take(struct smpp_session *s, const uint8_t *bytes, size_t len, int64_t now_ms)
{
    struct smpp_pdu pdu;
    int fault = smpp_pdu_decode(bytes, len, &pdu);
    bool request = !(pdu.command & SMPP_RESPONSE), readable = fault == 0 || fault == SMPP_PDU_TLV;
    smpp_show(s->g, false, &pdu);
    if (s->state == SMPP_BINDING && !request) {
        if (pdu.sequence == s->bind_sequence)
            bind_answered(s, &pdu, now_ms);
        return;
    }
    if (request && !readable) {
        struct log_field fields[] = {
            L_STR("gateway", s->g->opts.conf->name),
            L_STR("pdu", smpp_command_name(pdu.command) != NULL ? smpp_command_name(pdu.command) : "unknown"),
            L_STR("why", smpp_fault_words((enum smpp_fault)fault))};
        log_trouble_begins(&s->g->strange, "the gateway sends what cannot be read; it is told so", fields,
                           COUNT_OF(fields));
        smpp_session_respond(s, SMPP_GENERIC_NACK, smpp_fault_status((enum smpp_fault)fault), pdu.sequence);
        return;
    }
    if (s->state == SMPP_BINDING && pdu.command != SMPP_ENQUIRE_LINK)
        smpp_session_respond(s, SMPP_GENERIC_NACK, SMPP_STATUS_INVBNDSTS, pdu.sequence);
    else
        took(s, &pdu, fault, now_ms);
}

/* False: the session has ended, or there is nothing more. */
static bool read_once(struct smpp_session *s, int64_t now_ms)
{
    const uint8_t *bytes;
    uint32_t sequence, epoch = s->epoch;
    size_t len;
    int rc = smpp_link_read(s->link);
    if (rc < 0)
        smpp_session_end(s, "connection_lost", smpp_link_why(s->link), now_ms);
    if (rc != 0)
        return false;
    s->received_ms = now_ms;
    s->enquired_ms = 0;
    while (s->epoch == epoch && s->state >= SMPP_BINDING) {
        rc = smpp_framer_next(smpp_link_framer(s->link), &bytes, &len, &sequence);
        if (rc == SMPP_FRAME_MORE)
            return true;
        if (rc == SMPP_FRAME_BROKEN) {
            smpp_session_respond(s, SMPP_GENERIC_NACK, SMPP_STATUS_INVCMDLEN, sequence);
            (void)!smpp_link_flush(s->link);
            smpp_session_end(s, "connection_lost", "the gateway sends what is no PDU", now_ms);
            return false;
        }
        take(s, bytes, len, now_ms);
    }
    return false;
}

/* ---- time ---- */

void smpp_session_unbind(struct smpp_session *s, int64_t now_ms)
{
    struct smpp_pdu pdu = {.command = SMPP_UNBIND};
    if (s->state != SMPP_BOUND)
        return;
    set_state(s, SMPP_UNBINDING, now_ms);
    pdu.sequence = smpp_session_sequence(s);
    if (smpp_session_put(s, &pdu))
        smpp_session_flush(s, now_ms);
}

static void unbinding_turn(struct smpp_session *s, int64_t now_ms)
{
    bool over = now_ms - s->state_ms >= UNBIND_GRACE_MS;
    if (s->unbind_sequence == 0) {
        if (over)
            smpp_session_end(s, "unbound", "the gateway did not answer our unbind", now_ms);
        return;
    }
    if (s->open.count > 0 && !over)
        return;
    smpp_session_respond(s, SMPP_UNBIND_RESP, SMPP_STATUS_OK, s->unbind_sequence);
    (void)!smpp_link_flush(s->link);
    smpp_session_end(s, "unbound_by_gateway", "the gateway has unbound us", now_ms);
}

/* Asks whether it is there; whoever was stopped for long asks first, before anything is given up. */
static void alive_turn(struct smpp_session *s, int64_t now_ms)
{
    const struct conf_smpp *c = s->g->conf;
    struct smpp_pdu pdu = {.command = SMPP_ENQUIRE_LINK};
    if (s->enquired_ms == 0) {
        if (now_ms - s->received_ms < c->enquire_link_ms)
            return;
        pdu.sequence = smpp_session_sequence(s);
        /* Where there is no room for it nobody has read for long: the time runs all the same. */
        (void)!smpp_session_put(s, &pdu);
        s->enquired_ms = now_ms;
    } else if (now_ms - s->enquired_ms >= c->dead_after_ms - c->enquire_link_ms) {
        smpp_session_end(s, "connection_lost", "the gateway is silent (dead_after)", now_ms);
    }
}

static void timers(struct smpp_session *s, int64_t now_ms)
{
    switch (s->state) {
    case SMPP_BINDING:
        if (now_ms - s->state_ms >= s->g->conf->bind_timeout_ms)
            cannot_bind(s, "no answer to the bind within bind_timeout",
                        "see that this address speaks SMPP 3.4, with TLS or without as configured", now_ms);
        return;
    case SMPP_BOUND:
        smpp_submit_overdue(s, now_ms);
        alive_turn(s, now_ms);
        return;
    case SMPP_UNBINDING:
        smpp_submit_overdue(s, now_ms);
        unbinding_turn(s, now_ms);
        return;
    case SMPP_CLOSED:
    case SMPP_CONNECTING:
        return;
    }
}

void smpp_session_turn(struct smpp_session *s, int64_t now_ms)
{
    if (s->state == SMPP_CLOSED && now_ms >= s->next_ms)
        begin(s, now_ms);
    if (s->state == SMPP_CONNECTING)
        connect_turn(s, now_ms);
    s->more = s->state >= SMPP_BINDING;
    for (int i = 0; i < READS_MAX && s->more; i++)
        s->more = read_once(s, now_ms);
    timers(s, now_ms);
    smpp_session_flush(s, now_ms);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : MIN_OF(a, b);
}

int64_t smpp_session_wait_ms(const struct smpp_session *s, int64_t now_ms)
{
    const struct conf_gateway *g = s->g->opts.conf;
    const struct conf_smpp *c = s->g->conf;
    int64_t at = -1;
    switch (s->state) {
    case SMPP_CLOSED:
        at = s->next_ms;
        break;
    case SMPP_CONNECTING:
        return sooner(smpp_link_wait_ms(s->link),
                      MAX_OF(s->state_ms + g->connect_timeout_ms - now_ms, (int64_t)0));
    case SMPP_BINDING:
        at = s->state_ms + c->bind_timeout_ms;
        break;
    case SMPP_BOUND:
        at = s->enquired_ms == 0 ? s->received_ms + c->enquire_link_ms
                                 : s->enquired_ms + c->dead_after_ms - c->enquire_link_ms;
        break;
    case SMPP_UNBINDING:
        at = s->state_ms + UNBIND_GRACE_MS;
        break;
    }
    if (s->open.first != NULL)
        at = sooner(at, s->open.first->sent_ms + g->answer_timeout_ms);
    if (s->state >= SMPP_BINDING &&
        (s->more || (smpp_link_waiting(s->link) > 0 && !smpp_link_blocked(s->link))))
        return 0;
    return MAX_OF(at - now_ms, (int64_t)0);
}

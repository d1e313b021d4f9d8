/* The SMPP driver over real sockets: sessions that are cut, refused, silent, and what becomes of what was
 * submitted. The peer counts what it was sent. */
#include "dispatch/gateway.h"
#include "lib/clock.h"
#include "smpp_peer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DEADLINE_MS 10000
#define SEEN_MAX    600

/* ---- the dispatcher's side ---- */

static struct seen {
    int first_bytes, answers, probes, reports, inbounds;
    bool refuse_first_byte, probe_connected, in_send;
    struct {
        enum outcome outcome;
        bool unreachable, throttled, elsewhere;
        char reason[64], msg_id[64], error[256], seq_id[SEQ_ID_SIZE];
    } all[SEEN_MAX], last;
    struct {
        int64_t step, number, gateway_at;
        char msg_id[128], state[32], reason[64], error[64], seq_id[SEQ_ID_SIZE], raw[512];
        uint64_t token;
    } report;
    struct {
        int64_t number;
        char from[64], to[64], text[512];
        uint64_t token;
    } inbound;
} seen;

static bool first_byte(void *arg, struct gateway_request *r)
{
    assert_false(seen.in_send);
    seen.first_bytes++;
    return !seen.refuse_first_byte;
}

static void answered(void *arg, struct gateway_request *r, const struct gateway_answer *a)
{
    assert_false(seen.in_send);
    assert_true(seen.answers < SEEN_MAX);
    seen.last.outcome = a->outcome;
    seen.last.unreachable = a->unreachable;
    seen.last.throttled = a->throttled;
    seen.last.elsewhere = a->elsewhere;
    snprintf(seen.last.reason, sizeof(seen.last.reason), "%s", a->reason);
    snprintf(seen.last.error, sizeof(seen.last.error), "%s", a->error);
    snprintf(seen.last.msg_id, sizeof(seen.last.msg_id), "%s",
             a->outcome != OUTCOME_ACCEPTED ? ""
             : a->msg_id != NULL            ? a->msg_id
                                            : r->items[0].seq_id);
    memcpy(seen.last.seq_id, r->items[0].seq_id, SEQ_ID_SIZE);
    seen.all[seen.answers++] = seen.last;
    free(r);
}

static void probed(void *arg, bool connected)
{
    seen.probes++;
    seen.probe_connected = connected;
}

static void copy(char *out, size_t size, const char *s)
{
    snprintf(out, size, "%s", s != NULL ? s : "-");
}

static void report(void *arg, const struct step_record *s, uint64_t token)
{
    seen.report.step = s->step;
    seen.report.number = s->number;
    seen.report.gateway_at = s->gateway_at;
    seen.report.token = token;
    copy(seen.report.msg_id, sizeof(seen.report.msg_id), s->msg_id);
    copy(seen.report.state, sizeof(seen.report.state), s->state);
    copy(seen.report.reason, sizeof(seen.report.reason), s->reason);
    copy(seen.report.error, sizeof(seen.report.error), s->error);
    copy(seen.report.seq_id, sizeof(seen.report.seq_id), s->seq_id);
    copy(seen.report.raw, sizeof(seen.report.raw), s->raw);
    assert_string_equal(s->gateway, "test");
    seen.reports++;
}

static void inbound(void *arg, const struct inbound_record *in, uint64_t token)
{
    seen.inbound.number = in->number;
    seen.inbound.token = token;
    copy(seen.inbound.from, sizeof(seen.inbound.from), in->from);
    copy(seen.inbound.to, sizeof(seen.inbound.to), in->to);
    copy(seen.inbound.text, sizeof(seen.inbound.text), in->text);
    seen.inbounds++;
}

/* ---- a gateway that is open ---- */

static struct lot {
    struct conf_gateway conf;
    char *addresses[2], address[2][64];
    struct gateway *g;
    int next;
    bool instant; /* the lane of what is sent */
} lot;

static void prepare(void)
{
    static char name[] = "test", us[] = "us", password[] = "hush-hush", none[] = "";
    lot = (struct lot){.conf = {.name = name,
                                .connect_timeout_ms = 2000,
                                .answer_timeout_ms = 5000,
                                .smpp = {.system_id = us,
                                         .password = password,
                                         .system_type = none,
                                         .binds = 1,
                                         .source_ton = -1,
                                         .source_npi = -1,
                                         .dest_ton = 1,
                                         .dest_npi = 1,
                                         .service_type = none,
                                         .segments_max = 10,
                                         .registered_delivery = 1,
                                         .validity = true,
                                         .enquire_link_ms = 5000,
                                         .dead_after_ms = 10000,
                                         .bind_timeout_ms = 2000,
                                         .reconnect_base_ms = 5,
                                         .reconnect_max_ms = 20}}};
    snprintf(lot.address[0], sizeof(lot.address[0]), "127.0.0.1:%u", peer.port);
    lot.addresses[0] = lot.address[0];
    lot.conf.smpp.address = (struct str_list){.items = lot.addresses, .count = 1};
    peer.bind_status = 0;
    peer.no_bind_answer = peer.no_enquire_answer = peer.no_unbind_answer = peer.no_body = false;
    peer.deaf = peer.split = peer.joined = false;
    peer.submits = peer.binds = peer.connections = peer.bytes = peer.cut_at = peer.answers_held = 0;
    peer_forget();
    seen = (struct seen){0};
}

static void open_it(void)
{
    auto_free char *why = NULL;
    struct gateway_options opts = {.conf = &lot.conf,
                                   .window = 500,
                                   .events = {.first_byte = first_byte,
                                              .answered = answered,
                                              .probed = probed,
                                              .report = report,
                                              .inbound = inbound}};
    if (smpp_driver.open(&opts, &lot.g, &why) < 0)
        fail_msg("%s", why);
}

static void begin(void)
{
    prepare();
    open_it();
}

static void end(void)
{
    smpp_driver.close(lot.g);
    lot.g = NULL;
}

static void turn(void)
{
    int64_t wait = smpp_driver.wait_ms(lot.g);
    struct pollfd p = {.fd = smpp_driver.fd(lot.g), .events = POLLIN};
    poll(&p, 1, wait < 0 || wait > 3 ? 3 : (int)wait);
    smpp_driver.turn(lot.g);
}

#define turn_until(condition)                                                                                \
    do {                                                                                                     \
        int64_t until_ = clock_mono_ms() + DEADLINE_MS;                                                      \
        while (!(condition)) {                                                                               \
            if (clock_mono_ms() >= until_)                                                                   \
                fail_msg("not within the deadline: %s", #condition);                                         \
            turn();                                                                                          \
        }                                                                                                    \
    } while (0)

static void turns(int n)
{
    while (n-- > 0)
        turn();
}

static void send_cut(const char *text, const char *sender, struct gateway_cut cut, int segment)
{
    struct gateway_request *r = xcalloc(1, sizeof(*r) + sizeof(r->items[0]));
    r->claimed_mono_ms = clock_mono_ms();
    r->instant = lot.instant;
    r->count = 1;
    r->items[0] = (struct gateway_item){.number = 491711234567,
                                        .text = text,
                                        .sender = sender,
                                        .encoding = "",
                                        .segments = 1,
                                        .valid_until = clock_wall_ms() + 3590000,
                                        .cut = cut,
                                        .segment = segment,
                                        .reference = 0xabcd};
    snprintf(r->items[0].seq_id, SEQ_ID_SIZE, "%d.1.1", ++lot.next);
    seen.in_send = true;
    smpp_driver.send(lot.g, r);
    seen.in_send = false;
}

static void send_text(const char *text)
{
    send_cut(text, "SHOP", (struct gateway_cut){1, 0}, 1);
}

static void exchange(const char *text)
{
    int before = seen.answers;
    send_text(text);
    turn_until(seen.answers > before);
    turns(3);
    assert_int_equal(seen.answers, before + 1);
}

static int binds_of(uint32_t command)
{
    return peer_count(command);
}

/* ---- answers ---- */

static const struct {
    const char *text;
    enum outcome outcome;
    const char *reason;
    bool throttled, elsewhere;
} cases[] = {
    {"ok", OUTCOME_ACCEPTED, "", false, false},
    {"no", OUTCOME_REFUSED, "ESME_RINVDSTADR", false, false},
    {"slow-down", OUTCOME_RETRY, "ESME_RTHROTTLED", true, false},
    {"full", OUTCOME_RETRY, "ESME_RMSGQFUL", true, false},
    {"elsewhere", OUTCOME_RETRY, "ESME_RINVSRCADR", false, true},
    {"ours", OUTCOME_REFUSED, "ESME_RINVESMCLASS", false, false},
    {"failed", OUTCOME_IN_DOUBT, "ESME_RSYSERR", false, false},
    {"own", OUTCOME_REFUSED, "0x401", false, false},
    {"nack", OUTCOME_REFUSED, "ESME_RINVCMDLEN", false, false},
    {"broken", OUTCOME_IN_DOUBT, "answer_unknown", false, false},
    {"twice", OUTCOME_ACCEPTED, "", false, false},
    {"no-id", OUTCOME_ACCEPTED, "", false, false},
    {"close", OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"half", OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"strange", OUTCOME_IN_DOUBT, "connection_lost", false, false},
};

static void test_answers(void **state)
{
    begin();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        exchange("ok");
        int submits = peer.submits, first_bytes = seen.first_bytes;
        exchange(cases[i].text);
        if (seen.last.outcome != cases[i].outcome || strcmp(seen.last.reason, cases[i].reason) != 0 ||
            seen.last.throttled != cases[i].throttled || seen.last.elsewhere != cases[i].elsewhere)
            fail_msg("%s: %s %s", cases[i].text, outcome_word(seen.last.outcome), seen.last.reason);
        assert_int_equal(peer.submits, submits + 1);
        assert_int_equal(seen.first_bytes, first_bytes + 1);
    }
    end();
}

/* What waits for the link leaves in the order of the lanes, each in its own. */
static void test_instant_first(void **state)
{
    static const bool lanes[] = {false, false, true, true, false, true};
    static const char *const order[] = {"3.1.1", "4.1.1", "6.1.1", "1.1.1",
                                        "2.1.1", "5.1.1", "8.1.1", "7.1.1"};
    begin();
    for (size_t i = 0; i < COUNT_OF(lanes); i++) {
        lot.instant = lanes[i];
        send_text("ok");
    }
    turn_until(seen.answers == (int)COUNT_OF(lanes));
    for (int i = 0; i < 2; i++) { /* and again from an empty list */
        lot.instant = i == 1;
        send_text("ok");
    }
    turn_until(seen.answers == (int)COUNT_OF(order));
    for (size_t i = 0; i < COUNT_OF(order); i++)
        assert_string_equal(seen.all[i].seq_id, order[i]);
    end();
}

static void test_no_id_is_the_seq_id(void **state)
{
    begin();
    exchange("no-id");
    assert_string_equal(seen.last.msg_id, seen.last.seq_id);
    exchange("ok");
    assert_string_equal(seen.last.msg_id, "1");
    end();
}

/* The answer's PDU is cut at every byte: what was answered whole is accepted, all else is in doubt; nothing
 * is submitted again. */
static void test_cut_at_every_byte(void **state)
{
    begin();
    exchange("ok");
    for (int at = 1; at <= 18; at++) {
        int submits = peer.submits;
        peer.cut_at = at;
        exchange("ok");
        assert_int_equal(seen.last.outcome, at < 18 ? OUTCOME_IN_DOUBT : OUTCOME_ACCEPTED);
        assert_int_equal(peer.submits, submits + 1);
        turn_until(peer.cut_at == 0 && peer.links[0].fd >= 0);
    }
    end();
}

static void test_joined_and_split(void **state)
{
    begin();
    exchange("ok");
    peer.joined = true;
    for (int i = 0; i < 20; i++)
        send_text("ok");
    turn_until(peer.answers_held == 20);
    assert_int_equal(seen.answers, 1);
    peer.joined = false;
    send_text("ok");
    turn_until(seen.answers == 22);
    peer.split = true;
    for (int i = 0; i < 20; i++)
        send_text("ok");
    turn_until(seen.answers == 42);
    for (int i = 0; i < 42; i++)
        assert_int_equal(seen.all[i].outcome, OUTCOME_ACCEPTED);
    assert_int_equal(peer.submits, 42);
    end();
}

/* ---- sessions ---- */

/* What was unanswered when the link was lost is in doubt, is not sent again, and the next session's answers
 * are not taken for it: sequence numbers begin anew. */
static void test_nothing_twice_after_reconnect(void **state)
{
    begin();
    exchange("ok");
    for (int i = 0; i < 5; i++)
        send_text("hang");
    turn_until(peer.submits == 6);
    uint32_t sequence = peer_last(SMPP_SUBMIT_SM)->sequence;
    peer_cut_all();
    turn_until(seen.answers == 6);
    for (int i = 1; i < 6; i++) {
        assert_int_equal(seen.all[i].outcome, OUTCOME_IN_DOUBT);
        assert_string_equal(seen.all[i].reason, "connection_lost");
    }
    turn_until(peer.binds == 2);
    send_text("late");
    turn_until(peer.submits == 7);
    int link = peer.held_link;
    /* An answer as the old session would have had it: here nobody has asked by that number. */
    peer_send(link,
              &(struct smpp_pdu){.command = SMPP_SUBMIT_SM_RESP, .sequence = sequence, .message_id = "old"});
    peer_send(link, &(struct smpp_pdu){.command = SMPP_ENQUIRE_LINK, .sequence = 4711});
    turn_until(peer_last(SMPP_ENQUIRE_LINK_RESP) != NULL);
    assert_int_equal(seen.answers, 6);
    peer_send(link, &(struct smpp_pdu){
                        .command = SMPP_SUBMIT_SM_RESP, .sequence = peer.held_sequence, .message_id = "new"});
    turn_until(seen.answers == 7);
    assert_string_equal(seen.last.msg_id, "new");
    turns(10);
    assert_int_equal(peer.submits, 7);
    end();
}

static void test_not_a_byte(void **state)
{
    begin();
    exchange("ok");
    int bytes = peer.bytes;
    seen.refuse_first_byte = true;
    exchange("ok");
    assert_int_equal(seen.last.outcome, OUTCOME_NOT_SENT);
    assert_string_equal(seen.last.reason, "claim_too_old");
    assert_false(seen.last.unreachable);
    assert_int_equal(peer.bytes, bytes);
    seen.refuse_first_byte = false;
    exchange("ok");
    assert_int_equal(seen.last.outcome, OUTCOME_ACCEPTED);
    end();
}

static void test_no_connection(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    auto_fd int bound = socket(AF_INET, SOCK_STREAM, 0); /* and not listening: refuses */
    assert_int_equal(bind(bound, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&a, &size), 0);
    prepare();
    snprintf(lot.address[0], sizeof(lot.address[0]), "localhost:%u", ntohs(a.sin_port));
    open_it();
    exchange("ok");
    assert_int_equal(seen.last.outcome, OUTCOME_NOT_SENT);
    assert_string_equal(seen.last.reason, "not_bound");
    assert_string_equal(seen.last.error, "Connection refused");
    assert_true(seen.last.unreachable);
    assert_int_equal(seen.first_bytes, 0);
    smpp_driver.probe(lot.g);
    turn_until(seen.probes == 1);
    assert_false(seen.probe_connected);
    end();
}

static void test_second_address(void **state)
{
    prepare();
    snprintf(lot.address[1], sizeof(lot.address[1]), "127.0.0.1:%u", peer.port);
    snprintf(lot.address[0], sizeof(lot.address[0]), "127.0.0.1:1");
    lot.addresses[1] = lot.address[1];
    lot.conf.smpp.address.count = 2;
    open_it();
    turn_until(peer.binds == 1);
    exchange("ok");
    assert_int_equal(seen.last.outcome, OUTCOME_ACCEPTED);
    end();
}

static const struct {
    uint32_t status;
    const char *says;
} refusals[] = {
    {SMPP_STATUS_INVPASWD, "the password is wrong (ESME_RINVPASWD, 0x0000000e)"},
    {SMPP_STATUS_INVSYSID, "the system_id is not known there (ESME_RINVSYSID, 0x0000000f)"},
    {SMPP_STATUS_ALYBND, "we are bound already, as often as we may (ESME_RALYBND, 0x00000005)"},
    {SMPP_STATUS_BINDFAIL, "the bind is refused without a reason (ESME_RBINDFAIL, 0x0000000d)"},
};

static void test_bind_refused(void **state)
{
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        prepare();
        peer.bind_status = refusals[i].status;
        open_it();
        exchange("ok");
        assert_int_equal(seen.last.outcome, OUTCOME_NOT_SENT);
        assert_true(seen.last.unreachable);
        assert_string_equal(seen.last.error, refusals[i].says);
        assert_int_equal(peer.submits, 0);
        assert_null(strstr(seen.last.error, "hush"));
        peer.bind_status = 0;
        smpp_driver.probe(lot.g); /* a stranger waits for his time, whoever asks */
        turn_until(seen.probes == 1);
        turn_until(peer.binds > 1 && peer.links[0].bound_as != 0);
        exchange("ok");
        assert_int_equal(seen.last.outcome, OUTCOME_ACCEPTED);
        end();
    }
}

static void test_bind_unanswered(void **state)
{
    prepare();
    peer.no_bind_answer = true;
    lot.conf.smpp.bind_timeout_ms = 60;
    open_it();
    exchange("ok");
    assert_int_equal(seen.last.outcome, OUTCOME_NOT_SENT);
    assert_string_equal(seen.last.error, "no answer to the bind within bind_timeout");
    assert_int_equal(peer.submits, 0);
    peer.no_bind_answer = false;
    peer.no_body = true; /* and an answer that is its header alone */
    turn_until(peer.links[0].bound_as != 0);
    exchange("ok");
    assert_int_equal(seen.last.outcome, OUTCOME_ACCEPTED);
    end();
}

static void test_alive(void **state)
{
    prepare();
    lot.conf.smpp.enquire_link_ms = 50;
    lot.conf.smpp.dead_after_ms = 150;
    open_it();
    exchange("ok");
    turn_until(peer_count(SMPP_ENQUIRE_LINK) >= 3);
    assert_int_equal(peer.binds, 1);
    peer.no_enquire_answer = true;
    send_text("hang");
    turn_until(seen.answers == 2); /* silent for too long: the link is given up */
    assert_int_equal(seen.last.outcome, OUTCOME_IN_DOUBT);
    assert_string_equal(seen.last.error, "the gateway is silent (dead_after)");
    peer.no_enquire_answer = false;
    turn_until(peer.binds >= 2);
    end();
}

static void test_several_binds(void **state)
{
    prepare();
    lot.conf.smpp.binds = 3;
    open_it();
    turn_until(peer.binds == 3);
    turns(5);
    for (int i = 0; i < 30; i++)
        exchange("ok");
    int of[16] = {0};
    for (size_t i = 0; i < peer.seen_count; i++)
        if (peer.seen[i].command == SMPP_SUBMIT_SM)
            of[peer.seen[i].link & 15]++;
    for (int i = 1; i <= 3; i++)
        assert_int_equal(of[i], 10);
    end();
}

static struct smpp_pdu receipt(uint32_t sequence)
{
    static const char text[] =
        "id:7F sub:001 dlvrd:001 submit date:2601311615 done date:2601311616 stat:DELIVRD "
        "err:000 text:hello";
    return (struct smpp_pdu){.command = SMPP_DELIVER_SM,
                             .sequence = sequence,
                             .source_addr = "491711234567",
                             .destination_addr = "SHOP",
                             .esm_class = SMPP_ESM_RECEIPT,
                             .short_message = (const uint8_t *)text,
                             .sm_length = sizeof(text) - 1};
}

static void test_pairs_and_reports(void **state)
{
    prepare();
    lot.conf.smpp.separate = true;
    open_it();
    turn_until(peer.binds == 2);
    turns(3);
    assert_int_equal(binds_of(SMPP_BIND_TRANSMITTER), 1);
    assert_int_equal(binds_of(SMPP_BIND_RECEIVER), 1);
    exchange("ok");
    struct smpp_pdu pdu = receipt(77);
    int link = peer_send(0, &pdu);
    turn_until(seen.reports == 1);
    assert_int_equal(seen.report.step, STEP_STATUS);
    assert_string_equal(seen.report.msg_id, "7F");
    assert_string_equal(seen.report.state, "delivered");
    assert_string_equal(seen.report.reason, "DELIVRD");
    assert_string_equal(seen.report.error, "000");
    assert_true(seen.report.number == 491711234567 && seen.report.gateway_at > 0);
    turns(5); /* not kept, so not a word */
    assert_null(peer_last(SMPP_DELIVER_SM_RESP));
    smpp_driver.kept(lot.g, seen.report.token, true);
    turn_until(peer_last(SMPP_DELIVER_SM_RESP) != NULL);
    assert_int_equal(peer_last(SMPP_DELIVER_SM_RESP)->status, 0);
    assert_int_equal(peer_last(SMPP_DELIVER_SM_RESP)->sequence, 77);
    assert_int_equal(peer_last(SMPP_DELIVER_SM_RESP)->link, link);
    pdu.sequence = 78;
    peer_send(0, &pdu);
    turn_until(seen.reports == 2);
    smpp_driver.kept(lot.g, seen.report.token, false);
    turn_until(peer_count(SMPP_DELIVER_SM_RESP) == 2);
    assert_int_equal(peer_last(SMPP_DELIVER_SM_RESP)->status, SMPP_STATUS_X_T_APPN);
    end();
}

/* What was kept after its link was lost is not answered on the next one, whatever its number. */
static void test_kept_after_the_link(void **state)
{
    begin();
    exchange("ok");
    struct smpp_pdu pdu = receipt(9);
    peer_send(0, &pdu);
    turn_until(seen.reports == 1);
    peer_cut_all();
    turn_until(peer.binds == 2 && peer.links[0].bound_as != 0);
    exchange("ok");
    smpp_driver.kept(lot.g, seen.report.token, true);
    exchange("ok");
    assert_null(peer_last(SMPP_DELIVER_SM_RESP));
    end();
}

static void test_strange_reports(void **state)
{
    struct conf_status own[] = {{.word = (char[]){"DELIVRD"}, .state = STATE_UNDELIVERED}};
    begin();
    exchange("ok");
    struct smpp_pdu pdu = receipt(1);
    pdu.short_message = (const uint8_t *)"id:7F stat:WHATEVER";
    pdu.sm_length = 19;
    peer_send(0, &pdu);
    turn_until(seen.reports == 1);
    assert_int_equal(seen.report.step, STEP_QUARANTINE);
    assert_string_equal(seen.report.reason, "unlisted_status");
    assert_non_null(strstr(seen.report.raw, "id:7F stat:WHATEVER"));
    lot.conf.report.statuses = own;
    lot.conf.report.status_count = 1;
    pdu = receipt(2);
    peer_send(0, &pdu);
    turn_until(seen.reports == 2);
    assert_string_equal(seen.report.state, "undelivered"); /* the gateway's own list comes first */
    pdu.short_message = (const uint8_t *)"id:7F stat:ENROUTE";
    pdu.sm_length = 18;
    peer_send(0, &pdu);
    turn_until(seen.reports == 3);
    assert_string_equal(seen.report.state, "-");
    end();
}

static void test_inbound(void **state)
{
    static const uint8_t text[] = {0x04, 0x1f, 0x04, 0x40, 0x04, 0x38};
    begin();
    exchange("ok");
    peer_send(0, &(struct smpp_pdu){.command = SMPP_DELIVER_SM,
                                    .sequence = 5,
                                    .source_addr = "491711234567",
                                    .destination_addr = "22922",
                                    .data_coding = SMPP_CODING_UCS2,
                                    .short_message = text,
                                    .sm_length = sizeof(text)});
    turn_until(seen.inbounds == 1);
    assert_string_equal(seen.inbound.text, "При");
    assert_string_equal(seen.inbound.to, "22922");
    assert_true(seen.inbound.number == 491711234567);
    smpp_driver.kept(lot.g, seen.inbound.token, true);
    turn_until(peer_last(SMPP_DELIVER_SM_RESP) != NULL);
    end();
}

/* ---- time ---- */

static void test_late_answer(void **state)
{
    prepare();
    lot.conf.answer_timeout_ms = 60;
    open_it();
    turn_until(peer.links[0].bound_as != 0);
    exchange("late");
    assert_int_equal(seen.last.outcome, OUTCOME_IN_DOUBT);
    assert_string_equal(seen.last.reason, "answer_timeout");
    peer_send(peer.held_link, &(struct smpp_pdu){.command = SMPP_SUBMIT_SM_RESP,
                                                 .sequence = peer.held_sequence,
                                                 .message_id = "late-1"});
    turn_until(seen.reports == 1); /* told like a report, since the request is answered */
    assert_int_equal(seen.report.step, STEP_ACCEPTED);
    assert_string_equal(seen.report.msg_id, "late-1");
    assert_string_equal(seen.report.seq_id, seen.last.seq_id);
    assert_true(seen.report.token == 0 && seen.report.number == 491711234567);
    assert_int_equal(seen.answers, 1);
    end();
}

static void test_unbinds(void **state)
{
    begin();
    exchange("ok");
    send_text("late");
    turn_until(peer.submits == 2);
    peer_send(1, &(struct smpp_pdu){.command = SMPP_UNBIND, .sequence = 3});
    turns(3);
    assert_null(peer_last(SMPP_UNBIND_RESP)); /* what it owes us first */
    peer_send(1, &(struct smpp_pdu){
                     .command = SMPP_SUBMIT_SM_RESP, .sequence = peer.held_sequence, .message_id = "2"});
    turn_until(seen.answers == 2);
    assert_int_equal(seen.last.outcome, OUTCOME_ACCEPTED);
    turn_until(peer_last(SMPP_UNBIND_RESP) != NULL);
    turn_until(peer.binds == 2);
    exchange("ok");
    end(); /* and we say it, too */
    assert_int_equal(peer_count(SMPP_UNBIND), 1);
}

static void test_close_answers_what_is_open(void **state)
{
    begin();
    exchange("ok");
    peer.no_unbind_answer = true;
    send_text("hang");
    send_text("hang");
    turn_until(peer.submits == 3);
    send_text("ok"); /* not a turn more: nothing of it leaves */
    end();
    assert_int_equal(seen.answers, 4);
    assert_int_equal(seen.all[1].outcome, OUTCOME_NOT_SENT);
    assert_int_equal(seen.all[2].outcome, OUTCOME_IN_DOUBT);
    assert_int_equal(seen.all[3].outcome, OUTCOME_IN_DOUBT);
    assert_int_equal(peer.submits, 3);
}

/* The peer does not read: what was handed to the socket is in doubt when the link is given up, what was not
 * waits and is not sent twice; memory is bounded. */
static void test_deaf_peer(void **state)
{
    begin();
    exchange("ok");
    peer.deaf = true;
    for (int i = 0; i < 400; i++)
        send_text("ok");
    turns(20);
    peer.deaf = false;
    turn_until(seen.answers == 401);
    assert_int_equal(peer.submits, 401);
    for (int i = 0; i < 401; i++)
        assert_int_equal(seen.all[i].outcome, OUTCOME_ACCEPTED);
    end();
}

/* The peer asks and asks and reads nothing, so that there is no room left even for our own enquire_link. */
static void test_deaf_peer_that_asks(void **state)
{
    prepare();
    lot.conf.smpp.enquire_link_ms = 50;
    lot.conf.smpp.dead_after_ms = 150;
    open_it();
    exchange("ok");
    peer.deaf = true;
    for (int i = 0; i < 1200 && peer.connections == 1; i++) {
        for (int k = 0; k < 500; k++)
            peer_send(1, &(struct smpp_pdu){.command = SMPP_ENQUIRE_LINK, .sequence = 1});
        smpp_driver.turn(lot.g);
    }
    turn_until(peer.connections >= 2); /* it was given up */
    peer.deaf = false;
    exchange("ok");
    end();
}

static void test_probe(void **state)
{
    begin();
    turn_until(peer.links[0].bound_as != 0);
    smpp_driver.probe(lot.g);
    assert_int_equal(seen.probes, 0);
    turn_until(seen.probes == 1);
    assert_true(seen.probe_connected);
    turns(3);
    assert_int_equal(seen.probes, 1);
    assert_int_equal(peer.submits, 0);
    end();
}

/* ---- what a submit_sm says ---- */

static const struct {
    const char *sender, *address;
    int ton, npi;
} senders[] = {
    {"SHOP", "SHOP", 5, 0},
    {"22922", "22922", 3, 0},
    {"491711234567", "491711234567", 1, 1},
    {"+491711234567", "491711234567", 1, 1},
    {"", "", 0, 0},
    {"Shop 24", "Shop 24", 5, 0},
};

static void test_senders(void **state)
{
    begin();
    for (size_t i = 0; i < COUNT_OF(senders); i++) {
        send_cut("ok", senders[i].sender, (struct gateway_cut){1, 0}, 1);
        turn_until(seen.answers == (int)i + 1);
        const struct peer_seen *p = peer_last(SMPP_SUBMIT_SM);
        assert_string_equal(p->source, senders[i].address);
        assert_int_equal(p->source_ton, senders[i].ton);
        assert_int_equal(p->source_npi, senders[i].npi);
        assert_string_equal(p->destination, "491711234567");
        assert_memory_equal(p->validity, "0000000059", 10); /* left, relative */
        assert_int_equal(p->validity[15], 'R');
    }
    int bytes = peer.bytes;
    send_cut("ok", "Sch\303\266n", (struct gateway_cut){1, 0}, 1);
    turn_until(seen.answers == (int)COUNT_OF(senders) + 1);
    assert_int_equal(seen.last.outcome, OUTCOME_REFUSED);
    assert_string_equal(seen.last.reason, "bad_sender");
    assert_int_equal(peer.bytes, bytes);
    end();
}

static void test_cut(void **state)
{
    struct gateway_cut cut, again;
    const char *why = NULL;
    char text[1601];
    prepare();
    memset(text, 'x', sizeof(text));
    text[160] = '\0';
    assert_true(smpp_driver.cut(&lot.conf, text, -1, &cut, &why));
    assert_true(cut.parts == 1 && cut.way == 0);
    text[160] = 'x', text[400] = '\0';
    assert_true(smpp_driver.cut(&lot.conf, text, -1, &cut, &why));
    assert_true(cut.parts == 3 && cut.way > 0);
    lot.conf.smpp.long_way = 2; /* what is begun in one way is ended in it */
    assert_true(smpp_driver.cut(&lot.conf, text, cut.way, &again, &why));
    assert_true(again.parts == 3 && again.way == cut.way);
    assert_true(smpp_driver.cut(&lot.conf, text, -1, &again, &why) && again.way != cut.way);
    assert_false(smpp_driver.cut(&lot.conf, text, 0, &again, &why));
    assert_string_equal(why, "segmentation_changed");
    lot.conf.smpp.long_way = 3;
    assert_true(smpp_driver.cut(&lot.conf, text, -1, &again, &why));
    assert_true(again.parts == 1 && again.way > 0); /* the whole in one message_payload */
    lot.conf.smpp.long_way = 0;
    text[400] = 'x', text[1600] = '\0';
    assert_false(smpp_driver.cut(&lot.conf, text, -1, &cut, &why));
    assert_string_equal(why, "too_many_segments");
}

static void test_segments(void **state)
{
    static const int ways[] = {0, 1, 2, 3};
    char text[401];
    memset(text, 'x', 400);
    text[400] = '\0';
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        struct gateway_cut cut;
        const char *why;
        prepare();
        lot.conf.smpp.long_way = ways[w];
        open_it();
        assert_true(smpp_driver.cut(&lot.conf, text, -1, &cut, &why));
        for (int part = 1; part <= cut.parts; part++) {
            send_cut(text, "SHOP", cut, part);
            turn_until(seen.answers == part);
            if (seen.last.outcome != OUTCOME_ACCEPTED)
                fail_msg("%s %s %s", outcome_word(seen.last.outcome), seen.last.reason, seen.last.error);
            const struct peer_seen *p = peer_last(SMPP_SUBMIT_SM);
            assert_non_null(p);
            assert_int_equal(p->tlv_count, ways[w] == 2 ? 3 : ways[w] == 3 ? 1 : 0);
            assert_int_equal(p->payload_length, ways[w] == 3 ? 400 : 0);
            assert_int_equal(p->esm_class, ways[w] < 2 ? SMPP_ESM_UDHI : 0);
            if (ways[w] == 0)
                assert_memory_equal(p->octets, ((uint8_t[]){5, 0, 3, 0xcd, 3, (uint8_t)part}), 6);
            if (ways[w] == 1)
                assert_memory_equal(p->octets, ((uint8_t[]){6, 8, 4, 0xab, 0xcd, 3, (uint8_t)part}), 7);
        }
        send_cut(text, "SHOP", (struct gateway_cut){2, cut.way}, 1); /* another count than this text has */
        turn_until(seen.answers == cut.parts + 1);
        assert_string_equal(seen.last.reason, "segmentation_changed");
        assert_int_equal(peer.submits, cut.parts);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_instant_first),
        cmocka_unit_test(test_no_id_is_the_seq_id),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_joined_and_split),
        cmocka_unit_test(test_nothing_twice_after_reconnect),
        cmocka_unit_test(test_not_a_byte),
        cmocka_unit_test(test_no_connection),
        cmocka_unit_test(test_second_address),
        cmocka_unit_test(test_bind_refused),
        cmocka_unit_test(test_bind_unanswered),
        cmocka_unit_test(test_alive),
        cmocka_unit_test(test_several_binds),
        cmocka_unit_test(test_pairs_and_reports),
        cmocka_unit_test(test_kept_after_the_link),
        cmocka_unit_test(test_strange_reports),
        cmocka_unit_test(test_inbound),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_unbinds),
        cmocka_unit_test(test_close_answers_what_is_open),
        cmocka_unit_test(test_deaf_peer),
        cmocka_unit_test(test_deaf_peer_that_asks),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_senders),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_segments),
    };
    return cmocka_run_group_tests(tests, peer_open, peer_shut);
}

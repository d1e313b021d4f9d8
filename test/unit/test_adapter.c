/* What gateway.h asks of a driver, of the adapter driver. */
#include "test/unit/adapter_peer.h"

static void test_lines_as_documented(void **state)
{
    begin();
    auto_free char *hello = await("hello");
    assert_string_equal(hello, "{\"kind\":\"hello\",\"versions\":[1],\"gateway\":\"test\",\"software\":"
                               "\"smschain " SMSCHAIN_VERSION "\",\"window\":10,\"line_bytes\":262144,"
                               "\"answer_timeout_ms\":300,\"ping_interval_ms\":60000}");
    send_text("hello \"there\"\n");
    auto_free char *line = await("submit");
    assert_string_equal(line,
                        "{\"kind\":\"submit\",\"id\":1,\"seq_id\":\"7.1.1\",\"number\":\"491711234567\","
                        "\"text\":\"hello \\\"there\\\"\\n\",\"sender\":\"ACME\",\"encoding\":\"gsm7\","
                        "\"segments\":1,\"valid_until\":1767225600000}");
    assert_int_equal(seen.first_bytes, 1);
    end();
    assert_int_equal(seen.answers, 1); /* close answers what is open */
    assert_int_equal(seen.outcome, OUTCOME_IN_DOUBT);
}

#define LONG_ID                                                                                              \
    "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901" \
    "2"                                                                                                      \
    "3456789012345678901234567"
static const struct {
    const char *fields; /* behind the id */
    enum outcome outcome;
    const char *reason, *msg_id;
    bool throttled, elsewhere;
    int64_t retry_after_ms;
} answers[] = {
    {"\"kind\":\"accepted\",\"msg_id\":\"ab-1\"", OUTCOME_ACCEPTED, "", "ab-1", false, false, -1},
    {"\"kind\":\"accepted\",\"msg_id\":\"\"", OUTCOME_ACCEPTED, "", "(none)", false, false, -1},
    {"\"kind\":\"accepted\"", OUTCOME_IN_DOUBT, "answer_unknown", "(none)", false, false, -1},
    {"\"kind\":\"accepted\",\"msg_id\":12", OUTCOME_IN_DOUBT, "answer_unknown", "(none)", false, false, -1},
    {"\"kind\":\"accepted\",\"msg_id\":\"" LONG_ID "\"", OUTCOME_IN_DOUBT, "no_msg_id", "(none)", false,
     false, -1},
    {"\"kind\":\"refused\",\"reason\":\"21\",\"error\":\"no\"", OUTCOME_REFUSED, "21", "(none)", false, false,
     -1},
    {"\"kind\":\"refused\",\"reason\":null", OUTCOME_REFUSED, "refused", "(none)", false, false, -1},
    {"\"kind\":\"refused\",\"reason\":21", OUTCOME_IN_DOUBT, "answer_unknown", "(none)", false, false, -1},
    {"\"kind\":\"retry\"", OUTCOME_RETRY, "retry", "(none)", false, false, -1},
    {"\"kind\":\"retry\",\"throttled\":true,\"retry_after_ms\":1500", OUTCOME_RETRY, "throttled", "(none)",
     true, false, 1500},
    {"\"kind\":\"retry\",\"elsewhere\":true,\"reason\":\"no_route\"", OUTCOME_RETRY, "no_route", "(none)",
     false, true, -1},
    {"\"kind\":\"retry\",\"retry_after_ms\":\"soon\"", OUTCOME_IN_DOUBT, "answer_unknown", "(none)", false,
     false, -1},
    {"\"kind\":\"in_doubt\",\"reason\":\"sdk_timeout\"", OUTCOME_IN_DOUBT, "sdk_timeout", "(none)", false,
     false, -1},
};

static void test_answers(void **state)
{
    begin();
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        int64_t id = submit();
        auto_free char *line = xasprintf("{\"id\":%lld,%s}\n", (long long)id, answers[i].fields);
        for (size_t at = 0; at < strlen(line); at += 7) { /* in pieces */
            auto_free char *piece = xstrndup(line + at, 7);
            peer_say(piece);
            turn();
        }
        UNTIL(seen.answers == (int)i + 1);
        if (seen.outcome != answers[i].outcome || strcmp(seen.reason, answers[i].reason) != 0)
            fail_msg("%s: %s %s", answers[i].fields, outcome_word(seen.outcome), seen.reason);
        assert_string_equal(seen.msg_id, answers[i].msg_id);
        assert_int_equal(seen.throttled, answers[i].throttled);
        assert_int_equal(seen.elsewhere, answers[i].elsewhere);
        assert_int_equal(seen.retry_after_ms, answers[i].retry_after_ms);
    }
    assert_int_equal(seen.first_bytes, (int)COUNT_OF(answers));
    assert_int_equal(peer.connections, 1);
    end();
}

/* What waits for the link leaves in the order of the lanes, each in its own. */
static void test_instant_first(void **state)
{
    static const char *const order[] = {"\"3\"", "\"4\"", "\"6\"", "\"1\"", "\"2\"", "\"5\""};
    begin();
    send_in("1", false);
    send_in("2", false);
    send_in("3", true);
    send_in("4", true);
    send_in("5", false);
    send_in("6", true);
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        auto_free char *line = await("submit"), *wanted = xasprintf("\"text\":%s", order[i]);
        if (strstr(line, wanted) == NULL)
            fail_msg("%s was wanted: %s", order[i], line);
    }
    end();
}

/* Two answers to one submit, one to none, what is no line, a kind that is not known: said, and nothing else.
 */
static void test_what_the_protocol_does_not_have(void **state)
{
    static const char *const lines[] = {"{\"kind\":\"accepted\",\"id\":1,\"msg_id\":\"again\"}\n",
                                        "{\"kind\":\"refused\",\"id\":77}\n",
                                        "not JSON\n",
                                        "[1]\n",
                                        "\n",
                                        "{\"kind\":\"dance\"}\n",
                                        HELLO,
                                        "{\"kind\":\"ping\",\"id\":-4}\n",
                                        "{\"kind\":\"ping\",\"text\":\"\xff\"}\n"};
    static const char *const reasons[] = {"unknown_id", "unknown_id", "unreadable",
                                          "unreadable", "unreadable", "unknown_kind",
                                          "bad_line",   "bad_line",   "unreadable"};
    begin();
    assert_int_equal(submit(), 1);
    peer_say("{\"kind\":\"accepted\",\"id\":1,\"msg_id\":\"x\"}\n");
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        peer_say(lines[i]);
        auto_free char *line = await("error");
        auto_free char *wanted = xasprintf("\"reason\":\"%s\"", reasons[i]);
        if (strstr(line, wanted) == NULL)
            fail_msg("to %s it said %s", lines[i], line);
    }
    assert_int_equal(seen.answers, 1);
    assert_int_equal(seen.outcome, OUTCOME_ACCEPTED);
    assert_int_equal(peer.connections, 1);
    end();
}

static void test_not_a_byte(void **state)
{
    begin();
    free(await("hello"));
    size_t before = peer.in.len;
    seen.refuse_first_byte = true;
    send_text("x");
    UNTIL(seen.answers == 1);
    assert_int_equal(seen.outcome, OUTCOME_NOT_SENT);
    assert_string_equal(seen.reason, "claim_too_old");
    turn();
    assert_int_equal(peer.in.len, before);
    seen.refuse_first_byte = false;
    submit();
    end();
}

/* Nobody there, not the one who should be, or not the protocol: not sent, and told as unreachable. */
static void test_no_link(void **state)
{
    static const struct {
        const char *user, *greets, *error;
    } cases[] = {
        {"", "", "nobody listens there: the adapter does not run"},
        {"", NULL, "the adapter has not said hello in time"},
        {"", "{\"kind\":\"hello\",\"version\":2}\n",
         "it speaks version 2 of the protocol and this program version 1"},
        {"", "{\"kind\":\"error\",\"reason\":\"version\"}\n", "it refuses us: version"},
        {"", "SSH-2.0-OpenSSH\n", "its first line is no hello: not JSON at byte 0: unexpected character"},
        {"64999", HELLO, "and uid 64999 is expected; see adapter.user"},
        {"no-such-account", HELLO, "there is no account 'no-such-account' here; see adapter.user"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin();
        snprintf(user, sizeof(user), "%s", cases[i].user);
        peer.greets = cases[i].greets;
        if (i == 0) {
            close(peer.listens);
            peer.listens = -1;
        }
        send_text("x");
        adapter_driver.probe(g);
        UNTIL(seen.answers == 1 && seen.probes == 1);
        assert_int_equal(seen.outcome, OUTCOME_NOT_SENT);
        assert_true(seen.unreachable && !seen.connected);
        if (strstr(seen.error, cases[i].error) == NULL)
            fail_msg("case %zu: %s", i, seen.error);
        assert_int_equal(seen.first_bytes, 0);
        assert_true(peer.in.len == 0 || strstr(peer.in.data, "submit") == NULL);
        if (*cases[i].user != '\0')
            assert_int_equal(peer.in.len, 0); /* not even a hello */
        end();
    }
}

static void test_probe_sends_no_message(void **state)
{
    begin();
    for (int i = 1; i <= 3; i++) {
        adapter_driver.probe(g);
        UNTIL(seen.probes == i);
        assert_true(seen.connected);
    }
    UNTIL(peer.in.len > 0);
    assert_null(strstr(peer.in.data, "submit"));
    end();
}

/* Begun: in doubt. Not begun: by the next link. Never the same twice. */
static void test_lost_link(void **state)
{
    begin();
    submit();
    submit();
    peer_hang_up();
    send_text("by the next");
    UNTIL(seen.answers == 2);
    assert_int_equal(seen.outcome, OUTCOME_IN_DOUBT);
    assert_string_equal(seen.reason, "connection_lost");
    auto_free char *line = await("submit");
    assert_non_null(strstr(line, "\"id\":3,"));
    assert_int_equal(peer.connections, 2);
    peer_say("{\"kind\":\"accepted\",\"id\":1,\"msg_id\":\"late\"}\n{\"kind\":\"accepted\",\"id\":3,\"msg_"
             "id\":\"z\"}\n");
    UNTIL(seen.answers == 3);
    assert_string_equal(seen.msg_id, "z");
    assert_int_equal(seen.first_bytes, 3);
    end();
    assert_int_equal(seen.answers, 3);
}

static void test_answer_timeout(void **state)
{
    begin();
    int64_t id = submit();
    int64_t began = clock_mono_ms();
    UNTIL(seen.answers == 1);
    assert_true(clock_mono_ms() - began >= 250);
    assert_int_equal(seen.outcome, OUTCOME_IN_DOUBT);
    assert_string_equal(seen.reason, "answer_timeout");
    auto_free char *late =
        xasprintf("{\"kind\":\"accepted\",\"id\":%lld,\"msg_id\":\"late\"}\n", (long long)id);
    peer_say(late);
    free(await("error"));
    assert_int_equal(seen.answers, 1);
    end();
}

/* What fits the socket is begun and ends in doubt, the rest is not sent; the link ends by the ping. */
static void test_adapter_that_does_not_read(void **state)
{
    auto_free char *text = xmalloc(60001);
    memset(text, 'x', 60000);
    text[60000] = '\0';
    begin();
    conf.adapter.ping_interval_ms = 500;
    free(await("hello"));
    submit();
    peer.deaf = true;
    for (int i = 0; i < 9; i++)
        send_text(text);
    UNTIL(seen.answers == 10);
    assert_true(seen.first_bytes > 1 && seen.first_bytes < 10);
    peer.connections = 1;
    UNTIL(peer.fd < 0 || peer.connections > 1 || send(peer.fd, "\n", 1, MSG_NOSIGNAL) < 0);
    peer_hang_up();
    peer.deaf = false;
    submit();
    end();
    assert_int_equal(seen.answers, 11);
}

static void test_pings(void **state)
{
    begin();
    conf.adapter.ping_interval_ms = 100;
    submit();
    peer_say("{\"kind\":\"ping\",\"id\":5}\n");
    auto_free char *pong = await("pong");
    assert_string_equal(pong, "{\"kind\":\"pong\",\"id\":5}");
    for (int i = 0; i < 2; i++) {
        free(await("ping"));
        peer_say("{\"kind\":\"pong\"}\n");
    }
    conf.answer_timeout_ms = 60000;
    submit();
    UNTIL(seen.answers == 2); /* the first by its time, the second since no pong comes */
    assert_string_equal(seen.reason, "connection_lost");
    end();
}

static void test_too_long_a_line(void **state)
{
    auto_free char *text = xmalloc(300000);
    begin();
    submit();
    memset(text, ' ', 299999);
    text[299999] = '\0';
    for (size_t at = 0; at < 299999 && seen.answers == 0; turn()) {
        ssize_t n = send(peer.fd, text + at, 299999 - at, MSG_NOSIGNAL);
        at += n > 0 ? (size_t)n : 0;
    }
    UNTIL(seen.answers == 1);
    assert_int_equal(seen.outcome, OUTCOME_IN_DOUBT);
    assert_string_equal(seen.reason, "answer_too_big");
    peer_hang_up();
    memset(text, 'x', 299999);
    send_text(text); /* ours would be too long as well: refused, and nothing of it has left */
    UNTIL(seen.answers == 2);
    assert_int_equal(seen.outcome, OUTCOME_REFUSED);
    assert_string_equal(seen.reason, "bad_request");
    assert_int_equal(seen.first_bytes, 1);
    end();
}

static void test_reports_and_inbound(void **state)
{
    begin();
    free(await("hello"));
    peer_say(
        "{\"kind\":\"report\",\"token\":7,\"msg_id\":\"a\",\"status\":\"delivered\",\"at\":1767225600000}\n");
    UNTIL(seen.reports == 1);
    assert_int_equal(seen.step, STEP_STATUS);
    assert_string_equal(seen.state, "delivered");
    turn();
    assert_null(memmem(peer.in.data, peer.in.len, "kept", 4)); /* not before it is */
    adapter_driver.kept(g, seen.token, true);
    assert_int_equal(adapter_driver.wait_ms(g), 0); /* it does not wait for something else to happen */
    adapter_driver.kept(g, seen.token, true);       /* told once */
    auto_free char *kept = await("kept");
    assert_string_equal(kept, "{\"kind\":\"kept\",\"token\":7,\"kept\":true}");

    peer_say("{\"kind\":\"inbound\",\"token\":8,\"from\":\"+491711234567\",\"text\":\"STOP\"}\n");
    UNTIL(seen.inbounds == 1);
    adapter_driver.kept(g, seen.token, false);
    auto_free char *not_kept = await("kept");
    assert_string_equal(not_kept, "{\"kind\":\"kept\",\"token\":8,\"kept\":false}");

    peer_say("{\"kind\":\"report\",\"token\":9,\"msg_id\":\"a\",\"status\":7}\n"); /* for a person */
    UNTIL(seen.reports == 2);
    assert_int_equal(seen.step, STEP_QUARANTINE);
    free(await("error"));
    uint64_t old = seen.token;
    peer_hang_up();
    UNTIL(peer.fd >= 0);
    turn();
    peer_say("{\"kind\":\"report\",\"token\":9,\"msg_id\":\"b\",\"status\":\"progress\"}\n");
    UNTIL(seen.reports == 3);
    peer.read_to = peer.in.len;
    adapter_driver.kept(g, old, true); /* of the link that is gone */
    for (int i = 0; i < 3; i++)
        turn();
    assert_null(memmem(peer.in.data + peer.read_to, peer.in.len - peer.read_to, "kept", 4));
    end();
}

/* No more are kept in mind than were said: the others are to be told again. */
static void test_more_reports_than_fit(void **state)
{
    begin();
    free(await("hello"));
    for (int i = 1; i <= 1030; i++) {
        auto_free char *line =
            xasprintf("{\"kind\":\"report\",\"token\":%d,\"msg_id\":\"m\",\"status\":\"expired\"}\n", i);
        peer_say(line);
        turn();
    }
    auto_free char *kept = await("kept");
    assert_string_equal(kept, "{\"kind\":\"kept\",\"token\":1025,\"kept\":false}");
    assert_int_equal(seen.reports, 1024);
    end();
}

static void test_many(void **state)
{
    begin();
    for (int i = 0; i < 2000; i++) {
        int64_t id = submit();
        auto_free char *line =
            xasprintf("{\"kind\":\"accepted\",\"id\":%lld,\"msg_id\":\"m\"}\n", (long long)id);
        assert_int_equal(id, i + 1);
        peer_say(line);
    }
    UNTIL(seen.answers == 2000);
    assert_int_equal(seen.first_bytes, 2000);
    end();
}

static int make_path(void **state)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(peer.path, sizeof(peer.path), "%s/adapter-XXXXXX",
             tmp != NULL && strlen(tmp) < 80 ? tmp : "/tmp");
    int fd = mkstemp(peer.path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_path(void **state)
{
    buf_deinit(&peer.in);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines_as_documented),
                                       cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_instant_first),
                                       cmocka_unit_test(test_what_the_protocol_does_not_have),
                                       cmocka_unit_test(test_not_a_byte),
                                       cmocka_unit_test(test_no_link),
                                       cmocka_unit_test(test_probe_sends_no_message),
                                       cmocka_unit_test(test_lost_link),
                                       cmocka_unit_test(test_answer_timeout),
                                       cmocka_unit_test(test_adapter_that_does_not_read),
                                       cmocka_unit_test(test_pings),
                                       cmocka_unit_test(test_too_long_a_line),
                                       cmocka_unit_test(test_reports_and_inbound),
                                       cmocka_unit_test(test_more_reports_than_fit),
                                       cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, make_path, drop_path);
}

/* What is certain after an exchange: every combination that libcurl and a gateway can leave behind. */
#include "dispatch/classify.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct one_case {
    const char *name;
    struct exchange in;
    enum outcome outcome;
    const char *reason; /* NULL: the answer's own */
    bool throttled, unreachable;
} rows[] = {
    {"accepted", {.result = CURLE_OK, .first_bytes = 1, .status = 200, .matched = ANSWER_ACCEPTED}, OUTCOME_ACCEPTED, NULL, false, false},
    {"accepted without its id", {.result = CURLE_OK, .first_bytes = 1, .status = 200, .matched = ANSWER_ACCEPTED, .msg_id_missing = true},
     OUTCOME_IN_DOUBT, "no_msg_id", false, false},
    {"accepted, unreadable refusals", {.result = CURLE_OK, .first_bytes = 1, .matched = ANSWER_ACCEPTED, .refused_unreadable = true},
     OUTCOME_IN_DOUBT, "refused_numbers_unreadable", false, false},
    {"refused", {.result = CURLE_OK, .first_bytes = 1, .status = 400, .matched = ANSWER_REFUSED}, OUTCOME_REFUSED, NULL, false, false},
    {"throttled", {.result = CURLE_OK, .first_bytes = 1, .status = 429, .matched = ANSWER_THROTTLED}, OUTCOME_RETRY, NULL, true, false},
    {"told to try again", {.result = CURLE_OK, .first_bytes = 1, .status = 503, .matched = ANSWER_RETRY}, OUTCOME_RETRY, NULL, false, false},
    {"an answer that no line fits", {.result = CURLE_OK, .first_bytes = 1, .status = 500}, OUTCOME_IN_DOUBT, "answer_unknown", false, false},
    {"200 and nothing known", {.result = CURLE_OK, .first_bytes = 1, .status = 200}, OUTCOME_IN_DOUBT, "answer_unknown", false, false},
    {"no connection", {.result = CURLE_COULDNT_CONNECT}, OUTCOME_NOT_SENT, "not_connected", false, true},
    {"no such host", {.result = CURLE_COULDNT_RESOLVE_HOST}, OUTCOME_NOT_SENT, "name_not_found", false, true},
    {"connecting took too long", {.result = CURLE_OPERATION_TIMEDOUT}, OUTCOME_NOT_SENT, "connect_timeout", false, true},
    {"TLS failed", {.result = CURLE_SSL_CONNECT_ERROR}, OUTCOME_NOT_SENT, "tls_failed", false, true},
    {"not its certificate", {.result = CURLE_PEER_FAILED_VERIFICATION}, OUTCOME_NOT_SENT, "tls_failed", false, true},
    {"reset before a byte", {.result = CURLE_RECV_ERROR}, OUTCOME_NOT_SENT, "not_connected", false, true},
    {"a URL that is none", {.result = CURLE_URL_MALFORMAT}, OUTCOME_REFUSED, "bad_request", false, false},
    {"a protocol that is none", {.result = CURLE_UNSUPPORTED_PROTOCOL}, OUTCOME_REFUSED, "bad_request", false, false},
    {"claim too old", {.result = CURLE_ABORTED_BY_CALLBACK, .too_old = true}, OUTCOME_NOT_SENT, "claim_too_old", false, false},
    {"no answer in time", {.result = CURLE_OPERATION_TIMEDOUT, .first_bytes = 1}, OUTCOME_IN_DOUBT, "answer_timeout", false, false},
    {"reset after a byte", {.result = CURLE_RECV_ERROR, .first_bytes = 1}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"cut while sending", {.result = CURLE_SEND_ERROR, .first_bytes = 1}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"closed without an answer", {.result = CURLE_GOT_NOTHING, .first_bytes = 1}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"half an answer", {.result = CURLE_PARTIAL_FILE, .first_bytes = 1, .status = 200, .matched = ANSWER_ACCEPTED}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"libcurl wanted to repeat it", {.result = CURLE_ABORTED_BY_CALLBACK, .first_bytes = 2}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"it repeated and says all is well", {.result = CURLE_OK, .first_bytes = 2, .matched = ANSWER_ACCEPTED}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"it repeated; a refusal proves nothing of the first", {.result = CURLE_OK, .first_bytes = 2, .matched = ANSWER_REFUSED}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"too much of an answer", {.result = CURLE_WRITE_ERROR, .first_bytes = 1, .answer_too_big = true}, OUTCOME_IN_DOUBT, "answer_too_big", false, false},
    {"too old, yet a byte has left", {.result = CURLE_ABORTED_BY_CALLBACK, .first_bytes = 1, .too_old = true}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"no byte, and yet all is well", {.result = CURLE_OK, .matched = ANSWER_ACCEPTED}, OUTCOME_NOT_SENT, "not_connected", false, true},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct one_case *r = &rows[i];
        struct classified c = classify(&r->in);
        const char *reason = c.reason != NULL ? c.reason : "-", *wanted = r->reason != NULL ? r->reason : "-";
        if (c.outcome != r->outcome || strcmp(reason, wanted) != 0 || c.throttled != r->throttled ||
            c.unreachable != r->unreachable)
            fail_msg("%s: %s %s, wanted %s %s", r->name, outcome_word(c.outcome), reason, outcome_word(r->outcome), wanted);
    }
}

/* Whatever libcurl says: after a byte only the gateway's own words make it certain; before one it was never sent. */
static void test_all_results(void **state)
{
    (void)state;
    for (int result = 0; result < CURL_LAST; result++)
        for (unsigned bytes = 0; bytes < 4; bytes++)
            for (int matched = 0; matched <= ANSWER_RETRY; matched++) {
                struct exchange e = {.result = (CURLcode)result, .first_bytes = bytes, .matched = (enum answer_kind)matched};
                struct classified c = classify(&e);
                bool sent_once = bytes == 1 && result == CURLE_OK;
                assert_true(c.outcome != OUTCOME_ACCEPTED || (sent_once && matched == ANSWER_ACCEPTED));
                assert_true(c.outcome != OUTCOME_RETRY || (sent_once && matched >= ANSWER_THROTTLED));
                assert_true(c.outcome != OUTCOME_NOT_SENT || bytes == 0);
                assert_true(c.outcome != OUTCOME_REFUSED || bytes == 0 || (sent_once && matched == ANSWER_REFUSED));
                assert_true(bytes < 2 || c.outcome == OUTCOME_IN_DOUBT);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_all_results)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

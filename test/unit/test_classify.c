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
    {"accepted", {.end = HTTP_ANSWERED, .sends = 1, .matched = ANSWER_ACCEPTED}, OUTCOME_ACCEPTED, NULL, false, false},
    {"accepted without its id", {.end = HTTP_ANSWERED, .sends = 1, .matched = ANSWER_ACCEPTED, .msg_id_missing = true},
     OUTCOME_IN_DOUBT, "no_msg_id", false, false},
    {"accepted, unreadable refusals", {.end = HTTP_ANSWERED, .sends = 1, .matched = ANSWER_ACCEPTED, .refused_unreadable = true},
     OUTCOME_IN_DOUBT, "refused_numbers_unreadable", false, false},
    {"refused", {.end = HTTP_ANSWERED, .sends = 1, .matched = ANSWER_REFUSED}, OUTCOME_REFUSED, NULL, false, false},
    {"throttled", {.end = HTTP_ANSWERED, .sends = 1, .matched = ANSWER_THROTTLED}, OUTCOME_RETRY, NULL, true, false},
    {"told to try again", {.end = HTTP_ANSWERED, .sends = 1, .matched = ANSWER_RETRY}, OUTCOME_RETRY, NULL, false, false},
    {"an answer that no line fits", {.end = HTTP_ANSWERED, .sends = 1}, OUTCOME_IN_DOUBT, "answer_unknown", false, false},
    {"200 and nothing known", {.end = HTTP_ANSWERED, .sends = 1}, OUTCOME_IN_DOUBT, "answer_unknown", false, false},
    {"no connection", {.end = HTTP_NOT_CONNECTED}, OUTCOME_NOT_SENT, "not_connected", false, true},
    {"no such host", {.end = HTTP_NAME_NOT_FOUND}, OUTCOME_NOT_SENT, "name_not_found", false, true},
    {"connecting took too long", {.end = HTTP_TIMEOUT}, OUTCOME_NOT_SENT, "connect_timeout", false, true},
    {"TLS failed", {.end = HTTP_TLS_FAILED}, OUTCOME_NOT_SENT, "tls_failed", false, true},
    {"the proxy makes no tunnel", {.end = HTTP_PROXY_REFUSED}, OUTCOME_NOT_SENT, "proxy_refused", false, true},
    {"reset before a byte", {.end = HTTP_LOST}, OUTCOME_NOT_SENT, "not_connected", false, true},
    {"a URL that is none", {.end = HTTP_BAD_REQUEST}, OUTCOME_REFUSED, "bad_request", false, false},
    {"claim too old", {.end = HTTP_STOPPED}, OUTCOME_NOT_SENT, "claim_too_old", false, false},
    {"no answer in time", {.end = HTTP_TIMEOUT, .sends = 1}, OUTCOME_IN_DOUBT, "answer_timeout", false, false},
    {"reset after a byte", {.end = HTTP_LOST, .sends = 1}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"half an answer", {.end = HTTP_LOST, .sends = 1, .matched = ANSWER_ACCEPTED}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"libcurl wanted to repeat it", {.end = HTTP_LOST, .sends = 2}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"it repeated and says all is well", {.end = HTTP_ANSWERED, .sends = 2, .matched = ANSWER_ACCEPTED}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"it repeated; a refusal proves nothing of the first", {.end = HTTP_ANSWERED, .sends = 2, .matched = ANSWER_REFUSED}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"too much of an answer", {.end = HTTP_ANSWER_TOO_BIG, .sends = 1}, OUTCOME_IN_DOUBT, "answer_too_big", false, false},
    {"too old, yet a byte has left", {.end = HTTP_STOPPED, .sends = 1}, OUTCOME_IN_DOUBT, "connection_lost", false, false},
    {"no byte, and yet all is well", {.end = HTTP_ANSWERED, .matched = ANSWER_ACCEPTED}, OUTCOME_NOT_SENT, "not_connected", false, true},
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
    for (int end = 0; end <= HTTP_STOPPED; end++)
        for (unsigned bytes = 0; bytes < 4; bytes++)
            for (int matched = 0; matched <= ANSWER_RETRY; matched++) {
                struct exchange e = {.end = (enum http_end)end, .sends = bytes, .matched = (enum answer_kind)matched};
                struct classified c = classify(&e);
                bool sent_once = bytes == 1 && end == HTTP_ANSWERED;
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

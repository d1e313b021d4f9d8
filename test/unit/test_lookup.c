/* Answers to look-ups, and what they mean for an attempt. */
#include "callback/lookup_answer.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define W(s) ((char[]){s}) /* a configuration's strings are not const */
static struct conf_lookup_answer lines[] = {
    {.status = W("200"), .pointer = W("/r/0/s"), .equals = W("OK"), .is = LOOKUP_DELIVERED, .msg_id = W("/r/0/id")},
    {.status = W("2xx"), .match = W("^ERR ([0-9]+) (.*)$"), .is = LOOKUP_UNDELIVERED, .msg_id = W("match:2"), .reason = W("match")},
    {.status = W("200-204"), .match = W("^ID (.+)$"), .is = LOOKUP_ACCEPTED, .msg_id = W("match")},
    {.status = W("404"), .is = LOOKUP_NOT_ACCEPTED, .reason = W("status")},
};
static const struct {
    int status;
    const char *body;
    bool fits;
    enum lookup_is is;
    const char *msg_id, *reason;
} answers[] = {
    {200, "{\"r\":[{\"s\":\"OK\",\"id\":12345678901234567890123}]}", true, LOOKUP_DELIVERED, "12345678901234567890123", "delivered"},
    {200, "{\"r\":[{\"s\":\"OK\",\"id\":null}]}", true, LOOKUP_DELIVERED, "", "delivered"},
    {200, "{\"r\":[{\"s\":\"NO\"}]}", false, LOOKUP_LATER, "", ""},
    {201, "{\"r\":[{\"s\":\"OK\"}]}", false, LOOKUP_LATER, "", ""},
    {299, "ERR 17 x1", true, LOOKUP_UNDELIVERED, "x1", "17"},
    {204, "ID a b", true, LOOKUP_ACCEPTED, "", "accepted"}, /* no id that can be kept */
    {204, "ID ab", true, LOOKUP_ACCEPTED, "ab", "accepted"},
    {205, "ID ab", false, LOOKUP_LATER, "", ""},
    {404, "", true, LOOKUP_NOT_ACCEPTED, "", "404"},
    {500, "ERR 17 x1", false, LOOKUP_LATER, "", ""},
};

static void test_answers(void **state)
{
    char name[] = "g", *why = NULL;
    struct conf_gateway g = {.name = name, .file = name, .lookup = {.answers = lines, .answer_count = COUNT_OF(lines)}};
    struct lookup_rules *r = lookup_rules_new(&g, &why);
    (void)state;
    assert_non_null(r);
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct lookup_answer a;
        lookup_read(r, answers[i].status, answers[i].body, strlen(answers[i].body), &a);
        if (a.is != answers[i].is || a.fits != answers[i].fits || strcmp(a.msg_id, answers[i].msg_id) != 0 ||
            (a.fits && strcmp(a.reason, answers[i].reason) != 0))
            fail_msg("%d %s: is %d msg_id '%s' reason '%s'", answers[i].status, answers[i].body, (int)a.is, a.msg_id, a.reason);
    }
    lookup_rules_free(r);
}

/* Only where everything speaks for it is a message sent again. */
static void test_decide(void **state)
{
    static const enum state states[] = {STATE_IN_DOUBT, STATE_ACCEPTED};
    (void)state;
    for (int is = LOOKUP_LATER; is <= LOOKUP_EXPIRED; is++)
        for (size_t s = 0; s < COUNT_OF(states); s++)
            for (int64_t doubt_ms = 0; doubt_ms <= 3000; doubt_ms += 1000) {
                struct lookup_answer a = {.is = (enum lookup_is)is, .fits = true};
                struct lookup_about about = {.state = states[s], .doubt_ms = doubt_ms, .proof_after_ms = 2000, .now_ms = 4000};
                enum lookup_step step = lookup_decide(&a, &about);
                bool in_doubt = states[s] == STATE_IN_DOUBT;
                assert_int_equal(step == LOOKUP_SEND_AGAIN, is == LOOKUP_NOT_ACCEPTED && in_doubt && doubt_ms > 0 && doubt_ms <= 2000);
                assert_int_equal(step == LOOKUP_TELL_STATE, is >= LOOKUP_DELIVERED);
                assert_int_equal(step == LOOKUP_TELL_ACCEPTED, is == LOOKUP_ACCEPTED && in_doubt);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_decide)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

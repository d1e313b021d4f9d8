/* Which line of `answer:` fits, and what it takes from the answer. */
#include "dispatch/answer.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The two sample gateways, and one that shows what they do not. */
static struct conf_answer alpha[] = {
    {.status = (char[]){"200"}, .match = (char[]){"^OK:([0-9A-Za-z-]+);refused:([0-9,]+)[[:space:]]*$"}, .is = ANSWER_ACCEPTED,
     .msg_id = (char[]){"match"}, .refused_numbers = (char[]){"match:2"}},
    {.status = (char[]){"200"}, .match = (char[]){"^OK:([0-9A-Za-z-]+)[[:space:]]*$"}, .is = ANSWER_ACCEPTED, .msg_id = (char[]){"match"}},
    {.status = (char[]){"200"}, .match = (char[]){"^ERR:([0-9]+):"}, .is = ANSWER_REFUSED, .reason = (char[]){"match"}},
    {.status = (char[]){"429"}, .is = ANSWER_THROTTLED},
};
static struct conf_answer beta[] = {
    {.status = (char[]){"202"}, .pointer = (char[]){"/code"}, .equals = (char[]){"0"}, .is = ANSWER_ACCEPTED, .msg_id = (char[]){"/id"}},
    {.status = (char[]){"503"}, .pointer = (char[]){"/code"}, .equals = (char[]){"-1"}, .is = ANSWER_THROTTLED},
    {.status = (char[]){"200-499"}, .match = (char[]){"\"code\"[[:space:]]*:[[:space:]]*[1-9]"}, .is = ANSWER_REFUSED, .reason = (char[]){"/code"}},
};
static struct conf_answer other[] = {
    {.status = (char[]){"201"}, .is = ANSWER_ACCEPTED, .msg_id = (char[]){"body"}},
    {.status = (char[]){"204"}, .is = ANSWER_ACCEPTED, .msg_id = (char[]){""}},
    {.status = (char[]){"207"}, .is = ANSWER_ACCEPTED, .msg_id = (char[]){"/id"}, .refused_numbers = (char[]){"/bad"}},
    {.status = (char[]){"408, 502-504"}, .is = ANSWER_RETRY, .reason = (char[]){"status"}},
    {.status = (char[]){"4xx"}, .is = ANSWER_REFUSED, .reason = (char[]){"/error/code"}},
    {.match = (char[]){"^fine"}, .is = ANSWER_RETRY},
};
static struct conf_gateway gateways[] = {
    {.answers = alpha, .answer_count = COUNT_OF(alpha)},
    {.answers = beta, .answer_count = COUNT_OF(beta)},
    {.answers = other, .answer_count = COUNT_OF(other)},
};
enum { ALPHA, BETA, OTHER };

static const struct one_case {
    int gateway, status;
    const char *body;
    enum answer_kind is; /* 0: none fits */
    const char *msg_id;  /* NULL: missing */
    const char *reason;
    const char *refused;
} rows[] = {
    {ALPHA, 200, "OK:9F3A01", ANSWER_ACCEPTED, "9F3A01", "", ""},
    {ALPHA, 200, "OK:9F3A01\r\n", ANSWER_ACCEPTED, "9F3A01", "", ""},
    {ALPHA, 200, "OK:9F3A01;refused:491711234568,491711234569", ANSWER_ACCEPTED, "9F3A01", "200", "491711234568 491711234569 "},
    {ALPHA, 200, "ERR:21:content is forbidden", ANSWER_REFUSED, NULL, "21", ""},
    {ALPHA, 429, "too fast", ANSWER_THROTTLED, NULL, "429", ""},
    {ALPHA, 200, "", 0, NULL, "", ""},
    {ALPHA, 200, "OK:", 0, NULL, "", ""},
    {ALPHA, 500, "OK:9F3A01", 0, NULL, "", ""},
    {ALPHA, 201, "OK:9F3A01", 0, NULL, "", ""},
    {BETA, 202, "{\"id\":\"b7c1\",\"code\":0}", ANSWER_ACCEPTED, "b7c1", "", ""},
    {BETA, 202, "{\"code\":0,\"id\":123456789012345678901234567890}", ANSWER_ACCEPTED, "123456789012345678901234567890", "", ""},
    {BETA, 202, "{\"code\":0}", ANSWER_ACCEPTED, NULL, "", ""},
    {BETA, 202, "{\"code\":0,\"id\":null}", ANSWER_ACCEPTED, NULL, "", ""},
    {BETA, 202, "{\"code\":0,\"id\":\"\"}", ANSWER_ACCEPTED, NULL, "", ""},
    {BETA, 202, "{\"code\":0,\"id\":\"a b\"}", ANSWER_ACCEPTED, NULL, "", ""},
    {BETA, 202, "{\"code\":0,\"id\":\"a\\u0000b\"}", ANSWER_ACCEPTED, NULL, "", ""},
    {BETA, 202, "{\"code\":0,\"id\":\"b7c1\"", 0, NULL, "", ""},
    {BETA, 202, "{\"code\":00,\"id\":\"b7c1\"}", 0, NULL, "", ""},
    {BETA, 400, "{\"code\":17,\"message\":\"no route\"}", ANSWER_REFUSED, NULL, "17", ""},
    {BETA, 503, "{\"code\":-1}", ANSWER_THROTTLED, NULL, "503", ""},
    {BETA, 503, "busy", 0, NULL, "", ""},
    {BETA, 500, "{\"code\":17}", 0, NULL, "", ""},
    {OTHER, 201, "  77-8 \n", ANSWER_ACCEPTED, "77-8", "", ""},
    {OTHER, 201, "two words", ANSWER_ACCEPTED, NULL, "", ""},
    {OTHER, 204, "", ANSWER_ACCEPTED, "own", "", ""},
    {OTHER, 207, "{\"id\":1,\"bad\":[\"+4917112345\",\"004917112346\"]}", ANSWER_ACCEPTED, "1", "207", "4917112345 4917112346 "},
    {OTHER, 207, "{\"id\":1}", ANSWER_ACCEPTED, "1", "207", ""},
    {OTHER, 207, "{\"id\":1,\"bad\":\"123456789012345678\"}", ANSWER_ACCEPTED, "1", "207", "unreadable"},
    {OTHER, 502, "", ANSWER_RETRY, NULL, "502", ""},
    {OTHER, 408, "", ANSWER_RETRY, NULL, "408", ""},
    {OTHER, 404, "{\"error\":{\"code\":\"E9\\n\"}}", ANSWER_REFUSED, NULL, "E9", ""},
    {OTHER, 403, "no json", ANSWER_REFUSED, NULL, "403", ""},
    {OTHER, 200, "fine, later", ANSWER_RETRY, NULL, "200", ""},
    {OTHER, 200, "not fine", 0, NULL, "", ""},
};

static void check(const struct one_case *r, size_t i)
{
    struct answer_rules *rules = NULL;
    auto_free char *why = NULL;
    auto_buf refused = {0};
    struct answer *a = xcalloc(1, sizeof(*a));
    assert_int_equal(answer_compile(&gateways[r->gateway], &rules, &why), 0);
    answer_read(rules, r->status, r->body, strlen(r->body), a);
    buf_add_str(&refused, "");
    for (size_t j = 0; j < a->refused_count; j++)
        buf_addf(&refused, "%lld ", (long long)a->refused[j]);
    if (a->refused_unreadable)
        buf_add_str(&refused, "unreadable");
    const char *id = a->is != ANSWER_ACCEPTED || a->msg_id_missing ? "-" : a->own_id ? "own" : a->msg_id;
    if (a->is != r->is || strcmp(id, r->msg_id != NULL ? r->msg_id : "-") != 0 || strcmp(a->reason, r->reason) != 0 ||
        strcmp(refused.data, r->refused) != 0)
        fail_msg("row %zu: is %d id '%s' reason '%s' refused '%s'", i, (int)a->is, id, a->reason, refused.data);
    free(a);
    answer_free(rules);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check(&rows[i], i);
}

static void test_long_id(void **state)
{
    struct answer_rules *rules = NULL;
    auto_free char *why = NULL;
    struct answer *a = xcalloc(1, sizeof(*a));
    char body[SLOT_MSG_ID_SIZE + 8];
    (void)state;
    assert_int_equal(answer_compile(&gateways[OTHER], &rules, &why), 0);
    for (size_t len = SLOT_MSG_ID_SIZE - 2; len <= SLOT_MSG_ID_SIZE; len++) {
        memset(body, 'x', len);
        body[len] = '\0';
        answer_read(rules, 201, body, len, a);
        assert_int_equal(a->msg_id_missing, len >= SLOT_MSG_ID_SIZE);
    }
    answer_read(rules, 200, "fine\0hidden", 11, a); /* not a text */
    assert_int_equal(a->is, 0);
    answer_read(rules, 404, "\xc3\xa9\x01\x7f end", 8, a);
    assert_string_equal(a->error, "\xc3\xa9   end");
    free(a);
    answer_free(rules);
}

static void test_wrong_lines(void **state)
{
    const struct conf_answer wrong[] = {
        {.status = (char[]){"2oo"}, .line = 3},
        {.status = (char[]){"200-"}, .line = 3},
        {.status = (char[]){"-200"}, .line = 3},
        {.match = (char[]){"(unclosed"}, .line = 3},
        {.msg_id = (char[]){"match"}, .line = 3},
        {.match = (char[]){"no group"}, .msg_id = (char[]){"match"}, .line = 3},
        {.match = (char[]){"(one)"}, .msg_id = (char[]){"match:2"}, .line = 3},
        {.match = (char[]){"(one)"}, .reason = (char[]){"match:x"}, .line = 3},
        {.refused_numbers = (char[]){"numbers"}, .line = 3},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct conf_answer copy = wrong[i];
        struct conf_gateway g = {.answers = &copy, .answer_count = 1};
        struct answer_rules *rules = NULL;
        auto_free char *why = NULL;
        assert_int_equal(answer_compile(&g, &rules, &why), -EINVAL);
        assert_non_null(strstr(why, "line 3"));
    }
}

static void test_retry_after(void **state)
{
    static const int64_t now = 784111777000; /* Sun, 06 Nov 1994 08:49:37 GMT */
    static const struct {
        const char *value;
        int64_t wait_ms;
    } cases[] = {
        {"0", 0}, {" 120 ", 120000}, {"3600", 3600000}, {"86400", ANSWER_RETRY_AFTER_MAX_MS},
        {"99999999999999999999", ANSWER_RETRY_AFTER_MAX_MS}, {"", -1}, {"-1", -1}, {"1.5", -1}, {"soon", -1}, {"5 s", -1},
        {"Sun, 06 Nov 1994 08:49:47 GMT", 10000}, {"Sunday, 06-Nov-94 08:49:47 GMT", 10000},
        {"Sun Nov  6 08:49:47 1994", 10000}, {"Sun, 06 Nov 1994 08:49:27 GMT", 0}, {"Mon, 07 Nov 1994 08:49:37 GMT", ANSWER_RETRY_AFTER_MAX_MS},
        {"Sun, 06 Nov 1994 08:49:47 CET", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (answer_retry_after_ms(cases[i].value, now) != cases[i].wait_ms)
            fail_msg("'%s': %lld", cases[i].value, (long long)answer_retry_after_ms(cases[i].value, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_long_id),
                                       cmocka_unit_test(test_wrong_lines), cmocka_unit_test(test_retry_after)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The lines of the adapter protocol, and what a report or a message from a phone becomes, each from a table.
 */
#include "dispatch/adapter_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* clang-format off */
static const struct {
    const char *line;
    int result;
    const char *why; /* NULL: none */
} lines[] = {
    {"{\"kind\":\"hello\",\"version\":1}", 0, NULL},
    {"{\"version\":1, \"kind\" : \"hello\" , \"name\":null}", 0, NULL},
    {"{\"kind\":\"accepted\",\"id\":9007199254740991,\"msg_id\":\"x\",\"unknown\":{\"a\":[[]]}}", 0, NULL},
    {"{\"kind\":\"ping\"}", 0, NULL},
    {"", ADAPTER_UNREADABLE, "not JSON at byte 0: it ends too early"},
    {"{\"kind\":\"ping\"", ADAPTER_UNREADABLE, "not JSON at byte 14: it ends too early"},
    {"{\"kind\":\"ping\"}x", ADAPTER_UNREADABLE, NULL},
    {"{'kind':'ping'}", ADAPTER_UNREADABLE, NULL},
    {"{\"kind\":\"ping\",\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}", ADAPTER_UNREADABLE, NULL},
    {"{\"kind\":\"ping\",\"a\":\"\xc3\x28\"}", ADAPTER_UNREADABLE, NULL},
    {"[]", ADAPTER_UNREADABLE, "not a JSON object"},
    {"null", ADAPTER_UNREADABLE, NULL},
    {"{}", ADAPTER_UNREADABLE, "'kind' is missing or is not a string"},
    {"{\"kind\":1}", ADAPTER_UNREADABLE, "'kind' is missing or is not a string"},
    {"{\"kind\":\"submit\"}", ADAPTER_UNKNOWN, "this 'kind' is not known in version 1"},
    {"{\"kind\":\"hello\"}", ADAPTER_BAD, "hello: 'version' is missing"},
    {"{\"kind\":\"refused\"}", ADAPTER_BAD, "refused: 'id' is missing"},
    {"{\"kind\":\"refused\",\"id\":0}", ADAPTER_BAD, "refused: 'id' is not from 1 to 2^53 - 1"},
    {"{\"kind\":\"refused\",\"id\":9007199254740992}", ADAPTER_BAD, "refused: 'id' is not from 1 to 2^53 - 1"},
    {"{\"kind\":\"refused\",\"id\":99999999999999999999}", ADAPTER_BAD, "refused: 'id' is not from 1 to 2^53 - 1"},
    {"{\"kind\":\"refused\",\"id\":1.0}", ADAPTER_BAD, "refused: 'id' is not an integer"},
    {"{\"kind\":\"refused\",\"id\":\"1\"}", ADAPTER_BAD, "refused: 'id' is not an integer"},
    {"{\"kind\":\"refused\",\"id\":1,\"reason\":\"a\\u0000b\"}", ADAPTER_BAD, "refused: 'reason' holds U+0000"},
    {"{\"kind\":\"retry\",\"id\":1,\"throttled\":1}", ADAPTER_BAD, "retry: 'throttled' is not true or false"},
    {"{\"kind\":\"retry\",\"id\":1,\"retry_after_ms\":-1}", ADAPTER_BAD, "retry: 'retry_after_ms' is not from 0 to 2^53 - 1"},
    {"{\"kind\":\"report\",\"token\":1,\"status\":\"x\"}", ADAPTER_BAD, "report: neither 'msg_id' nor 'seq_id' is there"},
    {"{\"kind\":\"inbound\",\"token\":1,\"from\":\"1\"}", ADAPTER_BAD, "inbound: 'text' is missing"},
};
/* clang-format on */

static void test_lines(void **state)
{
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct adapter_line l;
        char why[ADAPTER_WHY_SIZE];
        int rc = adapter_line_read(lines[i].line, strlen(lines[i].line), &l, why);
        if (rc != lines[i].result || (lines[i].why != NULL && strcmp(why, lines[i].why) != 0))
            fail_msg("%s: %d %s", lines[i].line, rc, why);
        assert_int_equal(*why != '\0', rc != 0);
        adapter_line_free(&l);
    }
}

/* A bad field does not hide which message the line was about. */
static void test_bad_lines_keep_their_id(void **state)
{
    static const char line[] = "{\"reason\":1,\"kind\":\"refused\",\"error\":2,\"id\":17}";
    struct adapter_line l;
    char why[ADAPTER_WHY_SIZE];
    assert_int_equal(adapter_line_read(line, strlen(line), &l, why), ADAPTER_BAD);
    assert_int_equal(l.id, 17);
    assert_int_equal(l.kind, ADAPTER_REFUSED);
    adapter_line_free(&l);
}

#define REPORT  "{\"kind\":\"report\",\"token\":1,"
#define INBOUND "{\"kind\":\"inbound\",\"token\":1,"
/* clang-format off */
static const struct {
    const char *line, *record; /* as it is written into the journal, without step, at and gateway */
} told[] = {
    {REPORT "\"msg_id\":\"a1\",\"status\":\"DELIVRD\"}", "\"msg_id\":\"a1\",\"state\":\"delivered\",\"reason\":\"DELIVRD\"}"},
    {REPORT "\"msg_id\":\"a1\",\"status\":\"ENROUTE\",\"at\":5}", "\"msg_id\":\"a1\",\"reason\":\"ENROUTE\",\"gateway_at\":5}"},
    {REPORT "\"msg_id\":\"a1\",\"status\":\"progress\"}", "\"msg_id\":\"a1\",\"reason\":\"progress\"}"},
    {REPORT "\"seq_id\":\"7.1.1\",\"status\":\"undelivered\",\"error\":\"gone\"}",
     "\"seq_id\":\"7.1.1\",\"state\":\"undelivered\",\"reason\":\"undelivered\",\"error\":\"gone\"}"},
    {REPORT "\"msg_id\":\"a1\",\"seq_id\":\"not ours\",\"number\":\"+491711234567\",\"status\":\"unknown\"}",
     "\"number\":491711234567,\"msg_id\":\"a1\",\"state\":\"unknown\",\"reason\":\"unknown\"}"},
    /* the gateway's own list first: its word `expired` means something else */
    {REPORT "\"msg_id\":\"a1\",\"status\":\"expired\"}", "\"msg_id\":\"a1\",\"state\":\"rejected\",\"reason\":\"expired\"}"},
    {REPORT "\"msg_id\":\"a1\",\"status\":\"\"}", "\"reason\":\"no_status\""},
    {REPORT "\"msg_id\":\"a1\",\"status\":\"Delivered\"}", "\"reason\":\"unlisted_status\""},
    {REPORT "\"msg_id\":\"a1\",\"status\":\"accepted\"}", "\"reason\":\"unlisted_status\""},
    {REPORT "\"seq_id\":\"not ours\",\"status\":\"delivered\"}", "\"reason\":\"no_msg_id\""},
    {REPORT "\"msg_id\":\"a1\",\"number\":\"0171 1\",\"status\":\"delivered\"}", "\"reason\":\"bad_number\""},
    {REPORT "\"msg_id\":\"a1\",\"number\":\"1234567890123456\",\"status\":\"delivered\"}", "\"reason\":\"bad_number\""},
    {INBOUND "\"from\":\"+491711234567\",\"to\":\"22922\",\"text\":\"STOP\",\"msg_id\":\"812\",\"at\":6}",
     "\"from\":\"+491711234567\",\"to\":\"22922\",\"text\":\"STOP\",\"msg_id\":\"812\",\"gateway_at\":6}"},
    {INBOUND "\"from\":\"ACME\",\"text\":\"\"}", "\"from\":\"ACME\",\"text\":\"\"}"},
    {INBOUND "\"from\":\"\",\"text\":\"x\"}", "\"reason\":\"no_number\""},
};
/* clang-format on */

static void test_told(void **state)
{
    static char name[] = "g", file[] = "gateways/g.yaml", delivered[] = "DELIVRD", way[] = "ENROUTE",
                other[] = "expired";
    static struct conf_status states[] = {{.word = delivered, .state = STATE_DELIVERED},
                                          {.word = way, .state = STATE_ACCEPTED},
                                          {.word = other, .state = STATE_REJECTED}};
    static const struct conf_gateway g = {
        .name = name, .file = file, .report = {.statuses = states, .status_count = COUNT_OF(states)}};
    for (size_t i = 0; i < COUNT_OF(told); i++) {
        struct adapter_told t = {.gateway = &g, .raw = told[i].line, .at = 1};
        struct adapter_line l;
        struct adapter_record r;
        char why[ADAPTER_WHY_SIZE];
        auto_buf out = {0};
        assert_int_equal(adapter_line_read(t.raw, strlen(t.raw), &l, why), 0);
        adapter_record_make(&t, &l, NULL, &r);
        if (r.is_inbound)
            chunk_add_inbound(&out, &r.inbound);
        else
            chunk_add_step(&out, &r.step);
        if (strstr(out.data, told[i].record) == NULL)
            fail_msg("%s became %s", told[i].line, out.data);
        if (!r.is_inbound && r.step.step == STEP_QUARANTINE) /* whole */
            assert_true(r.step.raw == t.raw && r.step.error != NULL);
        adapter_record_deinit(&r);
        adapter_line_free(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines),
                                       cmocka_unit_test(test_bad_lines_keep_their_id),
                                       cmocka_unit_test(test_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a person types to find messages, the CSV that comes out, and what reasons and unmatched ids are read as. */
#include "dashboard/csv.h"
#include "dashboard/reasons.h"
#include "dashboard/search.h"
#include "dashboard/unmatched.h"
#include "lib/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW INT64_C(1769850000000) /* 2026-01-31T09:00:00Z */

static struct search good(const char *text)
{
    struct search s;
    char message[SEARCH_MESSAGE_MAX];
    if (!search_parse(text, "49", NOW, &s, message))
        fail_msg("%s: %s", text, message);
    assert_string_equal(message, "");
    return s;
}

static void bad(const char *text, const char *words)
{
    struct search s;
    char message[SEARCH_MESSAGE_MAX];
    if (search_parse(text, "49", NOW, &s, message))
        fail_msg("%s was taken", text);
    if (strstr(message, words) == NULL)
        fail_msg("%s: '%s' does not say '%s'", text, message, words);
}

static void test_qualifiers(void **state)
{
    (void)state;
    struct search s = good("  ");
    assert_true(s.number == 0 && s.state_count == 0 && s.run_id == 0);
    s = good("to:+49-171-1234567 state:undelivered,rejected rule:dunning run:12 gateway:alpha state:expired,rejected");
    assert_true(s.number == 491711234567 && s.run_id == 12 && s.state_count == 3);
    assert_int_equal(s.states[0], STATE_UNDELIVERED);
    assert_int_equal(s.states[2], STATE_EXPIRED);
    assert_string_equal(s.rule, "dunning");
    assert_string_equal(s.gateway, "alpha");
    s = good("ext:\"ORDER 4711: a\" msg_id:7F3A");
    assert_string_equal(s.ext, "ORDER 4711: a");
    assert_string_equal(s.msg_id, "7F3A");
    /* as people write numbers */
    assert_true(good("to:+49 171 123 45 67 rule:x").number == 491711234567);
    assert_true(good("to:0171 1234567").number == 491711234567);
    assert_true(good("+49 (0)171 1234567").number == 491711234567);
    assert_true(good("01711234567 state:queued").number == 491711234567);
    assert_string_equal(good("to:+491711234567 rule:x").rule, "x");
    /* ids of ours, a long bare one as well */
    assert_true(good("sms_id:172000000000001").sms_id == 172000000000001);
    assert_true(good("172000000000001").sms_id == 172000000000001);
    assert_true(good("sms_id:172000000000001.2.3").sms_id == 172000000000001);
}

static void test_times(void **state)
{
    (void)state;
    char iso[CLOCK_ISO_SIZE];
    assert_string_equal(clock_iso(good("after:2026-01-30").after_ms, iso), "2026-01-30T00:00:00.000Z");
    assert_string_equal(clock_iso(good("before:2026-01-30T08:15").before_ms, iso), "2026-01-30T08:15:00.000Z");
    assert_string_equal(clock_iso(good("before:2026-01-30T08:15:30").before_ms, iso), "2026-01-30T08:15:30.000Z");
    assert_string_equal(clock_iso(good("after:2026-01-30T08:15:30+01:00").after_ms, iso), "2026-01-30T07:15:30.000Z");
    assert_true(good("after:2d").after_ms == NOW - 2 * 86400000);
    assert_true(good("after:90m before:1h").before_ms == NOW - 3600000);
    bad("after:2026-02-30", "wants a time");
    bad("after:yesterday", "wants a time");
    bad("after:1h before:2h", "nothing can be between");
}

static void test_refusals(void **state)
{
    (void)state;
    bad("stat:queued", "did you mean state:");
    bad("state:deliverd", "did you mean delivered");
    bad("state:", "wants a value");
    bad("state:queued,", "no state is called ''");
    bad("rule:a rule:b", "stands there twice");
    bad("to:abc", "none: letters");
    bad("to:12", "none: too_short");
    bad("run:x", "wants the number of a run");
    bad("run:99999999999999999999", "wants the number of a run");
    bad("sms_id:9999999999999999999", "wants an id of ours");
    bad("dunning", "rule:dunning");
    bad("rule:\"a", "is not closed");
    auto_free char *longest = xmalloc(SEARCH_TEXT_MAX + 2);
    memset(longest, 'a', SEARCH_TEXT_MAX + 1);
    longest[SEARCH_TEXT_MAX + 1] = '\0';
    bad(longest, "longer than");
    memcpy(longest, "rule:", 5);
    longest[5 + SEARCH_WORD_MAX + 1] = '\0';
    bad(longest, "longer than");
    longest[5 + SEARCH_WORD_MAX] = '\0';
    assert_int_equal(strlen(good(longest).rule), SEARCH_WORD_MAX);
}

static void csv(const char *const *cells, size_t count, const char *wanted)
{
    auto_buf b = {0};
    csv_add_line(&b, cells, count);
    assert_string_equal(b.data, wanted);
}

static void test_csv(void **state)
{
    (void)state;
    csv((const char *const[]){"", "a", ""}, 3, ",a,\r\n");
    csv((const char *const[]){"a,b", "say \"no\"", "two\nlines"}, 3, "\"a,b\",\"say \"\"no\"\"\",\"two\nlines\"\r\n");
    csv((const char *const[]){"=1+1", "+49", "-1", "@x", "\tx", "  =x", "a=b"}, 7,
        "\"'=1+1\",\"'+49\",\"'-1\",\"'@x\",\"'\tx\",\"'  =x\",a=b\r\n");
}

static void test_reasons(void **state)
{
    (void)state;
    struct reason r;
    assert_true(reason_find("answer_timeout", &r) && r.again == AGAIN_NEVER_BY_US);
    assert_true(reason_find("partial:undeliv", &r) && r.again == AGAIN_LATER);
    assert_true(reason_find("ESME_RTHROTTLED", &r) && strstr(r.source, "5.1.3") != NULL && r.again == AGAIN_LATER);
    assert_true(reason_find("0x0000000b", &r) && r.again == AGAIN_NO);
    assert_false(reason_find("never heard of", &r));
    assert_false(reason_find("", &r));
    assert_true(reason_of_error("id:7 err:027 text:x", &r) && r.again == AGAIN_LATER);
    assert_true(reason_of_error("err=1", &r) && r.again == AGAIN_NO);
    assert_false(reason_of_error("err:000", &r));
    assert_false(reason_of_error("err:99999", &r));
    assert_false(reason_of_error("stderr:1", &r));
    assert_false(reason_of_error("no code", &r));
    for (size_t i = 0; i < reason_table_count; i++) { /* each says all that it must, and is there once */
        assert_true(*reason_table[i].cause && *reason_table[i].todo && *reason_table[i].source);
        assert_true(reason_find(reason_table[i].word, &r) && r.cause == reason_table[i].cause);
    }
}

static void read_as(enum unmatched_reading how, const char *msg_id, const char *wanted)
{
    char out[UNMATCHED_ID];
    if (wanted == NULL) {
        assert_false(unmatched_read(how, msg_id, out));
        return;
    }
    assert_true(unmatched_read(how, msg_id, out));
    assert_string_equal(out, wanted);
}

static void test_readings(void **state)
{
    (void)state;
    char longest[260];
    read_as(READ_HEX, "ff", "255");
    read_as(READ_HEX, "0x1F", "31");
    read_as(READ_HEX, "7", NULL); /* the same either way */
    read_as(READ_DECIMAL, "0042", "42");
    read_as(READ_DECIMAL, "42", NULL);
    read_as(READ_ANSWER_HEX, "255", "ff");
    read_as(READ_ANSWER_HEX, "0", NULL);
    read_as(READ_ANSWER_HEX, "340282366920938463463374607431768211455", "ffffffffffffffffffffffffffffffff");
    read_as(READ_ANSWER_HEX, "1x", NULL);
    read_as(READ_UPPER, "aB1", "AB1");
    read_as(READ_LOWER, "aB1", "ab1");
    memset(longest, '9', 255);
    longest[255] = '\0';
    char out[UNMATCHED_ID];
    assert_true(unmatched_read(READ_ANSWER_HEX, longest, out));
    longest[255] = '9';
    longest[256] = '\0';
    assert_false(unmatched_read(READ_LOWER, longest, out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qualifiers), cmocka_unit_test(test_times),   cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_csv),        cmocka_unit_test(test_reasons), cmocka_unit_test(test_readings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

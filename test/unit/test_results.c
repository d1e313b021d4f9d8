/* Answers that tell of each message by itself: whose record it is, what it says, and what stays in doubt. */
#include "dispatch/results.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct conf_answer lines[] = {
    {.pointer = (char[]){"/status"},
     .equals = (char[]){"ok"},
     .is = ANSWER_ACCEPTED,
     .msg_id = (char[]){"/id"}},
    {.pointer = (char[]){"/status"},
     .equals = (char[]){"no"},
     .is = ANSWER_REFUSED,
     .reason = (char[]){"/why"}},
    {.pointer = (char[]){"/status"}, .equals = (char[]){"wait"}, .is = ANSWER_THROTTLED},
};

/* Three messages: 491 (1.1.1), 492 (2.1.1), 493 (3.1.1). In `wanted`: a accepted, r refused, t throttled, and
 * for what is in doubt: ? no record, 2 several, u no line fits, m no id. */
static const struct one_case {
    const char *name, *body, *number, *reference, *wanted;
} rows[] = {
    {"all, in another order",
     "{\"m\":[{\"to\":\"493\",\"status\":\"wait\"},{\"to\":\"491\",\"status\":\"ok\",\"id\":\"A\"},{\"to\":"
     "\"492\",\"status\":\"no\","
     "\"why\":\"bad\"}]}",
     "/to", "", "art"},
    {"one is missing",
     "{\"m\":[{\"to\":\"491\",\"status\":\"ok\",\"id\":\"A\"},{\"to\":\"493\",\"status\":\"no\"}]}", "/to",
     "", "a?r"},
    {"one twice",
     "{\"m\":[{\"to\":\"491\",\"status\":\"ok\",\"id\":\"A\"},{\"to\":\"+491\",\"status\":\"no\"}]}", "/to",
     "", "2??"},
    {"one thrice",
     "{\"m\":[{\"to\":\"491\",\"status\":\"no\"},{\"to\":\"491\",\"status\":\"no\"},{\"to\":\"491\","
     "\"status\":\"no\"}]}",
     "/to", "", "2??"},
    {"a stranger", "{\"m\":[{\"to\":\"499\",\"status\":\"ok\",\"id\":\"A\"}]}", "/to", "", "???"},
    {"numbers as numbers and with zeros",
     "{\"m\":[{\"to\":491,\"status\":\"no\"},{\"to\":\"00492\",\"status\":\"no\"}]}", "/to", "", "rr?"},
    {"no number at all",
     "{\"m\":[{\"to\":\"49x\",\"status\":\"no\"},{\"to\":null,\"status\":\"no\"},{\"status\":\"no\"}]}",
     "/to", "", "???"},
    {"by reference", "{\"m\":[{\"ref\":\"2.1.1\",\"status\":\"ok\",\"id\":\"B\"}]}", "", "/ref", "?a?"},
    {"a reference that is longer", "{\"m\":[{\"ref\":\"2.1.11\",\"status\":\"ok\",\"id\":\"B\"}]}", "",
     "/ref", "???"},
    {"both must fit",
     "{\"m\":[{\"ref\":\"2.1.1\",\"to\":\"491\",\"status\":\"no\"},{\"ref\":\"3.1.1\",\"to\":\"493\","
     "\"status\":\"no\"}]}",
     "/to", "/ref", "??r"},
    {"no line fits", "{\"m\":[{\"to\":\"491\",\"status\":\"odd\"},{\"to\":\"492\"}]}", "/to", "", "uu?"},
    {"accepted without its id",
     "{\"m\":[{\"to\":\"491\",\"status\":\"ok\"},{\"to\":\"492\",\"status\":\"ok\",\"id\":null}]}", "/to", "",
     "mm?"},
    {"cut off", "{\"m\":[{\"to\":\"491\",\"status\":\"ok\",\"id\":\"A\"}", "/to", "", "???"},
    {"not there", "{\"messages\":[]}", "/to", "", "???"},
    {"no array but one record", "{\"m\":{\"to\":\"491\",\"status\":\"no\"}}", "/to", "", "r??"},
    {"empty", "{\"m\":[]}", "/to", "", "???"},
    {"words", "{\"m\":[1,\"491\",null,[]]}", "/to", "", "???"},
    {"no JSON", "OK", "/to", "", "???"},
};

static char letter_of(const struct gateway_outcome *o)
{
    switch (o->outcome) {
    case OUTCOME_ACCEPTED:
        return 'a';
    case OUTCOME_REFUSED:
        return 'r';
    case OUTCOME_RETRY:
        return o->throttled ? 't' : 'y';
    case OUTCOME_NOT_SENT:
        return 'n';
    case OUTCOME_IN_DOUBT:
        break;
    }
    return strcmp(o->reason, "not_in_answer") == 0     ? '?'
           : strcmp(o->reason, "several_results") == 0 ? '2'
           : strcmp(o->reason, "answer_unknown") == 0  ? 'u'
           : strcmp(o->reason, "no_msg_id") == 0       ? 'm'
                                                       : '!';
}

static struct gateway_request *request_of(size_t count)
{
    struct gateway_request *q = xcalloc(1, sizeof(*q) + count * sizeof(q->items[0]));
    q->count = count;
    for (size_t i = 0; i < count; i++) {
        q->items[i].number = 491 + (int64_t)i;
        q->items[i].seq_id[0] = (char)('1' + i);
        memcpy(q->items[i].seq_id + 1, ".1.1", 5);
    }
    return q;
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct one_case *c = &rows[i];
        struct conf_gateway g = {.name = (char[]){"x"}};
        struct results *r = NULL;
        auto_free char *why = NULL;
        auto_free struct gateway_request *q = request_of(3);
        g.results = (struct conf_results){.records = (char[]){"/m"},
                                          .number = (char *)(uintptr_t)c->number,
                                          .reference = (char *)(uintptr_t)c->reference,
                                          .answers = lines,
                                          .answer_count = COUNT_OF(lines)};
        assert_int_equal(results_compile(&g, &r, &why), 0);
        struct gateway_outcome *got = results_read(r, 200, c->body, strlen(c->body), q);
        char letters[4] = {letter_of(&got[0]), letter_of(&got[1]), letter_of(&got[2]), '\0'};
        if (strcmp(letters, c->wanted) != 0)
            fail_msg("%s: %s, wanted %s", c->name, letters, c->wanted);
        if (got[0].outcome == OUTCOME_ACCEPTED)
            assert_string_equal(got[0].msg_id, "A");
        if (i == 0)
            assert_string_equal(got[1].reason, "bad");
        free(got);
        results_free(r);
    }
}

static void test_none(void **state)
{
    struct conf_gateway g = {.name = (char[]){"x"}};
    struct results *r = NULL;
    char *why = NULL;
    (void)state;
    assert_int_equal(results_compile(&g, &r, &why), 0);
    assert_null(r);
    results_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

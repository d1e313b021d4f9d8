/* What a dead dispatcher's slot leads to; only positive proof counts. */
#include "dispatch/recovery.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static char dir[] = "/tmp/smschain-recovery.XXXXXX";
static struct slots *slots;

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL || slots_create(dir, "alpha", 4, &slots) < 0;
}

static int tear_down(void **state)
{
    (void)state;
    slots_close(slots);
    return rmdir(dir);
}

static struct slot *claimed(int attempt)
{
    struct slot *s = slot_take(slots, 172802277703680001, 1, 1, 491711234567, 1700000000000);
    assert_non_null(s);
    if (attempt > 0)
        slot_set_attempt(s, attempt);
    return s;
}

static void expect(struct slot *s, int what, enum settled settled, enum step step, enum state is,
                   const char *reason, const char *msg_id)
{
    struct recovered r = recovery_plan(s);
    assert_int_equal(r.what, what);
    if (what == RECOVERED_SETTLE)
        assert_int_equal(r.settled, settled);
    if (what == RECOVERED_TELL) {
        assert_int_equal(r.step, step);
        assert_int_equal(r.state, is);
        assert_string_equal(r.reason, reason);
        if (msg_id != NULL)
            assert_string_equal(r.msg_id, msg_id);
        else
            assert_null(r.msg_id);
    }
    slot_free(s);
}

static void test_states(void **state)
{
    (void)state;
    struct slot *s = claimed(0);
    slot_free(s);
    expect(s, RECOVERED_NOTHING, 0, 0, 0, NULL, NULL);
    expect(claimed(0), RECOVERED_SETTLE, SETTLED_RELEASED, 0, 0, NULL, NULL);
    expect(claimed(2), RECOVERED_SETTLE, SETTLED_RELEASED, 0, 0, NULL, NULL);
    slot_mark(s = claimed(2));
    expect(s, RECOVERED_TELL, 0, STEP_OUTCOME, STATE_IN_DOUBT, "dispatcher_died", NULL);
    slot_mark(s = claimed(0));
    expect(s, RECOVERED_NOTHING, 0, 0, 0, NULL, NULL);
}

static void test_answers(void **state)
{
    static const struct {
        enum slot_answer answer;
        const char *msg_id, *reason;
        int what;
        enum step step;
        enum state state;
    } rows[] = {
        {SLOT_ANSWER_ACCEPTED, "9F3A01", "", RECOVERED_TELL, STEP_ACCEPTED, STATE_ACCEPTED},
        {SLOT_ANSWER_REFUSED, NULL, "21", RECOVERED_TELL, STEP_OUTCOME, STATE_REJECTED},
        {SLOT_ANSWER_IN_DOUBT, NULL, "answer_timeout", RECOVERED_TELL, STEP_OUTCOME, STATE_IN_DOUBT},
        {SLOT_ANSWER_RETRY, NULL, "429", RECOVERED_SETTLE, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slot *s = claimed(3);
        slot_mark(s);
        slot_answer(s, rows[i].answer, rows[i].msg_id, rows[i].reason, 1700000000500);
        expect(s, rows[i].what, SETTLED_RETRY, rows[i].step, rows[i].state, rows[i].reason, rows[i].msg_id);
    }
}

/* A slot whose identity was torn proves nothing, whatever its state says. */
static void test_torn(void **state)
{
    (void)state;
    for (uint32_t at = SLOT_CLAIMED; at <= SLOT_ANSWERED; at++) {
        struct slot *s = claimed(1);
        slot_answer(s, SLOT_ANSWER_ACCEPTED, "1", "", 1);
        s->state = at;
        s->sms_id ^= 1;
        expect(s, RECOVERED_NOTHING, 0, 0, 0, NULL, NULL);
    }
}

/* An answer that is none is a doubt, not a proof. */
static void test_strange_answer(void **state)
{
    (void)state;
    struct slot *s = claimed(1);
    slot_answer(s, SLOT_ANSWER_ACCEPTED, "1", "", 1);
    s->answer = 99;
    expect(s, RECOVERED_TELL, 0, STEP_OUTCOME, STATE_IN_DOUBT, "dispatcher_died", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_states), cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_torn), cmocka_unit_test(test_strange_answer)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* Steps as records and back: what is the same telling, what is refused, what survives being parked. */
#include "callback/told.h"
#include "table.h"

/* Records are not const, and nobody writes to these. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wincompatible-pointer-types-discards-qualifiers"
#else
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"
#endif

#define DAY_5 ((int64_t)5 << SMS_ID_DAY_SHIFT)
#define T0    INT64_C(1769847300000)

static struct words *words;

static struct told tell(struct arena *a, const struct step_record *r)
{
    static const struct told_rules rules = {.now_ms = T0, .keep_days = 10000};
    struct told t;
    assert_null(told_from_record(r, &rules, words, a, &t));
    return t;
}

/* The same thing told by whomever, whenever, is one event; another time of the gateway's or another attempt
 * is not. */
static void digests(void **state)
{
    struct arena arena = {0};
    struct step_record r = {.step = STEP_STATUS,
                            .at = T0,
                            .gateway = "a",
                            .number = 491711234560,
                            .msg_id = "7",
                            .state = "delivered",
                            .reason = "OK",
                            .gateway_at = T0};
    struct told a = tell(&arena, &r), same = tell(&arena, &r);
    a.id = same.id = (struct seq_id){DAY_5, 1, 1};
    assert_true(told_event_digest(&a) == told_event_digest(&same));
    assert_true(told_park_digest(&a) == told_park_digest(&same));
    r.at++;
    r.origin = "inferred";
    struct told later = tell(&arena, &r);
    later.id = a.id;
    assert_true(told_event_digest(&a) == told_event_digest(&later));
    assert_true(told_park_digest(&a) !=
                told_park_digest(&later)); /* each waits: the earlier one names the time */
    later.id.attempt = 2;
    assert_true(told_event_digest(&a) != told_event_digest(&later));
    r.gateway_at++;
    struct told again = tell(&arena, &r);
    again.id = a.id;
    assert_true(told_event_digest(&a) != told_event_digest(&again));
    arena_deinit(&arena);
}

/* The same unreadable body is kept once, however often it is posted. */
static void unreadable_bodies(void **state)
{
    struct arena arena = {0};
    struct step_record r = {.step = STEP_QUARANTINE,
                            .at = T0,
                            .gateway = "a",
                            .reason = "unreadable",
                            .error = "why",
                            .raw = "body"};
    struct told a = tell(&arena, &r);
    r.at++;
    struct told b = tell(&arena, &r);
    assert_true(told_park_digest(&a) == told_park_digest(&b));
    r.raw = "another";
    struct told c = tell(&arena, &r);
    assert_true(told_park_digest(&a) != told_park_digest(&c));
    arena_deinit(&arena);
}

/* Digests stand in tables: a change of the hash would make every retelling a new event. */
static void digests_never_change(void **state)
{
    struct arena arena = {0};
    struct step_record r = {.step = STEP_STATUS,
                            .at = T0,
                            .gateway = "alpha",
                            .number = 491711234560,
                            .msg_id = "7",
                            .state = "delivered",
                            .reason = "DELIVRD",
                            .gateway_at = T0};
    struct told a = tell(&arena, &r);
    a.id = (struct seq_id){DAY_5 + 1, 1, 1};
    assert_true(told_event_digest(&a) == INT64_C(9075005654123380682));
    arena_deinit(&arena);
}

/* A step survives being parked: written as a record and read again it is the same. */
static void round_trip(void **state)
{
    static const struct told_rules rules = {.now_ms = T0, .keep_days = 10000, .form = MSG_ID_HEX};
    struct arena arena = {0};
    struct told a, b;
    struct step_record r = {.step = STEP_STATUS,
                            .at = T0,
                            .gateway = "a",
                            .number = 491711234560,
                            .msg_id = "00FF",
                            .state = "expired",
                            .reason = "EXP",
                            .error = "no \"answer\"",
                            .gateway_at = T0 - 5,
                            .lane = "instant",
                            .origin = "person"};
    assert_null(told_from_record(&r, &rules, words, &arena, &a));
    assert_string_equal(a.msg_id, "255");
    assert_string_equal(a.written, "00FF");
    auto_buf b1 = {0}, body = {0};
    told_encode(&a, &b1);
    chunk_begin(&body, RECORD_STEPS);
    chunk_add_raw(&body, b1.data, b1.len);
    chunk_end(&body);
    struct chunk *c;
    char *why = NULL;
    assert_int_equal(chunk_decode(body.data, body.len, &c, &why), 0);
    assert_null(told_from_record(&c->steps[0], &rules, words, &arena, &b));
    assert_true(told_park_digest(&a) == told_park_digest(&b));
    assert_true(a.instant && b.instant && a.gateway_at == b.gateway_at && a.state == b.state && a.at == b.at);
    assert_string_equal(a.error, b.error);
    assert_string_equal(a.origin, b.origin);
    chunk_free(c);
    arena_deinit(&arena);
}

static void refused_records(void **state)
{
    static const struct told_rules rules = {.now_ms = T0, .keep_days = 90};
    struct arena arena = {0};
    struct told t;
    char recent[SEQ_ID_SIZE], old[SEQ_ID_SIZE];
    int day = (int)(T0 / 86400000) - 18262;
    seq_id_format(&(struct seq_id){sms_id_day_first(day) + 1, 1, 1}, recent);
    seq_id_format(&(struct seq_id){sms_id_day_first(day - 91) + 1, 1, 1}, old);
    const struct step_record good = {.step = STEP_ACCEPTED,
                                     .at = T0,
                                     .gateway = "a",
                                     .number = 491711234560,
                                     .msg_id = "7",
                                     .seq_id = recent};
    assert_null(told_from_record(&good, &rules, words, &arena, &t));
    struct step_record r = good;
    r.seq_id = old;
    assert_non_null(strstr(told_from_record(&r, &rules, words, &arena, &t), "older than claims are kept"));
    r = good;
    r.at = INT64_MAX;
    assert_non_null(told_from_record(&r, &rules, words, &arena, &t));
    r = good;
    r.number = INT64_C(1000000000000000);
    assert_non_null(told_from_record(&r, &rules, words, &arena, &t));
    r = good;
    r.segments = 70000;
    assert_non_null(told_from_record(&r, &rules, words, &arena, &t));
    r = good;
    r.parts = 256;
    assert_non_null(strstr(told_from_record(&r, &rules, words, &arena, &t), "parts"));
    char longest[MSG_ID_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    longest[MSG_ID_MAX + 1] = '\0';
    r = good;
    r.msg_id = longest;
    assert_non_null(told_from_record(&r, &rules, words, &arena, &t));
    arena_deinit(&arena);
}

/* How many parts an attempt's message has is said by who made the attempt, not by who reports. */
static void parts_of_a_step(void **state)
{
    static const struct told_rules rules = {.now_ms = T0, .keep_days = 90};
    static const struct {
        int step, segment, attempt, said, parts; /* parts -1: refused */
    } cases[] = {
        {STEP_SUBMITTED, 1, 1, 0, 1},      {STEP_SUBMITTED, 3, 2, 3, 3},  {STEP_ACCEPTED, 2, 1, 3, 3},
        {STEP_OUTCOME, 2, 1, 2, 2},        {STEP_OUTCOME, 1, 0, 0, 0},    {STEP_STATUS, 2, 1, 0, 0},
        {STEP_STATUS, 2, 1, 9, 0},         {STEP_SUBMITTED, 2, 1, 0, -1}, {STEP_OUTCOME, 4, 1, 3, -1},
        {STEP_SUBMITTED, 256, 1, 255, -1}, {STEP_STATUS, 256, 1, 0, -1}};
    int day = (int)(T0 / 86400000) - 18262;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = {0};
        auto_buf json = {0};
        struct told t;
        char seq_id[SEQ_ID_SIZE];
        seq_id_format(&(struct seq_id){sms_id_day_first(day) + 1, cases[i].segment, cases[i].attempt},
                      seq_id);
        const struct step_record r = {.step = cases[i].step,
                                      .at = T0,
                                      .gateway = "a",
                                      .number = 491711234560,
                                      .msg_id = "7",
                                      .reason = "x",
                                      .seq_id = seq_id,
                                      .parts = cases[i].said};
        const char *wrong = told_from_record(&r, &rules, words, &arena, &t);
        if ((wrong != NULL) != (cases[i].parts < 0) || (!wrong && t.parts != cases[i].parts))
            fail_msg("case %zu: %s, %d parts", i, wrong ? wrong : "good", t.parts);
        if (!wrong)
            told_encode(&t, &json); /* as it stands in parked */
        assert_true(wrong || (strstr(json.data, "\"parts\":") != NULL) == (t.parts > 1));
        arena_deinit(&arena);
    }
}

static int setup(void **state)
{
    words = words_new();
    return 0;
}

static int teardown(void **state)
{
    words_free(words);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests),
        cmocka_unit_test(unreadable_bodies),
        cmocka_unit_test(digests_never_change),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(refused_records),
        cmocka_unit_test(parts_of_a_step),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

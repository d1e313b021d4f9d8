/* What a gateway posts of phones' messages -> lines for the journal; records -> what the consumer works with:
 * numbers, and which tellings are one message. */
#include "callback/inbound.h"
#include "table.h"

#ifdef __clang__
#pragma clang diagnostic ignored "-Wincompatible-pointer-types-discards-qualifiers"
#else
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"
#endif

#define RECEIVED_AT INT64_C(1769904000000) /* 2026-02-01 00:00:00 UTC */

static struct conf_gateway form_gateway = {.name = "alpha",
                                           .file = "gateways/alpha.yaml",
                                           .inbound.posts.format = {.kind = "form",
                                                                    .at = {[ROLE_NUMBER] = "from",
                                                                           [ROLE_TO] = "to",
                                                                           [ROLE_TEXT] = "msg",
                                                                           [ROLE_MSG_ID] = "id",
                                                                           [ROLE_TIME] = "at"},
                                                                    .time_format = "%Y-%m-%d %H:%M:%S",
                                                                    .time_zone = "Asia/Shanghai"}};
static struct conf_gateway json_gateway = {.name = "beta",
                                           .file = "gateways/beta.yaml",
                                           .inbound.posts.format = {.kind = "json",
                                                                    .records = "/messages",
                                                                    .at = {[ROLE_NUMBER] = "/from",
                                                                           [ROLE_TO] = "/to",
                                                                           [ROLE_TEXT] = "/text",
                                                                           [ROLE_MSG_ID] = "/id",
                                                                           [ROLE_TIME] = "/time"},
                                                                    .time_format = "iso",
                                                                    .time_zone = "UTC"}};

static struct parsed parse(const struct conf_gateway *g, const char *body, bool form, int want)
{
    char *why = NULL;
    struct format *f = format_new(g, &g->inbound.posts.format, "inbound", &why);
    struct posted posted = {.body = body, .body_len = strlen(body), .form = form, .at = RECEIVED_AT};
    struct parsed parsed;
    assert_non_null(f);
    assert_int_equal(inbound_parse(f, &posted, &parsed), want);
    format_free(f);
    return parsed;
}

static void a_form(void **state)
{
    struct parsed p =
        parse(&form_gateway,
              "from=491711234567&to=22922&msg=Wann+kommt%20es%3F&id=812&at=2026-01-31+16%3A15%3A00", true, 0);
    assert_string_equal(
        p.records.data,
        "inbound {\"at\":1769904000000,\"gateway\":\"alpha\",\"from\":\"491711234567\",\"to\":"
        "\"22922\",\"text\":\"Wann kommt es?\",\"msg_id\":\"812\",\"gateway_at\":1769847300000}\n");
    assert_int_equal(p.understood, 1);
    buf_deinit(&p.records);
}

static void several_in_json(void **state)
{
    struct parsed p =
        parse(&json_gateway,
              "{\"messages\":[{\"from\":\"+49171\",\"text\":\"\"},{\"from\":\"x\"},{\"text\":\"y\"},"
              "{\"from\":\"Bank\",\"text\":\"z\",\"time\":\"yesterday\"}]}",
              false, 0);
    assert_int_equal(p.understood, 2); /* the empty text of a phone is one, too */
    assert_int_equal(p.refused, 3);
    assert_non_null(
        strstr(p.records.data,
               "inbound {\"at\":1769904000000,\"gateway\":\"beta\",\"from\":\"+49171\",\"text\":\"\"}\n"));
    assert_non_null(strstr(p.records.data, "\"reason\":\"no_text\""));
    assert_non_null(strstr(p.records.data, "\"reason\":\"no_number\""));
    assert_non_null(strstr(p.records.data, "\"from\":\"Bank\",\"text\":\"z\"}\n{\"step\":190"));
    assert_non_null(strstr(p.records.data, "\"reason\":\"bad_time\""));
    buf_deinit(&p.records);
}

static void too_long(void **state)
{
    auto_buf body = {0};
    buf_add_str(&body, "from=491711234567&msg=");
    for (int i = 0; i <= INBOUND_TEXT_MAX; i++)
        buf_add_char(&body, 'x');
    struct parsed p = parse(&form_gateway, body.data, true, 0);
    assert_int_equal(p.understood, 0);
    assert_non_null(strstr(p.records.data, "\"reason\":\"text_too_long\""));
    buf_deinit(&p.records);
    p = parse(&json_gateway, "{broken", false, FORMAT_UNREADABLE);
    assert_memory_equal(p.records.data, "{\"step\":190", 10);
    buf_deinit(&p.records);
}

static void numbers(void **state)
{
    static const struct {
        const char *text, *country;
        int64_t number;
    } cases[] = {{"+491711234567", NULL, 491711234567},
                 {"00491711234567", NULL, 491711234567},
                 {"491711234567", NULL, 491711234567},
                 {"01711234567", "49", 491711234567},
                 {"01711234567", NULL, 0},
                 {"01711234567", "", 0},
                 {"22922", "49", 0},
                 {"Bank", "49", 0},
                 {"", "49", 0},
                 {" +49171 1234567", "49", 0},
                 {"+4917112345671234567", "49", 0},
                 {"0", "49", 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(inbound_number(cases[i].text, cases[i].country), cases[i].number);
}

static struct inbound told(const struct inbound_record *r, struct words *words, struct arena *arena)
{
    struct inbound in;
    assert_null(inbound_from_record(r, "49", words, arena, &in));
    return in;
}

static bool same(const struct inbound *a, const struct inbound *b)
{
    return memcmp(a->digest, b->digest, INBOUND_DIGEST) == 0;
}

static void what_is_one_message(void **state)
{
    struct words *words = words_new();
    struct arena arena = {0};
    struct inbound_record r = {.at = RECEIVED_AT,
                               .gateway = "g",
                               .from = "+491711234567",
                               .text = "STOP",
                               .msg_id = "7",
                               .gateway_at = RECEIVED_AT - 5000};
    struct inbound first = told(&r, words, &arena);
    assert_int_equal(first.said_at, RECEIVED_AT - 5000);
    struct inbound_record later = r, other = r;
    later.at += 60000;
    later.gateway_at += 1000; /* it says the same id: the time does not matter */
    struct inbound second = told(&later, words, &arena);
    assert_true(same(&first, &second));
    char **changes[] = {&other.gateway, &other.from, &other.text, &other.msg_id, &other.to};
    for (size_t i = 0; i < COUNT_OF(changes); i++) { /* an id that is used again for another message */
        other = r;
        *changes[i] = "other";
        second = told(&other, words, &arena);
        assert_false(same(&first, &second));
    }
    r.msg_id = later.msg_id = NULL;
    later.gateway_at = r.gateway_at;
    first = told(&r, words, &arena);
    second = told(&later, words, &arena);
    assert_true(same(&first, &second)); /* no id: the gateway's time says it */
    r.gateway_at = later.gateway_at = 0;
    first = told(&r, words, &arena);
    second = told(&later, words, &arena);
    assert_false(same(&first, &second)); /* neither: each telling counts */
    r.gateway_at = RECEIVED_AT + 3600000;
    first = told(&r, words, &arena);
    assert_int_equal(first.said_at, RECEIVED_AT); /* a clock that is ahead says nothing */
    words_free(words);
    arena_deinit(&arena);
}

static void what_can_never_be_applied(void **state)
{
    struct words *words = words_new();
    struct arena arena = {0};
    struct inbound in;
    struct inbound_record r = {.at = 5, .gateway = "g", .from = "x", .text = "y"};
    assert_non_null(inbound_from_record(&r, NULL, words, &arena, &in));
    auto_buf text = {0};
    for (int i = 0; i <= INBOUND_FIELD_MAX; i++)
        buf_add_char(&text, 'x');
    r = (struct inbound_record){.at = RECEIVED_AT, .gateway = "g", .from = text.data, .text = "y"};
    assert_non_null(inbound_from_record(&r, NULL, words, &arena, &in));
    words_free(words);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form),
        cmocka_unit_test(several_in_json),
        cmocka_unit_test(too_long),
        cmocka_unit_test(numbers),
        cmocka_unit_test(what_is_one_message),
        cmocka_unit_test(what_can_never_be_applied),
    };
    return cmocka_run_group_tests_name("inbound", tests, NULL, NULL);
}

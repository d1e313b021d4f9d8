/* A row's judgement and the figures of many: encodings, prices to the last millionth, errors with their first
 * keys, and that figures come back from their JSON as they went. */
#include "render/planned.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW_MS  INT64_C(1769847330123)
#define WORD(s) ((char[]){s})

static struct conf_price alpha_prices[] = {
    {.prefix = WORD("49"), .price = WORD("0.0725"), .currency = WORD("EUR")},
    {.prefix = WORD("491"), .price = WORD("0.000001"), .currency = WORD("EUR")},
    {.prefix = WORD(""), .price = WORD("1000"), .currency = WORD("USD")},
};
static struct conf_price beta_prices[] = {
    {.prefix = WORD("44"), .price = WORD("3.5"), .currency = WORD("EUR")}};
static struct conf_gateway gateways[] = {
    {.name = WORD("alpha"), .prices = alpha_prices, .price_count = COUNT_OF(alpha_prices)},
    {.name = WORD("beta"), .prices = beta_prices, .price_count = COUNT_OF(beta_prices)},
};
static struct conf_route routes[] = {
    {.gateway = WORD("alpha"), .weight = 1},
    {.gateway = WORD("beta"), .weight = 1, .prefixes = {.items = (char *[]){WORD("43")}, .count = 1}},
};
static struct conf_rule rules[] = {
    {.name = WORD("due"),
     .file = WORD("conf/rules/due.yaml"),
     .sender = WORD(""),
     .number_column = WORD("number"),
     .once_per = {.items = (char *[]){WORD("contract"), WORD("number")}, .count = 2},
     .routes = routes,
     .route_count = 2}};
static struct conf_template templates[] = {{.name = WORD("due"),
                                            .file = WORD("conf/templates/due.liquid"),
                                            .class = WORD("service"),
                                            .text = WORD("{{ text }}"),
                                            .text_line = 4,
                                            .version = WORD("0011223344556677"),
                                            .sender = WORD(""),
                                            .footer = WORD(""),
                                            .max_segments = TEXT_SEGMENTS_MAX,
                                            .time_zone = WORD("UTC"),
                                            .currency_decimal = WORD(","),
                                            .currency_group = WORD(".")}};
static struct conf conf = {.rules = rules,
                           .rule_count = 1,
                           .templates = templates,
                           .template_count = 1,
                           .gateways = gateways,
                           .gateway_count = 2};

struct fixture {
    struct plan *plan;
    struct judge judge;
    struct planned *planned;
};

static int set_up(void **state)
{
    struct fixture *s = xcalloc(1, sizeof(*s));
    auto_buf report = {0};

    assert_int_equal(plan_make(&conf, &s->plan, &report), 0);
    judge_init(&s->judge, s->plan);
    s->planned = planned_new();
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *s = *state;

    planned_free(s->planned);
    judge_deinit(&s->judge);
    plan_free(s->plan);
    free(s);
    return 0;
}

static bool judge(struct fixture *s, int64_t number, const char *text, struct judgement *j)
{
    char contract[] = "17", key[PLANNED_KEY_SIZE], written[32];
    struct row_cell cells[] = {{.name = WORD("contract"), .value = contract},
                               {.name = WORD("number"), .value = written},
                               {.name = WORD("text"), .value = (char *)(uintptr_t)text}};
    struct row_record row = {
        .sms_id = 1, .number = number, .rule = WORD("due"), .tmpl = WORD("due"), .row = {cells, 3}};

    snprintf(written, sizeof(written), "+%lld", (long long)number);
    bool ok = judge_row(&s->judge, &row, NOW_MS, j);
    planned_key(&row, &rules[0], "49", key);
    planned_add(s->planned, s->plan, j, number, key);
    return ok;
}

static void one_row(void **state)
{
    struct judgement j;

    assert_true(judge(*state, 491711234567, "Grüße", &j));
    assert_string_equal(j.text, "Grüße");
    assert_int_equal(j.shape.encoding, TEXT_GSM7);
    assert_int_equal(j.gateway_count, 1);
    assert_string_equal(j.gateways[0], "alpha");
    assert_true(judge(*state, 436601234567, "x", &j));
    assert_string_equal(j.gateways[0], "beta");
    assert_int_equal(j.gateway_count, 2);
    assert_false(judge(*state, 491711234567, NULL, &j));
    assert_string_equal(j.reason, "template");
    assert_string_equal(j.error, "conf/templates/due.liquid:4:4: column 'text' is NULL and has no default");
    assert_false(judge(*state, 491711234567, "", &j));
    assert_string_equal(j.reason, "empty_text");
}

/* Prices are exact, the longest prefix counts, currencies are not mixed. */
static void money(void **state)
{
    struct fixture *s = *state;
    struct planned_cost costs[4];
    struct judgement j;
    char text[PLANNED_MONEY_SIZE], two[200];

    memset(two, 'x', sizeof(two));
    two[161] = '\0';
    assert_true(judge(s, 4930123456, "a", &j));   /* 0.0725 */
    assert_true(judge(s, 491711234567, two, &j)); /* 2 x 0.000001 */
    assert_true(judge(s, 33612345678, "a", &j));  /* 1000 USD */
    assert_true(judge(s, 436601234567, two, &j)); /* by beta, which has no price for it */
    assert_int_equal(planned_costs(s->planned, costs, COUNT_OF(costs)), 2);
    assert_string_equal(costs[0].currency, "EUR");
    assert_int_equal(costs[0].micro, 72502);
    assert_string_equal(planned_money(costs[0].micro, text), "0.072502");
    assert_string_equal(costs[1].currency, "USD");
    assert_string_equal(planned_money(costs[1].micro, text), "1000.00");
    assert_int_equal(s->planned->gateways[1].unpriced, 2);
    assert_int_equal(s->planned->segments, 6);
    assert_string_equal(planned_money(72500, text), "0.0725");
}

static void back_from_json(void **state)
{
    struct fixture *s = *state;
    struct judgement j;
    auto_buf first = {0}, second = {0};

    for (int i = 0; i < 9; i++)
        assert_false(judge(s, 491711234567, NULL, &j));
    assert_true(judge(s, 491711234567, "“quoted” → 😀 “again”", &j));
    assert_true(judge(s, 33612345678, "plain", &j));
    assert_int_equal(s->planned->character_count, 4);
    assert_int_equal(s->planned->characters[0].code, 0x201c);
    assert_int_equal(s->planned->characters[0].messages, 1);
    assert_int_equal(s->planned->reasons[0].count, 9);
    assert_int_equal(s->planned->reasons[0].example_count, PLANNED_EXAMPLES);
    assert_string_equal(s->planned->reasons[0].examples[0].key, "contract 17, number +49********67");
    planned_encode(s->planned, &first);
    assert_null(strstr(first.data, "491711234567"));
    struct planned *again = planned_decode(first.data, first.len);
    assert_non_null(again);
    planned_encode(again, &second);
    assert_string_equal(first.data, second.data);
    planned_free(again);
    assert_null(planned_decode("{}", 2));
    assert_null(planned_decode("{\"v\":1", 6));
    assert_null(planned_decode("[]", 2));
}

/* The gateway depends on rule and number alone, and many numbers share as the weights say. */
static void shares(void **state)
{
    struct conf_route two[] = {{.gateway = WORD("alpha"), .weight = 3},
                               {.gateway = WORD("beta"), .weight = 1}};
    size_t alpha = 0;

    for (int64_t n = 491700000000; n < 491700020000; n++) {
        char *chosen[ROUTE_MAX], *again[ROUTE_MAX];
        assert_int_equal(route_choose(two, 2, route_share("due", n), n, chosen), 2);
        assert_int_equal(route_choose(two, 2, route_share("due", n), n, again), 2);
        assert_ptr_equal(chosen[0], again[0]);
        alpha += strcmp(chosen[0], "alpha") == 0;
    }
    assert_in_range(alpha, 14700, 15300);
}

static void bad_prices(void **state)
{
    static const char *const bad[] = {
        "", ".5", "1.", "1.2.3", "-1", "0.0000001", "1000.000001", "1e3", "99999999999999999999"};
    int64_t micro;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(conf_price_micro(bad[i], &micro));
    assert_true(conf_price_micro("1000", &micro));
    assert_int_equal(micro, 1000000000);
    assert_true(conf_price_micro("0.000001", &micro));
    assert_int_equal(micro, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(money, set_up, tear_down),
        cmocka_unit_test_setup_teardown(back_from_json, set_up, tear_down),
        cmocka_unit_test(shares),
        cmocka_unit_test(bad_prices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

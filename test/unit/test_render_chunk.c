/* What becomes of one body: texts by gateway and lane, a step for each row that cannot be rendered, dead
 * letters for what cannot be read; and that nothing of a row's own stands in an error. */
#include "lib/record.h"
#include "render/chunk.h"
#include "render/text.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DAY_ID (INT64_C(2515) << 36)
#define NOW_MS INT64_C(1769847330123)

static struct conf_route routes[] = {
    {.gateway = (char[]){"alpha"}, .weight = 1},
    {.gateway = (char[]){"beta"}, .weight = 1, .prefixes = {.items = (char *[]){(char[]){"44"}}, .count = 1}},
};
static struct conf_route narrow[] = {
    {.gateway = (char[]){"beta"}, .weight = 1, .prefixes = {.items = (char *[]){(char[]){"44"}}, .count = 1}},
};
static struct conf_rule rules[] = {
    {.name = (char[]){"due"},
     .file = (char[]){"conf/rules/due.yaml"},
     .sender = (char[]){""},
     .routes = routes,
     .route_count = 2},
    {.name = (char[]){"uk"},
     .file = (char[]){"conf/rules/uk.yaml"},
     .sender = (char[]){"BANK"},
     .routes = narrow,
     .route_count = 1},
};
#define TEMPLATE(n, t)                                                                                       \
    {                                                                                                        \
        .name = (char[]){n}, .file = (char[]){"conf/templates/" n ".liquid"}, .class = (char[]){"service"},  \
        .text = (char[]){t}, .text_line = 4, .version = (char[]){"0011223344556677"},                        \
        .time_zone = (char[]){"UTC"}, .currency_decimal = (char[]){","}, .currency_group = (char[])          \
        {                                                                                                    \
            "."                                                                                              \
        }                                                                                                    \
    }
static struct conf_template templates[] = {
    TEMPLATE("due", "Dear {{ name }},\n{{ amount | money }} € until {{ day | date: '%d.%m.' }}"),
    TEMPLATE("maybe", "{{ name | default: '' }}"),
    {
        .name = (char[]){"ruled"},
        .file = (char[]){"conf/templates/ruled.liquid"},
        .class = (char[]){"service"},
        .text = (char[]){"“{{ name }}”"},
        .text_line = 9,
        .version = (char[]){"8899aabbccddeeff"},
        .time_zone = (char[]){"UTC"},
        .currency_decimal = (char[]){""},
        .currency_group = (char[]){""},
        .max_segments = 1,
        .smart = true,
        .footer = (char[]){"ACME"},
        .sender = (char[]){"ACME"},
        .forbidden = {.items = (char *[]){(char[]){"loan"}}, .count = 1},
    },
};
static struct conf conf = {.rules = rules,
                           .rule_count = 2,
                           .templates = templates,
                           .template_count = 3,
                           .main.broker.update_shards = 1};
static struct plan_template compiled[3];
static struct plan plan = {.conf = &conf, .templates = compiled};

static int set_up(void **state)
{
    struct template_error e;

    for (size_t i = 0; i < 3; i++) {
        compiled[i].conf = &templates[i];
        assert_int_equal(
            template_compile(templates[i].text, strlen(templates[i].text), 4, &compiled[i].compiled, &e), 0);
    }
    compiled[2].rules = text_rules_new(&templates[2]);
    return 0;
}

static int tear_down(void **state)
{
    for (size_t i = 0; i < 3; i++)
        template_free(compiled[i].compiled);
    text_rules_free(compiled[2].rules);
    return 0;
}

#define ROW(id, number, rule, tmpl, rest, row)                                                               \
    "{\"sms_id\":" #id ",\"number\":" #number ",\"run\":7,\"rule\":\"" rule "\",\"tmpl\":\"" tmpl            \
    "\",\"valid_until\":1769850000000" rest ",\"row\":" row "}"
#define CHUNK(records) "{\"v\":1,\"kind\":\"rows\",\"records\":[" records "]}"
#define GOOD           "{\"name\":\"Jo Secret\",\"amount\":\"1234.5\",\"day\":\"2026-02-01\"}"

static struct outputs run(const char *body)
{
    struct outputs o;

    assert_int_equal(render_body(&plan, body, strlen(body), NOW_MS, &o), 0);
    return o;
}

static struct chunk *decode(const struct output *o)
{
    struct chunk *c;
    char *why = NULL;

    assert_int_equal(chunk_decode(o->body, o->len, &c, &why), 0);
    assert_int_equal(c->bad_count, 0);
    return c;
}

static void texts(void **state)
{
    struct outputs o = run(CHUNK(ROW(172838486507521, 491711234567, "due", "due", "", GOOD) "," ROW(
        172838486507522, 447911123456, "due", "due", ",\"lane\":\"instant\"",
        GOOD) "," ROW(172838486507523, 491711234568, "due", "due", ",\"lane\":\"bulk\"",
                      GOOD) "," ROW(172838486507524, 447911123457, "uk", "due", "", GOOD)));

    assert_int_equal(o.count, 3);
    assert_int_equal(o.texts, 4);
    assert_int_equal(o.errors + o.bad, 0);
    assert_string_equal(o.items[0].queue, "sms.dispatch.alpha.bulk");
    assert_string_equal(o.items[1].queue, "sms.dispatch.beta.instant");
    assert_string_equal(o.items[2].queue, "sms.dispatch.beta.bulk");

    auto_chunk alpha = decode(&o.items[0]);
    assert_int_equal(alpha->kind, RECORD_TEXTS);
    assert_int_equal(alpha->count, 2);
    const struct text_record *t = &alpha->texts[0];
    assert_true(t->sms_id == INT64_C(172838486507521) && t->number == INT64_C(491711234567) && t->run == 7);
    assert_string_equal(t->text, "Dear Jo Secret,\n1.234,50 € until 01.02.");
    assert_string_equal(t->encoding, "gsm7");
    assert_int_equal(t->segments, 1);
    assert_null(t->sender);
    assert_null(t->lane);
    assert_string_equal(t->class, "service");
    assert_string_equal(t->version, "0011223344556677");
    assert_true(t->valid_until == INT64_C(1769850000000));
    assert_int_equal(t->route.count, 1);
    assert_string_equal(t->route.items[0], "alpha");
    assert_int_equal(t->passed_on.count, 0);
    assert_string_equal(alpha->texts[1].lane, "bulk");

    auto_chunk instant = decode(&o.items[1]);
    assert_string_equal(instant->texts[0].lane, "instant");
    assert_int_equal(instant->texts[0].route.count, 2);
    assert_string_equal(instant->texts[0].route.items[1], "alpha");
    auto_chunk uk = decode(&o.items[2]);
    assert_string_equal(uk->texts[0].sender, "BANK");
    outputs_deinit(&o);
}

static void errors(void **state)
{
    static const struct {
        const char *reason, *error;
    } wanted[] = {
        {"template", "conf/templates/due.liquid:4:9: no column 'name', did you mean 'nmae'?"},
        {"template", "conf/templates/due.liquid:5:4: column 'amount' is NULL and has no default"},
        {"template", "conf/templates/due.liquid:5:13: 'money' reads a plain decimal number such as 1234.5"},
        {"empty_text", "conf/templates/maybe.liquid:4: the text is empty"},
        {"unknown_rule", "there is no rule 'dew' in the configuration"},
        {"unknown_template", "there is no template 'dew' in the configuration"},
        {"no_route", "conf/rules/uk.yaml: no entry of the route fits this number"},
    };
    struct outputs o = run(CHUNK(
        ROW(172838486507521, 491711234567, "due", "due", "", GOOD) "," ROW(172838486507522, 491711234567, "due", "due", "", "{\"nmae\":\"Jo\",\"amount\":\"1\",\"day\":\"2026-02-01\"}") "," ROW(
            172838486507523, 491711234567, "due", "due", "",
            "{\"name\":\"Jo\",\"amount\":null,\"day\":\"2026-02-01\"}") "," ROW(172838486507524, 491711234567,
                                                                                "due", "due", "",
                                                                                "{\"name\":\"Jo\",\"amount\":"
                                                                                "\"secret\",\"day\":\"2026-"
                                                                                "02-"
                                                                                "01\"}") "," ROW(172838486507525,
                                                                                                 491711234567,
                                                                                                 "due",
                                                                                                 "maybe", "",
                                                                                                 "{\"name\":"
                                                                                                 "null}") "," ROW(172838486507526,
                                                                                                                  491711234567,
                                                                                                                  "dew",
                                                                                                                  "due",
                                                                                                                  "",
                                                                                                                  GOOD) "," ROW(172838486507527,
                                                                                                                                491711234567,
                                                                                                                                "due",
                                                                                                                                "dew",
                                                                                                                                "",
                                                                                                                                GOOD) "," ROW(172838486507528,
                                                                                                                                              491711234567,
                                                                                                                                              "uk",
                                                                                                                                              "due",
                                                                                                                                              ",\"lane\":\"instant\"",
                                                                                                                                              GOOD) "," ROW(172838486507529,
                                                                                                                                                            491711234567,
                                                                                                                                                            "due",
                                                                                                                                                            "due",
                                                                                                                                                            "",
                                                                                                                                                            GOOD)));

    assert_int_equal(o.count, 2);
    assert_int_equal(o.texts, 2);
    assert_int_equal(o.errors, COUNT_OF(wanted));
    assert_int_equal(o.items[1].kind, OUTPUT_STEPS);
    assert_string_equal(o.items[1].queue, "sms.update.0");
    auto_chunk c = decode(&o.items[1]);
    assert_int_equal(c->count, COUNT_OF(wanted));
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        const struct step_record *s = &c->steps[i];
        assert_int_equal(s->step, STEP_OUTCOME);
        assert_string_equal(s->state, "render_error");
        assert_string_equal(s->reason, wanted[i].reason);
        assert_string_equal(s->error, wanted[i].error);
        assert_true(s->at == NOW_MS && s->number == INT64_C(491711234567));
        assert_null(strstr(s->error, "secret"));
    }
    assert_string_equal(c->steps[0].seq_id, "172838486507522.1.0");
    assert_string_equal(c->steps[0].version, "0011223344556677");
    assert_null(c->steps[5].version);
    assert_string_equal(c->steps[6].lane, "instant");
    outputs_deinit(&o);
}

/* A message that belongs to no configured rule brings its route and sender. */
static void own_route(void **state)
{
    struct outputs o = run(CHUNK(ROW(
        5, 491711234567, "inbound-reply", "maybe",
        ",\"lane\":\"instant\",\"sender\":\"22922\",\"route\":[\"beta\",\"alpha\"]", "{\"name\":\"ok\"}")));
    assert_int_equal(o.texts, 1);
    assert_int_equal(o.errors, 0);
    assert_int_equal(o.count, 1);
    assert_string_equal(o.items[0].queue, "sms.dispatch.beta.instant");
    assert_non_null(strstr(o.items[0].body, "\"sender\":\"22922\""));
    assert_non_null(strstr(o.items[0].body, "\"route\":[\"beta\",\"alpha\"]"));
    outputs_deinit(&o);
    o = run(CHUNK(ROW(5, 491711234567, "inbound-reply", "maybe", "", "{\"name\":\"ok\"}")));
    assert_int_equal(o.errors, 1); /* neither a rule nor a route */
    outputs_deinit(&o);
}

static void too_long(void **state)
{
    auto_buf body = {0};
    const char *row = ROW(172838486507522, 491711234567, "due", "maybe", "", "{\"name\":\"");

    buf_add_str(&body, "{\"v\":1,\"kind\":\"rows\",\"records\":[");
    buf_add(&body, row, strlen(row) - 1);
    for (int i = 0; i < 39016; i++)
        buf_add_char(&body, 'x');
    buf_add_str(&body, "\"}}]}");
    struct outputs o = run(body.data);
    assert_int_equal(o.errors, 1);
    auto_chunk c = decode(&o.items[0]);
    assert_string_equal(c->steps[0].reason, "text_too_long");
    outputs_deinit(&o);
}

static void dead(void **state)
{
    static const char *const whole[] = {"", "no json", "{\"v\":1,\"kind\":\"nothing\",\"records\":[]}",
                                        "{\"v\":1,\"kind\":\"steps\",\"records\":[]}"};

    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        struct outputs o = run(whole[i]);
        assert_int_equal(o.count, 1);
        assert_int_equal(o.items[0].kind, OUTPUT_DEAD);
        assert_string_equal(o.items[0].queue, MQ_QUEUE_DEAD);
        assert_int_equal(o.items[0].len, strlen(whole[i]));
        assert_memory_equal(o.items[0].body, whole[i], strlen(whole[i]));
        assert_true(strlen(o.items[0].dead_why) > 0);
        outputs_deinit(&o);
    }
}

static void dead_records(void **state)
{
    struct outputs o =
        run(CHUNK(ROW(172838486507521, 491711234567, "due", "due", "", GOOD) ",{\"sms_id\":5}," ROW(
            172838486507522, 491711234567, "due", "due", ",\"lane\":\"fast\"", GOOD)));

    assert_int_equal(o.count, 3);
    assert_int_equal(o.texts, 1);
    assert_int_equal(o.bad, 2);
    size_t letters = 0;
    for (size_t i = 0; i < o.count; i++) {
        if (o.items[i].kind != OUTPUT_DEAD)
            continue;
        letters++;
        assert_int_equal(strncmp(o.items[i].body, "{\"v\":1,\"kind\":\"rows\",\"records\":[{", 33), 0);
        assert_true(strlen(o.items[i].dead_why) > 0);
    }
    assert_int_equal(letters, 2);
    outputs_deinit(&o);
}

static void newer(void **state)
{
    const char *body = "{\"v\":2,\"kind\":\"rows\",\"records\":[]}";
    struct outputs o;

    assert_int_equal(render_body(&plan, body, strlen(body), NOW_MS, &o), RENDER_NEWER);
    assert_int_equal(o.count, 0);
}

/* A body that has grown large is ended, whatever the chunk's size: the publisher's window holds. */
static void large(void **state)
{
    auto_buf body = {0};
    size_t texts_seen = 0, bodies = 0;

    chunk_begin(&body, RECORD_ROWS);
    for (int i = 0; i < 20000; i++) {
        const char *row = ROW(172838486507521, 491711234567, "due", "due", "", GOOD);
        chunk_add_raw(&body, row, strlen(row));
    }
    chunk_end(&body);
    struct outputs o = run(body.data);
    for (size_t i = 0; i < o.count; i++) {
        auto_chunk c = decode(&o.items[i]);
        assert_true(o.items[i].len < RENDER_BODY_BYTES + JUDGE_TEXT_BYTES_MAX);
        texts_seen += c->count;
        bodies++;
    }
    assert_int_equal(texts_seen, 20000);
    assert_true(bodies > 5);
    outputs_deinit(&o);
}

/* A body of the instant lane holds few texts: dispatch's prefetch counts bodies. */
static void instant_bodies(void **state)
{
    auto_buf body = {0};
    const char *row = ROW(172838486507521, 491711234567, "due", "due", ",\"lane\":\"instant\"", GOOD);
    size_t texts_seen = 0;

    chunk_begin(&body, RECORD_ROWS);
    for (int i = 0; i < 2 * RENDER_INSTANT_RECORDS + 1; i++)
        chunk_add_raw(&body, row, strlen(row));
    chunk_end(&body);
    struct outputs o = run(body.data);
    assert_int_equal(o.count, 3);
    for (size_t i = 0; i < o.count; i++) {
        auto_chunk c = decode(&o.items[i]);
        assert_string_equal(o.items[i].queue, "sms.dispatch.alpha.instant");
        assert_in_range(c->count, 1, RENDER_INSTANT_RECORDS);
        texts_seen += c->count;
    }
    assert_int_equal(texts_seen, 2 * RENDER_INSTANT_RECORDS + 1);
    outputs_deinit(&o);
}

/* A template's text rules: footer and smart make the text, what breaks a rule is that row's error. */
static void text_rules(void **state)
{
    auto_buf body = {0};
    char many[200];

    memset(many, 'x', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    buf_addf(&body,
             CHUNK(ROW(172838486507521, 491711234567, "due", "ruled", "", "{\"name\":\"Jo’s\"}") "," ROW(
                 172838486507522, 491711234567, "due", "ruled", "",
                 "{\"name\":\"a LOAN!\"}") "," ROW(172838486507523, 491711234567, "due", "ruled", "",
                                                   "{\"name\":\"%s\"}")),
             many);
    struct outputs o = run(body.data);
    assert_int_equal(o.texts, 1);
    assert_int_equal(o.errors, 2);
    auto_chunk texts_chunk = decode(&o.items[0]);
    auto_chunk errors = decode(&o.items[1]);
    assert_string_equal(texts_chunk->texts[0].text, "\"Jo's\" ACME");
    assert_string_equal(texts_chunk->texts[0].encoding, "gsm7");
    assert_string_equal(texts_chunk->texts[0].sender, "ACME");
    assert_string_equal(errors->steps[0].reason, "forbidden_word");
    assert_string_equal(errors->steps[0].error,
                        "conf/templates/ruled.liquid:9: the text has the forbidden word 'loan'");
    assert_string_equal(errors->steps[1].reason, "text_too_long");
    assert_string_equal(errors->steps[1].version, "8899aabbccddeeff");
    outputs_deinit(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),          cmocka_unit_test(text_rules), cmocka_unit_test(errors),
        cmocka_unit_test(own_route),      cmocka_unit_test(too_long),   cmocka_unit_test(dead),
        cmocka_unit_test(dead_records),   cmocka_unit_test(newer),      cmocka_unit_test(large),
        cmocka_unit_test(instant_bodies),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

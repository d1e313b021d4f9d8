/* Requests on demand: each with the problems that it must have, the record that a good one becomes, the digest that tells
 * two requests apart and not two ways of writing one, rates, and whose key it is. */
#include "extract/asked_internal.h"
#include "extract/door_job.h"
#include "lib/clock.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#define NOW   INT64_C(1769846400000) /* 2026-01-31T08:00:00Z */
#define HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" /* SHA-256 of "hello" */

static char dir[] = "/tmp/smschain-asked-XXXXXX";
static struct asked_conf *conf;
static const struct conf_caller *shop;

static void write_file(const char *name, const char *text)
{
    auto_free char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static const char gateway[] = "rate: 10\nwindow: 10\nrequest:\n  url: \"http://g/{{ number }}/{{ text }}\"\nanswer:\n  - {status: 200, is: accepted, msg_id: body}\n";

static int set_up(void **state)
{
    struct conf *c = NULL;
    auto_buf report = {0};

    assert_non_null(mkdtemp(dir));
    auto_free char *command = xasprintf("cd %s && mkdir templates gateways callers", dir);
    assert_int_equal(system(command), 0);
    write_file("smschain.yaml", "country_code: \"49\"\ndatabase:\n  conninfo: dbname=x\nbroker:\n  host: h\n"
                                "extract:\n  door_caller: shop\n");
    write_file("gateways/alpha.yaml", gateway);
    write_file("gateways/beta.yaml", gateway);
    write_file("gateways/gamma.yaml", gateway);
    write_file("templates/code.liquid", "---\nclass: code\n---\nYour code is {{ code }}.{{ hint | default: \"\" }}\n");
    write_file("templates/secret.liquid", "---\nclass: service\n---\nNobody may\n");
    write_file("templates/offer.liquid",
               "---\nclass: marketing\nmax_segments: 1\nforbidden: [casino]\n---\n{{ text }} ({{ price | money }})\n");
    write_file("templates/free.liquid", "---\nclass: service\nmax_segments: 1\nforbidden: [casino]\n---\n{{ text }}\n");
    write_file("callers/shop.yaml",
               "key_hashes: [" HELLO "]\nbroker_user: shop-user\ndaily_cap: 50\nrate: 10\ntemplates: [code, offer]\n"
               "text_template: free\nlanes: [instant, bulk]\nsender: Shop\nvalid_for_max: 2h\nsend_at_max: 1d\n"
               "route:\n  - gateway: alpha\n  - gateway: beta\n    prefixes: [\"49\"]\n  - gateway: gamma\n    prefixes: [\"43\"]\n");
    write_file("callers/strict.yaml",
               "broker_user: strict-user\ndaily_cap: 1\ntemplates: [code]\nroute:\n  - gateway: alpha\n    prefixes: [\"49\"]\n");
    if (conf_load(dir, "extract", &c, &report) < 0)
        fail_msg("%s", report.data);
    struct confhold *hold = confhold_new(c);
    conf = asked_conf_new(hold, &report);
    assert_non_null(conf);
    confhold_unref(hold);
    shop = conf_caller(asked_conf_conf(conf), "shop");
    return 0;
}

static int tear_down(void **state)
{
    auto_free char *command = xasprintf("rm -rf %s", dir);

    asked_conf_unref(conf);
    return system(command);
}

static struct asked *read_as(const struct conf_caller *caller, const char *text, const char *key, struct asked_problems *p)
{
    struct json_object *request = NULL;
    auto_free char *why = NULL;

    if (asked_parse(text, strlen(text), &request, &why) < 0)
        fail_msg("%s: %s", text, why);
    struct asked *a = asked_read(conf, caller, request, key, NOW, p);
    json_object_put(request);
    return a;
}

/* "422 too_short /recipient; 403 …", "" for none. */
static char *problems_of(const struct conf_caller *caller, const char *text, const char *key)
{
    struct asked_problems p;
    struct asked *a = read_as(caller, text, key, &p);
    auto_buf b = {0};

    for (size_t i = 0; i < p.count; i++)
        buf_addf(&b, "%s%u %s %s", i ? "; " : "", p.items[i].status, p.items[i].type, p.items[i].pointer);
    assert_int_equal(p.count == 0, a->record != NULL);
    asked_problems_deinit(&p);
    asked_free(a);
    buf_add_str(&b, "");
    return buf_take(&b, NULL);
}

#define TO   "\"recipient\":\"+491711234567\""
#define CODE TO ",\"template\":\"code\",\"params\":{\"code\":\"1\"}"
#define TEXT TO ",\"text\":\"Hello\""

static const struct {
    const char *request, *problems;
} cases[] = {
    {"{" CODE "}", ""},
    {"{" TEXT "}", ""},
    {"{\"recipient\":\"0171 1234567\",\"text\":\"x\",\"lane\":\"bulk\",\"ext_id\":\"o-1\"}", ""},
    {"{" TO ",\"template\":\"code\",\"params\":{\"code\":12,\"hint\":null,\"more\":true,\"x\":1.50}}", ""},
    {"{" TEXT ",\"lane\":null,\"params\":null,\"template\":null}", ""},
    {"[]", "422 wrong_type "},
    {"\"x\"", "422 wrong_type "},
    {"{}", "422 missing_member /recipient; 422 missing_member "},
    {"{" CODE ",\"recipent\":1,\"a/b~c\":2}", "422 unknown_member /recipent; 422 unknown_member /a~1b~0c"},
    {"{\"recipient\":491711234567,\"text\":\"x\"}", "422 wrong_type /recipient"},
    {"{\"recipient\":\"hello\",\"text\":\"x\"}", "422 letters /recipient"},
    {"{\"recipient\":\"+4917\",\"text\":\"x\"}", "422 too_short /recipient"},
    {"{\"recipient\":\"\",\"text\":\"x\"}", "422 empty /recipient"},
    {"{" TO ",\"text\":5}", "422 wrong_type /text"},
    {"{" TO ",\"text\":\"a\\u0000b\"}", "422 wrong_type /text"},
    {"{" TO ",\"text\":\"\"}", "422 empty_text /text"},
    {"{" TO ",\"text\":\" \\n \"}", "422 empty_text /text"},
    {"{" TO ",\"text\":\"our Casino\"}", "422 forbidden_word /text"},
    {"{" CODE ",\"text\":\"x\"}", "422 template_and_text /text"},
    {"{" TEXT ",\"params\":{}}", "422 text_and_params /params"},
    {"{" TO ",\"template\":\"cdoe\"}", "422 unknown_template /template"},
    {"{" TO ",\"template\":\"secret\"}", "403 template_not_allowed /template"},
    {"{" TO ",\"template\":\"code\"}", "422 missing_parameter /params/code"},
    {"{" TO ",\"template\":\"offer\",\"params\":{}}", "422 missing_parameter /params/text; 422 missing_parameter /params/price"},
    {"{" TO ",\"template\":\"offer\",\"params\":{\"text\":\"x\",\"price\":\"cheap\"}}", "422 template /params"},
    {"{" TO ",\"template\":\"code\",\"params\":{\"code\":null}}", "422 template /params"},
    {"{" TO ",\"template\":\"code\",\"params\":{\"code\":[1]}}", "422 wrong_type /params/code"},
    {"{" TO ",\"template\":\"code\",\"params\":{\"code\":123456789012345678901234567890}}",
     "422 wrong_type /params/code"},
    {"{" TO ",\"template\":\"code\",\"params\":[\"code\"]}", "422 wrong_type /params; 422 missing_parameter /params/code"},
    {"{" CODE ",\"lane\":\"fast\"}", "422 unknown_lane /lane"},
    {"{" CODE ",\"valid_for\":\"2h\"}", ""},
    {"{" CODE ",\"valid_for\":\"3h\"}", "422 valid_for /valid_for"},
    {"{" CODE ",\"valid_for\":\"10ms\"}", "422 valid_for /valid_for"},
    {"{" CODE ",\"valid_for\":600}", "422 valid_for /valid_for"},
    {"{" CODE ",\"send_at\":\"2026-01-31T18:00:00+01:00\"}", ""},
    {"{" CODE ",\"send_at\":\"2026-01-31T07:55:00Z\"}", ""},
    {"{" CODE ",\"send_at\":\"2026-01-31T07:50:00Z\"}", "422 send_at /send_at"},
    {"{" CODE ",\"send_at\":\"2026-02-01T08:00:01Z\"}", "422 send_at /send_at"},
    {"{" CODE ",\"send_at\":\"tomorrow\"}", "422 send_at /send_at"},
    {"{" CODE ",\"send_at\":\"2026-01-31T18:00:00Z\\u0000x\",\"valid_for\":\"10m\\u0000x\",\"route\":[\"alpha\\u0000x\"]}",
     "422 valid_for /valid_for; 422 send_at /send_at; 422 unknown_gateway /route/0"},
    {"{" CODE ",\"send_at\":\"2026-01-31 18:00:00\"}", "422 send_at /send_at"},
    {"{" CODE ",\"route\":[\"beta\",\"alpha\"]}", ""},
    {"{" CODE ",\"route\":[\"delta\",7]}", "422 unknown_gateway /route/0; 422 unknown_gateway /route/1"},
    {"{" CODE ",\"route\":[\"gamma\"]}", "422 no_route /route"},
    {"{" CODE ",\"route\":[]}", "422 no_route /route"},
    {"{" CODE ",\"route\":\"alpha\"}", "422 wrong_type /route"},
    {"{" CODE ",\"ext_id\":\"\"}", "422 ext_id /ext_id"},
    {"{" CODE ",\"ext_id\":\"1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890x\"}",
     "422 ext_id /ext_id"},
};

static void requests_and_their_problems(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        auto_free char *problems = problems_of(shop, cases[i].request, "k");
        if (strcmp(problems, cases[i].problems) != 0)
            fail_msg("%s\n  has: %s\n  not: %s", cases[i].request, problems, cases[i].problems);
    }
}

static void what_a_caller_may_not(void **state)
{
    const struct conf_caller *strict = conf_caller(asked_conf_conf(conf), "strict");
    auto_free char *text = problems_of(strict, "{" TEXT "}", "k"), *lane = problems_of(strict, "{" CODE ",\"lane\":\"bulk\"}", "k"),
                   *ahead = problems_of(strict, "{" CODE ",\"send_at\":\"2026-01-31T08:00:01Z\"}", "k"),
                   *route = problems_of(strict, "{\"recipient\":\"+436601234567\",\"template\":\"code\",\"params\":{\"code\":1}}", "k");

    assert_string_equal(text, "403 text_not_allowed /text");
    assert_string_equal(lane, "403 lane_not_allowed /lane");
    assert_string_equal(ahead, "422 send_at /send_at");
    assert_string_equal(route, "422 no_route /recipient");
}

/* Neither the recipient, nor a parameter, nor a text is in what is said, and no folder of this machine. */
static void problems_hold_no_values(void **state)
{
    static const char *const requests[] = {
        "{\"recipient\":\"4711-0815-geheim\",\"template\":\"code\",\"params\":{\"code\":{\"geheim\":1}},\"lane\":\"geheim\",\"valid_for\":\"geheim\","
        "\"send_at\":\"geheim\",\"route\":[\"geheim\"],\"ext_id\":5}",
        "{" TO ",\"template\":\"offer\",\"params\":{\"text\":\"geheim\",\"price\":\"geheim\"}}",
        "{" TO ",\"text\":\"geheim casino\"}"};

    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        struct asked_problems p;
        struct asked *a = read_as(shop, requests[i], "k", &p);
        assert_true(p.count > 0);
        for (size_t k = 0; k < p.count; k++)
            if (strstr(p.items[k].detail, "geheim") || strstr(p.items[k].detail, "0815") || strstr(p.items[k].detail, dir))
                fail_msg("says %s", p.items[k].detail);
        asked_problems_deinit(&p);
        asked_free(a);
    }
}

static void a_good_one_becomes_a_record(void **state)
{
    struct asked_problems p;
    struct asked *a = read_as(shop,
                              "{" TO ",\"template\":\"code\",\"params\":{\"code\":12,\"ok\":false,\"none\":null,\"x\":1.50},"
                              "\"valid_for\":\"5m\",\"send_at\":\"2026-01-31T09:00:00Z\",\"route\":[\"beta\",\"alpha\"],\"ext_id\":\"o-1\"}",
                              "k", &p);
    auto_buf chunk_body = {0};
    auto_chunk chunk = NULL;
    auto_free char *why = NULL;

    assert_int_equal(p.count, 0);
    assert_int_equal(a->number, 491711234567);
    assert_true(a->instant && !a->marketing);
    assert_int_equal(a->due_ms, NOW + 3600000);
    assert_int_equal(a->until_ms, NOW + 3600000 + 300000);
    assert_int_equal(a->cap, 50);
    assert_string_equal(a->ext_id, "o-1");
    auto_free char *record = xasprintf("{\"sms_id\":1,\"number\":491711234567,\"run\":7%s", a->record);
    chunk_begin(&chunk_body, RECORD_ROWS);
    chunk_add_raw(&chunk_body, record, strlen(record));
    chunk_end(&chunk_body);
    assert_int_equal(chunk_decode(chunk_body.data, chunk_body.len, &chunk, &why), 0);
    assert_int_equal(chunk->count, 1);
    const struct row_record *row = &chunk->rows[0];
    assert_string_equal(row->rule, "api:shop");
    assert_string_equal(row->tmpl, "code");
    assert_string_equal(row->lane, "instant");
    assert_string_equal(row->sender, "Shop");
    assert_int_equal(row->valid_until, a->until_ms);
    assert_int_equal(row->route.count, 2);
    assert_string_equal(row->route.items[0], "beta");
    assert_string_equal(row->route.items[1], "alpha");
    assert_int_equal(row->row.count, 4);
    assert_string_equal(row->row.cells[0].value, "12");
    assert_string_equal(row->row.cells[1].value, "false");
    assert_null(row->row.cells[2].value);
    assert_string_equal(row->row.cells[3].value, "1.50");
    asked_free(a);
}

static void one_that_is_due_already_leaves_at_once(void **state)
{
    struct asked_problems p;
    struct asked *a = read_as(shop, "{" CODE ",\"send_at\":\"2026-01-31T07:58:00Z\"}", "k", &p);

    assert_int_equal(a->due_ms, 0);
    assert_int_equal(a->until_ms, NOW - 120000 + 600000); /* valid_for counts from send_at */
    asked_problems_deinit(&p);
    asked_free(a);
}

static void digest(const char *text, uint8_t out[KEY_SIZE])
{
    struct json_object *v = NULL;
    auto_free char *why = NULL;

    assert_int_equal(asked_parse(text, strlen(text), &v, &why), 0);
    asked_body_digest(v, out);
    json_object_put(v);
}

static void digest_of_a_body(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"{\"a\":1,\"b\":{\"c\":[1,2],\"d\":null}}", " {\n\"b\" : { \"d\":null, \"c\":[ 1,2 ]}, \"a\":1 }\n", true},
        {"{\"a\":\"\\u00e4/\"}", "{\"a\":\"\xc3\xa4\\/\"}", true},
        {"{\"a\":1}", "{\"a\":\"1\"}", false},
        {"{\"a\":1}", "{\"a\":2}", false},
        {"{\"a\":1}", "{\"b\":1}", false},
        {"{\"a\":[1,2]}", "{\"a\":[2,1]}", false},
        {"{\"a\":[[],1]}", "{\"a\":[[1]]}", false},
        {"{\"a\":{\"b\":1},\"c\":2}", "{\"a\":{\"b\":1,\"c\":2}}", false},
        {"{\"a\":null}", "{}", false},
        {"{\"a\":\"s1:b\"}", "{\"a\":\"s1:c\"}", false},
    };

    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        uint8_t a[KEY_SIZE], b[KEY_SIZE];
        digest(pairs[i].a, a);
        digest(pairs[i].b, b);
        if ((memcmp(a, b, KEY_SIZE) == 0) != pairs[i].same)
            fail_msg("%s and %s are %s", pairs[i].a, pairs[i].b, pairs[i].same ? "not the same" : "the same");
    }
}

static void bodies_that_are_no_json(void **state)
{
    static const char *const bodies[] = {
        "", " ", "{", "{\"a\":1}x", "{\"a\":1}{}", "{\"a\":'1'}", "{\"a\":\"\xff\"}", "nul", "null", "{\"a\":1,}", "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
        /* numbers that are none */
        "{\"a\":01}", "{\"a\":-01}", "{\"a\":1.}", "{\"a\":1.e5}", "{\"a\":.5}", "{\"a\":+1}", "{\"a\":-}", "{\"a\":NaN}", "{\"a\":Infinity}",
        "{\"a\":-Infinity}", "[1,NaN]",
        /* no UTF-8: an overlong form, a surrogate, beyond the last character */
        "{\"a\":\"\xc0\xaf\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xf5\x80\x80\x80\"}", "{\"\xc0\xaf\":1}",
        /* control characters */
        "{\"a\":\"\t\"}", "{\"a\":\"\n\"}", "{\"a\x01\":1}",
        /* a name that json-c would cut, and names that are there twice */
        "{\"a\\u0000b\":1}", "{\"c\":{\"a\\u0000\" :1}}", "{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":2}", "{\"b\":[{\"a\":{},\"a\":{}}]}",
        "{\"a\":{\"b\":1},\"a\":{}}"};

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct json_object *v = NULL;
        char *why = NULL;
        if (asked_parse(bodies[i], strlen(bodies[i]), &v, &why) == 0)
            fail_msg("'%s' was read", bodies[i]);
        assert_null(v);
        free(why);
    }
    struct json_object *v = NULL;
    char *why = NULL;
    assert_int_equal(asked_parse("{}\0", 3, &v, &why), -EINVAL);
    free(why);
    assert_int_equal(asked_parse("{}\n \r\t", 6, &v, &why), 0);
    json_object_put(v);
}

static void bodies_that_are_json(void **state)
{
    static const char *const bodies[] = {"7", "true", "\"x\"", "[null]", "{\"a:.NI\":\"b:.NaN Infinity \\\" 1.\",\"a\":[{\"a\":-0.5e+3},{\"a\":[]}]}",
                                         "{\"\\\\u0000\":1}", "{\"a\":\"\\u0000\",\"b\":\"\\\\\"}", "{\"a\":\"\\ud83d\\ude00 \xf0\x9f\x98\x80\"}",
                                         "{\"a\":true,\"b\":null,\"c\":1E5}"};

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct json_object *v = NULL;
        auto_free char *why = NULL;
        if (asked_parse(bodies[i], strlen(bodies[i]), &v, &why) != 0)
            fail_msg("'%s': %s", bodies[i], why);
        json_object_put(v);
    }
}

static void keys(void **state)
{
    const struct conf_caller *strict = conf_caller(asked_conf_conf(conf), "strict");
    struct asked_problems p[6];
    struct asked *same = read_as(shop, "{" CODE "}", "k", &p[0]), *again = read_as(shop, "{" TEXT "}", "k", &p[1]),
                 *other = read_as(shop, "{" CODE "}", "l", &p[2]), *theirs = read_as(strict, "{" CODE "}", "k", &p[3]),
                 *none = read_as(shop, "{" CODE "}", NULL, &p[4]), *none_again = read_as(shop, "{" CODE "}", NULL, &p[5]);

    assert_true(asked_same_key(same, again));
    assert_false(asked_same_key(same, other));
    assert_false(asked_same_key(same, theirs));
    assert_false(asked_same_key(none, none_again));
    struct asked *all[] = {same, again, other, theirs, none, none_again};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        asked_problems_deinit(&p[i]);
        asked_free(all[i]);
    }
    auto_free char *empty = problems_of(shop, "{" CODE "}", ""), *control = problems_of(shop, "{" CODE "}", "a\nb");
    assert_string_equal(empty, "422 idempotency_key ");
    assert_string_equal(control, "422 idempotency_key ");
}

static void whose_it_is(void **state)
{
    assert_ptr_equal(asked_caller_by_key(conf, "hello"), shop);
    assert_null(asked_caller_by_key(conf, "hello "));
    assert_null(asked_caller_by_key(conf, HELLO));
    assert_null(asked_caller_by_key(conf, ""));
    assert_string_equal(asked_caller_by_user(conf, "strict-user")->name, "strict");
    assert_null(asked_caller_by_user(conf, "strict"));
    assert_ptr_equal(asked_caller_by_user(conf, NULL), shop); /* door_caller */
}

static void rates(void **state)
{
    const struct conf_caller *strict = conf_caller(asked_conf_conf(conf), "strict");
    struct asked_rates *r = asked_rates_new();

    for (int i = 0; i < 10; i++)
        assert_int_equal(asked_rate_take(r, shop, 1, 1000), 0);
    assert_in_range(asked_rate_take(r, shop, 1, 1000), 100, 101);
    assert_int_equal(asked_rate_take(r, strict, 1, 1000), 0); /* each caller has its own */
    assert_int_equal(asked_rate_take(r, shop, 1, 1101), 0);
    assert_int_equal(asked_rate_take(r, shop, 30, 2101), 0);  /* a batch above a second's worth goes when that is there */
    assert_in_range(asked_rate_take(r, shop, 1, 2101), 2100, 2110);
    assert_int_equal(asked_rate_take(r, shop, 1, 4300), 0);
    asked_rates_free(r);
}

/* ---- the door's bodies ---- */

static char *door_reads(const char *body, const char *user, const char *message_id)
{
    LIST_HEAD(, door_job) jobs = LIST_HEAD_INITIALIZER(jobs);
    struct door_job *j = xcalloc(1, sizeof(*j));
    char *why = NULL, *ret;
    auto_buf dead = {0};

    LIST_INSERT_HEAD(&jobs, j, link);
    j->delivery = (struct mq_delivery){
        .body = xstrdup(body), .len = strlen(body), .user = xstrdup(user), .message_id = xstrdup(message_id)};
    if (door_job_read(j, conf, "smschain_extract", &why) != 0) {
        ret = why;
    } else if (j->task_id) {
        ret = xasprintf("task %s of %s", j->task_id, j->caller);
    } else {
        door_job_dead_body(j, &dead);
        ret = buf_take(&dead, NULL);
    }
    door_job_free(j);
    return ret;
}

static void door_bodies(void **state)
{
    static const char given_back[] = "{\"v\":1,\"kind\":\"request\",\"caller\":\"strict\",\"key\":\"k\",\"request\":{\"a\":1}}";
    static const struct {
        const char *body, *user, *message_id, *is;
    } bodies[] = {
        {"{\"a\": 1}", "strict-user", "k", given_back},
        {given_back, "smschain_extract", NULL, given_back},
        {given_back, "smschain_extract", "5", given_back},
        {given_back, NULL, "x", "{\"v\":1,\"kind\":\"request\",\"caller\":\"shop\",\"key\":\"x\",\"request\":{\"v\":1,\"kind\":\"request\","
                                "\"caller\":\"strict\",\"key\":\"k\",\"request\":{\"a\":1}}}"},
        {"{}", "nobody", "k", "no caller's broker_user is 'nobody'"},
        {"{}", "strict-user", NULL, "the message has no message-id, which is its idempotency key: the queue may bring it twice"},
        {"{\"task_id\":\"t-1\"}", "strict-user", NULL, "task t-1 of strict"},
        {"{\"task_id\":1}", "strict-user", "k", "a task's sign: expected {\"task_id\": \"…\"} and nothing else"},
        {"{\"task_id\":\"t-1\\u0000x\"}", "strict-user", "k", "a task's sign: expected {\"task_id\": \"…\"} and nothing else"},
        {"{\"kind\":\"request\"}", "smschain_extract", "k", "it was given back without 'caller', 'key' or 'request'"},
        {"{\"kind\":\"request\",\"caller\":\"gone\",\"key\":\"k\",\"request\":{}}", "smschain_extract", "k", "there is no caller gone any more"},
        {"{", "strict-user", "k", "no JSON: it ends too early at byte 1"},
    };

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        auto_free char *is = door_reads(bodies[i].body, bodies[i].user, bodies[i].message_id);
        assert_string_equal(is, bodies[i].is);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_and_their_problems),
        cmocka_unit_test(what_a_caller_may_not),
        cmocka_unit_test(problems_hold_no_values),
        cmocka_unit_test(a_good_one_becomes_a_record),
        cmocka_unit_test(one_that_is_due_already_leaves_at_once),
        cmocka_unit_test(digest_of_a_body),
        cmocka_unit_test(bodies_that_are_no_json),
        cmocka_unit_test(bodies_that_are_json),
        cmocka_unit_test(keys),
        cmocka_unit_test(whose_it_is),
        cmocka_unit_test(rates),
        cmocka_unit_test(door_bodies),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

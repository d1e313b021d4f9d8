/* Submit requests from a gateway's templates: what is asked, what is signed, many messages in one. */
#include "dispatch/submit.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const int64_t numbers[] = {491711234567, 491711234568, 8613800000000};

#define NOW_MS INT64_C(1456231584000) /* 2016-02-23 12:46:24 */

static struct submit_values values(size_t count, const char *text)
{
    static struct submit_message messages[3];
    static const char *const seq_ids[] = {"172802277703680001.1.2", "172802277703680002.1.1",
                                          "172802277703680003.1.1"};
    for (size_t i = 0; i < count; i++)
        messages[i] = (struct submit_message){.number = numbers[i],
                                              .text = text,
                                              .sender = "Bank",
                                              .encoding = "gsm7",
                                              .seq_id = seq_ids[i],
                                              .segments = 2};
    return (struct submit_values){.messages = messages, .count = count, .now_ms = NOW_MS};
}

static struct conf_gateway gateway(const char *method, const char *url, const char *body)
{
    static char name[] = "alpha";
    struct conf_gateway g = {.name = name};
    g.request.method = (char *)(uintptr_t)method;
    g.request.url = (char *)(uintptr_t)url;
    g.request.body = (char *)(uintptr_t)body;
    g.request.url_line = 10;
    g.request.body_line = 20;
    static char separator[] = ",";
    g.request.message_separator = separator;
    return g;
}

static struct submit_template *compiled(const struct conf_gateway *g)
{
    struct submit_template *t = NULL;
    auto_free char *why = NULL;
    if (submit_compile(g, &t, &why) < 0)
        fail_msg("%s", why);
    return t;
}

static void test_list(void **state)
{
    struct conf_gateway g = gateway(
        "GET", "http://ip:8080/send?content={{ text | url_encode }}&mobile={{ numbers | join: \",\" }}", "");
    struct submit_template *t = compiled(&g);
    struct submit_values v = values(3, "50% off & more, é");
    struct request r;
    (void)state;
    submit_init(&r, t);
    assert_int_equal(submit_build(t, &v, &r), 0);
    assert_string_equal(r.url.data, "http://ip:8080/send?content=50%25%20off%20%26%20more%2C%20%C3%A9&mobile="
                                    "491711234567,491711234568,8613800000000");
    assert_false(r.has_body);
    v = values(1, "again"); /* the same buffers */
    assert_int_equal(submit_build(t, &v, &r), 0);
    assert_string_equal(r.url.data, "http://ip:8080/send?content=again&mobile=491711234567");
    request_deinit(&r);
    submit_template_free(t);
}

static void test_json(void **state)
{
    struct conf_pair pairs[] = {
        {(char[]){"Content-Type"}, (char[]){"application/json"}, 5},
        {(char[]){"X-Ref"}, (char[]){"{{ seq_id }}/{{ segments }}/{{ encoding }}"}, 6}};
    struct conf_gateway g =
        gateway("POST", "http://ip/v2",
                "{\"to\":\"+{{ number }}\",\"from\":{{ sender | json }},\"text\":{{ text | json }}}");
    (void)state;
    g.request.headers = (struct conf_map){pairs, 2};
    struct submit_template *t = compiled(&g);
    struct submit_values v = values(1, "say \"hi\"\n\\");
    struct request r;
    submit_init(&r, t);
    assert_int_equal(submit_build(t, &v, &r), 0);
    assert_string_equal(r.method, "POST");
    assert_string_equal(r.body.data,
                        "{\"to\":\"+491711234567\",\"from\":\"Bank\",\"text\":\"say \\\"hi\\\"\\n\\\\\"}");
    assert_string_equal(r.headers[0].data, "Content-Type: application/json");
    assert_string_equal(r.headers[1].data, "X-Ref: 172802277703680001.1.2/2/gsm7");
    assert_string_equal(r.header_lines[1], r.headers[1].data);
    request_deinit(&r);
    submit_template_free(t);
}

/* A text must not be able to begin a header or end the request line. */
static void test_refused_values(void **state)
{
    struct conf_pair pairs[] = {{(char[]){"X-Text"}, (char[]){"{{ text }}"}, 5}};
    struct conf_gateway g = gateway("GET", "http://ip/{{ sender | url_encode }}", ""),
                        raw = gateway("GET", "http://ip/?t={{ text }}", "");
    struct request r;
    (void)state;
    g.request.headers = (struct conf_map){pairs, 1};
    struct submit_template *t = compiled(&g), *u = compiled(&raw);
    submit_init(&r, t);
    struct submit_values v = values(1, "a\r\nX-Evil: 1");
    assert_int_equal(submit_build(t, &v, &r), -EINVAL);
    assert_null(strstr(r.error, "Evil")); /* it names no value */
    v = values(1, "fine");
    assert_int_equal(submit_build(t, &v, &r), 0);
    request_deinit(&r);
    submit_init(&r, u);
    v = values(1, "two words");
    assert_int_equal(submit_build(u, &v, &r), -EINVAL);
    v = values(1, "x HTTP/1.1\r\n\r\n");
    assert_int_equal(submit_build(u, &v, &r), -EINVAL);
    request_deinit(&r);
    submit_template_free(t);
    submit_template_free(u);
}

static void test_too_long(void **state)
{
    struct conf_gateway g = gateway("GET", "http://ip/?t={{ text | url_encode }}", "");
    struct submit_template *t = compiled(&g);
    struct request r;
    auto_free char *text = xmalloc(REQUEST_URL_MAX + 1);
    (void)state;
    memset(text, 'x', REQUEST_URL_MAX);
    text[REQUEST_URL_MAX] = '\0';
    struct submit_values v = values(1, text);
    submit_init(&r, t);
    assert_int_equal(submit_build(t, &v, &r), -EINVAL);
    request_deinit(&r);
    submit_template_free(t);
}

static void test_wrong_templates(void **state)
{
    static const char *const wrong[] = {"http://ip/{{ mobile }}", "http://ip/{{ text",
                                        "http://ip/{{ text | upcsae }}"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct conf_gateway g = gateway("GET", wrong[i], "");
        struct submit_template *t = NULL;
        auto_free char *why = NULL;
        assert_true(submit_compile(&g, &t, &why) < 0);
        assert_non_null(strstr(why, "line 10"));
    }
}

/* ---- signatures: the expected ones are another implementation's (the provider's example, Python's hmac)
 * ---- */

static struct conf_pair *pair(struct conf_pair *p, const char *key, const char *value)
{
    *p = (struct conf_pair){.key = (char *)(uintptr_t)key, .value = (char *)(uintptr_t)value, .line = 30};
    return p;
}

static struct conf_sign sign(int algorithm, enum digest_form form, const char *key, const char *text)
{
    return (struct conf_sign){.algorithm = algorithm,
                              .form = form,
                              .key = (char *)(uintptr_t)key,
                              .text = (char *)(uintptr_t)text,
                              .text_line = 40};
}

static void test_signed_parameters(void **state)
{
    static const char *const rows[][2] = {{"Version", "2014-05-26"},
                                          {"Action", "DescribeRegions"},
                                          {"Timestamp", "{{ \"now\" | date: \"%Y-%m-%dT%H:%M:%SZ\" }}"},
                                          {"SignatureNonce", "{{ nonce }}"},
                                          {"SignatureMethod", "HMAC-SHA1"},
                                          {"SignatureVersion", "1.0"},
                                          {"AccessKeyId", "testid"},
                                          {"Format", "XML"}};
    struct conf_pair pairs[COUNT_OF(rows)];
    struct conf_gateway g =
        gateway("GET", "http://ip/?{{ parameters }}&Signature={{ signature | url_encode }}", "");
    struct request r;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        pair(&pairs[i], rows[i][0], rows[i][1]);
    g.request.parameters = (struct conf_map){pairs, COUNT_OF(rows)};
    g.sign = sign(DIGEST_SHA1 | CONF_SIGN_KEYED, DIGEST_BASE64, "testsecret&",
                  "GET&{{ \"/\" | url_encode }}&{{ parameters | url_encode }}");
    struct submit_template *t = compiled(&g);
    struct submit_values v = values(1, "x");
    v.nonce = "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf";
    submit_init(&r, t);
    assert_int_equal(submit_build(t, &v, &r), 0);
    assert_string_equal(
        r.url.data,
        "http://ip/"
        "?AccessKeyId=testid&Action=DescribeRegions&Format=XML&SignatureMethod=HMAC-SHA1&SignatureNonce="
        "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf&SignatureVersion=1.0&Timestamp=2016-02-23T12%3A46%3A24Z&"
        "Version="
        "2014-05-26&Signature=OLeaidS1JvxuMvnyHOwuJ%2BuX5qY%3D");
    v.nonce = NULL; /* another one each time */
    assert_int_equal(submit_build(t, &v, &r), 0);
    auto_free char *first = xstrdup(r.url.data);
    assert_int_equal(submit_build(t, &v, &r), 0);
    assert_string_not_equal(r.url.data, first);
    request_deinit(&r);
    submit_template_free(t);
}

static void test_signed_body(void **state)
{
    struct conf_pair headers[2];
    struct conf_gateway g = gateway("POST", "https://ip:8443/v1/send?b=2", "{\"to\":\"{{ number }}\"}");
    struct request r;
    (void)state;
    pair(&headers[0], "X-Timestamp", "{{ timestamp }}");
    pair(&headers[1], "X-Signature", "v1={{ signature }}");
    g.request.headers = (struct conf_map){headers, 2};
    g.sign = sign(DIGEST_SHA256 | CONF_SIGN_KEYED, DIGEST_HEX, "k1", "{{ timestamp }}.{{ body }}");
    struct submit_template *t = compiled(&g);
    struct submit_values v = values(1, "x");
    submit_init(&r, t);
    assert_int_equal(submit_build(t, &v, &r), 0);
    assert_string_equal(r.header_lines[0], "X-Timestamp: 1456231584");
    assert_string_equal(r.header_lines[1],
                        "X-Signature: v1=23d703f03de8a0c98641768380d502364dcec68218708e570298175dca073e93");
    request_deinit(&r);
    submit_template_free(t);

    g.sign = sign(DIGEST_SHA256 | CONF_SIGN_KEYED, DIGEST_HEX, "",
                  "{{ method }} {{ url }} {{ host }} {{ path }} {{ query }}{{ 1 | md5 }}");
    t = compiled(&g);
    submit_init(&r, t);
    assert_int_equal(submit_build(t, &v, &r), 0);
    request_deinit(&r);
    submit_template_free(t);
}

/* A plain digest, in the body: what is signed is made before the signature, what holds it after. */
static void test_digest_in_body(void **state)
{
    struct conf_gateway g = gateway("POST", "http://ip/", "text={{ text }}&sign={{ signature }}");
    struct request r;
    (void)state;
    g.sign = sign(DIGEST_MD5, DIGEST_HEX_UPPER, "k1", "{{ key }}{{ text }}");
    struct submit_template *t = compiled(&g);
    struct submit_values v = values(1, "hello");
    submit_init(&r, t);
    assert_int_equal(submit_build(t, &v, &r), 0);
    assert_string_equal(r.body.data, "text=hello&sign=E4281CC971F2441F194E9686FE2021E7");
    request_deinit(&r);
    submit_template_free(t);
}

static void test_wrong_signatures(void **state)
{
    static const struct {
        const char *url, *body, *text, *why;
    } rows[] = {
        {"http://ip/{{ signature }}", "", "{{ url }}", "line 40: sign.text: the url holds the signature"},
        {"http://ip/{{ signature }}", "", "{{ query }}", "the url holds the signature"},
        {"http://ip/", "{{ signature }}", "{{ body }}", "the body holds the signature"},
        {"http://ip/", "{{ signature }}", "{{ signature }}", "the signature holds the signature"},
        {"http://ip/", "{{ signature }}", "{{ secret }}", "there is no 'secret' here"},
        {"http://ip/", "{{ key }}", "{{ key }}", "line 20: request.body: there is no 'key' here"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct conf_gateway g = gateway("POST", rows[i].url, rows[i].body);
        struct submit_template *t = NULL;
        auto_free char *why = NULL;
        g.sign = sign(DIGEST_MD5, DIGEST_HEX, "k", rows[i].text);
        assert_true(submit_compile(&g, &t, &why) < 0);
        if (strstr(why, rows[i].why) == NULL)
            fail_msg("%s (wanted: %s)", why, rows[i].why);
    }
}

/* ---- many messages in one ---- */

static void test_messages(void **state)
{
    struct conf_pair header;
    struct conf_gateway g = gateway("POST", "http://ip/", "{\"messages\":[{{ messages }}]}");
    struct request r;
    (void)state;
    pair(&header, "Idempotency-Key", "{{ request_id }}");
    g.request.headers = (struct conf_map){&header, 1};
    g.request.messages_max = 3;
    g.request.message = (char[]){"{\"to\":\"{{ number }}\",\"id\":\"{{ seq_id }}\",\"text\":{{ text | json "
                                 "}},\"of\":\"{{ request_id }}\"}"};
    g.request.message_line = 25;
    struct submit_template *t = compiled(&g);
    struct submit_values v = values(2, "a \"b\"");
    submit_init(&r, t);
    assert_int_equal(submit_build(t, &v, &r), 0);
    assert_string_equal(
        r.body.data,
        "{\"messages\":[{\"to\":\"491711234567\",\"id\":\"172802277703680001.1.2\",\"text\":\"a \\\"b\\\"\","
        "\"of\":\"172802277703680001.1.2\"},{\"to\":\"491711234568\",\"id\":\"172802277703680002.1.1\","
        "\"text\":"
        "\"a \\\"b\\\"\",\"of\":\"172802277703680001.1.2\"}]}");
    assert_string_equal(r.header_lines[0], "Idempotency-Key: 172802277703680001.1.2");
    request_deinit(&r);
    submit_template_free(t);
    g.request.message = (char[]){"{{ numbers }}"};
    auto_free char *why = NULL;
    assert_true(submit_compile(&g, &t, &why) < 0);
    assert_non_null(strstr(why, "line 25: request.message: there is no 'numbers' here"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_list),
                                       cmocka_unit_test(test_json),
                                       cmocka_unit_test(test_refused_values),
                                       cmocka_unit_test(test_too_long),
                                       cmocka_unit_test(test_wrong_templates),
                                       cmocka_unit_test(test_signed_parameters),
                                       cmocka_unit_test(test_signed_body),
                                       cmocka_unit_test(test_digest_in_body),
                                       cmocka_unit_test(test_wrong_signatures),
                                       cmocka_unit_test(test_messages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Requests from a gateway's templates. */
#include "dispatch/request.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const int64_t numbers[] = {491711234567, 491711234568, 8613800000000};

static struct request_values values(size_t count, const char *text)
{
    return (struct request_values){.numbers = numbers,
                                   .number_count = count,
                                   .text = text,
                                   .sender = "Bank",
                                   .encoding = "gsm7",
                                   .seq_id = "172802277703680001.1.2",
                                   .segments = 2};
}

static struct conf_gateway gateway(const char *method, const char *url, const char *body)
{
    struct conf_gateway g = {.name = (char[]){"alpha"}};
    g.request.method = (char *)(uintptr_t)method;
    g.request.url = (char *)(uintptr_t)url;
    g.request.body = (char *)(uintptr_t)body;
    g.request.url_line = 10;
    g.request.body_line = 20;
    return g;
}

static struct request_template *compiled(const struct conf_gateway *g)
{
    struct request_template *t = NULL;
    auto_free char *why = NULL;
    if (request_compile(g, &t, &why) < 0)
        fail_msg("%s", why);
    return t;
}

static void test_list(void **state)
{
    struct conf_gateway g = gateway(
        "GET", "http://ip:8080/send?content={{ text | url_encode }}&mobile={{ numbers | join: \",\" }}", "");
    struct request_template *t = compiled(&g);
    struct request_values v = values(3, "50% off & more, é");
    struct request r;
    (void)state;
    request_init(&r, t);
    assert_int_equal(request_build(t, &v, &r), 0);
    assert_string_equal(r.url.data, "http://ip:8080/send?content=50%25%20off%20%26%20more%2C%20%C3%A9&mobile="
                                    "491711234567,491711234568,8613800000000");
    assert_false(r.has_body);
    v = values(1, "again"); /* the same buffers */
    assert_int_equal(request_build(t, &v, &r), 0);
    assert_string_equal(r.url.data, "http://ip:8080/send?content=again&mobile=491711234567");
    request_deinit(&r);
    request_template_free(t);
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
    struct request_template *t = compiled(&g);
    struct request_values v = values(1, "say \"hi\"\n\\");
    struct request r;
    request_init(&r, t);
    assert_int_equal(request_build(t, &v, &r), 0);
    assert_string_equal(r.method, "POST");
    assert_string_equal(r.body.data,
                        "{\"to\":\"+491711234567\",\"from\":\"Bank\",\"text\":\"say \\\"hi\\\"\\n\\\\\"}");
    assert_string_equal(r.headers[0].data, "Content-Type: application/json");
    assert_string_equal(r.headers[1].data, "X-Ref: 172802277703680001.1.2/2/gsm7");
    assert_string_equal(r.header_lines[1], r.headers[1].data);
    request_deinit(&r);
    request_template_free(t);
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
    struct request_template *t = compiled(&g), *u = compiled(&raw);
    request_init(&r, t);
    struct request_values v = values(1, "a\r\nX-Evil: 1");
    assert_int_equal(request_build(t, &v, &r), -EINVAL);
    assert_null(strstr(r.error, "Evil")); /* it names no value */
    v = values(1, "fine");
    assert_int_equal(request_build(t, &v, &r), 0);
    request_deinit(&r);
    request_init(&r, u);
    v = values(1, "two words");
    assert_int_equal(request_build(u, &v, &r), -EINVAL);
    v = values(1, "x HTTP/1.1\r\n\r\n");
    assert_int_equal(request_build(u, &v, &r), -EINVAL);
    request_deinit(&r);
    request_template_free(t);
    request_template_free(u);
}

static void test_too_long(void **state)
{
    struct conf_gateway g = gateway("GET", "http://ip/?t={{ text | url_encode }}", "");
    struct request_template *t = compiled(&g);
    struct request r;
    auto_free char *text = xmalloc(REQUEST_URL_MAX + 1);
    (void)state;
    memset(text, 'x', REQUEST_URL_MAX);
    text[REQUEST_URL_MAX] = '\0';
    struct request_values v = values(1, text);
    request_init(&r, t);
    assert_int_equal(request_build(t, &v, &r), -EINVAL);
    request_deinit(&r);
    request_template_free(t);
}

static void test_wrong_templates(void **state)
{
    static const char *const wrong[] = {"http://ip/{{ mobile }}", "http://ip/{{ text",
                                        "http://ip/{{ text | upcsae }}"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct conf_gateway g = gateway("GET", wrong[i], "");
        struct request_template *t = NULL;
        auto_free char *why = NULL;
        assert_true(request_compile(&g, &t, &why) < 0);
        assert_non_null(strstr(why, "line 10"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_list), cmocka_unit_test(test_json),
                                       cmocka_unit_test(test_refused_values), cmocka_unit_test(test_too_long),
                                       cmocka_unit_test(test_wrong_templates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

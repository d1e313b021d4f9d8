/* Who may post: credentials, signatures (known answers of RFC 4231 among them), and whose request it is
 * behind proxies. */
#include "callback/auth.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Configuration is not const, and nobody writes to these. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wincompatible-pointer-types-discards-qualifiers"
#else
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"
#endif

struct headers {
    const char *name, *value;
    const char *name_2, *value_2;
};

static const char *header(const void *arg, const char *name)
{
    const struct headers *h = arg;
    if (h->name && strcmp(h->name, name) == 0)
        return h->value;
    return h->name_2 && strcmp(h->name_2, name) == 0 ? h->value_2 : NULL;
}

static bool head(const struct conf_auth *a, const char *token, const char *name, const char *value)
{
    struct headers h = {.name = name, .value = value};
    struct auth_request r = {.token = token, .header = header, .arg = &h};
    return auth_head(a, &r);
}

static void tokens(void **state)
{
    struct conf_auth one = {.token = "long-enough"}, two = {.token = "long-enough", .token_2 = "next-token"};
    struct conf_auth in_header = {.token = "long-enough", .token_header = "X-Token"};
    assert_true(head(&one, "long-enough", NULL, NULL));
    assert_false(head(&one, "long-enoug", NULL, NULL));
    assert_false(head(&one, "long-enoughx", NULL, NULL));
    assert_false(head(&one, "", NULL, NULL));
    assert_false(head(&one, NULL, NULL, NULL));
    assert_true(head(&two, "long-enough", NULL, NULL));
    assert_true(head(&two, "next-token", NULL, NULL));
    assert_false(head(&two, "", NULL, NULL));
    assert_true(head(&in_header, NULL, "X-Token", "long-enough"));
    assert_true(head(&in_header, "", "X-Token", "Bearer long-enough"));
    assert_false(head(&in_header, "long-enough", NULL, NULL)); /* in the address it is in everybody's log */
    assert_false(head(&in_header, "other", "X-Token", "long-enough"));
}

static void basic(void **state)
{
    struct conf_auth a = {.user = "alpha", .password = "pass:word", .password_2 = "the-next"};
    assert_true(head(&a, NULL, "Authorization", "Basic YWxwaGE6cGFzczp3b3Jk"));
    assert_true(head(&a, NULL, "Authorization", "basic YWxwaGE6dGhlLW5leHQ="));
    assert_false(head(&a, NULL, "Authorization", "Basic YWxwaGE6dGhlLW5leHQ"));
    assert_false(head(&a, NULL, "Authorization", "Basic YWxwaGE="));
    assert_false(head(&a, NULL, "Authorization", "Basic Og=="));
    assert_false(head(&a, NULL, "Authorization", "Basic "));
    assert_false(head(&a, NULL, "Authorization", "Bearer YWxwaGE6cGFzczp3b3Jk"));
    assert_false(head(&a, NULL, "Authorization", "Basic !!!!"));
    assert_false(head(&a, NULL, NULL, NULL));
    assert_false(head(&a, "stray", "Authorization", "Basic YWxwaGE6cGFzczp3b3Jk"));
}

static const char *sign(const struct conf_auth *a, const char *signature, const char *at, const char *body)
{
    struct headers h = {.name = "X-Signature", .value = signature, .name_2 = "X-Timestamp", .value_2 = at};
    struct auth_request r = {.header = header,
                             .arg = &h,
                             .body = body,
                             .body_len = strlen(body),
                             .query = "a=b",
                             .query_len = 3,
                             .at = INT64_C(1769847300000)};
    return auth_signature(a, &r);
}

/* RFC 4231, test case 2: key "Jefe", data "what do ya want for nothing?" */
#define RFC_BODY "what do ya want for nothing?"
#define RFC_HEX  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
static void signatures(void **state)
{
    struct conf_auth bare = {.hmac = {.secret = "Jefe",
                                      .header = "X-Signature",
                                      .timestamp_header = "",
                                      .signs = "{body}",
                                      .encoding = "hex"}};
    assert_null(sign(&bare, RFC_HEX, NULL, RFC_BODY));
    assert_null(sign(&bare, "sha256=5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843", NULL,
                     RFC_BODY));
    assert_non_null(sign(&bare, RFC_HEX, NULL, RFC_BODY " "));
    assert_non_null(sign(&bare, "5bdc", NULL, RFC_BODY));
    assert_non_null(sign(&bare, RFC_HEX "00", NULL, RFC_BODY));
    assert_non_null(sign(&bare, "", NULL, RFC_BODY));
    assert_non_null(sign(&bare, NULL, NULL, RFC_BODY));
    bare.hmac.encoding = "base64";
    assert_null(sign(&bare, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=", NULL, RFC_BODY));
    assert_non_null(sign(&bare, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM", NULL, RFC_BODY));
    assert_non_null(sign(&bare, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEN=", NULL, RFC_BODY "x"));
    bare.hmac.secret = "another!";
    bare.hmac.secret_2 = "Jefe";
    assert_null(sign(&bare, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=", NULL, RFC_BODY));
    struct conf_auth none = {.token = "x"};
    assert_null(sign(&none, NULL, NULL, RFC_BODY));
}

/* The pieces of `signs` make one run of bytes: the same data in two pieces is signed alike. */
static void timestamps(void **state)
{
    struct conf_auth a = {.hmac = {.secret = "Jefe",
                                   .header = "X-Signature",
                                   .timestamp_header = "X-Timestamp",
                                   .signs = "{timestamp}.{body}",
                                   .encoding = "hex",
                                   .tolerance_ms = 300000}};
    /* printf '1769847300.hi' | openssl dgst -sha256 -hmac Jefe */
    const char *now = "299ac5eb1ffc18effaaa877435fbe893d85c397f0e7d07601171250664077bc1",
               *old = "a63d1fdea22ababd58c958d8d952cc8de8b1b06c78b844575977c6c6791ed067",
               *query = "a239889da49389284d0ef866b10199b8e6d84ec3107cf23385f385f3f108282a";
    assert_null(sign(&a, now, "1769847300", "hi"));
    assert_non_null(sign(&a, now, "1769847301", "hi")); /* signed for another moment */
    assert_string_equal(sign(&a, old, "1769846999", "hi"),
                        "its timestamp is further from our clock than auth.hmac.tolerance");
    a.hmac.tolerance_ms = 301000;
    assert_null(sign(&a, old, "1769846999", "hi"));
    assert_false(auth_covers_query(&a));
    a.hmac.signs = "{timestamp}?{query}.{body}";
    assert_true(auth_covers_query(&a));
    assert_null(sign(&a, query, "1769847300", "hi"));
}

static void check_from(const char *peer, const char *forwarded, bool rfc7239, const char *wanted)
{
    struct network trusted[3];
    struct address from, at;
    char text[ADDRESS_TEXT_SIZE];
    assert_true(network_parse("10.0.0.0/8", &trusted[0]) && network_parse("127.0.0.1", &trusted[1]) &&
                network_parse("2001:db8:1::/48", &trusted[2]));
    assert_true(address_parse(peer, strlen(peer), &from));
    at = address_behind(&from, forwarded, rfc7239, trusted, 3);
    assert_string_equal(address_text(&at, text), wanted);
}

static void forwarded(void **state)
{
    check_from("192.0.2.1", "198.51.100.7", false,
               "192.0.2.1"); /* whoever is not trusted may write what he likes */
    check_from("10.0.0.1", NULL, false, "10.0.0.1");
    check_from("10.0.0.1", "", false, "10.0.0.1");
    check_from("10.0.0.1", "198.51.100.7", false, "198.51.100.7");
    check_from("10.0.0.1", "1.2.3.4, 198.51.100.7", false, "198.51.100.7");
    check_from("10.0.0.1", "1.2.3.4, 198.51.100.7 , 10.9.9.9,127.0.0.1", false, "198.51.100.7");
    check_from("10.0.0.1", "10.0.0.2, 10.0.0.3", false, "10.0.0.2");
    check_from("10.0.0.1", "198.51.100.7, unknown", false, "unknown");
    check_from("10.0.0.1", "198.51.100.7,", false, "unknown");
    check_from("10.0.0.1", "198.51.100.7:4711", false, "198.51.100.7");
    check_from("2001:db8:1::5", "[2001:db8:2::7]:4711", false, "2001:db8:2::7");
    check_from("::ffff:10.0.0.1", "2001:db8:2::7", false, "2001:db8:2::7");
    check_from("10.0.0.1", "for=198.51.100.7;proto=https", true, "198.51.100.7");
    check_from("10.0.0.1", "for=1.2.3.4, by=x; For=\"[2001:db8:2::7]:99\"", true, "2001:db8:2::7");
    check_from("10.0.0.1", "for=198.51.100.7, for=10.1.1.1", true, "198.51.100.7");
    check_from("10.0.0.1", "for=_hidden", true, "unknown");
    check_from("10.0.0.1", "198.51.100.7", true, "unknown");
}

static void networks(void **state)
{
    struct network n;
    struct address a;
    static const char *const wrong[] = {"",
                                        "10.0.0.1/8",
                                        "10.0.0.0/33",
                                        "10.0.0.0/",
                                        "10.0.0.0/x",
                                        "10.0.0.0/8x",
                                        "2001:db8::1/32",
                                        "2001:db8::/129",
                                        "10.0.0",
                                        "fe80::1%eth0",
                                        "/8",
                                        "10.0.0.0/-1"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (network_parse(wrong[i], &n))
            fail_msg("'%s' was taken for a network", wrong[i]);
    }
    assert_true(network_parse("192.0.2.128/25", &n));
    assert_true(address_parse("192.0.2.200", 11, &a) && network_has(&n, &a));
    assert_true(address_parse("192.0.2.100", 11, &a) && !network_has(&n, &a));
    assert_true(network_parse("0.0.0.0/0", &n) && network_has(&n, &a));
    assert_true(address_parse("2001:db8::1", 11, &a) && !network_has(&n, &a)); /* all of IPv4 is not IPv6 */
    assert_true(network_parse("2001:db8::/33", &n) && network_has(&n, &a));
    assert_true(address_parse("2001:db8:8000::1", 16, &a) && !network_has(&n, &a));
    assert_true(network_parse("::/0", &n));
    assert_false(network_has(&n, &(struct address){0})); /* what is not known is nowhere */
    struct address b;
    assert_true(address_parse("2001:db8:0:1::5", 15, &a) && address_parse("2001:db8:0:1:9::6", 17, &b));
    a = address_counted(&a);
    b = address_counted(&b);
    assert_memory_equal(&a, &b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens),     cmocka_unit_test(basic),     cmocka_unit_test(signatures),
        cmocka_unit_test(timestamps), cmocka_unit_test(forwarded), cmocka_unit_test(networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* lib/http: what each of libcurl's results means, the parts of a URL, and what is said of wrong certificate files. The
 * exchange itself is tested over real sockets by test_gateway and by the service tests. */
#include "lib/http_internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static const struct one_end {
    const char *name;
    CURLcode code;
    unsigned sends;
    bool stopped, too_big;
    long connect_answer;
    enum http_end end;
} ends[] = {
    {"a whole answer", CURLE_OK, 1, false, false, 0, HTTP_ANSWERED},
    {"all is well, but nothing was sent", CURLE_OK, 0, false, false, 0, HTTP_NOT_CONNECTED},
    {"all is well, but it wanted to repeat it", CURLE_OK, 2, false, false, 0, HTTP_LOST},
    {"the repeat was stopped", CURLE_ABORTED_BY_CALLBACK, 2, false, false, 0, HTTP_LOST},
    {"stopped before the first byte", CURLE_ABORTED_BY_CALLBACK, 0, true, false, 0, HTTP_STOPPED},
    {"too much", CURLE_WRITE_ERROR, 1, false, true, 0, HTTP_ANSWER_TOO_BIG},
    {"too much, said before", CURLE_FILESIZE_EXCEEDED, 1, false, false, 0, HTTP_ANSWER_TOO_BIG},
    {"no connection in time", CURLE_OPERATION_TIMEDOUT, 0, false, false, 0, HTTP_TIMEOUT},
    {"no answer in time", CURLE_OPERATION_TIMEDOUT, 1, false, false, 0, HTTP_TIMEOUT},
    {"no such host", CURLE_COULDNT_RESOLVE_HOST, 0, false, false, 0, HTTP_NAME_NOT_FOUND},
    {"no such proxy", CURLE_COULDNT_RESOLVE_PROXY, 0, false, false, 0, HTTP_NAME_NOT_FOUND},
    {"refused", CURLE_COULDNT_CONNECT, 0, false, false, 0, HTTP_NOT_CONNECTED},
    {"the proxy wants a password", CURLE_RECV_ERROR, 0, false, false, 407, HTTP_PROXY_REFUSED},
    {"the proxy cannot reach it", CURLE_RECV_ERROR, 0, false, false, 503, HTTP_PROXY_REFUSED},
    {"cut within the handshake", CURLE_RECV_ERROR, 0, false, false, 0, HTTP_NOT_CONNECTED},
    {"no handshake", CURLE_SSL_CONNECT_ERROR, 0, false, false, 0, HTTP_TLS_FAILED},
    {"no handshake through a tunnel", CURLE_SSL_CONNECT_ERROR, 0, false, false, 200, HTTP_TLS_FAILED},
    {"another's certificate", CURLE_PEER_FAILED_VERIFICATION, 0, false, false, 0, HTTP_TLS_FAILED},
    {"our certificate file", CURLE_SSL_CERTPROBLEM, 0, false, false, 0, HTTP_TLS_FAILED},
    {"our authorities' file", CURLE_SSL_CACERT_BADFILE, 0, false, false, 0, HTTP_TLS_FAILED},
    {"no URL", CURLE_URL_MALFORMAT, 0, false, false, 0, HTTP_BAD_REQUEST},
    {"no protocol of ours", CURLE_UNSUPPORTED_PROTOCOL, 0, false, false, 0, HTTP_BAD_REQUEST},
    {"cut while sending", CURLE_SEND_ERROR, 1, false, false, 0, HTTP_LOST},
    {"closed without an answer", CURLE_GOT_NOTHING, 1, false, false, 0, HTTP_LOST},
    {"half an answer", CURLE_PARTIAL_FILE, 1, false, false, 0, HTTP_LOST},
    {"a TLS alert after the request", CURLE_RECV_ERROR, 1, false, false, 0, HTTP_LOST},
};

static void test_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        const struct one_end *e = &ends[i];
        enum http_end end = http_end_of(e->code, e->sends, e->stopped, e->too_big, e->connect_answer);
        if (end != e->end)
            fail_msg("%s: %s, wanted %s", e->name, http_end_word(end), http_end_word(e->end));
    }
}

/* Whatever libcurl says: an answer is only what came to a request that was sent once. */
static void test_all_codes(void **state)
{
    (void)state;
    for (int code = 0; code < CURL_LAST; code++)
        for (unsigned sends = 0; sends < 4; sends++) {
            enum http_end end = http_end_of((CURLcode)code, sends, false, false, 0);
            assert_true(end != HTTP_ANSWERED || (code == CURLE_OK && sends == 1));
            assert_true(end != HTTP_STOPPED);
            assert_non_null(http_end_word(end));
        }
}

static void test_urls(void **state)
{
    static const struct {
        const char *url, *scheme, *host, *path, *query;
    } rows[] = {
        {"http://a.example", "http", "a.example", "/", ""},
        {"https://a.example:8443/x/y?b=2&a=%20", "https", "a.example:8443", "/x/y", "b=2&a=%20"},
        {"http://user:secret@[::1]:80/?q", "http", "[::1]:80", "/", "q"},
        {"https://a.example/x#part", "https", "a.example", "/x", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct http_url u = {0};
        assert_true(http_url_parse(rows[i].url, &u));
        assert_string_equal(u.scheme, rows[i].scheme);
        assert_string_equal(u.host, rows[i].host);
        assert_string_equal(u.path, rows[i].path);
        assert_string_equal(u.query, rows[i].query);
        http_url_deinit(&u);
    }
    struct http_url none = {0};
    assert_false(http_url_parse("http://", &none));
    assert_false(http_url_parse("http://a b/", &none));
    http_url_deinit(&none);
}

static void assert_refused(const struct conf_http *c, const char *words)
{
    auto_free char *why = NULL;
    assert_int_equal(http_check(c, &why), -EINVAL);
    assert_non_null(why);
    if (strstr(why, words) == NULL)
        fail_msg("%s (wanted: %s)", why, words);
}

static void test_files(void **state)
{
    char path[] = "/tmp/test_http.XXXXXX";
    int fd = mkstemp(path);
    (void)state;
    auto_free char *why = NULL;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "no PEM\n", 7), 7);
    close(fd);
    assert_int_equal(http_check(&(struct conf_http){0}, &why), 0);
    assert_refused(&(struct conf_http){.tls.ca_file = (char[]){"/nowhere/ca.pem"}},
                   "tls.ca_file: /nowhere/ca.pem: No such file or directory");
    assert_refused(&(struct conf_http){.tls.ca_file = path}, "holds no certificate in PEM form");
    assert_refused(&(struct conf_http){.tls.certificate_file = path}, "tls.certificate_file");
    unlink(path);
}

/* A call whose caller stops it, one to nobody, and one that is none: nothing has left in any. */
static bool never(void *arg)
{
    *(int *)arg += 1;
    return false;
}

static void test_client(void **state)
{
    struct http_options o = {.connect_timeout_ms = 1000, .answer_timeout_ms = 2000, .answer_max = 1000};
    struct http_client *c = http_client_new(&o);
    struct http_request r = {.method = "POST", .url = "http://127.0.0.1:1/x", .body = "a", .body_len = 1};
    struct http_result got;
    int asked = 0;
    (void)state;
    http_client_call(c, &r, NULL, NULL, &got);
    assert_int_equal(got.end, HTTP_NOT_CONNECTED);
    assert_int_equal(got.sends, 0);
    assert_true(strlen(got.error) > 0);
    http_client_call(c, &r, never, &asked, &got);
    assert_true(got.end == HTTP_STOPPED || got.end == HTTP_NOT_CONNECTED);
    assert_int_equal(got.sends, 0);
    r.url = "ftp://127.0.0.1/x";
    http_client_call(c, &r, NULL, NULL, &got);
    assert_int_equal(got.end, HTTP_BAD_REQUEST);
    assert_int_equal(got.sends, 0);
    http_client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ends), cmocka_unit_test(test_all_codes),
                                       cmocka_unit_test(test_urls), cmocka_unit_test(test_files),
                                       cmocka_unit_test(test_client)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The HTTP server as its users see it, over real sockets: answers at once and later, what is refused before
 * anybody is asked, streams, deadlines, and its end. */
#include "lib/clock.h"
#include "lib/httpd.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#define SECONDS      10
#define STREAM_BYTES (32 << 20) /* more than the kernel keeps for a client that does not read */

static struct httpd *server;
static atomic_int ended_count, sent_count;
static atomic_int stream_result;   /* of the last write of /stream… */
static struct httpd_request *held; /* by /later */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void say(struct httpd_request *r, unsigned status, const char *text)
{
    static const struct httpd_field field = {"X-Test", "yes"};
    httpd_answer(r, &(struct httpd_answer){.status = status,
                                           .type = "text/plain",
                                           .fields = &field,
                                           .field_count = 1,
                                           .body = text,
                                           .len = strlen(text)});
}

static void *later(void *arg)
{
    say(arg, 200, "later\n");
    return NULL;
}

/* /stream: STREAM_BYTES, waiting for whoever reads; /drip: a line, then nothing until the client goes or the
 * server stops. */
static void *stream(void *arg)
{
    struct httpd_request *r = arg;
    bool drips = strcmp(httpd_path(r), "/drip") == 0;
    char block[4096];
    memset(block, 'x', sizeof(block));
    httpd_stream(r, &(struct httpd_answer){.status = 200, .type = "text/event-stream"});
    int result = drips ? httpd_stream_write(r, "first\n", 6, 1000) : 0;
    for (int i = 0; result == 0 && i < (drips ? 1000 : STREAM_BYTES / (int)sizeof(block)); i++) {
        if (drips)
            usleep(10000);
        result = httpd_stream_write(r, drips ? ":" : block, drips ? 1 : sizeof(block), 2000);
    }
    stream_result = result;
    httpd_stream_end(r);
    return NULL;
}

static void on_thread(void *(*f)(void *), struct httpd_request *r)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, f, r), 0);
    pthread_detach(thread);
}

static void echo(struct httpd_request *r)
{
    auto_buf text = {0}, joined = {0};
    size_t len;
    const char *body = httpd_body(r, &len), *a = httpd_argument(r, "a"), *cookie = httpd_cookie(r, "c"),
               *query = httpd_query(r), *header = httpd_header(r, "x-one");
    httpd_header_joined(r, "X-One", &joined);
    buf_addf(&text, "%s %s query=%s a=%s c=%s one=%s all=%s body=%.*s\n", httpd_method(r), httpd_path(r),
             query ? query : "-", a ? a : "-", cookie ? cookie : "-", header ? header : "-",
             joined.data ? joined.data : "-", (int)len, body);
    say(r, 200, text.data);
}

static void whole(void *arg, struct httpd_request *r)
{
    const char *path = httpd_path(r);
    httpd_set_own(r, xstrdup(path));
    if (strcmp(path, "/thread") == 0) {
        on_thread(later, r);
    } else if (strcmp(path, "/later") == 0) {
        pthread_mutex_lock(&lock);
        held = r;
        pthread_mutex_unlock(&lock);
    } else if (strcmp(path, "/stream") == 0 || strcmp(path, "/drip") == 0) {
        on_thread(stream, r);
    } else if (strcmp(path, "/none") == 0) {
        say(r, 204, "");
    } else {
        echo(r);
    }
}

static bool head(void *arg, struct httpd_request *r)
{
    struct address from;
    const char *forwarded = httpd_header(r, "X-Forwarded-For");
    if (forwarded && address_parse(forwarded, strlen(forwarded), &from) && !httpd_count_request(r, &from)) {
        say(r, 429, "too many\n");
        return true;
    }
    if (strcmp(httpd_path(r), "/forbidden") != 0)
        return false;
    say(r, 403, "no\n");
    return true;
}

static void refuse(void *arg, struct httpd_request *r, unsigned status, const char *error)
{
    auto_free char *text = xasprintf("refused: %s\n", error);
    say(r, status, text);
}

static void ended(void *arg, struct httpd_request *r)
{
    free(httpd_own(r));
    ended_count++;
    sent_count += httpd_was_sent(r);
}

static bool trusted(void *arg, const struct address *peer)
{
    struct network n;
    return network_parse("127.0.0.2", &n) && network_has(&n, peer);
}

static int start(void **state)
{
    const struct httpd_options o = {.listen = "127.0.0.1:0",
                                    .setting = "test.listen",
                                    .connections = 50,
                                    .connections_per_address = 4,
                                    .request_ms = 1000,
                                    .body_bytes = 1000,
                                    .trusted = trusted,
                                    .head = head,
                                    .whole = whole,
                                    .refuse = refuse,
                                    .ended = ended};
    char *why = NULL;
    ended_count = sent_count = 0;
    assert_int_equal(httpd_start(&o, &server, &why), 0);
    return 0;
}

/* NULL: nobody waits. */
static struct httpd_request *take_held(void)
{
    pthread_mutex_lock(&lock);
    struct httpd_request *r = held;
    held = NULL;
    pthread_mutex_unlock(&lock);
    return r;
}

static int stop(void **state)
{
    struct httpd_request *r = take_held(); /* of a test that has failed: what is owed would be waited for */
    if (r)
        say(r, 500, "");
    if (server)
        httpd_stop(server, 2000);
    httpd_free(server);
    server = NULL;
    return 0;
}

/* ---- a client ---- */

static int dial_from(const char *source, int receive_bytes)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    struct timeval limit = {.tv_sec = SECONDS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    inet_pton(AF_INET, source, &from.sin_addr);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    to.sin_port = htons((uint16_t)httpd_port(server));
    if (receive_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static int dial(void)
{
    return dial_from("127.0.0.1", 0);
}

static void write_all(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until `wanted` stands in it, or the end. */
static void read_until(int fd, const char *wanted, struct buf *ret)
{
    char some[65536];
    ssize_t n;
    buf_clear(ret);
    buf_add(ret, "", 0);
    while (!(ret->data && wanted && strstr(ret->data, wanted)) && (n = recv(fd, some, sizeof(some), 0)) > 0)
        buf_add(ret, some, (size_t)n);
}

static void expect(int fd, const char *request, const char *first, const char *last)
{
    auto_buf got = {0};
    write_all(fd, request);
    read_until(fd, last, &got);
    if (!got.data || !strstr(got.data, first) || !strstr(got.data, last))
        fail_msg("%s\nwas answered\n%s", request, got.data ? got.data : "nothing");
}

static void expect_end(int fd)
{
    char some[100];
    while (recv(fd, some, sizeof(some), 0) > 0)
        ;
    close(fd);
}

static bool becomes(atomic_int *what, int wanted)
{
    for (int64_t until_ms = clock_mono_ms() + SECONDS * 1000; clock_mono_ms() < until_ms;) {
        if (*what == wanted)
            return true;
        usleep(2000);
    }
    return *what == wanted;
}

/* ---- the cases ---- */

static void answers(void **state)
{
    int fd = dial();
    expect(fd,
           "GET /a%20b?a=1%2B+2&b HTTP/1.1\r\nHost: x\r\nCookie: b=1; c=see\r\nX-One: 1\r\nx-one: 2\r\n\r\n",
           "X-Test: yes", "GET /a b query=a=1%2B+2&b a=1+ 2 c=see one=1 all=1,2 body=\n");
    expect(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200",
           "POST / query=- a=- c=- one=- all=- body=hello\n");
    for (int i = 0; i < 50; i++)
        expect(fd, "GET /thread HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "later\n");
    expect(fd, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 204", "\r\n\r\n");
    expect(fd, "GET /?a=1%002 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", " a=- ");
    close(fd);
    assert_true(becomes(&ended_count, 54));
    assert_int_equal(sent_count, 54);
    assert_int_equal(httpd_figures(server).answered[2], 54);
}

static void refuses(void **state)
{
    static const struct {
        const char *request, *answer;
    } cases[] = {
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 400"},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400"},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na", "HTTP/1.1 400"},
        {"GET /forbidden%00 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400"},
        {"POST /forbidden HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n", "HTTP/1.1 403"},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n",
         "refused: it is longer than test.body_bytes (1000 bytes)"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int fd = dial();
        auto_buf got = {0};
        write_all(fd, cases[i].request);
        read_until(fd, NULL, &got); /* where a body may follow that nobody has read, the connection ends */
        close(fd);
        if (!got.data || !strstr(got.data, cases[i].answer) || !strcasestr(got.data, "connection: close"))
            fail_msg("%s\nwas answered\n%s", cases[i].request, got.data ? got.data : "nothing");
    }
}

static void a_slow_client_has_a_deadline_and_a_slow_server_has_not(void **state)
{
    int slow = dial(), waits = dial();
    int64_t began_ms = clock_mono_ms();
    char c;
    write_all(waits, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    write_all(slow, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
    while (clock_mono_ms() - began_ms < SECONDS * 1000) {
        if (send(slow, "a", 1, MSG_NOSIGNAL) < 0 || recv(slow, &c, 1, MSG_DONTWAIT) == 0)
            break;
        usleep(100000);
    }
    assert_in_range(clock_mono_ms() - began_ms, 900, 5000);
    close(slow);
    usleep(500000); /* past the deadline of the other one, were it the client's */
    say(take_held(), 200, "at last\n");
    auto_buf got = {0};
    read_until(waits, "at last\n", &got);
    assert_non_null(strstr(got.data, "at last"));
    close(waits);
    assert_int_equal(httpd_figures(server).too_slow, 1);
}

static void one_address_has_its_share(void **state)
{
    int held_fd[5], behind[5];
    for (int i = 0; i < 4; i++) {
        held_fd[i] = dial();
        expect(held_fd[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "body=\n");
    }
    expect_end(dial()); /* the fifth */
    for (int i = 0; i < 4; i++) {
        behind[i] = dial_from("127.0.0.2", 0);
        write_all(behind[i],
                  "POST / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Length: 1\r\n\r\n");
    }
    int fd;
    bool full = false;
    for (int64_t until_ms = clock_mono_ms() + 900;
         !full && clock_mono_ms() < until_ms;) { /* until all four heads are read */
        auto_buf got = {0};
        fd = dial_from("127.0.0.2", 0);
        write_all(fd, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
        read_until(fd, NULL, &got); /* one request a connection, where others share it */
        close(fd);
        full = got.data && strstr(got.data, "HTTP/1.1 429");
    }
    assert_true(full);
    fd = dial_from("127.0.0.2", 0);
    expect(fd, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n", "HTTP/1.1 200", "body=\n");
    close(fd);
    for (int i = 0; i < 4; i++) {
        close(held_fd[i]);
        close(behind[i]);
    }
}

static void streams(void **state)
{
    auto_buf got = {0};
    int fd = dial_from("127.0.0.1", 4096);
    stream_result = 1;
    write_all(fd, "GET /stream HTTP/1.0\r\nHost: x\r\n\r\n");
    usleep(300000); /* its writer has filled every buffer between us by then, and waits */
    assert_int_equal(stream_result, 1);
    read_until(fd, NULL, &got);
    close(fd);
    assert_true(becomes(&stream_result, 0));
    const char *body = strstr(got.data, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(strlen(body + 4), STREAM_BYTES);
    stream_result = 1;
    fd = dial();
    expect(fd, "GET /drip HTTP/1.1\r\nHost: x\r\n\r\n", "text/event-stream", "first\n");
    close(fd);
    assert_true(becomes(&stream_result, -EPIPE));
    fd = dial_from("127.0.0.1",
                   4096); /* who does not read holds the writer only as long as the writer wants */
    stream_result = 1;
    write_all(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 500 && stream_result == 1; i++)
        usleep(20000);
    assert_true(stream_result == -ETIMEDOUT || stream_result == -EPIPE);
    close(fd);
    assert_true(becomes(&ended_count, 3));
}

static void *stop_on_thread(void *arg)
{
    httpd_stop(server, 500);
    return NULL;
}

static void ends_with_what_it_owes(void **state)
{
    int waits = dial(), drips = dial(), half = dial();
    auto_buf got = {0};
    pthread_t thread;
    stream_result = 1;
    expect(drips, "GET /drip HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "first\n");
    write_all(half, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
    write_all(waits, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    struct httpd_request *r = NULL;
    for (int i = 0; i < 1000 && !r; i++) {
        usleep(2000);
        r = take_held();
    }
    assert_non_null(r);
    assert_int_equal(pthread_create(&thread, NULL, stop_on_thread, NULL), 0);
    assert_true(becomes(&stream_result, -ESHUTDOWN));
    usleep(800000); /* longer than the deadline that clients have */
    say(r, 200, "at last\n");
    pthread_join(thread, NULL);
    httpd_free(server);
    server = NULL;
    read_until(waits, "at last\n", &got);
    assert_true(strstr(got.data, "at last") && strcasestr(got.data, "connection: close"));
    expect_end(drips);
    expect_end(half);
    close(waits);
    assert_int_equal(ended_count, 3);
}

static void says_why_it_cannot_listen(void **state)
{
    struct httpd *other = NULL;
    auto_free char *taken = xasprintf("127.0.0.1:%d", httpd_port(server));
    struct httpd_options o = {
        .listen = taken, .setting = "test.listen", .connections = 1, .request_ms = 1000, .whole = whole};
    auto_free char *why = NULL, *why_not_host = NULL, *why_no_file = NULL;
    assert_int_equal(httpd_start(&o, &other, &why), -EADDRINUSE);
    assert_non_null(strstr(why, "test.listen: cannot listen on 127.0.0.1:"));
    o.listen = "nowhere";
    assert_int_equal(httpd_start(&o, &other, &why_not_host), -EINVAL);
    assert_string_equal(why_not_host, "test.listen: 'nowhere' is no host:port");
    o.listen = "127.0.0.1:0";
    o.tls_certificate = "/nonexistent.pem";
    o.tls_key = "/nonexistent.key";
    assert_true(httpd_start(&o, &other, &why_no_file) < 0);
    assert_non_null(strstr(why_no_file, "test.tls_certificate: /nonexistent.pem: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, start, stop),
        cmocka_unit_test_setup_teardown(refuses, start, stop),
        cmocka_unit_test_setup_teardown(a_slow_client_has_a_deadline_and_a_slow_server_has_not, start, stop),
        cmocka_unit_test_setup_teardown(one_address_has_its_share, start, stop),
        cmocka_unit_test_setup_teardown(streams, start, stop),
        cmocka_unit_test_setup_teardown(ends_with_what_it_owes, start, stop),
        cmocka_unit_test_setup_teardown(says_why_it_cannot_listen, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

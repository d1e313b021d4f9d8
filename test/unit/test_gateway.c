/* What gateway.h asks of a driver, with gateways of the test's own on real sockets, one over HTTP and one
 * over SMPP: what they were sent is counted there. */
#include "dispatch/gateway.h"
#include "lib/clock.h"
#include "smpp_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

/* ---- the gateway: one thread, one connection after the other or at once, answers by the path ---- */

static struct server {
    int fd;
    uint16_t port;
    pthread_t thread;
    _Atomic int connections, requests, bytes;
    _Atomic bool end;
    char last[8192]; /* the last request */
} server;

static const struct {
    const char *path, *answer; /* NULL: closes without one; "": never answers */
} pages[] = {
    {"/ok ", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nOK:1"},
    {"/no ", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nERR:21"},
    {"/echo ", "HTTP/1.1 403 No\r\nContent-Length: 65\r\n\r\nNO:Basic c21zY2hhaW46aHVzaC1odXNoLTA4MTU= "
               "hush-hush-0815 k=a%26b1"},
    {"/slow-down ", "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"},
    {"/redirect ", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n"},
    {"/login ", "HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"},
    {"/half ", "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nOK:1"},
    {"/strange ", "SSH-2.0-OpenSSH\r\n\r\n"},
    {"/big ", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"/close ", NULL},
    {"/hang ", ""},
};

static void send_all(int fd, const char *s, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, s, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        s += n;
        len -= (size_t)n;
    }
}

static void send_big(int fd)
{
    char part[4096 + 16];
    int head = snprintf(part, sizeof(part), "1000\r\n");
    memset(part + head, 'x', 4096);
    memcpy(part + head + 4096, "\r\n", 2);
    for (int i = 0; i < 64; i++)
        send_all(fd, part, (size_t)head + 4098);
}

/* False: the connection is to be closed. */
static bool answer(int fd, const char *request)
{
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        const char *at = strchr(request, ' ');
        if (at == NULL || strncmp(at + 1, pages[i].path, strlen(pages[i].path)) != 0)
            continue;
        if (pages[i].answer == NULL)
            return false;
        send_all(fd, pages[i].answer, strlen(pages[i].answer));
        if (strcmp(pages[i].path, "/big ") == 0)
            send_big(fd);
        return strcmp(pages[i].path, "/half ") != 0 && strcmp(pages[i].path, "/strange ") != 0;
    }
    return false;
}

/* One whole request, or what came of it. Requests of this test are small and come in one piece or two. */
static bool serve(int fd)
{
    char text[sizeof(server.last)];
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
    if (n <= 0)
        return false;
    text[n] = '\0';
    server.bytes += (int)n;
    server.requests++;
    memcpy(server.last, text, (size_t)n + 1);
    return answer(fd, text);
}

static void *server_main(void *arg)
{
    struct pollfd fds[32] = {{.fd = server.fd, .events = POLLIN}};
    nfds_t count = 1;
    (void)arg;
    while (!server.end) {
        poll(fds, count, 20);
        if ((fds[0].revents & POLLIN) && count < COUNT_OF(fds)) {
            fds[count++] = (struct pollfd){.fd = accept(server.fd, NULL, NULL), .events = POLLIN};
            server.connections++;
        }
        for (nfds_t i = 1; i < count; i++) {
            if (fds[i].revents == 0 || serve(fds[i].fd))
                continue;
            close(fds[i].fd);
            fds[i--] = fds[--count];
        }
    }
    for (nfds_t i = 1; i < count; i++)
        close(fds[i].fd);
    return NULL;
}

static int server_open(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    (void)state;
    server.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server.fd, (struct sockaddr *)&a, size) < 0 || listen(server.fd, 64) < 0 ||
        getsockname(server.fd, (struct sockaddr *)&a, &size) < 0)
        return -1;
    server.port = ntohs(a.sin_port);
    if (pthread_create(&server.thread, NULL, server_main, NULL) != 0)
        return -1;
    return peer_open(state);
}

static int server_close(void **state)
{
    (void)state;
    server.end = true;
    pthread_join(server.thread, NULL);
    return close(server.fd) + peer_shut(state);
}

/* ---- the dispatcher's side ---- */

static struct seen {
    int first_bytes, answers, probes;
    bool refuse_first_byte, probe_connected, in_send;
    enum outcome outcome;
    bool unreachable, throttled;
    int64_t retry_after_ms;
    char reason[64], msg_id[64], error[256];
} seen;

static bool first_byte(void *arg, struct gateway_request *r)
{
    (void)arg, (void)r;
    assert_false(seen.in_send);
    seen.first_bytes++;
    return !seen.refuse_first_byte;
}

static void answered(void *arg, struct gateway_request *r, const struct gateway_answer *a)
{
    (void)arg;
    assert_false(seen.in_send);
    seen.answers++;
    seen.outcome = a->outcome;
    seen.unreachable = a->unreachable;
    seen.throttled = a->throttled;
    seen.retry_after_ms = a->retry_after_ms;
    snprintf(seen.reason, sizeof(seen.reason), "%s", a->reason);
    snprintf(seen.error, sizeof(seen.error), "%s", a->error);
    snprintf(seen.msg_id, sizeof(seen.msg_id), "%s", a->outcome == OUTCOME_ACCEPTED ? a->msg_id : "");
    free(r);
}

static void probed(void *arg, bool connected)
{
    (void)arg;
    seen.probes++;
    seen.probe_connected = connected;
}

static struct conf_answer answers[] = {
    {.status = (char[]){"200"},
     .match = (char[]){"^OK:([0-9]+)$"},
     .is = ANSWER_ACCEPTED,
     .msg_id = (char[]){"match"}},
    {.status = (char[]){"200"},
     .match = (char[]){"^ERR:([0-9]+)"},
     .is = ANSWER_REFUSED,
     .reason = (char[]){"match"}},
    {.status = (char[]){"429"}, .is = ANSWER_THROTTLED},
    {.status = (char[]){"403"},
     .match = (char[]){"^NO:(.*)$"},
     .is = ANSWER_RETRY,
     .reason = (char[]){"match"}},
};

struct lot { /* a gateway that is open */
    struct conf_gateway conf;
    char url[128], method[8], body[64];
    const struct gateway_driver *driver;
    struct gateway *g;
};

static void open_it(struct lot *l, const char *driver, const struct str_list *secrets)
{
    auto_free char *why = NULL;
    struct gateway_options opts = {
        .conf = &l->conf,
        .secrets = secrets,
        .window = 10,
        .events = {.first_byte = first_byte, .answered = answered, .probed = probed}};
    l->driver = gateway_driver(driver);
    assert_non_null(l->driver);
    if (l->driver->open(&opts, &l->g, &why) < 0)
        fail_msg("%s", why);
    seen = (struct seen){0};
}

static void prepare_smpp(struct conf_smpp *c, uint16_t port)
{
    static char address[64], *addresses[] = {address}, us[] = "us", password[] = "hush-hush", none[] = "";
    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    *c = (struct conf_smpp){.address = {.items = addresses, .count = 1},
                            .system_id = us,
                            .password = password,
                            .system_type = none,
                            .service_type = none,
                            .binds = 1,
                            .source_ton = -1,
                            .source_npi = -1,
                            .dest_ton = 1,
                            .dest_npi = 1,
                            .segments_max = 10,
                            .enquire_link_ms = 30000,
                            .dead_after_ms = 60000,
                            .bind_timeout_ms = 2000,
                            .reconnect_base_ms = 5,
                            .reconnect_max_ms = 20};
}

static void lot_prepare(struct lot *l, const char *method, uint16_t port)
{
    static char name[] = "test", sender[] = "";
    *l = (struct lot){
        .conf = {.name = name, .connect_timeout_ms = 2000, .answer_timeout_ms = 700, .sender = sender}};
    prepare_smpp(&l->conf.smpp, port);
    snprintf(l->url, sizeof(l->url), "http://127.0.0.1:%u/{{ text }}", port);
    snprintf(l->method, sizeof(l->method), "%s", method);
    snprintf(l->body, sizeof(l->body), "%s", strcmp(method, "POST") == 0 ? "n={{ number }}" : "");
    l->conf.request.method = l->method;
    l->conf.request.url = l->url;
    l->conf.request.body = l->body;
    l->conf.request.numbers_max = 1;
    l->conf.answers = answers;
    l->conf.answer_count = COUNT_OF(answers);
}

static void lot_open(struct lot *l, const char *driver, const char *method, uint16_t port)
{
    lot_prepare(l, method, port);
    open_it(l, driver, NULL);
}

static void turn_until(struct lot *l, const int *counter, int wanted)
{
    int64_t deadline = clock_mono_ms() + 10000;
    while (*counter < wanted) {
        assert_true(clock_mono_ms() < deadline);
        int64_t wait = l->driver->wait_ms(l->g);
        struct pollfd p = {.fd = l->driver->fd(l->g), .events = POLLIN};
        poll(&p, 1, wait < 0 || wait > 100 ? 100 : (int)wait);
        l->driver->turn(l->g);
    }
}

static void send_one(struct lot *l, const char *path)
{
    struct gateway_request *r = xcalloc(1, sizeof(*r) + sizeof(r->items[0]));
    r->claimed_mono_ms = clock_mono_ms();
    r->count = 1;
    r->items[0] = (struct gateway_item){
        .number = 491711234567, .text = path, .sender = "", .encoding = "", .segments = 1, .seq_id = "1.1.1"};
    seen.in_send = true;
    l->driver->send(l->g, r);
    seen.in_send = false;
}

static void exchange(struct lot *l, const char *path)
{
    int before = seen.answers;
    send_one(l, path);
    turn_until(l, &seen.answers, before + 1);
    for (int i = 0; i < 3; i++) { /* and no second answer */
        poll(NULL, 0, 5);
        l->driver->turn(l->g);
    }
    assert_int_equal(seen.answers, before + 1);
}

/* ---- one set of tests, over every driver and method ---- */

static const struct side {
    const char *driver, *method;
    const uint16_t *port;
    _Atomic int *requests, *bytes, *connections;
    bool keeps_link; /* its connection is there before a message, and again after it was lost */
} sides[] = {
    {"http", "GET", &server.port, &server.requests, &server.bytes, &server.connections, false},
    {"http", "POST", &server.port, &server.requests, &server.bytes, &server.connections, false},
    {"smpp", "", &peer.port, &peer.submits, &peer.bytes, &peer.connections, true},
};

static const struct {
    const char *path;
    enum outcome outcome;
    const char *reason, *smpp_reason; /* NULL: any */
    bool http_only;
} cases[] = {
    {"ok", OUTCOME_ACCEPTED, "", "", false},
    {"no", OUTCOME_REFUSED, "21", "ESME_RINVDSTADR", false},
    {"slow-down", OUTCOME_RETRY, "429", "ESME_RTHROTTLED", false},
    {"redirect", OUTCOME_IN_DOUBT, "answer_unknown", NULL, true},
    {"login", OUTCOME_IN_DOUBT, "answer_unknown", NULL, true},
    {"half", OUTCOME_IN_DOUBT, "connection_lost", "connection_lost", false},
    {"strange", OUTCOME_IN_DOUBT, NULL, "connection_lost", false},
    {"big", OUTCOME_IN_DOUBT, "answer_too_big", NULL, true},
    {"close", OUTCOME_IN_DOUBT, "connection_lost", "connection_lost", false},
    {"hang", OUTCOME_IN_DOUBT, "answer_timeout", "answer_timeout", false},
};

static void check_case(const struct side *side, size_t i)
{
    struct lot l;
    bool smpp = side->keeps_link;
    const char *reason = smpp ? cases[i].smpp_reason : cases[i].reason;
    lot_open(&l, side->driver, side->method, *side->port);
    exchange(&l, "ok");
    int before = *side->requests, connections = *side->connections;
    seen.first_bytes = 0;
    exchange(&l, cases[i].path);
    if (seen.outcome != cases[i].outcome || (reason != NULL && strcmp(seen.reason, reason) != 0))
        fail_msg("%s %s %s: %s %s", side->driver, side->method, cases[i].path, outcome_word(seen.outcome),
                 seen.reason);
    assert_int_equal(*side->requests, before + 1);
    /* It was kept alive; to repeat a request libcurl opens another, and gets no further. */
    if (!smpp)
        assert_int_equal(*side->connections, connections + (strcmp(cases[i].path, "close") == 0));
    assert_int_equal(seen.first_bytes, 1);
    if (!smpp)
        assert_null(strcasestr(server.last, "expect:"));
    if (strcmp(cases[i].path, "slow-down") == 0)
        assert_true(seen.throttled && seen.retry_after_ms == (smpp ? -1 : 7000));
    l.driver->close(l.g);
}

/* Each on a connection that was used before, where libcurl would send again: the gateway sees one request. */
static void test_answers(void **state)
{
    (void)state;
    for (size_t d = 0; d < COUNT_OF(sides); d++)
        for (size_t i = 0; i < COUNT_OF(cases); i++)
            if (!(cases[i].http_only && sides[d].keeps_link))
                check_case(&sides[d], i);
}

static void test_not_a_byte(void **state)
{
    struct lot l;
    (void)state;
    for (size_t d = 0; d < COUNT_OF(sides); d++) {
        const struct side *side = &sides[d];
        lot_open(&l, side->driver, side->method, *side->port);
        if (side->keeps_link)
            exchange(&l, "ok"); /* the bind has bytes, too */
        int before = *side->bytes;
        seen.refuse_first_byte = true;
        exchange(&l, "ok");
        assert_int_equal(seen.outcome, OUTCOME_NOT_SENT);
        assert_string_equal(seen.reason, "claim_too_old");
        assert_false(seen.unreachable);
        assert_int_equal(*side->bytes, before);
        seen.refuse_first_byte = false;
        exchange(&l, "ok");
        assert_int_equal(seen.outcome, OUTCOME_ACCEPTED);
        l.driver->close(l.g);
    }
}

static void test_no_connection(void **state)
{
    struct lot l;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    auto_fd int bound =
        socket(AF_INET, SOCK_STREAM, 0); /* bound and not listening: refuses, and keeps its port */
    (void)state;
    assert_int_equal(bind(bound, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&a, &size), 0);
    for (size_t d = 0; d < COUNT_OF(sides); d++) {
        lot_open(&l, sides[d].driver, sides[d].method, ntohs(a.sin_port));
        exchange(&l, "ok");
        assert_int_equal(seen.outcome, OUTCOME_NOT_SENT);
        assert_true(seen.unreachable);
        assert_int_equal(seen.first_bytes, 0);
        l.driver->probe(l.g);
        turn_until(&l, &seen.probes, 1);
        assert_false(seen.probe_connected);
        l.driver->close(l.g);
    }
}

static void test_probe_sends_nothing(void **state)
{
    struct lot l;
    (void)state;
    lot_open(&l, "http", "POST", server.port);
    int bytes = server.bytes, connections = server.connections;
    for (int i = 1; i <= 3; i++) {
        l.driver->probe(l.g);
        turn_until(&l, &seen.probes, i);
        assert_true(seen.probe_connected);
    }
    exchange(&l, "ok"); /* by a handle that was a probe's */
    assert_int_equal(seen.outcome, OUTCOME_ACCEPTED);
    assert_int_equal(seen.first_bytes, 1);
    assert_int_equal(server.connections, connections + 4);
    assert_true(server.bytes > bytes && strstr(server.last, "n=491711234567") != NULL);
    l.driver->close(l.g);
}

/* The gateway says our credentials back: as a secret of ours, encoded, and in a body's parameter. */
static void test_secrets_said_back(void **state)
{
    char *items[] = {(char[]){"a&b1"}, (char[]){"of another gateway"}};
    struct str_list secrets = {.items = items, .count = COUNT_OF(items)};
    struct lot l;
    (void)state;
    lot_prepare(&l, "POST", server.port);
    snprintf(l.body, sizeof(l.body), "k=a&b1&n={{ number }}");
    l.conf.http.auth.type = (char[]){"basic"};
    l.conf.http.auth.user = (char[]){"smschain"};
    l.conf.http.auth.password = (char[]){"hush-hush-0815"};
    open_it(&l, "http", &secrets);
    exchange(&l, "echo");
    assert_int_equal(seen.outcome, OUTCOME_RETRY);
    assert_non_null(strstr(server.last, "Authorization: Basic c21zY2hhaW46aHVzaC1odXNoLTA4MTU="));
    assert_string_equal(seen.error, "HTTP 403: NO:Basic *** *** k=***");
    assert_string_equal(seen.reason, "Basic *** *** k=***");
    l.driver->close(l.g);
}

static void test_no_request_of_these_values(void **state)
{
    struct lot l;
    (void)state;
    lot_open(&l, "http", "GET", server.port);
    int before = server.bytes;
    exchange(&l, "two words");
    assert_int_equal(seen.outcome, OUTCOME_REFUSED);
    assert_string_equal(seen.reason, "bad_request");
    assert_int_equal(seen.first_bytes, 0);
    assert_int_equal(server.bytes, before);
    l.driver->close(l.g);
}

static void test_close_answers_what_is_open(void **state)
{
    struct lot l;
    (void)state;
    for (size_t d = 0; d < COUNT_OF(sides); d++) {
        const struct side *side = &sides[d];
        lot_open(&l, side->driver, side->method, *side->port);
        int before = *side->requests;
        send_one(&l, "hang");
        turn_until(&l, &seen.first_bytes, 1);
        while (*side->requests == before) /* or the server counts it while the next test is at work */
            l.driver->turn(l.g);
        l.driver->close(l.g);
        assert_int_equal(seen.answers, 1);
        assert_int_equal(seen.outcome, OUTCOME_IN_DOUBT);
        lot_open(&l, side->driver, side->method, *side->port);
        send_one(&l, "ok");
        l.driver->close(l.g); /* before anything was done */
        assert_int_equal(seen.answers, 1);
        assert_int_equal(seen.outcome, OUTCOME_NOT_SENT);
    }
}

/* Many at once, more than the window is wide: each answered once, none sent twice. */
static void test_many(void **state)
{
    struct lot l;
    (void)state;
    for (size_t d = 1; d < COUNT_OF(sides); d++) {
        lot_open(&l, sides[d].driver, sides[d].method, *sides[d].port);
        int before = *sides[d].requests;
        for (int round = 0; round < 50; round++) {
            for (int i = 0; i < 10; i++)
                send_one(&l, "ok");
            turn_until(&l, &seen.answers, (round + 1) * 10);
        }
        assert_int_equal(seen.answers, 500);
        assert_int_equal(seen.first_bytes, 500);
        assert_int_equal(*sides[d].requests, before + 500);
        l.driver->close(l.g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_not_a_byte),
                                       cmocka_unit_test(test_no_connection),
                                       cmocka_unit_test(test_probe_sends_nothing),
                                       cmocka_unit_test(test_no_request_of_these_values),
                                       cmocka_unit_test(test_secrets_said_back),
                                       cmocka_unit_test(test_close_answers_what_is_open),
                                       cmocka_unit_test(test_many)};
    int failed = cmocka_run_group_tests(tests, server_open, server_close);
    return failed;
}

/* The adapter driver between two ends that a test holds: an adapter on a real Unix socket, in the same thread
 * (each turn of the driver is followed by a look at what came), and the dispatcher's events. Only
 * test_adapter.c includes this. */
#pragma once
#include "dispatch/gateway.h"
#include "lib/clock.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#define HELLO "{\"kind\":\"hello\",\"version\":1,\"name\":\"test\",\"ignored\":[1,{}]}\n"

/* ---- the adapter ---- */

static struct peer {
    char path[108];
    int listens, fd; /* -1: none */
    int connections;
    bool deaf;          /* reads nothing */
    const char *greets; /* said to each connection; NULL: nothing */
    struct buf in;      /* what the driver has written, all of it */
    size_t read_to;
} peer = {.listens = -1, .fd = -1};

static void peer_listen(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, peer.path, sizeof(peer.path));
    unlink(peer.path);
    peer.listens = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(peer.listens, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(peer.listens, 8), 0);
}

static void peer_hang_up(void)
{
    if (peer.fd >= 0)
        close(peer.fd);
    peer.fd = -1;
}

static void peer_end(void)
{
    peer_hang_up();
    if (peer.listens >= 0)
        close(peer.listens);
    peer.listens = -1;
    unlink(peer.path);
}

static void peer_say(const char *line)
{
    assert_int_equal(send(peer.fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
}

static void peer_turn(void)
{
    char some[4096];
    if (peer.fd < 0 && peer.listens >= 0) {
        peer.fd = accept4(peer.listens, NULL, NULL, SOCK_NONBLOCK);
        peer.connections += peer.fd >= 0;
        if (peer.fd >= 0 && peer.greets != NULL) /* the driver may be gone again: it did not like us */
            (void)!send(peer.fd, peer.greets, strlen(peer.greets), MSG_NOSIGNAL);
    }
    while (peer.fd >= 0 && !peer.deaf) {
        ssize_t n = recv(peer.fd, some, sizeof(some), 0);
        if (n <= 0)
            return;
        buf_add(&peer.in, some, (size_t)n);
    }
}

/* ---- the dispatcher ---- */

static struct seen {
    int first_bytes, answers, probes, reports, inbounds;
    bool refuse_first_byte, connected, in_send;
    enum outcome outcome;
    bool unreachable, throttled, elsewhere;
    int64_t retry_after_ms;
    char reason[64], msg_id[160], error[256], state[32];
    enum step step;
    uint64_t token;
} seen;

static bool first_byte(void *arg, struct gateway_request *r)
{
    assert_false(seen.in_send);
    seen.first_bytes++;
    return !seen.refuse_first_byte;
}

static void answered(void *arg, struct gateway_request *r, const struct gateway_answer *a)
{
    assert_false(seen.in_send);
    seen.answers++;
    seen.outcome = a->outcome;
    seen.unreachable = a->unreachable;
    seen.throttled = a->throttled;
    seen.elsewhere = a->elsewhere;
    seen.retry_after_ms = a->retry_after_ms;
    snprintf(seen.reason, sizeof(seen.reason), "%s", a->reason);
    snprintf(seen.error, sizeof(seen.error), "%s", a->error);
    snprintf(seen.msg_id, sizeof(seen.msg_id), "%s", a->msg_id != NULL ? a->msg_id : "(none)");
    free(r);
}

static void probed(void *arg, bool connected)
{
    seen.probes++;
    seen.connected = connected;
}

static void report(void *arg, const struct step_record *s, uint64_t token)
{
    seen.reports++;
    seen.step = (enum step)s->step;
    seen.token = token;
    snprintf(seen.state, sizeof(seen.state), "%s", s->state != NULL ? s->state : "");
}

static void inbound(void *arg, const struct inbound_record *in, uint64_t token)
{
    seen.inbounds++;
    seen.token = token;
    assert_string_equal(in->from, "+491711234567");
    assert_string_equal(in->text, "STOP");
}

static struct conf_gateway conf;
static char user[32];
static struct gateway *g;

static void begin(void)
{
    auto_free char *why = NULL;
    struct gateway_options opts = {.conf = &conf,
                                   .window = 10,
                                   .events = {.first_byte = first_byte,
                                              .answered = answered,
                                              .probed = probed,
                                              .report = report,
                                              .inbound = inbound}};
    static char name[] = "test", file[] = "test.yaml";
    peer_end(); /* of a test that failed */
    conf = (struct conf_gateway){.name = name,
                                 .file = file,
                                 .connect_timeout_ms = 300,
                                 .answer_timeout_ms = 300,
                                 .adapter = {.socket = peer.path,
                                             .user = user,
                                             .ping_interval_ms = 60000,
                                             .ping_timeout_ms = 200,
                                             .reconnect_base_ms = 20,
                                             .reconnect_max_ms = 50}};
    seen = (struct seen){0};
    user[0] = '\0';
    peer.deaf = false;
    peer.greets = HELLO;
    peer.read_to = 0;
    peer.connections = 0;
    buf_clear(&peer.in);
    peer_listen();
    assert_int_equal(adapter_driver.open(&opts, &g, &why), 0);
}

static void end(void)
{
    adapter_driver.close(g);
    peer_end();
}

static void turn(void)
{
    int64_t wait = adapter_driver.wait_ms(g);
    struct pollfd p = {.fd = adapter_driver.fd(g), .events = POLLIN};
    poll(&p, 1, wait < 0 || wait > 5 ? 5 : (int)wait);
    adapter_driver.turn(g);
    peer_turn();
}

#define UNTIL(condition)                                                                                     \
    for (int64_t deadline = clock_mono_ms() + 10000; !(condition); turn())                                   \
    assert_true(clock_mono_ms() < deadline)

/* The next line that came, without looking further than wanted; NULL: none. */
static char *next_line(void)
{
    char *at = peer.in.len > peer.read_to ? peer.in.data + peer.read_to : NULL;
    char *line_end = at != NULL ? memchr(at, '\n', peer.in.len - peer.read_to) : NULL;
    if (line_end == NULL)
        return NULL;
    peer.read_to = (size_t)(line_end - peer.in.data) + 1;
    return xstrndup(at, (size_t)(line_end - at));
}

/* Waits for a line of this kind; others are passed over. */
static char *await(const char *kind)
{
    auto_free char *wanted = xasprintf("{\"kind\":\"%s\"", kind);
    int64_t deadline = clock_mono_ms() + 10000;
    for (char *line = next_line();; line = next_line()) {
        if (line != NULL && strncmp(line, wanted, strlen(wanted)) == 0)
            return line;
        if (line == NULL)
            turn();
        free(line);
        assert_true(clock_mono_ms() < deadline);
    }
}

static void send_in(const char *text, bool instant)
{
    struct gateway_request *r = xcalloc(1, sizeof(*r) + sizeof(r->items[0]));
    r->count = 1;
    r->instant = instant;
    r->items[0] = (struct gateway_item){.number = 491711234567,
                                        .text = text,
                                        .sender = "ACME",
                                        .encoding = "gsm7",
                                        .segments = 1,
                                        .valid_until = 1767225600000,
                                        .seq_id = "7.1.1"};
    seen.in_send = true;
    adapter_driver.send(g, r);
    seen.in_send = false;
}

static void send_text(const char *text)
{
    send_in(text, false);
}

static int64_t submit(void)
{
    send_text("hello \"there\"\n");
    auto_free char *line = await("submit");
    const char *id = strstr(line, "\"id\":");
    assert_non_null(id);
    return strtoll(id + 5, NULL, 10);
}

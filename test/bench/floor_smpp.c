/* The floor of SMPP: the same PDUs written and read on a socket by two loops that do nothing else with them.
 *   floor_smpp load N WINDOW     N messages: each submit_sm and its response, deliver_sm and its response
 *   floor_smpp serve             the gateway's loop alone, on the port that it prints, until its input ends
 * load prints one JSON line: {"messages":…,"pdus":…,"seconds":…} */
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#define HEADER_BYTES 16
#define READ_BYTES   65536
#define CONNS_MAX    16

enum { SUBMIT = 4, DELIVER = 5, UNBIND = 6, ENQUIRE = 0x15, BIND_RX = 1, BIND_TX = 2, BIND_TRX = 9 };
#define RESPONSE 0x80000000u

struct side {
    int fd;
    struct buf in, out;
    uint32_t sequence, ids;
    int64_t submitted, answered, told, total, window;
};

static uint32_t u32_at(const char *p)
{
    uint32_t n;
    memcpy(&n, p, sizeof(n));
    return ntohl(n);
}

static void add_pdu(struct buf *out, uint32_t command, uint32_t sequence, const void *body, size_t len)
{
    uint32_t head[4] = {htonl((uint32_t)(HEADER_BYTES + len)), htonl(command), 0, htonl(sequence)};
    buf_add(out, head, sizeof(head));
    buf_add(out, body, len);
}

static void add_submit(struct side *s)
{
    static const char before[] = "\0\5\0smschain\0\1\1" /* service_type, source */;
    static const char text[] =
        "Dear customer, instalment 12345678 of 123.45 EUR falls due on 31 December. Your shop.";
    char body[256], number[16];
    size_t at = sizeof(before) - 1, text_len = sizeof(text) - 1;
    memcpy(body, before, at);
    at += (size_t)snprintf(number, sizeof(number), "4917%08u", s->sequence % 100000000u) + 1;
    memcpy(body + at - strlen(number) - 1, number, strlen(number) + 1);
    const char after[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, (char)text_len};
    memcpy(body + at, after, sizeof(after));
    at += sizeof(after);
    memcpy(body + at, text, text_len);
    add_pdu(&s->out, SUBMIT, ++s->sequence, body, at + text_len);
    s->submitted++;
}

static void add_receipt(struct side *s, uint32_t id)
{
    char body[256];
    const char head[] = "\0\1\1"
                        "491710000000\0\5\0smschain\0\4\0\0\0\0\0\0\0";
    size_t at = sizeof(head) - 1;
    memcpy(body, head, at);
    int text = snprintf(body + at + 2, sizeof(body) - at - 2,
                        "id:%u sub:001 dlvrd:001 submit date:2601311615 done date:2601311616 stat:DELIVRD "
                        "err:000 text:-",
                        id);
    body[at] = 0;
    body[at + 1] = (char)text;
    add_pdu(&s->out, DELIVER, ++s->sequence, body, at + 2 + (size_t)text);
}

/* What a whole PDU asks for. False: the other side is done. */
static bool take(struct side *s, uint32_t command, uint32_t sequence)
{
    char id[16];
    switch (command) {
    case BIND_RX:
    case BIND_TX:
    case BIND_TRX:
        add_pdu(&s->out, command | RESPONSE, sequence, "floor", 6);
        return true;
    case SUBMIT:
        add_pdu(&s->out, SUBMIT | RESPONSE, sequence, id,
                (size_t)snprintf(id, sizeof(id), "%u", ++s->ids) + 1);
        add_receipt(s, s->ids);
        return true;
    case DELIVER:
        add_pdu(&s->out, DELIVER | RESPONSE, sequence, "", 1);
        s->told++;
        return true;
    case SUBMIT | RESPONSE:
        s->answered++;
        return true;
    case ENQUIRE:
        add_pdu(&s->out, ENQUIRE | RESPONSE, sequence, "", 0);
        return true;
    case UNBIND:
        add_pdu(&s->out, UNBIND | RESPONSE, sequence, "", 0);
        return true;
    default:
        return true;
    }
}

static bool read_all(struct side *s)
{
    char block[READ_BYTES];
    ssize_t n = recv(s->fd, block, sizeof(block), 0);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    buf_add(&s->in, block, (size_t)n);
    size_t at = 0;
    while (s->in.len - at >= HEADER_BYTES) {
        size_t len = u32_at(s->in.data + at);
        if (len < HEADER_BYTES || len > READ_BYTES)
            return false;
        if (s->in.len - at < len)
            break;
        take(s, u32_at(s->in.data + at + 4), u32_at(s->in.data + at + 12));
        at += len;
    }
    memmove(s->in.data, s->in.data + at, s->in.len - at);
    s->in.len -= at;
    return true;
}

static bool write_all(struct side *s)
{
    size_t at = 0;
    while (at < s->out.len) {
        ssize_t n = send(s->fd, s->out.data + at, s->out.len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            poll(&(struct pollfd){s->fd, POLLOUT, 0}, 1, 1000);
        else if (n < 0)
            return false;
        else
            at += (size_t)n;
    }
    buf_clear(&s->out);
    return true;
}

static int open_listener(uint16_t *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, size) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) < 0) {
        perror("floor_smpp");
        exit(1);
    }
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static void no_delay(int fd)
{
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Until `until` is readable or closed. */
static void serve(int listener, int until)
{
    struct side sides[CONNS_MAX] = {0};
    struct pollfd polled[CONNS_MAX + 2] = {{until, POLLIN, 0}, {listener, POLLIN, 0}};
    size_t count = 0;
    while (poll(polled, count + 2, -1) > 0 && polled[0].revents == 0) {
        for (size_t i = 0; i < count; i++) {
            struct side *s = &sides[i];
            if (polled[i + 2].revents != 0 && (!read_all(s) || !write_all(s))) {
                close(s->fd);
                polled[i + 2].fd = -1;
            }
        }
        if (polled[1].revents != 0 && count < CONNS_MAX) {
            int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            no_delay(fd);
            sides[count].fd = fd;
            polled[2 + count++] = (struct pollfd){fd, POLLIN, 0};
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (polled[i + 2].fd >= 0)
            close(sides[i].fd);
        buf_deinit(&sides[i].in);
        buf_deinit(&sides[i].out);
    }
}

struct server {
    int listener, until;
};

static void *serve_thread(void *arg)
{
    const struct server *s = arg;
    serve(s->listener, s->until);
    return NULL;
}

static int load(int64_t total, int64_t window)
{
    uint16_t port;
    int until[2];
    struct server server = {.listener = open_listener(&port)};
    struct side s = {.total = total, .window = window};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pthread_t thread;
    if (pipe(until) < 0)
        return 1;
    server.until = until[0];
    a.sin_port = htons(port);
    s.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (pthread_create(&thread, NULL, serve_thread, &server) != 0 ||
        connect(s.fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        return 1;
    no_delay(s.fd);
    double begun = (double)clock_mono_ms();
    while (s.told < total) {
        while (s.submitted < total && s.submitted - s.answered < window)
            add_submit(&s);
        if (!write_all(&s) || !read_all(&s))
            return 1;
    }
    double seconds = ((double)clock_mono_ms() - begun) / 1000;
    printf("{\"messages\":%lld,\"pdus\":%lld,\"seconds\":%.3f}\n", (long long)total, (long long)total * 4,
           seconds);
    close(s.fd);
    close(until[1]);
    pthread_join(thread, NULL);
    close(until[0]);
    close(server.listener);
    buf_deinit(&s.in);
    buf_deinit(&s.out);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "load") == 0)
        return load(atoll(argv[2]), atoll(argv[3]));
    if (argc == 2 && strcmp(argv[1], "serve") == 0) {
        uint16_t port;
        int listener = open_listener(&port);
        printf("%u\n", port);
        fflush(stdout);
        serve(listener, STDIN_FILENO);
        close(listener);
        return 0;
    }
    fprintf(stderr, "usage: floor_smpp load N WINDOW | floor_smpp serve\n");
    return 2;
}

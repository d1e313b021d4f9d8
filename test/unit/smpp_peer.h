/* A gateway that speaks SMPP and does as it is told: a thread of the test, real sockets. What a submit_sm is
 * answered with stands in its text; the rest is set by the test. */
#pragma once
#include "dispatch/smpp_framer.h"
#include "dispatch/smpp_status.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#define PEER_LINKS 16
#define PEER_SEEN  4096

struct peer_seen { /* a PDU that the driver has sent */
    int link;      /* which connection, from 1 */
    uint32_t command, status, sequence;
    uint8_t esm_class, data_coding, source_ton, source_npi, octets[160], sm_length;
    char text[161], source[66], destination[66], validity[18], system_id[66], message_id[128];
    size_t tlv_count, payload_length;
};

static struct peer {
    int fd;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    _Atomic bool end;
    _Atomic int connections, bytes, submits, binds, answers_held;
    _Atomic uint32_t bind_status;
    _Atomic bool no_bind_answer, no_enquire_answer, no_unbind_answer, no_body, deaf, split, joined;
    _Atomic int cut_at; /* the answer to the next submit_sm ends after so many bytes, and with it the link; 0:
                           it does not */
    struct {
        _Atomic int fd;
        int link;
        _Atomic uint32_t bound_as; /* the bind's command */
        struct smpp_framer framer;
        uint8_t held[4096]; /* answers that wait to be sent together */
        size_t held_length;
    } links[PEER_LINKS];
    struct peer_seen seen[PEER_SEEN];
    _Atomic size_t seen_count;
    uint32_t held_sequence; /* of the submit that was "late" */
    int held_link;
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- out ---- */

static void peer_write(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, peer.split ? 1 : len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

static void peer_send_pdu(int fd, const struct smpp_pdu *pdu)
{
    uint8_t bytes[8192];
    size_t len = 0;
    if (smpp_pdu_encode(pdu, bytes, sizeof(bytes), &len) != 0)
        abort();
    peer_write(fd, bytes, len);
}

static int peer_fd_of(int link)
{
    for (size_t i = 0; i < PEER_LINKS; i++)
        if (peer.links[i].fd >= 0 && peer.links[i].link == link)
            return peer.links[i].fd;
    return -1;
}

/* To connection `link`, or to the newest that is bound so that it takes what comes to us. */
static inline int peer_send(int link, const struct smpp_pdu *pdu)
{
    pthread_mutex_lock(&peer.lock);
    for (size_t i = 0; link == 0 && i < PEER_LINKS; i++)
        if (peer.links[i].fd >= 0 && peer.links[i].bound_as != 0 &&
            peer.links[i].bound_as != SMPP_BIND_TRANSMITTER)
            link = peer.links[i].link;
    int fd = peer_fd_of(link);
    if (fd >= 0)
        peer_send_pdu(fd, pdu);
    pthread_mutex_unlock(&peer.lock);
    return fd >= 0 ? link : 0;
}

static inline void peer_cut_all(void)
{
    pthread_mutex_lock(&peer.lock);
    for (size_t i = 0; i < PEER_LINKS; i++)
        if (peer.links[i].fd >= 0)
            shutdown(peer.links[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&peer.lock);
}

/* ---- in ---- */

static void peer_note(int link, const struct smpp_pdu *p)
{
    struct peer_seen *s = &peer.seen[peer.seen_count % PEER_SEEN];
    *s = (struct peer_seen){.link = link,
                            .command = p->command,
                            .status = p->status,
                            .sequence = p->sequence,
                            .esm_class = p->esm_class,
                            .data_coding = p->data_coding,
                            .source_ton = p->source_addr_ton,
                            .source_npi = p->source_addr_npi,
                            .sm_length = p->sm_length,
                            .tlv_count = p->tlv_count};
    memcpy(s->octets, p->short_message != NULL ? p->short_message : (const uint8_t *)"",
           MIN_OF(p->sm_length, sizeof(s->octets)));
    memcpy(s->text, s->octets, MIN_OF(p->sm_length, sizeof(s->text) - 1));
    const struct smpp_tlv *payload = smpp_tlv(p, SMPP_TAG_MESSAGE_PAYLOAD);
    s->payload_length = payload != NULL ? payload->length : 0;
    snprintf(s->source, sizeof(s->source), "%s", p->source_addr != NULL ? p->source_addr : "");
    snprintf(s->destination, sizeof(s->destination), "%s",
             p->destination_addr != NULL ? p->destination_addr : "");
    snprintf(s->validity, sizeof(s->validity), "%s", p->validity_period != NULL ? p->validity_period : "");
    snprintf(s->system_id, sizeof(s->system_id), "%s", p->system_id != NULL ? p->system_id : "");
    snprintf(s->message_id, sizeof(s->message_id), "%s", p->message_id != NULL ? p->message_id : "");
    peer.seen_count++;
}

/* The n-th PDU of a command, the newest first; NULL: there is none. */
static inline const struct peer_seen *peer_last(uint32_t command)
{
    for (size_t i = peer.seen_count; i-- > 0;)
        if (peer.seen[i % PEER_SEEN].command == command)
            return &peer.seen[i % PEER_SEEN];
    return NULL;
}

static inline int peer_count(uint32_t command)
{
    int n = 0;
    for (size_t i = 0; i < peer.seen_count; i++)
        n += peer.seen[i].command == command;
    return n;
}

static const struct {
    const char *text;
    uint32_t status;
} peer_statuses[] = {
    {"no", 0x0b},
    {"slow-down", SMPP_STATUS_THROTTLED},
    {"full", SMPP_STATUS_MSGQFUL},
    {"elsewhere", 0x0a},
    {"ours", 0x43},
    {"failed", SMPP_STATUS_SYSERR},
    {"own", 0x401},
};

static bool peer_answer(size_t i, const struct smpp_pdu *p, const char *text)
{
    struct smpp_pdu r = {.command = SMPP_SUBMIT_SM_RESP, .sequence = p->sequence, .message_id = "1"};
    uint8_t bytes[512];
    size_t len = 0;
    for (size_t k = 0; k < COUNT_OF(peer_statuses); k++)
        if (strcmp(text, peer_statuses[k].text) == 0) {
            r.status = peer_statuses[k].status;
            r.no_body = true;
        }
    if (strcmp(text, "nack") == 0)
        r = (struct smpp_pdu){
            .command = SMPP_GENERIC_NACK, .status = SMPP_STATUS_INVCMDLEN, .sequence = p->sequence};
    if (strcmp(text, "wrong-sequence") == 0)
        r.sequence += 1000;
    if (strcmp(text, "no-id") == 0)
        r.message_id = "";
    if (strcmp(text, "close") == 0)
        return false;
    if (strcmp(text, "hang") == 0)
        return true;
    if (strcmp(text, "late") == 0) {
        peer.held_sequence = p->sequence;
        peer.held_link = peer.links[i].link;
        return true;
    }
    if (strcmp(text, "strange") == 0) {
        peer_write(peer.links[i].fd, (const uint8_t *)"SSH-2.0-OpenSSH\r\n\r\n", 19);
        return true;
    }
    if (smpp_pdu_encode(&r, bytes, sizeof(bytes), &len) != 0)
        abort();
    if (strcmp(text, "broken") == 0) /* its id has no end */
        bytes[len - 1] = 'x';
    if (strcmp(text, "half") == 0 || peer.cut_at > 0) {
        peer_write(peer.links[i].fd, bytes, peer.cut_at > 0 ? MIN_OF((size_t)peer.cut_at, len) : len / 2);
        peer.cut_at = 0;
        return false;
    }
    if (peer.joined && peer.links[i].held_length + len < sizeof(peer.links[i].held)) {
        memcpy(peer.links[i].held + peer.links[i].held_length, bytes, len);
        peer.links[i].held_length += len;
        peer.answers_held++;
        return true;
    }
    peer_write(peer.links[i].fd, bytes, len);
    if (strcmp(text, "twice") == 0)
        peer_write(peer.links[i].fd, bytes, len);
    return true;
}

static bool peer_took(size_t i, const struct smpp_pdu *p)
{
    struct smpp_pdu r = {.command = p->command | SMPP_RESPONSE, .sequence = p->sequence, .system_id = "peer"};
    char text[256] = "";
    peer_note(peer.links[i].link, p);
    switch (p->command) {
    case SMPP_BIND_TRANSCEIVER:
    case SMPP_BIND_TRANSMITTER:
    case SMPP_BIND_RECEIVER:
        peer.binds++;
        r.status = peer.bind_status;
        r.no_body = peer.no_body || r.status != 0;
        if (peer.no_bind_answer)
            return true;
        if (r.status == 0)
            peer.links[i].bound_as = p->command;
        peer_send_pdu(peer.links[i].fd, &r);
        return true;
    case SMPP_SUBMIT_SM:
        peer.submits++;
        memcpy(text, p->short_message, p->sm_length);
        return peer_answer(i, p, text);
    case SMPP_ENQUIRE_LINK:
        if (!peer.no_enquire_answer)
            peer_send_pdu(peer.links[i].fd, &r);
        return true;
    case SMPP_UNBIND:
        if (!peer.no_unbind_answer)
            peer_send_pdu(peer.links[i].fd, &r);
        return !peer.no_unbind_answer;
    default:
        return true;
    }
}

static bool peer_serve(size_t i)
{
    struct smpp_framer *f = &peer.links[i].framer;
    const uint8_t *bytes;
    uint32_t sequence;
    size_t size, len;
    struct smpp_pdu p;
    uint8_t *room = smpp_framer_room(f, &size);
    ssize_t n = recv(peer.links[i].fd, room, size, 0);
    if (n <= 0)
        return false;
    peer.bytes += (int)n;
    smpp_framer_filled(f, (size_t)n);
    int rc;
    while ((rc = smpp_framer_next(f, &bytes, &len, &sequence)) == 0)
        if (smpp_pdu_decode(bytes, len, &p) != 0 || !peer_took(i, &p))
            return false;
    if (!peer.joined && peer.links[i].held_length > 0) {
        peer_write(peer.links[i].fd, peer.links[i].held, peer.links[i].held_length);
        peer.links[i].held_length = 0;
    }
    return rc == SMPP_FRAME_MORE;
}

static void peer_close(size_t i)
{
    close(peer.links[i].fd);
    peer.links[i].fd = -1;
    peer.links[i].bound_as = 0;
}

/* Before a test: what an earlier one has left on its links is nobody's any more. */
static inline void peer_forget(void)
{
    pthread_mutex_lock(&peer.lock);
    for (size_t i = 0; i < PEER_LINKS; i++)
        if (peer.links[i].fd >= 0)
            peer_close(i);
    peer.seen_count = 0;
    pthread_mutex_unlock(&peer.lock);
}

static void *peer_main(void *arg)
{
    (void)arg;
    while (!peer.end) {
        struct pollfd fds[PEER_LINKS + 1] = {{.fd = peer.fd, .events = POLLIN}};
        for (size_t i = 0; i < PEER_LINKS; i++)
            fds[i + 1] = (struct pollfd){.fd = peer.deaf ? -1 : peer.links[i].fd, .events = POLLIN};
        poll(fds, COUNT_OF(fds), 10);
        pthread_mutex_lock(&peer.lock);
        for (size_t i = 0; i < PEER_LINKS; i++)
            if (peer.links[i].fd >= 0 && fds[i + 1].fd == peer.links[i].fd && fds[i + 1].revents != 0 &&
                !peer_serve(i))
                peer_close(i);
        for (size_t i = 0; (fds[0].revents & POLLIN) && i < PEER_LINKS; i++) {
            if (peer.links[i].fd >= 0)
                continue;
            peer.links[i].fd = accept(peer.fd, NULL, NULL);
            peer.links[i].link = ++peer.connections;
            peer.links[i].bound_as = 0;
            peer.links[i].held_length = 0;
            smpp_framer_init(&peer.links[i].framer);
            break;
        }
        pthread_mutex_unlock(&peer.lock);
    }
    for (size_t i = 0; i < PEER_LINKS; i++)
        if (peer.links[i].fd >= 0)
            peer_close(i);
    return NULL;
}

static int peer_open(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    (void)state;
    for (size_t i = 0; i < PEER_LINKS; i++)
        peer.links[i].fd = -1;
    peer.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(peer.fd, (struct sockaddr *)&a, size) < 0 || listen(peer.fd, 64) < 0 ||
        getsockname(peer.fd, (struct sockaddr *)&a, &size) < 0)
        return -1;
    peer.port = ntohs(a.sin_port);
    return pthread_create(&peer.thread, NULL, peer_main, NULL);
}

static int peer_shut(void **state)
{
    (void)state;
    peer.end = true;
    pthread_join(peer.thread, NULL);
    return close(peer.fd);
}

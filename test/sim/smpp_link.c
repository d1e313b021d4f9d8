/* The links: bytes in and out, and the knobs that end, split and join them. */
#include "test/sim/smpp.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define SPLIT_MS 1 /* between two writes of write_bytes */

static struct smpp_link *links;
static uint64_t ids;
static struct {
    struct watch watch;
    int fd;
} listener = {.fd = -1};

struct smpp_link *smpp_link_by_id(uint64_t id)
{
    struct smpp_link *l = links;
    while (l != NULL && l->id != id)
        l = l->next;
    return l;
}

struct smpp_link *smpp_link_next(const struct smpp_link *after)
{
    return after != NULL ? after->next : links;
}

void smpp_link_cut(struct smpp_link *l)
{
    l->over = true;
    l->reset = l->gateway != NULL && l->gateway->knobs.drop_reset != 0;
}

bool smpp_cuts(struct gateway *g, uint32_t command)
{
    const char *name = smpp_command_name(command);
    const struct share *s = &g->knobs.cut;
    if ((s->next == 0 && s->part <= 0) || name == NULL)
        return false;
    return (strcmp(g->knobs.cut_pdu, name) == 0 || strcmp(g->knobs.cut_pdu, "any") == 0) &&
           share_hits(&g->knobs.cut);
}

/* ---- out ---- */

void smpp_link_write_bytes(struct smpp_link *l, uint32_t command, const uint8_t *bytes, size_t len)
{
    struct gateway *g = l->gateway;
    if (l->last_words || l->over || (g != NULL && g->knobs.mute != 0))
        return;
    if (g != NULL && smpp_cuts(g, command)) {
        len = MIN_OF(len, (size_t)g->knobs.cut_byte);
        l->last_words = true;
    }
    buf_add(&l->out, bytes, len);
}

void smpp_link_write(struct smpp_link *l, const struct smpp_pdu *pdu)
{
    static uint8_t bytes[SMPP_PDU_MAX_BYTES];
    size_t len = 0;
    if (smpp_pdu_encode(pdu, bytes, sizeof(bytes), &len) != 0)
        abort();
    smpp_link_write_bytes(l, pdu->command, bytes, len);
}

static void write_on(void *arg, uint64_t id)
{
    struct smpp_link *l = smpp_link_by_id(id);
    if (l == NULL)
        return;
    l->waits = false;
    l->joined = true;
}

/* True: it waits for more, or for its time. */
static bool wait_ms(struct smpp_link *l, int64_t ms)
{
    if (!l->waits)
        timer_add(loop_now_ms() + ms, 0, write_on, NULL, l->id);
    l->waits = true;
    return true;
}

static void write_out(struct smpp_link *l)
{
    const struct knobs *k = l->gateway != NULL ? &l->gateway->knobs : NULL;
    size_t most = k != NULL && k->write_bytes > 0 ? (size_t)k->write_bytes : SIZE_MAX;
    if (k != NULL && k->join_ms > 0 && !l->joined && wait_ms(l, k->join_ms))
        return;
    while (l->sent < l->out.len) {
        ssize_t n = send(l->fd, l->out.data + l->sent, MIN_OF(most, l->out.len - l->sent), MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            loop_change(l->fd, EPOLLIN | EPOLLOUT, &l->watch);
            return;
        }
        if (n <= 0) {
            l->over = true;
            return;
        }
        l->sent += (size_t)n;
        if (most != SIZE_MAX && l->sent < l->out.len && wait_ms(l, SPLIT_MS))
            return;
    }
    buf_clear(&l->out);
    l->sent = 0;
    l->joined = false;
}

/* ---- in ---- */

/* How much may be read now: where PDUs are cut while they are read, not beyond the byte of the cut. */
static size_t read_at_most(struct smpp_link *l, size_t room)
{
    const struct share *s = l->gateway != NULL ? &l->gateway->knobs.cut : NULL;
    const struct smpp_framer *f = &l->framer;
    size_t have = f->end - f->begin;
    if (s == NULL || (s->next == 0 && s->part <= 0 && !l->cut_this))
        return room;
    if (have < SMPP_HEADER_BYTES)
        return MIN_OF(room, SMPP_HEADER_BYTES - have);
    uint32_t head[2];
    memcpy(head, f->bytes + f->begin, sizeof(head));
    if (!l->cut_chosen)
        l->cut_this = smpp_cuts(l->gateway, ntohl(head[1]));
    l->cut_chosen = true;
    size_t end = MAX_OF(ntohl(head[0]), SMPP_HEADER_BYTES), cut = (size_t)l->gateway->knobs.cut_byte;
    if (l->cut_this && have >= MIN_OF(cut, end)) {
        smpp_link_cut(l);
        l->reset = true; /* as a link ends whose rest nobody has read */
        return 0;
    }
    return MIN_OF(room, MAX_OF(l->cut_this ? MIN_OF(cut, end) : end, have + 1) - have);
}

static void take_pdus(struct smpp_link *l)
{
    const uint8_t *bytes;
    size_t len;
    uint32_t sequence = 0;
    int result = SMPP_FRAME_MORE;
    while (!l->over && !l->cut_this &&
           (result = smpp_framer_next(&l->framer, &bytes, &len, &sequence)) == 0) {
        struct smpp_pdu pdu;
        l->cut_chosen = false;
        result = smpp_pdu_decode(bytes, len, &pdu);
        if (result == 0) {
            smpp_serve(l, &pdu);
            continue;
        }
        if (l->gateway != NULL)
            l->gateway->counters.bad_pdus++;
        struct smpp_pdu nack = {.command = SMPP_GENERIC_NACK,
                                .status = smpp_fault_status((enum smpp_fault)result),
                                .sequence = sequence};
        smpp_link_write(l, &nack);
    }
    if (result == SMPP_FRAME_BROKEN) {
        struct smpp_pdu nack = {
            .command = SMPP_GENERIC_NACK, .status = SMPP_STATUS_INVCMDLEN, .sequence = sequence};
        smpp_link_write(l, &nack);
        l->last_words = true;
    }
}

static void link_reads(struct smpp_link *l)
{
    for (int turns = 0; turns < 16 && !l->over && !l->last_words && !l->leaving; turns++) {
        size_t room;
        uint8_t *at = smpp_framer_room(&l->framer, &room);
        room = read_at_most(l, room);
        if (l->over)
            return;
        ssize_t n = recv(l->fd, at, room, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            l->over = true;
            return;
        }
        smpp_framer_filled(&l->framer, (size_t)n);
        take_pdus(l);
        read_at_most(l, room); /* may have reached the byte of the cut */
    }
}

static void link_ready(struct watch *w, uint32_t events)
{
    struct smpp_link *l = (struct smpp_link *)w;
    if (events & EPOLLOUT)
        loop_change(l->fd, EPOLLIN, &l->watch);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    link_reads(l);
    if ((l->last_words || l->leaving) && events & (EPOLLHUP | EPOLLERR))
        l->over = true;
}

/* ---- their lives ---- */

static void link_end(struct smpp_link *l)
{
    struct smpp_link **at = &links;
    if (l->reset) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    close(l->fd);
    if (l->gateway != NULL && (l->transmits || l->receives) && !l->unbound)
        l->gateway->counters.links_lost++;
    smpp_tell_gone(l);
    smpp_link_gone(l);
    buf_deinit(&l->out);
    loop_free_later(l);
}

static void enquire(void *arg, uint64_t id)
{
    struct smpp_link *l = smpp_link_by_id(id);
    if (l == NULL)
        return;
    int64_t interval = l->gateway != NULL ? l->gateway->knobs.enquire_interval_ms : 0;
    if (interval > 0 && (l->transmits || l->receives)) {
        struct smpp_pdu pdu = {.command = SMPP_ENQUIRE_LINK, .sequence = ++l->sequence};
        smpp_link_write(l, &pdu);
    }
    timer_add(loop_now_ms() + (interval > 0 ? interval : 100), 0, enquire, NULL, l->id);
}

static void listener_ready(struct watch *w, uint32_t events)
{
    for (;;) {
        int fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
        if (fd < 0)
            return;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct smpp_link *l = xcalloc(1, sizeof(*l));
        l->watch.ready = link_ready;
        l->fd = fd;
        l->id = ++ids;
        l->out.max = 64u << 20;
        l->told = g_hash_table_new(NULL, NULL);
        smpp_framer_init(&l->framer);
        l->next = links;
        links = l;
        loop_add(fd, EPOLLIN, &l->watch);
        enquire(NULL, l->id);
    }
}

void smpp_open(int fd)
{
    listener.watch.ready = listener_ready;
    listener.fd = fd;
    loop_add(fd, EPOLLIN, &listener.watch);
}

void smpp_flush(void)
{
    for (struct smpp_link *l = links, *next; l != NULL; l = next) {
        next = l->next;
        if (l->leaving && l->open == 0)
            l->last_words = true;
        if (!l->over && !l->waits && l->sent < l->out.len)
            write_out(l);
        if (l->over || (l->last_words && l->out.len == 0))
            link_end(l);
    }
}

void smpp_close_idle(void)
{
    for (struct smpp_link *l = links; l != NULL; l = l->next)
        l->leaving = true;
}

void smpp_free(void)
{
    while (links != NULL)
        link_end(links);
    smpp_serve_free();
}

/* The SMPP 3.4 driver: lasting links instead of requests. gateway.h says what it must do. */
#include "dispatch/smpp_session.h"
#include "dispatch/smpp_tls.h"
#include "lib/clock.h"

#include <poll.h>
#include <sys/epoll.h>

#define UNBIND_WAIT_MS 1000 /* for the gateway's answers to our unbinds, at the end */
#define UNBIND_POLL_MS 20

static void smpp_send(struct gateway *g, struct gateway_request *r)
{
    struct smpp_waiting *w = xcalloc(1, sizeof(*w));
    w->request = r;
    w->since_ms = clock_mono_ms();
    struct smpp_waiting **at = r->instant ? g->last_instant : g->last;
    w->next = *at;
    *at = w;
    if (g->last == at)
        g->last = &w->next;
    if (r->instant)
        g->last_instant = &w->next;
}

static int smpp_fd(const struct gateway *g)
{
    return g->epoll_fd;
}

static bool can_submit_now(const struct gateway *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (smpp_session_submits(&g->sessions[i]) && !smpp_link_blocked(g->sessions[i].link))
            return true;
    return false;
}

static bool on_its_way(const struct gateway *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (smpp_session_may_soon(&g->sessions[i]) || smpp_session_submits(&g->sessions[i]))
            return true;
    return false;
}

static int64_t smpp_wait_ms(const struct gateway *g)
{
    int64_t now = clock_mono_ms(), wait = -1;
    if ((g->first != NULL && (can_submit_now(g) || !on_its_way(g))) || (g->probing && g->probe_ms <= now))
        return 0;
    for (size_t i = 0; i < g->count; i++) {
        int64_t its = smpp_session_wait_ms(&g->sessions[i], now);
        wait = wait < 0 || (its >= 0 && its < wait) ? its : wait;
    }
    if (g->first != NULL)
        wait = MIN_OF(wait, MAX_OF(g->first->since_ms + g->opts.conf->answer_timeout_ms - now, (int64_t)0));
    return wait;
}

/* ---- probe ---- */

/* To be reachable is to be bound: a gateway that takes connections and no binds takes no messages. */
static void smpp_probe(struct gateway *g)
{
    g->probing = true;
    g->probe_ms = clock_mono_ms() + g->opts.conf->connect_timeout_ms + g->conf->bind_timeout_ms;
    for (size_t i = 0; i < g->count; i++)
        if (!g->sessions[i].stranger) /* else the gateway is left in peace */
            smpp_session_begin_now(&g->sessions[i]);
}

static void probe_turn(struct gateway *g, int64_t now_ms)
{
    bool bound = false;
    for (size_t i = 0; i < g->count; i++)
        bound = bound || smpp_session_submits(&g->sessions[i]);
    if (!g->probing || (!bound && on_its_way(g) && now_ms < g->probe_ms))
        return;
    g->probing = false;
    g->opts.events.probed(g->opts.events.arg, bound);
}

static void smpp_turn(struct gateway *g)
{
    int64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < g->count; i++)
        smpp_session_turn(&g->sessions[i], now_ms);
    smpp_submit_turn(g, now_ms);
    probe_turn(g, now_ms);
}

/* ---- opening and closing ---- */

static bool any_open(const struct gateway *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->sessions[i].state == SMPP_UNBINDING)
            return true;
    return false;
}

/* The window has drained by now, or its time is over: what is still open is in doubt in either case. */
static void unbind_all(struct gateway *g)
{
    int64_t now = clock_mono_ms(), deadline = now + UNBIND_WAIT_MS;
    for (size_t i = 0; i < g->count; i++) {
        g->sessions[i].next_ms = INT64_MAX;
        smpp_session_unbind(&g->sessions[i], now);
    }
    while (any_open(g) && (now = clock_mono_ms()) < deadline) {
        struct pollfd fd = {.fd = g->epoll_fd, .events = POLLIN};
        (void)poll(&fd, 1, UNBIND_POLL_MS);
        for (size_t i = 0; i < g->count; i++)
            if (g->sessions[i].state == SMPP_UNBINDING)
                smpp_session_turn(&g->sessions[i], now);
    }
}

static void smpp_close(struct gateway *g)
{
    if (g == NULL)
        return;
    smpp_submit_not_sent(g, "stopped", "this program ended before it was sent", false);
    unbind_all(g);
    for (size_t i = 0; i < g->count; i++)
        smpp_session_deinit(&g->sessions[i]);
    free(g->sessions);
    smpp_tls_free(g->tls);
    hide_deinit(&g->hide);
    zone_close(g->zone);
    if (g->epoll_fd >= 0)
        close(g->epoll_fd);
    free(g);
}

/* Where nobody can keep what comes over a link (smschain try) it is not asked for. */
static enum smpp_role role_of(const struct gateway *g, size_t i)
{
    if (g->opts.events.report == NULL)
        return SMPP_TRANSMITTER;
    return !g->conf->separate ? SMPP_TRANSCEIVER : i % 2 == 0 ? SMPP_TRANSMITTER : SMPP_RECEIVER;
}

static void make_sessions(struct gateway *g)
{
    bool pairs = g->conf->separate && g->opts.events.report != NULL;
    g->count = (size_t)MAX_OF(g->conf->binds, (int64_t)1) * (pairs ? 2 : 1);
    g->sessions = xcalloc(g->count, sizeof(*g->sessions));
    for (size_t i = 0; i < g->count; i++)
        smpp_session_init(&g->sessions[i], g, (unsigned)i, role_of(g, i));
}

static int smpp_open(const struct gateway_options *opts, struct gateway **ret, char **ret_why)
{
    struct gateway *g = xcalloc(1, sizeof(*g));
    const char *zone = opts->conf->report.posts.format.time_zone;
    *g = (struct gateway){.opts = *opts, .conf = &opts->conf->smpp, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    int rc = g->epoll_fd < 0 ? -errno : 0;
    g->last = g->last_instant = &g->first;
    g->zone = zone_open(zone != NULL && *zone != '\0' ? zone : "UTC");
    if (g->conf->password != NULL && *g->conf->password != '\0')
        hide_add(&g->hide, g->conf->password);
    if (rc < 0)
        *ret_why = xasprintf("no descriptor: %s", strerror(-rc));
    else if (g->conf->address.count == 0)
        rc = -EINVAL, *ret_why = xstrdup("smpp.address is missing");
    if (rc == 0 && g->conf->tls)
        rc = smpp_tls_new(g->conf, &g->tls, ret_why);
    if (rc < 0) {
        smpp_close(g);
        return rc;
    }
    make_sessions(g);
    *ret = g;
    return 0;
}

const struct gateway_driver smpp_driver = {.name = "smpp",
                                           .open = smpp_open,
                                           .close = smpp_close,
                                           .send = smpp_send,
                                           .probe = smpp_probe,
                                           .fd = smpp_fd,
                                           .wait_ms = smpp_wait_ms,
                                           .turn = smpp_turn,
                                           .cut = smpp_cut,
                                           .kept = smpp_kept,
                                           .counted = true};

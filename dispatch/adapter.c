/* The adapter driver: a gateway behind an external process that speaks JSON lines over a Unix socket
 * (docs/adapters.md). One connection, kept up whether there is something to send or not, since reports come
 * over it. A line is begun only when all before it has left, so that first_byte comes right before its own.
 */
#include "dispatch/adapter_internal.h"
#include "lib/clock.h"

#include <stdio.h>

#define QUIET_MINUTE_MS 60000 /* a link that has lived so long was no failure */

/* ---- the lists ---- */

static void list_put(struct taken_list *l, struct taken *t)
{
    t->prev = l->last;
    t->next = NULL;
    *(l->last != NULL ? &l->last->next : &l->first) = t;
    l->last = t;
}

static void list_drop(struct taken_list *l, struct taken *t)
{
    *(t->prev != NULL ? &t->prev->next : &l->first) = t->next;
    *(t->next != NULL ? &t->next->prev : &l->last) = t->prev;
}

static struct taken_list *list_of(struct gateway *g, const struct taken *t)
{
    return t->id != 0 ? &g->begun : t->request->instant ? &g->instant : &g->bulk;
}

/* The one to be begun next; NULL: nothing waits. */
static struct taken *next_waiting(const struct gateway *g)
{
    return g->instant.first != NULL ? g->instant.first : g->bulk.first;
}

/* The one whose deadline is the next. */
static struct taken *oldest_waiting(const struct gateway *g)
{
    struct taken *a = g->instant.first, *b = g->bulk.first;
    return a == NULL || (b != NULL && b->until_ms < a->until_ms) ? b : a;
}

void adapter_answer(struct gateway *g, struct taken *t, const struct gateway_answer *a)
{
    struct gateway_request *r = t->request;
    list_drop(list_of(g, t), t);
    if (t->id != 0)
        HASH_DEL(g->by_id, t);
    free(t);
    g->opts.events.answered(g->opts.events.arg, r, a);
}

static void in_doubt(struct gateway *g, struct taken *t, const char *reason, const char *error)
{
    struct gateway_answer a = {
        .outcome = OUTCOME_IN_DOUBT, .reason = reason, .error = error, .retry_after_ms = -1};
    adapter_answer(g, t, &a);
}

static void not_sent(struct gateway *g, struct taken *t, const char *reason, const char *error,
                     bool unreachable)
{
    struct gateway_answer a = {.outcome = OUTCOME_NOT_SENT,
                               .reason = reason,
                               .error = error,
                               .unreachable = unreachable,
                               .retry_after_ms = -1};
    adapter_answer(g, t, &a);
}

/* ---- the link's life ---- */

static void tell_probes(struct gateway *g, bool connected)
{
    for (; g->probes > 0; g->probes--)
        g->opts.events.probed(g->opts.events.arg, connected);
}

static void say_down(struct gateway *g, const char *why)
{
    struct log_field fields[] = {L_STR("gateway", g->opts.conf->name),
                                 L_STR("socket", g->opts.conf->adapter.socket), L_STR("why", why)};
    log_trouble_begins(&g->down, "no link to the adapter; it is tried again", fields, COUNT_OF(fields));
}

/* No link came to be: what waits for it was certainly not sent. */
static void attempt_failed(struct gateway *g, const char *reason)
{
    say_down(g, g->why);
    tell_probes(g, false);
    for (struct taken *t; (t = next_waiting(g)) != NULL;)
        not_sent(g, t, reason, g->why, true);
}

/* The only place where a link ends. Requests that were begun on it may have reached the gateway; the others
 * wait for the next link. */
void adapter_link_over(struct gateway *g, const char *reason, const char *why)
{
    const struct conf_adapter *c = &g->opts.conf->adapter;
    bool was_up = g->state == LINK_UP;
    int64_t now = clock_mono_ms();
    adapter_link_close(&g->link);
    adapter_forget_told(g);
    g->generation++;
    g->state = LINK_DOWN;
    if (was_up && now - g->up_ms >= QUIET_MINUTE_MS)
        g->failures = 0;
    g->failures++;
    g->again_ms = now + clock_backoff_ms(MIN_OF(g->failures, 30u), MAX_OF(c->reconnect_base_ms, (int64_t)1),
                                         MAX_OF(c->reconnect_max_ms, (int64_t)1));
    if (was_up) {
        say_down(g, why);
        while (g->begun.first != NULL)
            in_doubt(g, g->begun.first, reason, why);
        return;
    }
    snprintf(g->why, sizeof(g->why), "%s", why);
    attempt_failed(g, reason);
}

void adapter_link_is_up(struct gateway *g, const char *name, int64_t now_ms)
{
    struct log_field fields[] = {L_STR("gateway", g->opts.conf->name),
                                 L_STR("socket", g->opts.conf->adapter.socket),
                                 L_STR("adapter", name != NULL ? name : "")};
    g->state = LINK_UP;
    g->up_ms = g->heard_ms = now_ms;
    g->pinged_ms = 0;
    g->why[0] = '\0';
    g->complained = false;
    log_trouble_ends(&g->down, "the adapter is there again");
    log_fields(LOG_LEVEL_INFO, "linked to the adapter", fields, COUNT_OF(fields));
    tell_probes(g, true);
}

static void connect_now(struct gateway *g, int64_t now_ms)
{
    const struct conf_gateway *c = g->opts.conf;
    char why[ADAPTER_WHY_SIZE];
    if (adapter_link_open(&g->link, c->adapter.socket, c->adapter.user, why) < 0) {
        adapter_link_over(g, "not_connected", why);
        return;
    }
    struct adapter_hello h = {.gateway = c->name,
                              .window = g->opts.window,
                              .answer_timeout_ms = c->answer_timeout_ms,
                              .ping_interval_ms = c->adapter.ping_interval_ms};
    adapter_add_hello(adapter_link_waiting(&g->link), &h);
    g->state = LINK_GREETING;
    g->again_ms = now_ms + c->connect_timeout_ms;
}

/* ---- reading ---- */

/* Why a link is over: before its hello it was none. */
static const char *lost(const struct gateway *g)
{
    return g->state == LINK_UP ? "connection_lost" : "not_connected";
}

static void read_turn(struct gateway *g, int64_t now_ms)
{
    uint64_t generation = g->generation;
    int rc = adapter_link_read(&g->link), next;
    char *line;
    size_t len;
    while ((next = adapter_link_next(&g->link, &line, &len)) == 0) {
        g->heard_ms = now_ms;
        g->pinged_ms = 0;
        if (!adapter_said(g, line, len, now_ms) || g->generation != generation)
            return;
    }
    if (next < 0)
        adapter_link_over(g, "answer_too_big", "the adapter sent a line longer than the protocol allows");
    else if (rc == -EPIPE)
        adapter_link_over(g, lost(g), "the adapter has closed the connection");
    else if (rc < 0)
        adapter_link_over(g, lost(g), strerror(-rc));
}

/* ---- sending ---- */

/* Everything earlier has left, so the line's first byte may leave with the next write. */
static void begin_one(struct gateway *g, struct taken *t, int64_t now_ms)
{
    const struct gateway_item *item = &t->request->items[0];
    struct adapter_submit s = {.id = ++g->next_id,
                               .number = item->number,
                               .segments = item->segments,
                               .valid_until = item->valid_until,
                               .seq_id = item->seq_id,
                               .text = item->text,
                               .sender = item->sender,
                               .encoding = item->encoding};
    struct buf *out = adapter_link_out(&g->link);
    adapter_add_submit(out, &s);
    if (out->len > ADAPTER_LINE_MAX) {
        struct gateway_answer a = {.outcome = OUTCOME_REFUSED,
                                   .reason = "bad_request",
                                   .error = "the text makes a line longer than the protocol allows",
                                   .retry_after_ms = -1};
        buf_clear(out);
        adapter_answer(g, t, &a);
        return;
    }
    if (!g->opts.events.first_byte(g->opts.events.arg, t->request)) {
        buf_clear(out);
        not_sent(g, t, "claim_too_old", "", false);
        return;
    }
    list_drop(list_of(g, t), t);
    t->id = s.id;
    t->until_ms = now_ms + g->opts.conf->answer_timeout_ms;
    list_put(&g->begun, t);
    HASH_ADD(hh, g->by_id, id, sizeof(t->id), t);
}

static void write_turn(struct gateway *g, int64_t now_ms)
{
    int rc = adapter_link_write(&g->link);
    struct taken *t;
    while (rc == 0 && g->state == LINK_UP && adapter_link_is_free(&g->link) &&
           (t = next_waiting(g)) != NULL) {
        begin_one(g, t, now_ms);
        rc = adapter_link_write(&g->link);
    }
    if (rc == 0)
        return;
    const char *why = rc == -ENOBUFS ? "the adapter does not read its socket" : strerror(-rc);
    uint64_t generation = g->generation;
    read_turn(g, now_ms); /* what it has said before counts, its end with it */
    if (g->generation == generation)
        adapter_link_over(g, lost(g), why);
}

/* ---- time ---- */

static void ping_turn(struct gateway *g, int64_t now_ms)
{
    const struct conf_adapter *c = &g->opts.conf->adapter;
    if (g->pinged_ms != 0 && now_ms - g->pinged_ms >= c->ping_timeout_ms) {
        adapter_link_over(g, "connection_lost", "the adapter does not answer pings");
    } else if (g->pinged_ms == 0 && now_ms - g->heard_ms >= c->ping_interval_ms) {
        g->pinged_ms = now_ms;
        adapter_add_ping(adapter_link_waiting(&g->link), now_ms);
    }
}

static void time_turn(struct gateway *g, int64_t now_ms)
{
    if (g->state == LINK_GREETING && now_ms >= g->again_ms)
        adapter_link_over(g, "connect_timeout", "the adapter has not said hello in time");
    if (g->state == LINK_UP)
        ping_turn(g, now_ms);
    while (g->begun.first != NULL && now_ms >= g->begun.first->until_ms)
        in_doubt(g, g->begun.first, "answer_timeout", "the adapter has not answered in time");
    for (struct taken *t; (t = oldest_waiting(g)) != NULL && now_ms >= t->until_ms;)
        not_sent(g, t, "connect_timeout", "no link to the adapter in time, or it does not read", true);
    /* In a pause behind a failed attempt nothing is worth waiting for: another gateway may take it. */
    if (g->state == LINK_DOWN && g->why[0] != '\0' && now_ms < g->again_ms)
        for (struct taken *t; (t = next_waiting(g)) != NULL;)
            not_sent(g, t, "not_connected", g->why, true);
}

static void adapter_turn(struct gateway *g)
{
    int64_t now = clock_mono_ms();
    if (g->state == LINK_UP)
        tell_probes(g, true);
    if (g->state == LINK_DOWN && (now >= g->again_ms || g->probes > 0))
        connect_now(g, now);
    if (g->state != LINK_DOWN)
        read_turn(g, now);
    time_turn(g, now);
    if (g->state != LINK_DOWN)
        write_turn(g, now);
}

static int64_t until(int64_t wait, int64_t at_ms, int64_t now_ms)
{
    int64_t left = MAX_OF(at_ms - now_ms, (int64_t)0);
    return wait < 0 ? left : MIN_OF(wait, left);
}

static int64_t adapter_wait_ms(const struct gateway *g)
{
    const struct conf_adapter *c = &g->opts.conf->adapter;
    int64_t wait = -1, now = clock_mono_ms();
    if (g->state != LINK_UP)
        wait = until(wait, g->again_ms, now);
    else
        wait = until(
            wait, g->pinged_ms != 0 ? g->pinged_ms + c->ping_timeout_ms : g->heard_ms + c->ping_interval_ms,
            now);
    if (g->begun.first != NULL)
        wait = until(wait, g->begun.first->until_ms, now);
    const struct taken *oldest = oldest_waiting(g);
    if (oldest != NULL)
        wait = until(wait, oldest->until_ms, now);
    bool at_once = (oldest != NULL && g->state == LINK_UP && adapter_link_is_free(&g->link)) ||
                   (g->state == LINK_DOWN && oldest != NULL && g->why[0] != '\0') ||
                   (g->state != LINK_GREETING && g->probes > 0) ||
                   (g->state != LINK_DOWN && adapter_link_has_news(&g->link));
    return at_once ? 0 : wait;
}

static int adapter_fd(const struct gateway *g)
{
    return g->link.epoll;
}

/* ---- the contract ---- */

static void adapter_send(struct gateway *g, struct gateway_request *r)
{
    if (r->count != 1)
        abort(); /* requests of several messages are for drivers that say so */
    struct taken *t = xcalloc(1, sizeof(*t));
    t->request = r;
    t->until_ms = clock_mono_ms() + g->opts.conf->connect_timeout_ms;
    list_put(list_of(g, t), t);
}

/* A link that is up has just shown that it lives, or will be found dead by its ping. Its hello tells nothing
 * of a message, as a handshake does not. */
static void adapter_probe(struct gateway *g)
{
    g->probes++;
}

static void adapter_close(struct gateway *g)
{
    if (g == NULL)
        return;
    while (g->begun.first != NULL)
        in_doubt(g, g->begun.first, "connection_lost", "the link was given up");
    for (struct taken *t; (t = next_waiting(g)) != NULL;)
        not_sent(g, t, "not_connected", "", false);
    if (g->state == LINK_UP)
        (void)!adapter_link_write(&g->link); /* what it may still be told: kept, pong */
    adapter_link_deinit(&g->link);
    free(g);
}

static int adapter_open(const struct gateway_options *opts, struct gateway **ret, char **ret_why)
{
    struct gateway *g = xcalloc(1, sizeof(*g));
    *g = (struct gateway){.opts = *opts, .generation = 1};
    int rc = adapter_link_init(&g->link);
    if (rc < 0) {
        *ret_why = xasprintf("no descriptor: %s", strerror(-rc));
        free(g);
        return rc;
    }
    *ret = g;
    return 0;
}

const struct gateway_driver adapter_driver = {.name = "adapter",
                                              .open = adapter_open,
                                              .close = adapter_close,
                                              .send = adapter_send,
                                              .probe = adapter_probe,
                                              .fd = adapter_fd,
                                              .wait_ms = adapter_wait_ms,
                                              .turn = adapter_turn,
                                              .kept = adapter_kept};

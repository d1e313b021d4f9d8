/* The thread of one gateway: its beginning, its round, its end. */
#include "dispatch/dispatcher.h"
#include "lib/clock.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#define ROUND_MAX_MS  200
#define OPEN_AGAIN_MS 2000

struct mq_options dispatcher_broker(const struct conf *c, const char *name)
{
    return (struct mq_options){.host = c->main.broker.host,
                               .vhost = c->main.broker.vhost,
                               .user = c->main.dispatch.service.broker_user,
                               .password = c->main.dispatch.service.broker_password,
                               .port = (int)c->main.broker.port,
                               .name = name,
                               .heartbeat_s = (int)MAX_OF(c->main.broker.heartbeat_ms / 1000, (int64_t)1),
                               .tls = c->main.broker.tls,
                               .ca_file = c->main.broker.ca_file};
}

/* A minute of the rate in chunks: what waits in memory waits unacked. */
static uint16_t prefetch(const struct dispatcher *d, enum lane lane)
{
    bool instant = lane == LANE_INSTANT;
    int64_t rate = d->gateway->rate / MAX_OF(d->gateway->dispatchers, (int64_t)1);
    int64_t chunks =
        rate * DISPATCH_UNACKED_S / (instant ? DISPATCH_INSTANT_RECORDS : DISPATCH_CHUNK_RECORDS);
    int64_t least = instant ? DISPATCH_PREFETCH_MAX : 1;
    int64_t most = instant ? DISPATCH_INSTANT_PREFETCH_MAX : DISPATCH_PREFETCH_MAX;
    return (uint16_t)MIN_OF(MAX_OF(chunks, least), most);
}

static void open_broker(struct dispatcher *d)
{
    char queue[MQ_QUEUE_SIZE], update[MQ_QUEUE_SIZE];
    auto_free char *name = xasprintf("dispatch %s", d->gateway->name);
    struct mq_options opts = dispatcher_broker(d->conf, name);
    for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
        mq_queue_dispatch(d->gateway->name, lane_words[lane], queue);
        d->consumers[lane] = mq_consumer_new(&opts, queue, prefetch(d, lane));
        mq_consumer_pause(d->consumers[lane]);
    }
    d->publisher = mq_publisher_new(&opts, NULL);
    mq_queue_update(mq_update_shard(d->gateway->name, (unsigned)d->conf->main.broker.update_shards), update);
    struct tell_options tell = {.publisher = d->publisher,
                                .update_queue = update,
                                .arg = d,
                                .done = outcome_told,
                                .published = outcome_published};
    d->tell = tell_new(&tell);
}

static void open_database(struct dispatcher *d)
{
    auto_free char *name = xasprintf("smschain-dispatch %s", d->gateway->name);
    auto_free char *who = xasprintf("dispatch-%s", d->gateway->name);
    struct db_options opts = {.conninfo = d->conf->main.database.conninfo,
                              .user = d->conf->main.dispatch.service.database_user,
                              .password = d->conf->main.dispatch.service.database_password,
                              .name = name,
                              .statement_timeout_ms = 30000,
                              .idle_session_timeout_ms = DB_HELD_IDLE_MS,
                              .idle_in_transaction_timeout_ms = DB_HELD_IDLE_MS};
    d->db = db_new(&opts);
    d->params = db_params_new();
    d->history = history_new(d->conf->main.state_dir, who);
}

struct dispatcher *dispatcher_new(const struct conf *conf, const struct conf_gateway *gateway,
                                  struct drain *drain)
{
    struct dispatcher *d = xcalloc(1, sizeof(*d));
    int64_t n = MAX_OF(gateway->dispatchers, (int64_t)1), share = 0;
    (void)conf_share(gateway->instant_share, &share); /* it was checked */
    d->conf = conf;
    d->gateway = gateway;
    window_init(&d->window, (unsigned)MAX_OF(gateway->window / n, (int64_t)1), share);
    d->group_max = MIN_OF(MAX_OF(conf->main.dispatch.claim_group, (int64_t)1), (int64_t)DISPATCH_GROUP_MAX);
    d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    d->arrays = xcalloc(1, sizeof(*d->arrays));
    d->slots_dir = xasprintf("%s/slots", conf->main.state_dir);
    d->figures = figures_new("dispatch", gateway->name);
    d->state = "starting";
    d->drain = drain;
    d->reports = drain != NULL ? reports_new(drain, gateway) : NULL;
    rate_init(&d->rate, gateway->rate, n, share, clock_mono_ms());
    breaker_init(&d->breaker, gateway->breaker_failures, gateway->breaker_pause_ms);
    open_database(d);
    open_broker(d);
    measure_init(d);
    return d;
}

void dispatcher_free(struct dispatcher *d)
{
    if (d == NULL)
        return;
    if (d->sender != NULL)
        d->driver->close(d->sender);
    reports_free(d->reports);
    tell_free(d->tell);
    mq_publisher_free(d->publisher);
    for (unsigned lane = 0; lane < LANE_COUNT; lane++)
        mq_consumer_free(d->consumers[lane]);
    for (struct delivery *x = d->deliveries, *next; x != NULL; x = next) {
        next = x->next;
        delivery_free(x);
    }
    slots_close(d->slots);
    slots_close(d->recovery.dead);
    free(d->recovery.releases);
    history_free(d->history);
    db_params_free(d->params);
    db_free(d->db);
    measure_deinit(d);
    figures_free(d->figures);
    free(d->arrays);
    free(d->slots_dir);
    close(d->wake_fd);
    free(d);
}

void dispatcher_end(struct dispatcher *d)
{
    uint64_t one = 1;
    if (write(d->wake_fd, &one, sizeof(one)) < 0) {
        /* EAGAIN: its counter is full, so it is readable */
    }
}

void dispatcher_leave(struct dispatcher *d, bool leaving)
{
    d->leaving = leaving;
}

/* ---- what comes over the link ---- */

static void take_report(void *arg, const struct step_record *s, uint64_t token)
{
    struct dispatcher *d = arg;
    reports_put(d->reports, s, token);
}

static void take_inbound(void *arg, const struct inbound_record *in, uint64_t token)
{
    struct dispatcher *d = arg;
    reports_put_inbound(d->reports, in, token);
}

static void tell_kept(void *arg, uint64_t token, bool kept)
{
    struct dispatcher *d = arg;
    d->driver->kept(d->sender, token, kept);
}

static bool open_driver(struct dispatcher *d)
{
    auto_free char *why = NULL;
    struct gateway_options opts = {.conf = d->gateway,
                                   .secrets = &d->conf->secrets,
                                   .window = d->window.size,
                                   .events = {.arg = d,
                                              .first_byte = outcome_first_byte,
                                              .answered = outcome_answered,
                                              .probed = outcome_probed,
                                              .report = d->reports != NULL ? take_report : NULL,
                                              .inbound = d->reports != NULL ? take_inbound : NULL}};
    d->driver = gateway_driver(d->gateway->driver);
    if (d->driver != NULL && d->driver->open(&opts, &d->sender, &why) == 0) {
        log_trouble_ends(&d->driver_trouble, "the gateway can be used");
        return true;
    }
    struct log_field fields[] = {L_STR("gateway", d->gateway->name), L_STR("file", d->gateway->file),
                                 L_STR("why", why != NULL ? why : "no such driver")};
    log_trouble_begins(&d->driver_trouble, "the gateway cannot be used", fields, COUNT_OF(fields));
    d->sender = NULL;
    return false;
}

static bool open_slots(struct dispatcher *d)
{
    (void)mkdir(d->conf->main.state_dir, 0700); /* if it cannot be, slots_create says so */
    /* One message at least, however many segments it has. */
    unsigned least = d->driver->cut != NULL ? GATEWAY_PARTS_MAX : 1;
    int rc = slots_create(d->slots_dir, d->gateway->name, MAX_OF(d->window.size * 2, least), &d->slots);
    struct log_field fields[] = {L_STR("gateway", d->gateway->name), L_STR("dir", d->slots_dir), L_ERRNO(rc)};
    if (rc < 0)
        log_trouble_begins(&d->slots_trouble, "no slots file, so nothing is sent", fields, COUNT_OF(fields));
    else
        log_trouble_ends(&d->slots_trouble, "the slots file is there");
    return rc == 0;
}

/* Both, or false at the end: without either there is no sending. A wrong configuration waits to be changed, a
 * certificate to be renewed, a full disk to be emptied; the other gateways go on. */
static bool open_sender(struct dispatcher *d)
{
    while (!d->ending && ((d->sender == NULL && !open_driver(d)) || !open_slots(d))) {
        struct pollfd wake = {.fd = d->wake_fd, .events = POLLIN};
        d->ending = poll(&wake, 1, OPEN_AGAIN_MS) > 0;
        loop_turned(d->measure.loop);
    }
    return d->slots != NULL;
}

static void set_link_figures(struct dispatcher *d)
{
    if (d->reports == NULL)
        return;
    const struct reports_counters *c = reports_counters(d->reports);
    figures_set(d->figures, "reports", c->reports);
    figures_set(d->figures, "inbound", c->inbound);
    figures_set(d->figures, "unreadable", c->unreadable);
    figures_set(d->figures, "not_kept", c->not_kept);
    figures_set(d->figures, "reports_waiting", (int64_t)reports_waiting(d->reports));
    drain_put_figures(d->drain, d->figures); /* of the whole process */
}

static void set_figures(struct dispatcher *d, int64_t now_ms)
{
    const struct counters *c = &d->counters;
    int64_t passed = now_ms - d->rate_from_ms;
    if (passed < 1000)
        return;
    d->rate_now = (c->submits - d->rate_from_submits) * 1000 / passed;
    d->rate_from_ms = now_ms;
    d->rate_from_submits = c->submits;
    const struct message *oldest = d->sending.first;
    figures_set_str(d->figures, "state", d->state);
    figures_set_str(d->figures, "breaker", breaker_word(d->breaker.state));
    figures_set(d->figures, "rate", d->rate_now);
    figures_set(d->figures, "rate_limit", rate_per_s(&d->rate));
    figures_set(d->figures, "window", d->window.size);
    figures_set(d->figures, "window_used", (int64_t)window_used(&d->window));
    figures_set(d->figures, "window_used_instant", (int64_t)d->window.used[LANE_INSTANT]);
    figures_set(d->figures, "slots_used", (int64_t)d->slots_used);
    figures_set(d->figures, "oldest_unanswered_ms", oldest != NULL ? now_ms - oldest->claimed_mono_ms : 0);
    figures_set(d->figures, "waiting", (int64_t)waiting_count(d));
    figures_set(d->figures, "waiting_instant", (int64_t)d->ready[LANE_INSTANT].count);
    figures_set(d->figures, "submits", c->submits);
    figures_set(d->figures, "accepted", c->accepted);
    figures_set(d->figures, "refused", c->refused);
    figures_set(d->figures, "throttled", c->throttled);
    figures_set(d->figures, "retried", c->retried);
    figures_set(d->figures, "not_sent", c->not_sent);
    figures_set(d->figures, "in_doubt", c->in_doubt);
    figures_set(d->figures, "handed_over", c->handed_over);
    figures_set(d->figures, "dead", c->dead);
    set_link_figures(d);
    measure_ready(d);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return b < 0 ? a : MIN_OF(a, b);
}

static void begin_end(struct dispatcher *d)
{
    d->ending = true;
    d->end_ms = clock_mono_ms() + d->gateway->answer_timeout_ms + DISPATCH_END_MS;
}

/* A link that was opened is kept, whatever becomes of the place: answers and reports come over it. */
static bool may_link(const struct dispatcher *d)
{
    return d->linked || d->place.held || !d->driver->counted;
}

static void wait_for_work(struct dispatcher *d, int64_t tell_ms, int64_t now_ms)
{
    int64_t wait = sooner(d->more ? 0 : ROUND_MAX_MS, tell_ms);
    wait = sooner(wait, may_link(d) ? d->driver->wait_ms(d->sender) : -1);
    wait = sooner(wait, claim_wait_ms(d, now_ms));
    wait = sooner(wait, d->work_running ? -1 : place_wait_ms(d, now_ms));
    if (!d->work_running && (d->settling.count > 0 || d->outgoing.count > 0 || d->work != WORK_NONE))
        wait = sooner(wait, d->place.generation == 0 ? 50 : MAX_OF(d->work_again_ms - now_ms, (int64_t)0));
    struct pollfd fds[] = {{.fd = d->ending ? -1 : d->wake_fd, .events = POLLIN}, /* it stays readable */
                           {.fd = d->driver->fd(d->sender), .events = POLLIN},
                           {.fd = mq_consumer_fd(d->consumers[LANE_INSTANT]), .events = POLLIN},
                           {.fd = mq_consumer_fd(d->consumers[LANE_BULK]), .events = POLLIN},
                           {.fd = mq_publisher_fd(d->publisher), .events = POLLIN},
                           {.fd = d->work_running ? db_fd(d->db) : -1, .events = POLLIN},
                           {.fd = d->reports != NULL ? reports_fd(d->reports) : -1, .events = POLLIN}};
    poll(fds, COUNT_OF(fds), (int)wait);
    if (fds[0].revents & POLLIN)
        begin_end(d);
}

/* While its consumers are open and nothing comes the queues are empty; while they are closed (paused, the
 * breaker open, the broker away) nothing is known. Who stands by leaves the rest to the holder of the place.
 */
static void leave_turn(struct dispatcher *d, int64_t now_ms)
{
    bool listens = d->taking == TAKING_ON && mq_consumer_fd(d->consumers[LANE_INSTANT]) >= 0 &&
                   mq_consumer_fd(d->consumers[LANE_BULK]) >= 0;
    bool stands_by = d->place.generation != 0 && !d->place.held;

    if (!d->leaving || d->ending || d->messages > 0 || !(listens || stands_by)) {
        d->quiet_since_ms = 0;
        return;
    }
    if (d->quiet_since_ms == 0)
        d->quiet_since_ms = now_ms;
    if (now_ms - d->quiet_since_ms < DISPATCH_LEAVE_MS)
        return;
    log_info("the gateway is not configured any more, and its queues are empty",
             L_STR("gateway", d->gateway->name));
    begin_end(d);
}

static bool drained(const struct dispatcher *d, int64_t now_ms)
{
    if (!d->ending)
        return false;
    if (now_ms >= d->end_ms) {
        log_warn("ended before everything was settled: the next start recovers it",
                 L_STR("gateway", d->gateway->name), L_INT("slots_used", d->slots_used));
        return true;
    }
    return d->taking == TAKING_OFF && d->messages == 0 && tell_open(d->tell) == 0 && !d->work_running &&
           d->recovery.dead == NULL && (d->reports == NULL || reports_waiting(d->reports) == 0);
}

void dispatcher_run(struct dispatcher *d)
{
    bool usable = open_sender(d);
    for (int64_t now_ms = clock_mono_ms(); usable && !drained(d, now_ms); now_ms = clock_mono_ms()) {
        loop_turned(d->measure.loop);
        d->linked = may_link(d);
        if (d->linked)
            d->driver->turn(d->sender);
        if (d->reports != NULL)
            reports_turn(d->reports, tell_kept, d);
        work_turn(d, now_ms);
        recover_turn(d, now_ms);
        take_turn(d, now_ms);
        hand_over_turn(d, now_ms);
        leave_turn(d, now_ms);
        work_turn(d, now_ms); /* what was taken or answered just now */
        int64_t tell_ms = tell_turn(d->tell, now_ms);
        set_figures(d, now_ms);
        wait_for_work(d, tell_ms, now_ms);
    }
    log_info("dispatcher ended", L_STR("gateway", d->gateway->name), L_INT("submits", d->counters.submits),
             L_INT("accepted", d->counters.accepted), L_INT("in_doubt", d->counters.in_doubt));
}

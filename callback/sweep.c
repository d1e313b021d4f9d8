/* The sweeper's thread: holds the lock, runs what is due, and publishes what was found. */
#include "callback/inbound_apply.h"
#include "callback/options.h"
#include "callback/sweep_internal.h"
#include "callback/words.h"
#include "lib/clock.h"
#include "lib/drain.h"
#include "lib/fault.h"
#include "lib/lock.h"
#include "sweep_alive.sql.h"
#include "sweep_lock.sql.h"

#include <stdio.h>

#define TICK_MS    500
#define ALIVE_MS   5000 /* the session that holds the lock says something so often */
#define CONFIRM_MS 10000
#define SECOND_MS  INT64_C(1000)
#define MINUTE_MS  (60 * SECOND_MS)

/* ---- telling ---- */

static void new_publisher(struct sweep *s)
{
    struct mq_options o = callback_mq_options(&gateways_conf(s->start)->main, "callback sweep");
    mq_publisher_free(s->publisher);
    s->publisher = mq_publisher_new(&o, NULL);
}

/* The broker may be away: then what was found is found again. */
static void publish_chunk(struct sweep *s, unsigned shard)
{
    struct sweep_chunk *c = &s->chunks[shard];
    char queue[MQ_QUEUE_SIZE];
    if (c->records == 0)
        return;
    chunk_end(&c->body);
    struct mq_message m = {.queue = mq_queue_update(shard, queue), .body = c->body.data, .len = c->body.len};
    int64_t deadline_ms = clock_mono_ms() + CONFIRM_MS;
    while (mq_publish(s->publisher, &m) == MQ_FULL) {
        mq_publisher_pump(s->publisher, (int)SECOND_MS);
        if (clock_mono_ms() < deadline_ms)
            continue;
        s->not_told = true;
        break;
    }
    buf_clear(&c->body);
    c->records = 0;
}

void sweep_tell(struct sweep *s, const struct step_record *r)
{
    unsigned shard = mq_update_shard(r->gateway, s->shards);
    struct sweep_chunk *c = &s->chunks[shard];
    if (c->records == 0)
        chunk_begin(&c->body, RECORD_STEPS);
    chunk_add_step(&c->body, r);
    if (++c->records >= DRAIN_CHUNK_RECORDS)
        publish_chunk(s, shard);
}

int sweep_flush(struct sweep *s)
{
    struct mq_outcome outcome;
    size_t waiting = mq_publisher_unconfirmed(s->publisher);
    for (unsigned i = 0; i < s->shards; i++)
        waiting += s->chunks[i].records;
    if (waiting == 0)
        return 0;
    FAULT("sweep.found");
    for (unsigned i = 0; i < s->shards; i++)
        publish_chunk(s, i);
    int r = mq_publisher_flush(s->publisher, CONFIRM_MS);
    while (mq_publisher_next(s->publisher, &outcome)) {
        if (!outcome.confirmed)
            r = -ENOENT;
    }
    if (s->not_told)
        r = -ETIMEDOUT;
    s->not_told = false;
    if (r != 0)
        new_publisher(s);
    FAULT("sweep.told");
    return r;
}

/* ---- turns ---- */

static int64_t within(int64_t ms, int64_t least, int64_t most)
{
    return MIN_OF(MAX_OF(ms, least), most);
}

/* Messages in parts whose others did not come in time. Under the lock that the consumers take, so each is
 * entered once. */
static int sweep_inbound_parts(struct sweep *s)
{
    struct inbound_figures figures;
    int r = 0;
    do {
        figures = (struct inbound_figures){0};
        r = inbound_apply(s->db, s->words, gateways_conf(s->conf), NULL, 0, &figures);
        s->inbound_parts += figures.entered;
    } while (r == 0 && figures.entered > 0 && !s->stopping);
    return r;
}

#define DUTIES_MAX COUNT_OF(((struct sweep *)0)->due_ms)
struct duty {
    const char *name;
    int (*run)(struct sweep *s);
    int64_t every_ms;
};

/* Of the tables, and in a thread of its own of the gateways, which may let one wait. */
static size_t duties_of(const struct sweep *s, struct duty ret[DUTIES_MAX])
{
    const struct conf_main *m = &gateways_conf(s->conf)->main;
    const struct duty tables[] = {
        {"partitions", sweep_partitions, 60 * MINUTE_MS},
        {"open claims", sweep_open_claims, within(m->dispatch.claim_horizon_ms / 10, SECOND_MS, MINUTE_MS)},
        {"no report", sweep_no_report, within(m->callback.report_horizon_ms / 20, SECOND_MS, 10 * MINUTE_MS)},
        {"inference", sweep_infer, within(m->callback.flush_interval_ms, SECOND_MS, MINUTE_MS)},
        {"parked", sweep_give_up, within(m->callback.park_horizon_ms / 20, SECOND_MS, 10 * MINUTE_MS)},
        {"inbound parts", sweep_inbound_parts,
         within(m->inbound.parts_timeout_ms / 20, SECOND_MS, MINUTE_MS / 2)},
        {"what is old", sweep_old, 60 * MINUTE_MS},
    };
    const struct duty lookups[] = {
        {"look-ups to make", lookup_find, within(m->callback.flush_interval_ms, SECOND_MS, MINUTE_MS / 2)},
        {"look-ups", lookup_turn, SECOND_MS},
    };
    _Static_assert(COUNT_OF(tables) <= DUTIES_MAX, "due_ms is too short");
    memcpy(ret, s->of_gateways ? lookups : tables, s->of_gateways ? sizeof(lookups) : sizeof(tables));
    return s->of_gateways ? COUNT_OF(lookups) : COUNT_OF(tables);
}

static void run_duties(struct sweep *s)
{
    struct duty duties[DUTIES_MAX];
    size_t count = duties_of(s, duties);
    for (size_t i = 0; i < count && !s->stopping; i++) {
        if (clock_mono_ms() < s->due_ms[i])
            continue;
        int r = duties[i].run(s);
        if (r != 0) {
            const char *why = r > 0 || *db_error(s->db) ? db_error(s->db) : strerror(-r);
            const struct log_field fields[] = {L_STR("sweep", duties[i].name), L_STR("error", why)};
            log_trouble_begins(&s->trouble, "a sweep cannot be done now", fields, COUNT_OF(fields));
            s->due_ms[i] = clock_mono_ms() + within(duties[i].every_ms, SECOND_MS, 5 * SECOND_MS);
            return;
        }
        s->due_ms[i] = clock_mono_ms() + duties[i].every_ms;
    }
    log_trouble_ends(&s->trouble, "sweeps go on");
}

/* The lock is the session's: a lost connection loses it, and another process may have it by now. A process
 * that is stopped loses it to idle_session_timeout. */
static bool hold_lock(struct sweep *s)
{
    auto_result result = NULL;
    if (db_ready(s->db) != 0)
        return false;
    if (s->locked_generation == db_generation(s->db)) {
        if (clock_mono_ms() < s->alive_ms)
            return true;
        s->alive_ms = clock_mono_ms() + ALIVE_MS;
        return db_run(s->db, &sql_sweep_alive, NULL, NULL) == 0;
    }
    auto_params p = db_params_new();
    db_add_int(p, s->of_gateways ? 1 : 0);
    if (db_run(s->db, &sql_sweep_lock, p, &result) != 0)
        return false;
    if (!db_bool(result, 0, 0)) {
        if (clock_mono_ms() >= s->alive_ms && lock_end_stuck(s->db, LOCK_SWEEP, s->of_gateways ? 1 : 0) == 0)
            s->alive_ms = clock_mono_ms() + LOCK_LOOK_MS;
        return false;
    }
    s->locked_generation = db_generation(s->db);
    log_debug(s->of_gateways ? "look-ups are ours" : "sweeps are ours");
    return true;
}

static void rest(struct sweep *s, int64_t ms)
{
    for (int64_t until_ms = clock_mono_ms() + ms; !s->stopping && clock_mono_ms() < until_ms;) {
        mq_publisher_pump(s->publisher, 0);
        usleep(100000);
    }
}

static void *sweep_thread(void *arg)
{
    struct sweep *s = arg;
    while (!s->stopping) {
        s->sweeping = hold_lock(s);
        if (s->sweeping) {
            s->conf = gateways_now_get(s->gateways);
            run_duties(s);
            gateways_unref(s->conf);
            s->conf = NULL;
        }
        rest(s, TICK_MS);
    }
    return NULL;
}

static struct sweep *start(struct gateways_now *gateways, bool of_gateways)
{
    struct sweep *s = xcalloc(1, sizeof(*s));
    s->gateways = gateways;
    s->start = gateways_now_get(gateways);
    const struct conf_main *m = &gateways_conf(s->start)->main;
    struct db_options o =
        callback_db_options(m, of_gateways ? "smschain callback look-up" : "smschain callback sweep");
    s->of_gateways = of_gateways;
    o.idle_session_timeout_ms =
        of_gateways ? 2 * DB_HELD_IDLE_MS : DB_HELD_IDLE_MS; /* an answer may take 20 s */
    s->db = db_new(&o);
    s->words = words_new();
    s->shards = (unsigned)MAX_OF(m->broker.update_shards, 1);
    s->chunks = xcalloc(s->shards, sizeof(*s->chunks));
    new_publisher(s);
    int r = pthread_create(&s->thread, NULL, sweep_thread, s);
    if (r != 0) {
        log_error("sweep thread cannot be started", L_ERRNO(-r));
        abort();
    }
    return s;
}

struct sweep *sweep_start(struct gateways_now *gateways)
{
    struct sweep *s = start(gateways, false);
    s->lookups = start(gateways, true);
    return s;
}

void sweep_stop(struct sweep *s)
{
    s->stopping = true;
    if (s->lookups)
        sweep_stop(s->lookups);
}

void sweep_join(struct sweep *s)
{
    if (s->lookups)
        sweep_join(s->lookups);
    pthread_join(s->thread, NULL);
    lookup_free(s->lookup);
    mq_publisher_free(s->publisher);
    db_free(s->db);
    words_free(s->words);
    for (unsigned i = 0; i < s->shards; i++)
        buf_deinit(&s->chunks[i].body);
    free(s->chunks);
    gateways_unref(s->start);
    free(s);
}

void sweep_put_figures(struct sweep *s, struct figures *f)
{
    figures_set(f, "sweeping", s->sweeping);
    figures_set(f, "open_claims_told", s->open_claims);
    figures_set(f, "no_report_told", s->no_report);
    figures_set(f, "inferred", s->inferred);
    figures_set(f, "given_up", s->given_up);
    figures_set(f, "inbound_incomplete", s->inbound_parts);
    figures_set(f, "looking_up", s->lookups->sweeping);
    figures_set(f, "lookups", s->lookups->asked);
    figures_set(f, "lookups_settled", s->lookups->answered);
    figures_set(f, "lookups_sent_again", s->lookups->sent_again);
    figures_set(f, "lookups_given_up", s->lookups->given_up);
}

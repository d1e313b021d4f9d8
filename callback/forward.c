/* Take, post one after the other, note. An address that is away is left alone for a while; one message that
 * is refused waits by itself, and the others go on. */
#include "callback/forward.h"
#include "callback/options.h"
#include "forward_back.sql.h"
#include "forward_done.sql.h"
#include "forward_later.sql.h"
#include "forward_take.sql.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/http.h"
#include "lib/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define TAKE_ROWS      20
#define TICK_MS        500
#define CONNECT_MS     5000
#define ANSWER_MAX     4096 /* of which nothing is kept */
#define LEASE_TIMEOUTS 4    /* rows are ours for so many times the time-out */
#define RETRY_BASE_MS  1000
#define RETRY_MAX_MS   (10 * 60 * 1000)
#define AWAY_MAX_MS    60000
#define ERROR_SIZE     256

struct forward {
    pthread_t thread;
    struct gateways_now *gateways;
    struct gateways *conf; /* that the client was made for */
    struct http_client *client;
    char **headers; /* lines: those configured */
    size_t header_count;
    struct db *db;
    struct log_trouble db_trouble, away_trouble;
    unsigned failures;  /* of the address, in a row */
    int64_t quiet_till; /* the address is left alone until then; monotonic ms */
    atomic_bool stopping;
    atomic_int_fast64_t forwarded, failed, given_up;
};

/* ---- as the configuration says ---- */

static const struct conf_inbound *conf_of(const struct forward *f)
{
    return &gateways_conf(f->conf)->main.inbound;
}

static void close_client(struct forward *f)
{
    http_client_free(f->client);
    for (size_t i = 0; i < f->header_count; i++)
        free(f->headers[i]);
    free(f->headers);
    f->headers = NULL;
    f->header_count = 0;
    f->client = NULL;
}

/* SIGHUP may have put another configuration in place. */
static void follow_conf(struct forward *f)
{
    struct gateways *now = gateways_now_get(f->gateways);
    if (now == f->conf) {
        gateways_unref(now);
        return;
    }
    close_client(f);
    gateways_unref(f->conf);
    f->conf = now;
    f->failures = 0;
    f->quiet_till = 0;
    const struct conf_inbound *c = conf_of(f);
    f->client = http_client_new(
        &(struct http_options){.conf = &c->forward.http,
                               .connect_timeout_ms = MIN_OF(c->forward.timeout_ms, CONNECT_MS),
                               .answer_timeout_ms = c->forward.timeout_ms,
                               .answer_max = ANSWER_MAX});
    f->headers = xcalloc(c->forward.headers.count + 2, sizeof(*f->headers));
    f->headers[f->header_count++] = xstrdup("Content-Type: application/json");
    for (size_t i = 0; i < c->forward.headers.count; i++)
        f->headers[f->header_count++] =
            xasprintf("%s: %s", c->forward.headers.pairs[i].key, c->forward.headers.pairs[i].value);
}

static const char *url_of(const struct forward *f, const char *gateway)
{
    const struct conf_gateway *g = conf_gateway(gateways_conf(f->conf), gateway);
    return g && *g->inbound.forward_url ? g->inbound.forward_url : conf_of(f)->forward.url;
}

/* ---- one message ---- */

enum post_end {
    POST_DONE,
    POST_REFUSED, /* this one: others may fare better */
    POST_AWAY,    /* the address answers nobody now */
    POST_STOPPED,
};

static bool go_on(void *arg)
{
    const struct forward *f = arg;
    return !f->stopping;
}

static char *as_member(const char *s)
{
    return (char *)(uintptr_t)s;
}

static char *given(const char *s)
{
    return *s ? as_member(s) : NULL;
}

static void write_body(const struct db_result *rows, int row, struct buf *out)
{
    struct inbound_record r = {.inbound = db_big(rows, row, 0),
                               .gateway = as_member(db_text(rows, row, 1)),
                               .number = db_big(rows, row, 2),
                               .from = as_member(db_text(rows, row, 3)),
                               .to = given(db_text(rows, row, 4)),
                               .text = as_member(db_text(rows, row, 5)),
                               .msg_id = given(db_text(rows, row, 6)),
                               .gateway_at = db_time_ms(rows, row, 7),
                               .at = db_time_ms(rows, row, 8),
                               .parts = db_big(rows, row, 12) > 1 ? db_big(rows, row, 12) : 0,
                               .missing = db_big(rows, row, 13),
                               .keyword = given(db_text(rows, row, 9))};
    chunk_add_inbound(out, &r);
}

/* What an answer means: 408, 425, 429 and 5xx are about the address, other refusals about this message. */
static enum post_end end_of(const struct http_result *r, char error[ERROR_SIZE])
{
    *error = '\0';
    if (r->end == HTTP_STOPPED)
        return POST_STOPPED;
    if (r->end != HTTP_ANSWERED) {
        snprintf(error, ERROR_SIZE, "%s: %s", http_end_word(r->end), r->error);
        return POST_AWAY;
    }
    if (r->status >= 200 && r->status <= 299)
        return POST_DONE;
    snprintf(error, ERROR_SIZE, "answered %d", r->status);
    bool busy = r->status >= 500 || r->status == 408 || r->status == 425 || r->status == 429;
    return busy ? POST_AWAY : POST_REFUSED;
}

static enum post_end post(struct forward *f, const struct db_result *rows, int row, char error[ERROR_SIZE])
{
    const char *url = url_of(f, db_text(rows, row, 1));
    struct http_result result;
    auto_buf body = {0};
    if (!*url) {
        snprintf(error, ERROR_SIZE, "no address is configured any more");
        return POST_REFUSED;
    }
    /* Not the row's id, which a restored database may give again. */
    auto_free char *key = xasprintf("Idempotency-Key: %s", db_text(rows, row, 10));
    f->headers[f->header_count] = key;
    write_body(rows, row, &body);
    struct http_request request = {.method = "POST",
                                   .url = url,
                                   .headers = (const char *const *)f->headers,
                                   .header_count = f->header_count + 1,
                                   .body = body.data,
                                   .body_len = body.len};
    http_client_call(f->client, &request, go_on, f, &result);
    f->headers[f->header_count] = NULL;
    return end_of(&result, error);
}

/* ---- what became of it ---- */

static int note_done(struct forward *f, int64_t id)
{
    auto_params p = db_params_new();
    FAULT("forward.posted");
    db_add_big(p, id);
    int r = db_run(f->db, &sql_forward_done, p, NULL);
    FAULT("forward.noted");
    f->forwarded++;
    f->failures = 0;
    log_trouble_ends(&f->away_trouble, "inbound messages are forwarded again");
    return r;
}

static int note_failed(struct forward *f, int64_t id, unsigned tries, const char *error)
{
    auto_params p = db_params_new();
    auto_result given_up = NULL;
    db_add_big(p, id);
    db_add_big(p, clock_backoff_ms(tries, RETRY_BASE_MS, RETRY_MAX_MS));
    db_add_big(p, conf_of(f)->forward.horizon_ms);
    db_add_text(p, error);
    int r = db_run(f->db, &sql_forward_later, p, &given_up);
    f->failed++;
    if (r == 0 && db_rows(given_up) > 0 && db_bool(given_up, 0, 0)) {
        f->given_up++;
        log_error("an inbound message is not forwarded any more: it stays in the table inbound",
                  L_INT("inbound", id), L_STR("error", error));
    }
    return r;
}

static void note_away(struct forward *f, const char *error)
{
    f->failures++;
    f->quiet_till = clock_mono_ms() + clock_backoff_ms(f->failures, RETRY_BASE_MS, AWAY_MAX_MS);
    const struct log_field fields[] = {L_STR("error", error)};
    log_trouble_begins(&f->away_trouble, "inbound messages cannot be forwarded: they wait", fields, 1);
}

static int give_back(struct forward *f, const struct db_result *rows, int from, int64_t wait_ms)
{
    auto_params p = db_params_new();
    int count = db_rows(rows) - from;
    if (count <= 0)
        return 0;
    auto_free int64_t *ids = xcalloc((size_t)count, sizeof(*ids));
    for (int i = 0; i < count; i++)
        ids[i] = db_big(rows, from + i, 0);
    db_add_big_array(p, ids, (size_t)count);
    db_add_big(p, wait_ms);
    return db_run(f->db, &sql_forward_back, p, NULL);
}

/* Posts what was taken, as long as it is certainly ours. */
static int post_all(struct forward *f, const struct db_result *rows, int64_t ours_till)
{
    char error[ERROR_SIZE];
    int r = 0;
    for (int row = 0; row < db_rows(rows) && r == 0; row++) {
        if (f->stopping || clock_mono_ms() >= ours_till)
            return give_back(f, rows, row, 0);
        int64_t id = db_big(rows, row, 0);
        enum post_end end = post(f, rows, row, error);
        if (end == POST_STOPPED)
            return give_back(f, rows, row, 0);
        r = end == POST_DONE ? note_done(f, id) : note_failed(f, id, (unsigned)db_big(rows, row, 11), error);
        if (end == POST_AWAY) {
            note_away(f, error);
            return r == 0 ? give_back(f, rows, row + 1, 0) : r;
        }
    }
    return r;
}

/* ---- the thread ---- */

/* True: there may be more. */
static bool turn(struct forward *f)
{
    auto_params p = db_params_new();
    auto_result rows = NULL;
    int64_t lease_ms = LEASE_TIMEOUTS * conf_of(f)->forward.timeout_ms;
    int64_t ours_till = clock_mono_ms() + lease_ms / 2;
    if (clock_mono_ms() < f->quiet_till)
        return false;
    int r = db_ready(f->db);
    if (r == 0) {
        db_add_int(p, TAKE_ROWS);
        db_add_big(p, lease_ms);
        r = db_run(f->db, &sql_forward_take, p, &rows);
    }
    if (r == 0 && db_rows(rows) > 0) {
        FAULT("forward.taken");
        r = post_all(f, rows, ours_till);
    }
    if (r != 0) {
        const struct log_field fields[] = {L_STR("error", db_error(f->db))};
        log_trouble_begins(&f->db_trouble, "forwarding waits for the database", fields, 1);
        return false;
    }
    log_trouble_ends(&f->db_trouble, "forwarding goes on");
    return db_rows(rows) == TAKE_ROWS;
}

static void *forward_thread(void *arg)
{
    struct forward *f = arg;
    while (!f->stopping) {
        follow_conf(f);
        if (turn(f))
            continue;
        for (int64_t until_ms = clock_mono_ms() + TICK_MS; !f->stopping && clock_mono_ms() < until_ms;)
            usleep(50000);
    }
    return NULL;
}

struct forward *forward_start(struct gateways_now *gateways)
{
    struct forward *f = xcalloc(1, sizeof(*f));
    f->gateways = gateways;
    follow_conf(f);
    struct db_options o = callback_db_options(&gateways_conf(f->conf)->main, "smschain callback forward");
    f->db = db_new(&o);
    int r = pthread_create(&f->thread, NULL, forward_thread, f);
    if (r != 0) {
        log_error("forward thread cannot be started", L_ERRNO(-r));
        abort();
    }
    return f;
}

void forward_stop(struct forward *f)
{
    f->stopping = true;
}

void forward_join(struct forward *f)
{
    pthread_join(f->thread, NULL);
    close_client(f);
    gateways_unref(f->conf);
    db_free(f->db);
    free(f);
}

void forward_put_figures(struct forward *f, struct figures *figures)
{
    figures_set(figures, "forwarded", f->forwarded);
    figures_set(figures, "forward_failed", f->failed);
    figures_set(figures, "forward_given_up", f->given_up);
}

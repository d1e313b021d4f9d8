/* The poller's thread, and one page. */
#include "callback/poller.h"
#include "callback/call.h"
#include "callback/hash.h"
#include "callback/inbound.h"
#include "callback/poll_cursor.h"
#include "callback/report.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/log.h"
#include "lib/pointer.h"

#include <pthread.h>
#include <regex.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define TICK_MS        100
#define LOCK_EVERY_MS  5000
#define BACKOFF_MAX_MS 60000

struct poller { /* one address */
    const struct conf_gateway *gateway;
    const struct conf_poll *conf;
    const struct format *format;
    const char *section; /* "report" "inbound" */
    int (*parse)(const struct format *f, const struct posted *posted, struct parsed *ret);
    struct call *call;
    regex_t next, more;
    bool has_next, has_more;
    struct poll_cursor cursor;
    int64_t due_ms;
    unsigned failures;
    uint64_t unreadable; /* hash of the body that could not be read last: it is kept once */
    struct log_trouble trouble;
};
struct poll_service {
    pthread_t thread;
    struct gateways_now *gateways;
    struct drain *drain;
    struct gateways *conf; /* that the pollers are of */
    struct poller *pollers;
    size_t count;
    atomic_bool stopping;
    atomic_int_fast64_t pages, records, failed;
};

/* ---- the addresses ---- */

static void poller_deinit(struct poller *p)
{
    call_free(p->call);
    if (p->has_next)
        regfree(&p->next);
    if (p->has_more)
        regfree(&p->more);
    poll_cursor_deinit(&p->cursor);
}

static bool compile(const char *expression, regex_t *ret)
{
    return expression && *expression && regcomp(ret, expression, REG_EXTENDED) == 0;
}

static void add_poller(struct poll_service *s, const struct conf_poll *conf, struct poller from)
{
    auto_free char *why = NULL;
    auto_free char *section = xasprintf("poll of %s", from.section);
    struct poller *p = &s->pollers[s->count];
    if (!conf->call.url || !*conf->call.url)
        return;
    *p = from;
    p->conf = conf;
    p->call = call_new(p->gateway, &conf->call, section, &why);
    if (!p->call) {
        log_error("nothing is fetched from a gateway", L_STR("gateway", p->gateway->name), L_STR("why", why));
        return;
    }
    p->has_next = compile(conf->next_match, &p->next);
    p->has_more = compile(conf->more_match, &p->more);
    poll_cursor_init(&p->cursor, gateways_conf(s->conf)->main.state_dir, p->gateway->name, p->section);
    s->count++;
}

static void clear(struct poll_service *s)
{
    for (size_t i = 0; i < s->count; i++)
        poller_deinit(&s->pollers[i]);
    free(s->pollers);
    s->pollers = NULL;
    s->count = 0;
    gateways_unref(s->conf);
    s->conf = NULL;
}

/* Made anew with each configuration. */
static void make_pollers(struct poll_service *s)
{
    struct gateways *now = gateways_now_get(s->gateways);
    if (now == s->conf) {
        gateways_unref(now);
        return;
    }
    clear(s);
    s->conf = now;
    s->pollers = xcalloc(2 * gateways_count(now) + 1, sizeof(*s->pollers));
    (void)mkdir(gateways_conf(now)->main.state_dir, 0700); /* if it cannot be, the cursor says so */
    for (size_t i = 0; i < gateways_count(now); i++) {
        const struct gateway *g = gateways_at(now, i);
        add_poller(
            s, &g->conf->poll,
            (struct poller){
                .gateway = g->conf, .format = g->report->format, .section = "report", .parse = report_parse});
        add_poller(s, &g->conf->poll_inbound,
                   (struct poller){.gateway = g->conf,
                                   .format = g->inbound->format,
                                   .section = "inbound",
                                   .parse = inbound_parse});
    }
}

/* ---- one page ---- */

static void trouble(struct poll_service *s, struct poller *p, const char *what, const char *why)
{
    const struct log_field fields[] = {L_STR("gateway", p->gateway->name), L_STR("section", p->section),
                                       L_STR("what", what), L_STR("why", why)};
    log_trouble_begins(&p->trouble, "a poll fails; it is tried again, and its cursor stays", fields,
                       COUNT_OF(fields));
    s->failed++;
    p->failures++;
    p->due_ms = clock_mono_ms() + clock_backoff_ms(p->failures, p->conf->interval_ms,
                                                   MAX_OF(p->conf->interval_ms, (int64_t)BACKOFF_MAX_MS));
}

static bool keep(struct poll_service *s, struct poller *p, const struct parsed *parsed)
{
    auto_buf record = {0};
    drain_record_begin(&record, p->gateway->name);
    buf_add(&record, parsed->records.data, parsed->records.len);
    int r = record.overflowed || parsed->records.overflowed
                ? -EMSGSIZE
                : journal_append(drain_own(s->drain), record.data, record.len);
    if (r == 0) {
        drain_wake(s->drain);
        return true;
    }
    trouble(s, p, "the journal does not keep it",
            r == -EMSGSIZE ? "the page is too large: ask for fewer records, or raise callback.body_bytes"
                           : "the disk is full or fails");
    return false;
}

/* Kept once, for a person: the same page comes again and again. */
static void unreadable(struct poll_service *s, struct poller *p, const struct http_result *http,
                       const struct parsed *parsed)
{
    auto_free char *body = xstrndup(http->body, http->body_len);
    uint64_t hash = hash_str(1, body);
    if (hash != p->unreadable && !keep(s, p, parsed))
        return;
    p->unreadable = hash;
    trouble(s, p, "the page cannot be read", "it is in quarantine, for a person");
}

/* "" : nothing stands there. */
static void take(const struct http_result *http, const char *pointer, const regex_t *match, struct buf *out)
{
    regmatch_t groups[2];
    if (match && strlen(http->body) == http->body_len && regexec(match, http->body, 2, groups, 0) == 0 &&
        groups[1].rm_so >= 0)
        buf_add(out, http->body + groups[1].rm_so, (size_t)(groups[1].rm_eo - groups[1].rm_so));
    else if (pointer && *pointer && pointer_read(http->body, http->body_len, pointer, out) != 0)
        buf_clear(out);
    if (out->len == 4 && memcmp(out->data, "null", 4) == 0)
        buf_clear(out);
}

static bool is_more(const struct poller *p, const struct http_result *http)
{
    static const char *const nothing[] = {"", "false", "0", "[]", "{}"};
    auto_buf found = {0};
    if (p->has_more)
        return strlen(http->body) == http->body_len && regexec(&p->more, http->body, 0, NULL, 0) == 0;
    take(http, p->conf->more, NULL, &found);
    for (size_t i = 0; i < COUNT_OF(nothing); i++) {
        if (strcmp(found.data ? found.data : "", nothing[i]) == 0)
            return false;
    }
    return true;
}

/* What the page holds is on disk by now. */
static void move_on(struct poll_service *s, struct poller *p, const struct http_result *http)
{
    auto_buf next = {0};
    take(http, p->conf->next, p->has_next ? &p->next : NULL, &next);
    bool moves = next.len > 0 && strcmp(next.data, p->cursor.value) != 0;
    int r = moves ? poll_cursor_move(&p->cursor, next.data) : 0;
    if (r < 0) {
        trouble(s, p, "the cursor cannot be kept", strerror(-r));
        return;
    }
    FAULT("poll.cursor_moved");
    s->pages++;
    p->failures = 0;
    p->due_ms = moves && is_more(p, http) ? 0 : clock_mono_ms() + p->conf->interval_ms;
    log_trouble_ends(&p->trouble, "polls go on");
}

static bool go_on(void *arg)
{
    const struct poll_service *s = arg;
    return !s->stopping;
}

static void fetch(struct poll_service *s, struct poller *p)
{
    const struct call_value values[] = {{"cursor", p->cursor.value}};
    struct http_result http;
    struct parsed parsed = {0};
    const char *why;
    bool answered = call_ask(p->call, values, COUNT_OF(values), go_on, s, &http, &why);
    if (s->stopping)
        return;
    FAULT("poll.fetched");
    if (!answered || http.status / 100 != 2) {
        auto_free char *status = xasprintf("HTTP status %d", http.status);
        trouble(s, p, "no answer that can be used", answered ? status : why);
        return;
    }
    struct posted posted = {.body = http.body, .body_len = http.body_len, .at = clock_wall_ms()};
    int r = http.body_len > 0 ? p->parse(p->format, &posted, &parsed) : 0;
    if (r != 0 && !parsed.empty)
        unreadable(s, p, &http, &parsed);
    else if (http.body_len == 0 || parsed.empty || keep(s, p, &parsed)) {
        FAULT("poll.journalled");
        s->records += parsed.empty ? 0 : (int64_t)(parsed.understood + parsed.refused);
        move_on(s, p, &http);
    }
    buf_deinit(&parsed.records);
}

static void turn(struct poll_service *s, struct poller *p)
{
    if (clock_mono_ms() < p->due_ms)
        return;
    if (p->cursor.lock_fd < 0) {
        int r = poll_cursor_take(&p->cursor, p->conf->start ? p->conf->start : "");
        if (r == POLL_CURSOR_ELSEWHERE)
            p->due_ms = clock_mono_ms() + LOCK_EVERY_MS;
        else if (r == -EBADMSG)
            trouble(s, p, p->cursor.file, "it cannot be read; move it away to begin anew at poll.start");
        else if (r < 0)
            trouble(s, p, p->cursor.file, strerror(-r));
        if (r != 0)
            return;
        log_info("polls a gateway", L_STR("gateway", p->gateway->name), L_STR("section", p->section));
    }
    fetch(s, p);
}

/* ---- the thread ---- */

static void *poll_thread(void *arg)
{
    struct poll_service *s = arg;
    while (!s->stopping) {
        make_pollers(s);
        for (size_t i = 0; i < s->count && !s->stopping; i++)
            turn(s, &s->pollers[i]);
        usleep(TICK_MS * 1000);
    }
    return NULL;
}

struct poll_service *poll_start(struct gateways_now *gateways, struct drain *drain)
{
    struct poll_service *s = xcalloc(1, sizeof(*s));
    s->gateways = gateways;
    s->drain = drain;
    int r = pthread_create(&s->thread, NULL, poll_thread, s);
    if (r != 0) {
        log_error("poll thread cannot be started", L_ERRNO(-r));
        abort();
    }
    return s;
}

void poll_stop(struct poll_service *s)
{
    s->stopping = true;
}

void poll_join(struct poll_service *s)
{
    pthread_join(s->thread, NULL);
    clear(s);
    free(s);
}

void poll_put_figures(struct poll_service *s, struct figures *f)
{
    figures_set(f, "polled_pages", s->pages);
    figures_set(f, "polled_records", s->records);
    figures_set(f, "polls_failed", s->failed);
}

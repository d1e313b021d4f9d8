/* Delivery reports: what becomes of an accepted message, when that is told, and how it is written. */
#include "lib/clock.h"
#include "test/sim/sim.h"
#include <stdio.h>
#include <time.h>

static int64_t waiting, sequence;

int64_t reports_waiting(void)
{
    return waiting;
}

static void due(void *arg, uint64_t id)
{
    waiting--;
    report_ready(arg);
}

void reports_free(void)
{
    timers_free(due);
}

static int64_t due_at(const struct knobs *k, bool early)
{
    int64_t now = loop_now_ms();
    if (early)
        return now;
    int64_t at = now + k->report_delay_ms;
    if (k->report_jitter_ms > 0)
        at += random() % (k->report_jitter_ms + 1);
    int64_t step = k->report_reverse != 0 ? MAX_OF(k->report_delay_ms, 200) : (k->batch > 1 ? 50 : 1);
    return (at + step - 1) / step * step;
}

static void plan(struct gateway *g, const struct accepted *a, enum fate fate, int64_t at, uint64_t held_conn)
{
    struct report *r = xmalloc(sizeof(*r));
    *r = (struct report){.gateway = g,
                         .id = a->id,
                         .held_conn = held_conn,
                         .at_ms = loop_now_ms(),
                         .fate = (uint8_t)fate,
                         .kind = (uint8_t)a->kind};
    snprintf(r->number, sizeof(r->number), "%s", a->number);
    snprintf(r->reference, sizeof(r->reference), "%s", a->reference != NULL ? a->reference : "");
    g->counters.reports_made++;
    waiting++;
    sequence++;
    timer_add(at, g->knobs.report_reverse != 0 ? -sequence : sequence, due, r, 0);
}

/* One draw for the three shares, so that they add up. */
static enum fate choose(struct knobs *k)
{
    struct {
        struct share *share;
        enum fate fate;
    } ends[] = {{&k->undelivered_share, FATE_UNDELIVERED},
                {&k->expired_share, FATE_EXPIRED},
                {&k->rejected_share, FATE_REJECTED}};
    double drawn = share_draw();
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        if (ends[i].share->next > 0) {
            ends[i].share->next--;
            return ends[i].fate;
        }
        if (drawn < ends[i].share->part)
            return ends[i].fate;
        drawn -= ends[i].share->part;
    }
    return FATE_DELIVERED;
}

void reports_make(struct gateway *g, struct conn *c, const struct accepted *a)
{
    struct knobs *k = &g->knobs;
    if (k->reports == 0 || *k->report_url == '\0' || share_hits(&k->missing))
        return;
    int64_t at = due_at(k, a->early);
    enum fate fate = choose(k);
    uint64_t held = 0;
    if (a->early) {
        conn_hold(c);
        held = conn_id(c);
    }
    if (k->report_progress != 0)
        plan(g, a, FATE_ACCEPTED, at, 0);
    plan(g, a, fate, at, held);
    if (share_hits(&k->twice))
        plan(g, a, fate, at + random() % (k->report_delay_ms + 1), 0);
}

static void list_one(const struct gateway *g, const struct report *r, struct buf *out)
{
    static const char *const words[] = {"ACCEPTD", "DELIVRD", "UNDELIV", "EXPIRED", "REJECTD"};
    char id[32], when[32];
    time_t t = (time_t)(r->at_ms / 1000) + 8 * 3600; /* Asia/Shanghai has had no other offset since 1991 */
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    id_format(g->knobs.report_id_form, r->id, id);
    buf_addf(out, "%s,%s,%s,%s", id, r->number, words[r->fate], when);
}

static void json_one(const struct gateway *g, const struct report *r, struct buf *out)
{
    static const char *const words[] = {"ENROUTE", "DELIVERED", "UNDELIVERABLE", "EXPIRED", "REJECTED"};
    static const char *const errors[] = {"", "", "absent subscriber", "validity over", "blocked by operator"};
    char id[32], when[CLOCK_ISO_SIZE];
    id_format(g->knobs.report_id_form, r->id, id);
    buf_addf(out, "{\"id\":\"%s\",\"to\":\"+%s\",\"status\":\"%s\",\"time\":\"%s\"", id, r->number,
             words[r->fate], clock_iso(r->at_ms, when));
    if (*errors[r->fate] != '\0')
        buf_addf(out, ",\"error\":\"%s\"", errors[r->fate]);
    if (*r->reference != '\0' && g->knobs.report_reference != 0)
        buf_addf(out, ",\"ref\":\"%s\"", r->reference);
    buf_add_char(out, '}');
}

void report_format(const struct gateway *g, const struct report *first, struct buf *request)
{
    auto_buf body = {0};
    bool list = first->kind == REPORT_LIST, several = first->next != NULL;
    if (!list && several)
        buf_add_char(&body, '[');
    for (const struct report *r = first; r != NULL; r = r->next) {
        if (r != first)
            buf_add_char(&body, list ? ';' : ',');
        (list ? list_one : json_one)(g, r, &body);
    }
    if (!list && several)
        buf_add_char(&body, ']');

    const char *host = strstr(g->knobs.report_url, "://");
    host = host != NULL ? host + 3 : g->knobs.report_url;
    size_t host_len = strcspn(host, "/");
    const char *path = host[host_len] != '\0' ? host + host_len : "/";
    if (list && g->knobs.report_get != 0) {
        buf_addf(request, "GET %s?report=", path);
        buf_add_url_encoded(request, body.data, body.len);
        buf_addf(request, " HTTP/1.1\r\nHost: %.*s\r\n\r\n", (int)host_len, host);
        return;
    }
    buf_addf(request, "POST %s HTTP/1.1\r\nHost: %.*s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
             path, (int)host_len, host, list ? "text/plain" : "application/json", body.len);
    buf_add(request, body.data, body.len);
}

/* What became of messages, for those who ask: alpha's GET /query?mobile=N and GET /reports?after=N, beta's
 * GET /v2/messages?ref=R and GET /v2/reports?after=N. Kept only while the knob `follow` is set. A cursor is
 * how many messages of the gateway were told; a page ends before the first one whose fate is not known yet.
 */
#include "lib/clock.h"
#include "test/sim/sim.h"
#include <stdio.h>
#include <time.h>

#define PAGE    100
#define CHINA_S (8 * 3600) /* alpha's clock, as in its reports */

struct kept {
    struct gateway *gateway;
    uint64_t id;
    int64_t at_ms;
    enum fate fate;
    char number[NUMBER_TEXT_SIZE], reference[REFERENCE_SIZE];
};
static struct kept *all;
static size_t count, room;

static const char *const alpha_words[] = {"ACCEPTD", "DELIVRD", "UNDELIV", "EXPIRED", "REJECTD"};
static const char *const beta_words[] = {"ENROUTE", "DELIVERED", "UNDELIVERABLE", "EXPIRED", "REJECTED"};

void follow_keep(struct gateway *g, const struct accepted *a, enum fate fate)
{
    if (g->knobs.follow == 0)
        return;
    if (count == room) {
        room = MAX_OF(2 * room, (size_t)1024);
        all = xrealloc(all, room * sizeof(*all));
    }
    struct kept *k = &all[count++];
    *k = (struct kept){.gateway = g, .id = a->id, .at_ms = loop_now_ms(), .fate = fate};
    snprintf(k->number, sizeof(k->number), "%s", a->number);
    snprintf(k->reference, sizeof(k->reference), "%s", a->reference != NULL ? a->reference : "");
}

void follow_free(void)
{
    free(all);
    all = NULL;
    count = room = 0;
}

static enum fate fate_now(const struct kept *k)
{
    return loop_now_ms() >= k->at_ms + k->gateway->knobs.report_delay_ms ? k->fate : FATE_ACCEPTED;
}

static void write_alpha(struct buf *out, const struct kept *k, size_t sequence)
{
    char id[32], when[32];
    time_t t = (time_t)(k->at_ms / 1000 + CHINA_S);
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    id_format(k->gateway->knobs.report_id_form, k->id, id);
    buf_addf(out, "%s%zu,%s,%s,%s,%s", out->len > 0 ? ";" : "", sequence, id, k->number,
             alpha_words[fate_now(k)], when);
}

static void write_beta(struct buf *out, const struct kept *k)
{
    char id[32], when[CLOCK_ISO_SIZE];
    id_format(k->gateway->knobs.report_id_form, k->id, id);
    buf_addf(out, "{\"id\":\"%s\",\"to\":\"+%s\",\"status\":\"%s\",\"time\":\"%s\",\"error\":null", id,
             k->number, beta_words[fate_now(k)], clock_iso(k->at_ms, when));
    if (k->reference[0] != '\0' && k->gateway->knobs.report_reference != 0) {
        buf_add_str(out, ",\"ref\":");
        buf_add_json_str(out, k->reference, strlen(k->reference));
    }
    buf_add_char(out, '}');
}

/* ---- one ---- */

static const struct kept *find(struct gateway *g, const char *reference, const char *number)
{
    if (share_hits(&g->knobs.lookup_unknown))
        return NULL;
    for (size_t i = count; i-- > 0;) {
        const struct kept *k = &all[i];
        bool same = reference != NULL ? strcmp(k->reference, reference) == 0 : strcmp(k->number, number) == 0;
        if (k->gateway == g && same)
            return loop_now_ms() >= k->at_ms + g->knobs.lookup_late_ms ? k : NULL;
    }
    return NULL;
}

static void query(struct gateway *g, struct conn *c, bool alpha, const char *reference, const char *number)
{
    auto_buf body = {0};
    g->counters.lookups++;
    if (share_hits(&g->knobs.lookup_error)) {
        conn_answer(c, 500, "", "text/plain", &body);
        return;
    }
    const struct kept *k = reference != NULL || number != NULL ? find(g, reference, number) : NULL;
    if (k != NULL && alpha)
        write_alpha(&body, k, 0);
    else if (k != NULL)
        write_beta(&body, k);
    else
        buf_add_str(&body, alpha ? "NONE" : "{\"code\":44,\"message\":\"no such message\"}");
    conn_answer(c, k != NULL || alpha ? 200 : 404, "", alpha ? "text/plain" : "application/json", &body);
}

/* ---- pages ---- */

static void page(struct gateway *g, struct conn *c, bool alpha, int64_t after)
{
    auto_buf records = {0}, body = {0};
    int64_t at = 0;
    size_t written = 0, i;
    g->counters.polls++;
    if (share_hits(&g->knobs.poll_error)) {
        conn_answer(c, 500, "", "text/plain", &body);
        return;
    }
    for (i = 0; i < count && written < PAGE; i++) {
        if (all[i].gateway != g || at++ < after)
            continue;
        if (fate_now(&all[i]) == FATE_ACCEPTED) {
            at--;
            break;
        }
        if (alpha) {
            write_alpha(&records, &all[i], (size_t)at);
        } else {
            buf_add_str(&records, written > 0 ? "," : "");
            write_beta(&records, &all[i]);
        }
        written++;
    }
    if (alpha)
        buf_add(&body, records.data != NULL ? records.data : "", records.len);
    else
        buf_addf(&body, "{\"reports\":[%s],\"next\":\"%lld\",\"more\":%s}",
                 records.data != NULL ? records.data : "", (long long)MAX_OF(at, after),
                 written == PAGE ? "true" : "false");
    conn_answer(c, 200, "", alpha ? "text/plain" : "application/json", &body);
}

bool follow_request(struct conn *c, struct http_request *r, const char *path, const char *name,
                    size_t name_len)
{
    static const struct {
        const char *path, *name;
        bool pages;
    } addresses[] = {{"/query", "alpha", false},
                     {"/reports", "alpha", true},
                     {"/v2/messages", "beta", false},
                     {"/v2/reports", "beta", true}};
    struct form f;
    for (size_t i = 0; i < COUNT_OF(addresses) && strcmp(r->method, "GET") == 0; i++) {
        if (strcmp(path, addresses[i].path) != 0 || !form_read(r, &f))
            continue;
        struct gateway *g = name != NULL ? gateway_named(name, name_len)
                                         : gateway_named(addresses[i].name, strlen(addresses[i].name));
        bool alpha = strcmp(addresses[i].name, "alpha") == 0;
        const char *after = form_value(&f, "after");
        if (g == NULL)
            return false;
        if (addresses[i].pages)
            page(g, c, alpha, after != NULL ? strtoll(after, NULL, 10) : 0);
        else
            query(g, c, alpha, form_value(&f, "ref"), form_value(&f, "mobile"));
        return true;
    }
    return false;
}

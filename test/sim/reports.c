/* Delivery reports: what becomes of an accepted message, and when that is told. */
#include "test/sim/sim.h"
#include <stdio.h>

static int64_t waiting, sequence;

int64_t reports_waiting(void)
{
    return waiting;
}

void report_free(struct report *r)
{
    free(r->url);
    free(r->inbound);
    free(r);
}

const char *report_url(const struct report *r)
{
    return r->url != NULL ? r->url : r->gateway->knobs.report_url;
}

static void due(void *arg, uint64_t id)
{
    waiting--;
    report_ready(arg);
}

static void free_waiting(void *arg)
{
    report_free(arg);
}

void reports_free(void)
{
    timers_free(due, free_waiting);
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
    const char *reference = a->reference != NULL ? a->reference : a->request_reference;
    struct report *r = xmalloc(sizeof(*r));
    *r = (struct report){.gateway = g,
                         .id = a->id,
                         .held_conn = held_conn,
                         .at_ms = loop_now_ms(),
                         .smpp_link = a->smpp_link,
                         .fate = (uint8_t)fate,
                         .kind = (uint8_t)a->kind};
    snprintf(r->sender, sizeof(r->sender), "%s", a->sender != NULL ? a->sender : "");
    snprintf(r->number, sizeof(r->number), "%s", a->number);
    snprintf(r->reference, sizeof(r->reference), "%s", reference != NULL ? reference : "");
    r->url = xstrdup(a->report_url);
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
    enum fate fate = choose(k), progress = FATE_ACCEPTED;
    follow_keep(g, a, fate);
    bool told_where = a->kind == REPORT_SMPP || a->report_url != NULL || *k->report_url != '\0';
    if (k->reports == 0 || !told_where || share_hits(&k->missing))
        return;
    int64_t at = due_at(k, a->early);
    if (!report_can_say(a->kind, a->report_mask, &fate))
        return;
    uint64_t held = 0;
    if (a->early && a->kind == REPORT_SMPP) {
        smpp_hold(a->smpp_answer);
        held = a->smpp_answer;
    } else if (a->early) {
        conn_hold(c);
        held = conn_id(c);
    }
    if (k->report_progress != 0 && report_can_say(a->kind, a->report_mask, &progress))
        plan(g, a, progress, at, 0);
    plan(g, a, fate, at, held);
    if (share_hits(&k->twice))
        plan(g, a, fate, at + random() % (k->report_delay_ms + 1), 0);
}

/* A dispatcher's metrics: see measure.h. */
#include "dispatch/measure.h"
#include "dispatch/dispatcher.h"

#define GATEWAY(name, type, help)                                                                            \
    {                                                                                                        \
        "smschain_dispatch_" name, help, type, {"gateway"}, 0                                                \
    }
#define GATEWAY_BY(name, type, label, help)                                                                  \
    {                                                                                                        \
        "smschain_dispatch_" name, help, type, {"gateway", label}, 0                                         \
    }

static const struct metric submits =
    GATEWAY("submits_total", METRIC_COUNTER, "Messages and segments given to the gateway's driver.");
static const struct metric outcomes = GATEWAY_BY("outcomes_total", METRIC_COUNTER, "outcome",
                                                 "What became of submits, as the gateway answered.");
static const struct metric handed_over =
    GATEWAY("handed_over_total", METRIC_COUNTER, "Messages handed over to the next gateway of their route.");
static const struct metric dead =
    GATEWAY("dead_total", METRIC_COUNTER, "Messages and records put into sms.dead.");
static const struct metric state =
    GATEWAY_BY("state", METRIC_GAUGE, "state", "1 for the state that the dispatcher is in.");
static const struct metric breaker =
    GATEWAY_BY("breaker", METRIC_GAUGE, "state", "1 for the state that the breaker is in.");
static const struct metric rate =
    GATEWAY("submit_rate", METRIC_GAUGE, "Submits a second, over the last second.");
static const struct metric rate_limit = GATEWAY(
    "submit_rate_limit", METRIC_GAUGE, "Submits a second that are allowed now; throttling lowers it.");
static const struct metric window = GATEWAY("window", METRIC_GAUGE, "Places for submits without an answer.");
static const struct metric window_taken =
    GATEWAY("window_used", METRIC_GAUGE, "Places of the window that are taken.");
static const struct metric slots_used =
    GATEWAY("slots_used", METRIC_GAUGE, "Claims whose outcome is not confirmed yet.");
static const struct metric waiting =
    GATEWAY("waiting", METRIC_GAUGE, "Messages in memory that are not claimed yet.");
static const struct metric oldest = {"smschain_dispatch_oldest_unanswered_seconds",
                                     "Age of the oldest submit without an answer.",
                                     METRIC_GAUGE,
                                     {"gateway"},
                                     1000};
static const struct metric reports =
    GATEWAY_BY("link_records_total", METRIC_COUNTER, "kind",
               "Reports and messages from phones that came over the gateway's own link.");
static const struct metric records_waiting =
    GATEWAY("link_records_waiting", METRIC_GAUGE, "Of those, the ones that wait for the journal.");
static const struct metric claim_seconds =
    GATEWAY("claim_seconds", METRIC_SECONDS, "How long a claim statement takes, commit included.");
static const struct metric submit_seconds =
    GATEWAY("submit_seconds", METRIC_SECONDS, "From a request's first byte to its answer.");
static const struct metric wait_seconds = GATEWAY_BY(
    "wait_seconds", METRIC_SECONDS, "lane", "From taking a message out of its queue to its first byte.");
static const struct metric last_accepted = {"smschain_dispatch_last_accepted_timestamp_seconds",
                                            "When the gateway accepted a message last.",
                                            METRIC_GAUGE,
                                            {"gateway"},
                                            1000};

static const struct figure_metric rows[] = {{"submits", &submits, NULL, NULL},
                                            {"accepted", &outcomes, "accepted", NULL},
                                            {"refused", &outcomes, "refused", NULL},
                                            {"throttled", &outcomes, "throttled", NULL},
                                            {"retried", &outcomes, "retried", NULL},
                                            {"not_sent", &outcomes, "not_sent", NULL},
                                            {"in_doubt", &outcomes, "in_doubt", NULL},
                                            {"handed_over", &handed_over, NULL, NULL},
                                            {"dead", &dead, NULL, NULL},
                                            {"state", &state, "sending", "sending"},
                                            {"state", &state, "standing_by", "standing_by"},
                                            {"state", &state, "paused", "paused"},
                                            {"state", &state, "recovering", "recovering"},
                                            {"state", &state, "breaker_open", "breaker_open"},
                                            {"state", &state, "throttled", "throttled"},
                                            {"state", &state, "database_away", "database_away"},
                                            {"state", &state, "database_changed", "database_changed"},
                                            {"state", &state, "newer_version", "newer_version"},
                                            {"state", &state, "ending", "ending"},
                                            {"breaker", &breaker, "closed", "closed"},
                                            {"breaker", &breaker, "open", "open"},
                                            {"breaker", &breaker, "trial", "trial"},
                                            {"rate", &rate, NULL, NULL},
                                            {"rate_limit", &rate_limit, NULL, NULL},
                                            {"window", &window, NULL, NULL},
                                            {"window_used", &window_taken, NULL, NULL},
                                            {"slots_used", &slots_used, NULL, NULL},
                                            {"waiting", &waiting, NULL, NULL},
                                            {"oldest_unanswered_ms", &oldest, NULL, NULL},
                                            {0}};
/* Where reports come over the gateway's link. */
static const struct figure_metric link_rows[] = {{"reports", &reports, "report", NULL},
                                                 {"inbound", &reports, "inbound", NULL},
                                                 {"unreadable", &reports, "unreadable", NULL},
                                                 {"not_kept", &reports, "not_kept", NULL},
                                                 {"reports_waiting", &records_waiting, NULL, NULL},
                                                 {0}};

void measure_init(struct dispatcher *d)
{
    const char *name = d->gateway->name;
    struct measure *m = &d->measure;
    auto_free char *loop = xasprintf("dispatcher %s", name);

    figures_tell(d->figures, rows, name);
    if (d->reports != NULL)
        figures_tell(d->figures, link_rows, name);
    m->claim = series_new(&claim_seconds, name, NULL);
    m->submit = series_new(&submit_seconds, name, NULL);
    for (unsigned lane = 0; lane < COUNT_OF(m->wait); lane++)
        m->wait[lane] = series_new(&wait_seconds, name, lane_words[lane]);
    m->last_accepted = series_new(&last_accepted, name, NULL);
    m->loop = loop_new(loop, HEALTH_LATE_MS);
    m->place = health_new("place", name);
    m->history = health_new("history", name);
}

void measure_deinit(struct dispatcher *d)
{
    struct measure *m = &d->measure;

    series_free(m->claim);
    series_free(m->submit);
    for (unsigned lane = 0; lane < COUNT_OF(m->wait); lane++)
        series_free(m->wait[lane]);
    series_free(m->last_accepted);
    loop_free(m->loop);
    health_free(m->place);
    health_free(m->history);
}

void measure_ready(struct dispatcher *d)
{
    const struct place *p = &d->place;
    bool known = p->generation != 0 && !p->new_session;

    if (p->changed)
        health_bad(d->measure.history,
                   "the database has lost history: smschain accept-database, then sending goes on");
    else if (known)
        health_good(d->measure.history, "");
    if (known && !p->changed && !d->newer)
        health_good(d->measure.place, d->state); /* standing by is as it should be */
    else
        health_bad(d->measure.place, "%s", d->state);
}

/* Callback's metrics: one row a figure. See measure.h. */
#include "callback/measure.h"
#include "callback/apply.h"

/* A row a metric. */
/* clang-format off */
#define PLAIN(name, type, help) {"smschain_callback_" name, help, type, {NULL}, 0}
#define BY(label, name, type, help) {"smschain_callback_" name, help, type, {label}, 0}
#define SHARD(name, type, help) BY("shard", name, type, help)
#define SHARD_BY(label, name, type, help) {"smschain_callback_" name, help, type, {"shard", label}, 0}

static const struct metric parked = BY("state", "parked", METRIC_GAUGE, "Steps whose predecessor is not known yet (waiting), or that were given up; counted up to 100,000.");
static const struct metric quarantine = PLAIN("quarantine", METRIC_GAUGE, "Tellings of gateways that nobody could read; counted up to 100,000.");
static const struct metric days_ahead = {"smschain_partitions_ahead", "Daily partitions that exist ahead.", METRIC_GAUGE, {NULL}, 0};
static const struct metric forward_waiting = PLAIN("forward_waiting", METRIC_GAUGE, "Messages from phones that wait to be posted to your address; counted up to 100,000.");
static const struct metric parts_waiting = PLAIN("inbound_parts_waiting", METRIC_GAUGE, "Parts of messages from phones that wait for the others.");
static const struct metric sweep_told = BY("reason", "swept_total", METRIC_COUNTER, "Attempts that the sweeps have told something of.");
static const struct metric lookups = BY("outcome", "lookups_total", METRIC_COUNTER, "Questions to gateways what became of a message.");
static const struct metric forwarded = BY("outcome", "forwarded_total", METRIC_COUNTER, "Messages from phones posted to your address.");

const struct figure_metric measure_whole[] = {
    {"parked", &parked, "waiting", NULL},
    {"parked_given_up", &parked, "given_up", NULL},
    {"quarantine", &quarantine, NULL, NULL},
    {"partition_days_ahead", &days_ahead, NULL, NULL},
    {"forward_waiting", &forward_waiting, NULL, NULL},
    {"inbound_parts_waiting", &parts_waiting, NULL, NULL},
    {"open_claims_told", &sweep_told, "open_claim", NULL},
    {"no_report_told", &sweep_told, "no_report", NULL},
    {"inferred", &sweep_told, "inferred", NULL},
    {"lookups", &lookups, "asked", NULL},
    {"lookups_settled", &lookups, "settled", NULL},
    {"lookups_sent_again", &lookups, "sent_again", NULL},
    {"lookups_given_up", &lookups, "given_up", NULL},
    {"forwarded", &forwarded, "posted", NULL},
    {"forward_failed", &forwarded, "failed", NULL},
    {"forward_given_up", &forwarded, "given_up", NULL},
    {0}};

static const struct metric connections = PLAIN("intake_connections", METRIC_GAUGE, "Connections of gateways at this moment.");
static const struct metric requests = BY("class", "requests_total", METRIC_COUNTER, "Requests answered, by the first digit of the status.");
static const struct metric records = BY("outcome", "records_total", METRIC_COUNTER, "Reports and messages from phones in those requests.");
static const struct metric turned_away = BY("reason", "turned_away_total", METRIC_COUNTER, "Requests and connections that were turned away.");
static const struct metric backlog = {"smschain_journal_backlog_bytes", "Bytes in the journal that are not in the update queue yet.", METRIC_GAUGE, {NULL}, 0};
static const struct metric drained = BY("kind", "drained_total", METRIC_COUNTER, "What went from the journal to the update queue.");
static const struct metric polled = BY("kind", "polled_total", METRIC_COUNTER, "Pages and records fetched from gateways, and fetches that failed.");

const struct figure_metric measure_intake[] = {
    {"connections", &connections, NULL, NULL},
    {"requests_2xx", &requests, "2xx", NULL},
    {"requests_4xx", &requests, "4xx", NULL},
    {"requests_5xx", &requests, "5xx", NULL},
    {"reports", &records, "understood", NULL},
    {"unreadable", &records, "unreadable", NULL},
    {"refused_records", &records, "refused", NULL},
    {"not_kept", &records, "not_kept", NULL},
    {"too_slow", &turned_away, "too_slow", NULL},
    {"unauthorized", &turned_away, "unauthorized", NULL},
    {"over_limit", &turned_away, "over_limit", NULL},
    {"journal_backlog_bytes", &backlog, NULL, NULL},
    {"drained_reports", &drained, "record", NULL},
    {"drained_chunks", &drained, "chunk", NULL},
    {"adopted_journals", &drained, "dead_journal", NULL},
    {"polled_pages", &polled, "page", NULL},
    {"polled_records", &polled, "record", NULL},
    {"polls_failed", &polled, "failed", NULL},
    {0}};

static const struct metric waiting_steps = SHARD("waiting_steps", METRIC_GAUGE, "Steps gathered for the next flush.");
static const struct metric waiting = {"smschain_callback_waiting_seconds", "How long the oldest of them has waited here.", METRIC_GAUGE, {"shard"}, 1000};
static const struct metric lag = {"smschain_callback_lag_seconds", "How long ago the oldest of them happened.", METRIC_GAUGE, {"shard"}, 1000};
static const struct metric flushes = SHARD("flushes_total", METRIC_COUNTER, "Flushes committed.");
static const struct metric last_flush = {"smschain_callback_last_flush_timestamp_seconds", "When the last flush was committed.", METRIC_GAUGE, {"shard"}, 1000};
static const struct metric steps = SHARD("steps_total", METRIC_COUNTER, "Steps applied.");
static const struct metric messages = SHARD("messages_total", METRIC_COUNTER, "Rows of messages that moved.");
static const struct metric parked_steps = SHARD("parked_steps_total", METRIC_COUNTER, "Steps that were parked.");
static const struct metric dead = SHARD("dead_total", METRIC_COUNTER, "Records put into sms.dead.");
static const struct metric inbound = SHARD_BY("kind", "inbound_total", METRIC_COUNTER, "Messages from phones: told, new, STOP and START in them, answers and answers withheld.");
static const struct metric away = {"smschain_callback_flush_trouble_seconds", "How long the database has kept flushes from working.", METRIC_GAUGE, {"shard"}, 1000};

const struct figure_metric measure_consumer[] = {
    {"waiting_steps", &waiting_steps, NULL, NULL},
    {"waiting_ms", &waiting, NULL, NULL},
    {"lag_ms", &lag, NULL, NULL},
    {"flushes", &flushes, NULL, NULL},
    {"flush_at", &last_flush, NULL, NULL},
    {"steps", &steps, NULL, NULL},
    {"rows", &messages, NULL, NULL},
    {"parked_steps", &parked_steps, NULL, NULL},
    {"dead", &dead, NULL, NULL},
    {"inbound_told", &inbound, "told", NULL},
    {"inbound", &inbound, "new", NULL},
    {"inbound_stop", &inbound, "stop", NULL},
    {"inbound_start", &inbound, "start", NULL},
    {"replies", &inbound, "reply", NULL},
    {"replies_withheld", &inbound, "reply_withheld", NULL},
    {"database_away_ms", &away, NULL, NULL},
    {0}};

static const struct metric flush_seconds = SHARD("flush_seconds", METRIC_SECONDS, "How long a flush takes, commit included.");
static const struct metric states_entered = {"smschain_message_states_total", "Messages that entered this state, also in passing.", METRIC_COUNTER, {"state"}, 0};
/* clang-format on */

struct measure {
    struct series *seconds, *entered[APPLY_STATES];
};

struct measure *measure_new(const char *shard)
{
    struct measure *m = xcalloc(1, sizeof(*m));

    m->seconds = series_new(&flush_seconds, shard, NULL);
    for (int i = 0; i < APPLY_STATES; i++)
        if (i != STATE_QUEUED && state_word((enum state)i))
            m->entered[i] = series_new(&states_entered, state_word((enum state)i), NULL);
    return m;
}

void measure_free(struct measure *m)
{
    series_free(m->seconds);
    for (int i = 0; i < APPLY_STATES; i++)
        series_free(m->entered[i]);
    free(m);
}

void measure_flush(struct measure *m, const struct apply_figures *last)
{
    series_observe_us(m->seconds, last->ms * 1000);
    for (int i = 0; i < APPLY_STATES; i++)
        series_add(m->entered[i], last->entered[i]);
}

/* The ages of heartbeats, by gateway: see heartbeats.h. */
#include "callback/heartbeats.h"
#include "lib/clock.h"
#include "lib/metrics.h"
#include "lib/seq_id.h"
#include "live_heartbeats.sql.h"

#define EVERY_MS     5000
#define GATEWAYS_MAX 256

static const struct metric age_metric = {
    "smschain_heartbeat_age_seconds",
    "How long ago the newest heartbeat that was delivered had been entered.",
    METRIC_GAUGE,
    {"gateway"},
    1000};
static const struct metric open_metric = {
    "smschain_heartbeat_open_seconds",
    "Age of the oldest heartbeat without a final status; 0: there is none.",
    METRIC_GAUGE,
    {"gateway"},
    1000};

struct heartbeats {
    int64_t due_ms;
    size_t count;
    struct beating {
        char *gateway;
        struct series *age, *open; /* age NULL: none was delivered yet */
    } of[GATEWAYS_MAX];
};

struct heartbeats *heartbeats_new(void)
{
    return xcalloc(1, sizeof(struct heartbeats));
}

void heartbeats_free(struct heartbeats *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->count; i++) {
        free(h->of[i].gateway);
        series_free(h->of[i].age);
        series_free(h->of[i].open);
    }
    free(h);
}

static struct beating *of_gateway(struct heartbeats *h, const char *gateway)
{
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->of[i].gateway, gateway) == 0)
            return &h->of[i];
    if (h->count == GATEWAYS_MAX)
        return NULL;
    h->of[h->count] =
        (struct beating){.gateway = xstrdup(gateway), .open = series_new(&open_metric, gateway, NULL)};
    return &h->of[h->count++];
}

void heartbeats_look(struct heartbeats *h, struct db *d)
{
    auto_params p = db_params_new();
    auto_result r = NULL;

    if (clock_mono_ms() < h->due_ms)
        return;
    h->due_ms = clock_mono_ms() + EVERY_MS;
    db_add_big(p, sms_id_day_first(clock_day_2020(clock_wall_ms()) - 1));
    if (db_run(d, &sql_live_heartbeats, p, &r) != 0)
        return;
    for (int i = 0; i < db_rows(r); i++) {
        struct beating *b = of_gateway(h, db_text(r, i, 0));
        if (!b)
            continue;
        if (!db_is_null(r, i, 1) && !b->age)
            b->age = series_new(&age_metric, b->gateway, NULL);
        if (!db_is_null(r, i, 1))
            series_set(b->age, db_big(r, i, 1));
        series_set(b->open, db_big(r, i, 2));
    }
}

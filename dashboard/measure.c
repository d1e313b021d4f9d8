/* The page's metrics: see measure.h. */
#include "dashboard/measure.h"

/* A row a metric. */
/* clang-format off */
static const struct metric pages = {"smschain_dashboard_pages_total", "Pages made, refused (4xx), and failed (5xx).", METRIC_COUNTER, {"outcome"}, 0};
static const struct metric seconds = {"smschain_dashboard_page_seconds", "How long making a page takes, its questions to the database included.", METRIC_SECONDS, {NULL}, 0};
static const struct metric streams = {"smschain_dashboard_streams", "Live pages that somebody looks at.", METRIC_GAUGE, {NULL}, 0};
static const struct metric wrong_tokens = {"smschain_dashboard_wrong_tokens_total", "Tries to sign in with a token that is none.", METRIC_COUNTER, {NULL}, 0};
/* clang-format on */

struct measure measure;

void measure_begin(void)
{
    measure = (struct measure){.made = series_new(&pages, "made", NULL),
                               .refused = series_new(&pages, "refused", NULL),
                               .failed = series_new(&pages, "failed", NULL),
                               .seconds = series_new(&seconds, NULL, NULL),
                               .streams = series_new(&streams, NULL, NULL),
                               .wrong_tokens = series_new(&wrong_tokens, NULL, NULL),
                               .main = loop_new("main", HEALTH_LATE_MS),
                               .live = loop_new("live pages", HEALTH_LATE_MS)};
    series_set(measure.streams, 0);
}

void measure_end(void)
{
    struct series *all[] = {measure.made,    measure.refused, measure.failed,
                            measure.seconds, measure.streams, measure.wrong_tokens};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        series_free(all[i]);
    loop_free(measure.main);
    loop_free(measure.live);
    measure = (struct measure){0};
}

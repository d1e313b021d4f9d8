/* Extract's metrics: see measure.h. */
#include "extract/measure.h"

/* A row a metric. */
/* clang-format off */
static const struct metric rows_read = {"smschain_extract_rows_read_total", "Rows read from sources.", METRIC_COUNTER, {NULL}, 0};
static const struct metric runs_open = {"smschain_extract_runs_open", "Runs that are being read here.", METRIC_GAUGE, {NULL}, 0};
static const struct metric published = {"smschain_outbox_chunks_published_total", "Chunks published from the outbox.", METRIC_COUNTER, {NULL}, 0};
static const struct metric waiting = {"smschain_outbox_chunks_waiting", "Chunks in the outbox that have not left, held ones among them; counted up to 100,000.", METRIC_GAUGE, {NULL}, 0};
static const struct metric rows = {"smschain_extract_rows_total", "Rows of passes that were read to their end, by what they are in the balance.", METRIC_COUNTER, {"outcome"}, 0};
static const struct metric runs = {"smschain_extract_runs_total", "How reading a run ended: read, held, closed (failed, cancelled, skipped), or to be tried again.", METRIC_COUNTER, {"outcome"}, 0};
static const struct metric group = {"smschain_extract_group_seconds", "How long entering a group of rows takes, commit included.", METRIC_SECONDS, {NULL}, 0};
static const struct metric last_group = {"smschain_extract_last_group_timestamp_seconds", "When a group of rows was entered last.", METRIC_GAUGE, {NULL}, 1000};
static const struct metric wait = {"smschain_outbox_wait_seconds", "From a chunk's being due to its being published; what holds a run counts.", METRIC_SECONDS, {"lane"}, 0};
static const struct metric publish = {"smschain_outbox_publish_seconds", "From taking chunks out of the outbox to the commit that marks them.", METRIC_SECONDS, {"lane"}, 0};
static const struct metric last_published = {"smschain_outbox_last_published_timestamp_seconds", "When a chunk was published last.", METRIC_GAUGE, {"lane"}, 1000};
/* clang-format on */

const struct figure_metric measure_figures[] = {{"runs_open", &runs_open, NULL, NULL},
                                                {"rows", &rows_read, NULL, NULL},
                                                {"chunks_published", &published, NULL, NULL},
                                                {"outbox_waiting", &waiting, NULL, NULL},
                                                {0}};

struct measure *measure_new(void)
{
    static const char *const lanes[MEASURE_LANES] = {"instant", "bulk"};
    struct measure *m = xmalloc(sizeof(*m));

    *m = (struct measure){
        .rows_new = series_new(&rows, "new", NULL),
        .rows_duplicate = series_new(&rows, "duplicate", NULL),
        .rows_invalid = series_new(&rows, "invalid", NULL),
        .rows_suppressed = series_new(&rows, "suppressed", NULL),
        .rows_gone = series_new(&rows, "gone", NULL),
        .runs_read = series_new(&runs, "read", NULL),
        .runs_held = series_new(&runs, "held", NULL),
        .runs_closed = series_new(&runs, "closed", NULL),
        .runs_again = series_new(&runs, "again", NULL),
        .group = series_new(&group, NULL, NULL),
        .last_group = series_new(&last_group, NULL, NULL),
        .history = health_new("history", NULL),
    };
    for (unsigned lane = 0; lane < MEASURE_LANES; lane++) {
        m->outbox_wait[lane] = series_new(&wait, lanes[lane], NULL);
        m->outbox_publish[lane] = series_new(&publish, lanes[lane], NULL);
        m->outbox_last[lane] = series_new(&last_published, lanes[lane], NULL);
    }
    return m;
}

void measure_free(struct measure *m)
{
    if (!m)
        return;
    struct series *all[] = {m->rows_new,   m->rows_duplicate, m->rows_invalid, m->rows_suppressed,
                            m->rows_gone,  m->runs_read,      m->runs_held,    m->runs_closed,
                            m->runs_again, m->group,          m->last_group};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        series_free(all[i]);
    for (unsigned lane = 0; lane < MEASURE_LANES; lane++) {
        series_free(m->outbox_wait[lane]);
        series_free(m->outbox_publish[lane]);
        series_free(m->outbox_last[lane]);
    }
    health_free(m->history);
    free(m);
}

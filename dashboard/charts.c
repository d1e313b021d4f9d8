/* Charts out of the counters: see charts.h. */
#include "dashboard/charts.h"
#include "charts_day.sql.h"
#include "charts_day_rule.sql.h"
#include "charts_minute.sql.h"
#include "dashboard/chart.h"
#include "dashboard/runs.h"
#include "lib/clock.h"
#include "rule_names.sql.h"
#include "words.sql.h"

#include <stdio.h>

#define NAMED_MAX 9 /* series with a name; the rest is one series, "others" */

struct cell { /* one row of an answer */
    int64_t column, key, count;
};
struct cells {
    struct cell *list;
    size_t count;
};
struct series { /* keys in the order of how much they have */
    int64_t key, sum;
    char *name;
};

static const char *const classes[CHART_SERIES_MAX] = {"c0", "c1", "c2", "c3", "c4",
                                                      "c5", "c6", "c7", "c8", "c9"};

static void add_cell(struct cells *c, int64_t column, int64_t key, int64_t count)
{
    c->list[c->count++] = (struct cell){column, key, count};
}

/* ---- by state: buckets, in their order ---- */

static void chart_states(struct page *p, struct chart *chart, const struct cells *cells, int64_t first)
{
    static const enum bucket order[] = {BUCKET_DELIVERED, BUCKET_ACCEPTED, BUCKET_SUBMITTED,
                                        BUCKET_UNKNOWN,   BUCKET_IN_DOUBT, BUCKET_UNDELIVERED,
                                        BUCKET_NOT_SENT};
    chart->series_count = COUNT_OF(order);
    auto_free int64_t *values = xcalloc(chart->column_count * chart->series_count, sizeof(*values));
    for (size_t s = 0; s < COUNT_OF(order); s++)
        chart->series[s] = (struct chart_series){bucket_looks[order[s]].word, bucket_looks[order[s]].class};
    for (size_t i = 0; i < cells->count; i++)
        for (size_t s = 0; s < COUNT_OF(order); s++)
            if (bucket_of((int)cells->list[i].key) == order[s] && cells->list[i].column >= first &&
                cells->list[i].column < first + (int64_t)chart->column_count)
                values[(size_t)(cells->list[i].column - first) * chart->series_count + s] +=
                    cells->list[i].count;
    chart->values = values;
    chart_add(&p->out, chart);
    chart->values = NULL;
}

/* ---- by anything else: the greatest ones have a name ---- */

static int by_sum(const void *a, const void *b)
{
    const struct series *x = a, *y = b;
    return x->sum > y->sum ? -1 : x->sum < y->sum ? 1 : x->key < y->key ? -1 : x->key > y->key;
}

static size_t sum_keys(const struct cells *cells, struct series *all)
{
    size_t n = 0;
    for (size_t i = 0; i < cells->count; i++) {
        size_t k = 0;
        while (k < n && all[k].key != cells->list[i].key)
            k++;
        if (k == n)
            all[n++] = (struct series){.key = cells->list[i].key};
        all[k].sum += cells->list[i].count;
    }
    qsort(all, n, sizeof(*all), by_sum);
    return n;
}

static int name_keys(struct page *p, enum chart_by by, struct series *all, size_t n)
{
    auto_result names = NULL;
    auto_params params = db_params_new();
    int32_t ids[NAMED_MAX];
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)all[i].key;
    db_add_int_array(params, ids, n);
    int r = by == CHART_BY_RULE ? db_run(p->db, &sql_rule_names, NULL, &names)
                                : db_run(p->db, &sql_words, params, &names);
    for (size_t i = 0; i < n && r == 0; i++) {
        for (int k = 0; k < db_rows(names) && !all[i].name; k++)
            if (db_big(names, k, 0) == all[i].key)
                all[i].name = xstrdup(db_text(names, k, 1));
        if (!all[i].name)
            all[i].name = xstrdup(all[i].key == 0 ? "no gateway" : "?");
    }
    return r;
}

static int chart_named(struct page *p, struct chart *chart, const struct cells *cells, int64_t first,
                       enum chart_by by)
{
    auto_free struct series *all = xcalloc(cells->count + 1, sizeof(*all));
    size_t n = sum_keys(cells, all), named = MIN_OF(n, (size_t)NAMED_MAX);
    int r = name_keys(p, by, all, named);
    chart->series_count = MAX_OF(named + (n > named), (size_t)1);
    auto_free int64_t *values = xcalloc(chart->column_count * chart->series_count, sizeof(*values));
    for (size_t s = 0; s < chart->series_count; s++)
        chart->series[s] = (struct chart_series){s < named ? all[s].name : "others", classes[s]};
    for (size_t i = 0; i < cells->count && r == 0; i++) {
        int64_t column = cells->list[i].column - first;
        size_t s = 0;
        while (s < named && all[s].key != cells->list[i].key)
            s++;
        if (column >= 0 && column < (int64_t)chart->column_count)
            values[(size_t)column * chart->series_count + MIN_OF(s, chart->series_count - 1)] +=
                cells->list[i].count;
    }
    chart->values = values;
    if (r == 0)
        chart_add(&p->out, chart);
    chart->values = NULL;
    for (size_t i = 0; i < named; i++)
        free(all[i].name);
    return r;
}

static int draw(struct page *p, struct chart *chart, const struct cells *cells, int64_t first,
                enum chart_by by)
{
    if (by != CHART_BY_STATE)
        return chart_named(p, chart, cells, first, by);
    chart_states(p, chart, cells, first);
    return 0;
}

static void add_id(struct db_params *params, int32_t id)
{
    if (id != 0)
        db_add_int(params, id);
    else
        db_add_null(params);
}

/* ---- what is asked ---- */

int chart_days(struct page *p, const struct chart_question *q)
{
    auto_params params = db_params_new();
    auto_result rows = NULL;
    bool rules = q->by == CHART_BY_RULE || q->rule != 0;
    int64_t first = clock_day_2020(p->now_ms) - q->days + 1;
    struct chart chart = {.title = q->title, .unit = "messages", .column_count = (size_t)q->days};
    char(*labels)[32] = xcalloc(chart.column_count, sizeof(*labels));
    db_add_int(params, (int32_t)first);
    db_add_int(params, (int32_t)q->by);
    add_id(params, q->gateway);
    if (rules)
        add_id(params, q->rule);
    int r = db_run(p->db, rules ? &sql_charts_day_rule : &sql_charts_day, params, &rows);
    auto_free struct cell *list = xcalloc((size_t)(r == 0 ? db_rows(rows) : 0) + 1, sizeof(*list));
    struct cells cells = {.list = list};
    for (int i = 0; r == 0 && i < db_rows(rows); i++)
        add_cell(&cells, db_big(rows, i, 0), db_big(rows, i, 1), db_big(rows, i, 2));
    for (size_t i = 0; i < chart.column_count; i++) {
        int year, month, day;
        clock_date_of(clock_days_of(2020, 1, 1) + first + (int64_t)i, &year, &month, &day);
        snprintf(labels[i], sizeof(labels[i]), "%04d-%02d-%02d", year, month, day);
    }
    chart.labels = labels;
    if (r == 0)
        r = draw(p, &chart, &cells, first, q->by);
    free(labels);
    return r;
}

int chart_minutes(struct page *p, const struct chart_question *q)
{
    auto_params params = db_params_new();
    auto_result rows = NULL;
    int64_t column_ms = (int64_t)q->column_s * 1000, first = (p->now_ms - q->back_ms) / column_ms + 1;
    struct chart chart = {
        .title = q->title, .unit = "messages", .column_count = (size_t)(q->back_ms / column_ms)};
    char(*labels)[32] = xcalloc(chart.column_count, sizeof(*labels));
    db_add_time(params, first * column_ms);
    db_add_int(params, q->column_s);
    add_id(params, q->gateway);
    int r = db_run(p->db, &sql_charts_minute, params, &rows);
    auto_free struct cell *list = xcalloc((size_t)(r == 0 ? db_rows(rows) : 0) + 1, sizeof(*list));
    struct cells cells = {.list = list};
    for (int i = 0; r == 0 && i < db_rows(rows); i++)
        add_cell(&cells, db_big(rows, i, 0), db_big(rows, i, q->by == CHART_BY_STATE ? 1 : 2),
                 db_big(rows, i, 3));
    for (size_t i = 0; i < chart.column_count; i++) {
        char text[SPELL_SIZE];
        snprintf(labels[i], sizeof(labels[i]), "%.5s",
                 spell_time((first + (int64_t)i) * column_ms, text) + 11);
    }
    chart.labels = labels;
    if (r == 0)
        r = draw(p, &chart, &cells, first, q->by);
    free(labels);
    return r;
}

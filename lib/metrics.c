/* The registry of series and their exposition: see metrics.h. */
#include "lib/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define VALUE_MAX_BYTES 64
#define DIGITS_MAX      6 /* in a row, in a label's value: no number of a phone, no id */

const char *const metric_label_keys[] = {"gateway", "lane",  "state", "outcome", "queue", "class",
                                         "kind",    "shard", "check", "reason",  NULL};

/* Upper bounds of the buckets; the last one has none. */
static const struct {
    int64_t us;
    const char *le;
} bounds[] = {{1000, "0.001"},    {2500, "0.0025"},   {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
              {50000, "0.05"},    {100000, "0.1"},    {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},
              {2500000, "2.5"},   {5000000, "5"},     {10000000, "10"}, {30000000, "30"}, {60000000, "60"},
              {300000000, "300"}, {INT64_MAX, "+Inf"}};
#define BUCKETS COUNT_OF(bounds)

struct series {
    const struct metric *metric;
    char *labels;              /* gateway="alpha",outcome="accepted"; "" : none */
    atomic_int_fast64_t value; /* of a histogram: the sum in microseconds */
    atomic_bool known;         /* a gauge is not told before it was set */
    atomic_int_fast64_t buckets[];
};

static struct {
    pthread_mutex_t lock;
    struct series **all;
    size_t count, cap;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- labels ---- */

static void require_key(const char *key)
{
    for (size_t i = 0; metric_label_keys[i]; i++)
        if (strcmp(metric_label_keys[i], key) == 0)
            return;
    abort(); /* keys come from the code: a fault of the program */
}

/* What may be told: a name that somebody has configured, not what somebody has sent. */
static bool may_be_told(const char *value)
{
    size_t len = strlen(value), digits = 0;
    if (len > VALUE_MAX_BYTES || !utf8_is_text(value, len))
        return false;
    for (const char *p = value; *p; p++) {
        digits = *p >= '0' && *p <= '9' ? digits + 1 : 0;
        if (digits > DIGITS_MAX)
            return false;
    }
    return true;
}

static void add_escaped(struct buf *out, const char *value)
{
    for (const char *p = value; *p; p++) {
        if (*p == '\n') {
            buf_add_str(out, "\\n");
            continue;
        }
        if (*p == '\\' || *p == '"')
            buf_add_char(out, '\\');
        buf_add_char(out, *p);
    }
}

static char *label_text(const struct metric *m, const char *const values[METRIC_LABELS_MAX], bool full)
{
    struct buf out = {0};
    for (size_t i = 0; i < METRIC_LABELS_MAX && m->labels[i]; i++) {
        require_key(m->labels[i]);
        if (!values[i] || !*values[i])
            continue;
        buf_addf(&out, "%s%s=\"", out.len > 0 ? "," : "", m->labels[i]);
        add_escaped(&out, full || !may_be_told(values[i]) ? "other" : values[i]);
        buf_add_char(&out, '"');
    }
    return buf_take(&out, NULL);
}

/* ---- series ---- */

static size_t count_of(const struct metric *m)
{
    size_t n = 0;
    for (size_t i = 0; i < registry.count; i++)
        n += strcmp(registry.all[i]->metric->name, m->name) == 0;
    return n;
}

struct series *series_new(const struct metric *m, const char *a, const char *b)
{
    const char *const values[METRIC_LABELS_MAX] = {a, b};
    size_t buckets = m->type == METRIC_SECONDS ? BUCKETS : 0;
    struct series *s = xcalloc(1, sizeof(*s) + buckets * sizeof(s->buckets[0]));

    s->metric = m;
    s->known = m->type != METRIC_GAUGE;
    pthread_mutex_lock(&registry.lock);
    s->labels = label_text(m, values, count_of(m) >= METRIC_SERIES_MAX);
    if (registry.count == registry.cap) {
        registry.cap = MAX_OF(2 * registry.cap, (size_t)64);
        registry.all = xrealloc(registry.all, registry.cap * sizeof(struct series *));
    }
    registry.all[registry.count++] = s;
    pthread_mutex_unlock(&registry.lock);
    return s;
}

void series_free(struct series *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&registry.lock);
    for (size_t i = 0; i < registry.count; i++) {
        if (registry.all[i] == s) {
            registry.all[i] = registry.all[--registry.count];
            break;
        }
    }
    if (registry.count == 0) {
        free(registry.all);
        registry.all = NULL;
        registry.cap = 0;
    }
    pthread_mutex_unlock(&registry.lock);
    free(s->labels);
    free(s);
}

void series_add(struct series *s, int64_t n)
{
    if (!s)
        return;
    atomic_fetch_add_explicit(&s->value, n, memory_order_relaxed);
    atomic_store_explicit(&s->known, true, memory_order_relaxed);
}

void series_set(struct series *s, int64_t value)
{
    if (!s)
        return;
    atomic_store_explicit(&s->value, value, memory_order_relaxed);
    atomic_store_explicit(&s->known, true, memory_order_relaxed);
}

void series_observe_us(struct series *s, int64_t us)
{
    size_t i = 0;

    if (!s)
        return;
    while (us > bounds[i].us)
        i++;
    atomic_fetch_add_explicit(&s->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->value, MAX_OF(us, 0), memory_order_relaxed);
}

int64_t series_value(const struct series *s)
{
    int64_t n = 0;
    if (s->metric->type != METRIC_SECONDS)
        return s->value;
    for (size_t i = 0; i < BUCKETS; i++)
        n += s->buckets[i];
    return n;
}

/* ---- the text ---- */

static void add_value(struct buf *out, int64_t value, int64_t per)
{
    if (per > 1)
        buf_addf(out, " %.15g\n", (double)value / (double)per);
    else
        buf_addf(out, " %lld\n", (long long)value);
}

static void add_name(struct buf *out, const struct series *s, const char *suffix, const char *le)
{
    buf_addf(out, "%s%s", s->metric->name, suffix);
    if (!*s->labels && !le)
        return;
    buf_addf(out, "{%s%s", s->labels, *s->labels && le ? "," : "");
    if (le)
        buf_addf(out, "le=\"%s\"", le);
    buf_add_char(out, '}');
}

static void add_head(struct buf *out, const struct metric *m)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, types[m->type]);
}

static bool any_known(struct series *const *s, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (s[i]->known)
            return true;
    return false;
}

/* Series with equal labels, one behind the other. */
static void add_equal(struct buf *out, struct series *const *s, size_t count)
{
    const struct metric *m = s[0]->metric;
    int64_t value = 0, so_far = 0;

    for (size_t i = 0; i < count; i++)
        value += s[i]->value;
    if (m->type != METRIC_SECONDS) {
        add_name(out, s[0], "", NULL);
        add_value(out, value, m->per);
        return;
    }
    for (size_t b = 0; b < BUCKETS; b++) {
        for (size_t i = 0; i < count; i++)
            so_far += s[i]->buckets[b];
        add_name(out, s[0], "_bucket", bounds[b].le);
        add_value(out, so_far, 0);
    }
    add_name(out, s[0], "_sum", NULL);
    add_value(out, value, 1000000);
    add_name(out, s[0], "_count", NULL);
    add_value(out, so_far, 0);
}

static int by_name(const void *a, const void *b)
{
    const struct series *const *x = a, *const *y = b;
    int order = strcmp((*x)->metric->name, (*y)->metric->name);
    return order != 0 ? order : strcmp((*x)->labels, (*y)->labels);
}

void metrics_print(struct buf *out)
{
    const char *told = "";

    pthread_mutex_lock(&registry.lock);
    if (registry.count > 0)
        qsort(registry.all, registry.count, sizeof(struct series *), by_name);
    for (size_t i = 0, n; i < registry.count; i += n) {
        struct series *const *s = registry.all + i;
        for (n = 1; i + n < registry.count && by_name(&s[0], &s[n]) == 0;)
            n++;
        if (!any_known(s, n))
            continue;
        if (strcmp(told, s[0]->metric->name) != 0)
            add_head(out, s[0]->metric);
        told = s[0]->metric->name;
        add_equal(out, s, n);
    }
    pthread_mutex_unlock(&registry.lock);
    metrics_print_process(out);
}

/* Loops and checks of the process: see health.h. */
#include "lib/health.h"
#include "lib/clock.h"
#include "lib/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static const struct metric ready_metric = {
    "smschain_ready", "1 while this check of /readyz is good.", METRIC_GAUGE, {"check", "gateway"}, 0};

struct loop {
    struct loop *next;
    char *name;
    int64_t late_ms;
    atomic_int_fast64_t turned_ms;
};

struct health {
    struct health *next;
    char *name;
    struct series *series;
    bool good;
    char words[240];
    health_asked *ask;
    void *arg;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct loop *loops;
static struct health *checks;

/* ---- loops ---- */

struct loop *loop_new(const char *name, int64_t late_ms)
{
    struct loop *l = xcalloc(1, sizeof(*l)), **end = &loops;

    l->name = xstrdup(name);
    l->late_ms = late_ms;
    loop_turned(l);
    pthread_mutex_lock(&lock);
    while (*end)
        end = &(*end)->next;
    *end = l;
    pthread_mutex_unlock(&lock);
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&lock);
    for (struct loop **at = &loops; *at; at = &(*at)->next) {
        if (*at == l) {
            *at = l->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    free(l->name);
    free(l);
}

void loop_turned(struct loop *l)
{
    if (l)
        atomic_store_explicit(&l->turned_ms, clock_mono_ms(), memory_order_relaxed);
}

static void add_line(struct buf *out, bool good, const char *name, const char *words)
{
    buf_addf(out, "[%c]%s%s%s\n", good ? '+' : '-', name, *words ? ": " : "", words);
}

bool health_live(struct buf *out, bool verbose)
{
    int64_t now_ms = clock_mono_ms();
    bool all = true;

    pthread_mutex_lock(&lock);
    for (const struct loop *l = loops; l; l = l->next) {
        int64_t quiet_ms = MAX_OF(now_ms - l->turned_ms, 0);
        bool good = quiet_ms <= l->late_ms;
        char words[80];
        snprintf(words, sizeof(words), "turned %lld.%lld s ago", (long long)(quiet_ms / 1000),
                 (long long)(quiet_ms % 1000 / 100));
        if (verbose || !good)
            add_line(out, good, l->name, words);
        all = all && good;
    }
    pthread_mutex_unlock(&lock);
    return all;
}

/* ---- checks ---- */

static struct health *add_check(const char *check, const char *gateway, health_asked *ask, void *arg)
{
    struct health *h = xcalloc(1, sizeof(*h)), **end = &checks;

    h->name = gateway ? xasprintf("%s %s", check, gateway) : xstrdup(check);
    h->series = series_new(&ready_metric, check, gateway);
    series_set(h->series, 0);
    h->ask = ask;
    h->arg = arg;
    snprintf(h->words, sizeof(h->words), "not looked at yet");
    pthread_mutex_lock(&lock);
    while (*end)
        end = &(*end)->next;
    *end = h;
    pthread_mutex_unlock(&lock);
    return h;
}

struct health *health_new(const char *check, const char *gateway)
{
    return add_check(check, gateway, NULL, NULL);
}

struct health *health_ask(const char *check, health_asked *ask, void *arg)
{
    return add_check(check, NULL, ask, arg);
}

void health_free(struct health *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&lock);
    for (struct health **at = &checks; *at; at = &(*at)->next) {
        if (*at == h) {
            *at = h->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    series_free(h->series);
    free(h->name);
    free(h);
}

void health_good(struct health *h, const char *words)
{
    if (!h)
        return;
    pthread_mutex_lock(&lock);
    h->good = true;
    snprintf(h->words, sizeof(h->words), "%s", words);
    pthread_mutex_unlock(&lock);
    series_set(h->series, 1);
}

void health_bad(struct health *h, const char *format, ...)
{
    va_list ap;
    if (!h)
        return;
    pthread_mutex_lock(&lock);
    h->good = false;
    va_start(ap, format);
    vsnprintf(h->words, sizeof(h->words), format, ap);
    va_end(ap);
    pthread_mutex_unlock(&lock);
    series_set(h->series, 0);
}

static void ask_now(struct health *h)
{
    auto_buf words = {.max = sizeof(h->words) - 1};

    h->good = h->ask(h->arg, &words);
    snprintf(h->words, sizeof(h->words), "%s", words.data ? words.data : "");
    series_set(h->series, h->good);
}

bool health_ready(struct buf *out, bool verbose)
{
    bool all = true;

    pthread_mutex_lock(&lock);
    for (struct health *h = checks; h; h = h->next) {
        if (h->ask)
            ask_now(h);
        if (verbose || !h->good)
            add_line(out, h->good, h->name, h->words);
        all = all && h->good;
    }
    pthread_mutex_unlock(&lock);
    return all;
}

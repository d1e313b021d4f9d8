/* Connections that are watched: see links.h. */
#include "lib/links.h"
#include "lib/health.h"
#include "lib/metrics.h"

#include <pthread.h>

static const struct metric connections = {
    "smschain_connections",
    "Connections to the database and to the broker: open, or wanted and away.",
    METRIC_GAUGE,
    {"kind", "state"},
    0};
static const struct metric connects = {
    "smschain_connects_total",
    "Connections that were opened, and those that were lost or could not be opened.",
    METRIC_COUNTER,
    {"kind", "outcome"},
    0};

struct links {
    const char *kind;
    int64_t users, open, away;
    struct series *open_series, *away_series, *opened, *failed;
    struct health *health;
};
struct links links_database = {.kind = "database"}, links_broker = {.kind = "broker"};

static pthread_mutex_t lock =
    PTHREAD_MUTEX_INITIALIZER; /* over all of it; taken before those of health and metrics */

static void show(struct links *t, const char *why)
{
    series_set(t->open_series, t->open);
    series_set(t->away_series, t->away);
    if (t->away > 0 && why)
        health_bad(t->health, "%s", why);
    else if (t->away == 0 && t->open > 0)
        health_good(t->health, "");
    else if (t->away == 0)
        health_bad(t->health, "no connection is open");
}

static void become(struct link *l, bool open, bool away)
{
    l->to->open += open - l->open;
    l->to->away += away - l->away;
    l->open = open;
    l->away = away;
}

void link_begin(struct link *l, struct links *to)
{
    *l = (struct link){.to = to};
    if (!to)
        return;
    pthread_mutex_lock(&lock);
    if (to->users++ == 0) {
        to->open_series = series_new(&connections, to->kind, "open");
        to->away_series = series_new(&connections, to->kind, "away");
        to->opened = series_new(&connects, to->kind, "opened");
        to->failed = series_new(&connects, to->kind, "failed");
        to->health = health_new(to->kind, NULL);
    }
    pthread_mutex_unlock(&lock);
}

void link_opened(struct link *l)
{
    if (!l->to)
        return;
    pthread_mutex_lock(&lock);
    if (!l->open)
        series_add(l->to->opened, 1);
    become(l, true, false);
    show(l->to, NULL);
    pthread_mutex_unlock(&lock);
}

void link_lost(struct link *l, const char *why)
{
    if (!l->to)
        return;
    pthread_mutex_lock(&lock);
    series_add(l->to->failed, 1);
    become(l, false, true);
    show(l->to, why);
    pthread_mutex_unlock(&lock);
}

void link_closed(struct link *l)
{
    if (!l->to || !l->open)
        return;
    pthread_mutex_lock(&lock);
    become(l, false, false);
    show(l->to, NULL);
    pthread_mutex_unlock(&lock);
}

void link_unwanted(struct link *l)
{
    if (!l->to || (!l->open && !l->away))
        return;
    pthread_mutex_lock(&lock);
    become(l, false, false);
    show(l->to, NULL);
    pthread_mutex_unlock(&lock);
}

void link_end(struct link *l)
{
    struct links *t = l->to;
    if (!t)
        return;
    pthread_mutex_lock(&lock);
    become(l, false, false);
    show(t, NULL);
    if (--t->users == 0) {
        series_free(t->open_series);
        series_free(t->away_series);
        series_free(t->opened);
        series_free(t->failed);
        health_free(t->health);
        t->open_series = t->away_series = t->opened = t->failed = NULL;
        t->health = NULL;
    }
    pthread_mutex_unlock(&lock);
    l->to = NULL;
}

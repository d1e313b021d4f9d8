/* Rates of counters: see rates.h. */
#include "dashboard/rates.h"

#include <pthread.h>

#define COUNTERS 512
#define SAMPLES  48
#define FIRST_MS 900 /* what is younger says nothing yet */

struct counter {
    const char *kind; /* NULL: free */
    int64_t id, asked_ms;
    struct {
        int64_t at_ms, value;
    } samples[SAMPLES]; /* a ring: the newest is at (next - 1) */
    size_t next, count;
};
struct rates {
    pthread_mutex_t lock;
    int64_t window_ms;
    struct counter all[COUNTERS];
};

struct rates *rates_new(int64_t window_ms)
{
    struct rates *r = xcalloc(1, sizeof(*r));
    r->window_ms = window_ms;
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void rates_free(struct rates *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static struct counter *counter_of(struct rates *r, const char *kind, int64_t id)
{
    struct counter *oldest = &r->all[0];
    for (size_t i = 0; i < COUNTERS; i++) {
        struct counter *c = &r->all[i];
        if (c->kind && c->id == id && strcmp(c->kind, kind) == 0)
            return c;
        if (!c->kind || (oldest->kind && c->asked_ms < oldest->asked_ms))
            oldest = c;
    }
    *oldest = (struct counter){.kind = kind, .id = id};
    return oldest;
}

double rates_note(struct rates *r, const char *kind, int64_t id, int64_t value, int64_t now_ms)
{
    double rate = -1;
    pthread_mutex_lock(&r->lock);
    struct counter *c = counter_of(r, kind, id);
    c->asked_ms = now_ms;
    size_t newest = (c->next + SAMPLES - 1) % SAMPLES;
    if (c->count > 0 && (value < c->samples[newest].value || now_ms < c->samples[newest].at_ms))
        c->count = 0;                       /* counted anew, or the clock was set back */
    for (size_t i = c->count; i > 0; i--) { /* from the oldest that the window has */
        size_t at = (c->next + SAMPLES - i) % SAMPLES;
        int64_t passed = now_ms - c->samples[at].at_ms;
        if (passed <= r->window_ms && passed >= FIRST_MS) {
            rate = (double)(value - c->samples[at].value) * 1000 / (double)passed;
            break;
        }
    }
    if (c->count == 0 || now_ms - c->samples[newest].at_ms >= r->window_ms / SAMPLES) {
        c->samples[c->next].at_ms = now_ms;
        c->samples[c->next].value = value;
        c->next = (c->next + 1) % SAMPLES;
        c->count = MIN_OF(c->count + 1, (size_t)SAMPLES);
    }
    pthread_mutex_unlock(&r->lock);
    return rate;
}

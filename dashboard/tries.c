/* Counting wrong tokens: see tries.h. */
#include "dashboard/tries.h"

#include <pthread.h>

#define ADDRESSES 256

struct tries {
    struct address address; /* as address_counted gives it */
    int64_t since_ms;
    int wrong;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tries one[ADDRESSES], all;

static int left_s(const struct tries *t, int most, int64_t now_ms)
{
    if (t->wrong < most || now_ms - t->since_ms >= TRIES_WINDOW_MS)
        return 0;
    return (int)((TRIES_WINDOW_MS - (now_ms - t->since_ms) + 999) / 1000);
}

static void count(struct tries *t, int64_t now_ms)
{
    if (t->wrong == 0 || now_ms - t->since_ms >= TRIES_WINDOW_MS) {
        t->since_ms = now_ms;
        t->wrong = 0;
    }
    t->wrong++;
}

/* Its place; where it has none the oldest one's. */
static struct tries *place_of(const struct address *counted, bool make)
{
    struct tries *oldest = &one[0];
    for (size_t i = 0; i < ADDRESSES; i++) {
        if (one[i].wrong > 0 && memcmp(&one[i].address, counted, sizeof(*counted)) == 0)
            return &one[i];
        if (one[i].wrong == 0 || (oldest->wrong > 0 && one[i].since_ms < oldest->since_ms))
            oldest = &one[i];
    }
    if (!make)
        return NULL;
    *oldest = (struct tries){.address = *counted};
    return oldest;
}

int tries_wait_s(const struct address *from, int64_t now_ms)
{
    struct address counted = address_counted(from);
    pthread_mutex_lock(&lock);
    const struct tries *t = place_of(&counted, false);
    int wait = t ? left_s(t, TRIES_EACH, now_ms) : 0;
    wait = MAX_OF(wait, left_s(&all, TRIES_ALL, now_ms));
    pthread_mutex_unlock(&lock);
    return wait;
}

void tries_wrong(const struct address *from, int64_t now_ms)
{
    struct address counted = address_counted(from);
    pthread_mutex_lock(&lock);
    count(place_of(&counted, true), now_ms);
    count(&all, now_ms);
    pthread_mutex_unlock(&lock);
}

void tries_forget(void)
{
    pthread_mutex_lock(&lock);
    memset(one, 0, sizeof(one));
    all = (struct tries){0};
    pthread_mutex_unlock(&lock);
}

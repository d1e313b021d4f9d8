/* The configuration that counts now: see setting.h. */
#include "dashboard/setting.h"
#include "lib/digest.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct setting *current;

static char *session_key(const struct conf_main *m)
{
    auto_buf from = {0}, key = {0};
    buf_addf(&from, "smschain dashboard session\n%s\n%s\n", m->dashboard.viewer_token,
             m->dashboard.operator_token);
    digest_add(&key, DIGEST_SHA256, DIGEST_HEX, from.data, from.len);
    return buf_take(&key, NULL);
}

struct setting *setting_new(struct conf *conf)
{
    struct setting *s = xcalloc(1, sizeof(*s));
    const struct str_list *list = &conf->main.dashboard.trusted_proxies;
    *s = (struct setting){.conf = conf, .refs = 1, .session_key = session_key(&conf->main)};
    s->trusted = xcalloc(list->count + 1, sizeof(*s->trusted));
    for (size_t i = 0; i < list->count; i++)
        if (network_parse(list->items[i], &s->trusted[s->trusted_count]))
            s->trusted_count++;
    return s;
}

static void setting_free(struct setting *s)
{
    conf_free(s->conf);
    free(s->trusted);
    free(s->session_key);
    free(s);
}

void setting_unref(struct setting *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&lock);
    bool last = --s->refs == 0;
    pthread_mutex_unlock(&lock);
    if (last)
        setting_free(s);
}

struct setting *setting_get(void)
{
    pthread_mutex_lock(&lock);
    struct setting *s = current;
    s->refs++;
    pthread_mutex_unlock(&lock);
    return s;
}

void setting_put(struct setting *fresh)
{
    pthread_mutex_lock(&lock);
    struct setting *old = current;
    current = fresh;
    pthread_mutex_unlock(&lock);
    setting_unref(old);
}

void setting_clear(void)
{
    setting_put(NULL);
}

/* The configuration that counts now, shared by all threads: whoever uses it holds a reference, so that one
 * that is loaded anew takes the place of the old one at once and the old one goes with its last user. */
#pragma once
#include "lib/address.h"
#include "lib/conf.h"

struct setting {
    struct conf *conf;
    struct network *trusted; /* dashboard.trusted_proxies */
    size_t trusted_count;
    char *session_key; /* made of both tokens: sessions end when one is changed */
    int refs;          /* setting.c's own */
};
struct setting *setting_new(struct conf *conf); /* takes conf */
void setting_put(struct setting *fresh);        /* takes it; becomes the one that counts */
struct setting *setting_get(void);
void setting_unref(struct setting *s);
void setting_clear(void); /* at the end */
#define auto_setting cleanup_with(setting_unref_pointed) struct setting *
static inline void setting_unref_pointed(struct setting **s)
{
    setting_unref(*s);
}

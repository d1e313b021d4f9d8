/* The configuration as render works with it: checked, and every template compiled. Never changed once made;
 * SIGHUP makes another one. */
#pragma once
#include "lib/conf.h"
#include "lib/template.h"
#include "render/price.h"
#include "render/textrules.h"

struct plan_template {
    const struct conf_template *conf;
    struct template *compiled;
    struct zone *zone;
    struct text_rules *rules; /* NULL: none */
};
struct plan {
    const struct conf *conf;
    struct conf *owned;              /* NULL: conf is somebody else's and lives longer */
    struct plan_template *templates; /* conf->template_count of them, in the same order */
    struct plan_template heartbeat;  /* of RECORD_HEARTBEAT */
    struct prices **prices;          /* conf->gateway_count of them; NULL: nobody asks */
};

/* 0, or -EINVAL: report says all that is wrong with the configuration. */
int must_check plan_load(const char *dir, struct plan **ret, struct buf *report);
/* The same over a configuration that is loaded already, which is borrowed. */
int must_check plan_make(const struct conf *conf, struct plan **ret, struct buf *report);
void plan_free(struct plan *p);
const struct plan_template *plan_template(const struct plan *p, const char *name); /* NULL: none */

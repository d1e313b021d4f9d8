/* Loads the configuration and compiles its templates; all that is wrong comes out at once. */
#include "render/plan.h"
#include "lib/record.h"

/* Heartbeats are rendered as every message is, so that they show whether render works, too. The gateway's
 * file has their text. */
static const struct conf_template heartbeat = {.name = (char *)(uintptr_t)RECORD_HEARTBEAT,
                                               .file = (char *)(uintptr_t) "heartbeat_text",
                                               .class = (char *)(uintptr_t) "service",
                                               .text = (char *)(uintptr_t) "{{ text }}",
                                               .text_line = 1,
                                               .time_zone = (char *)(uintptr_t) "UTC",
                                               .currency_decimal = (char *)(uintptr_t) ".",
                                               .currency_group = (char *)(uintptr_t) "",
                                               .max_segments = 1,
                                               .footer = (char *)(uintptr_t) "",
                                               .sender = (char *)(uintptr_t) ""};

static int compile(struct plan_template *t, struct buf *report)
{
    struct template_error e;
    int r = 0;

    t->zone = zone_open(t->conf->time_zone);
    if (!t->zone) {
        buf_addf(report, "%s: there is no time zone '%s'\n", t->conf->file, t->conf->time_zone);
        r = -EINVAL;
    }
    if (template_compile(t->conf->text, strlen(t->conf->text), t->conf->text_line, &t->compiled, &e) < 0) {
        buf_addf(report, "%s:%d:%d: %s\n", t->conf->file, e.line, e.column, e.message);
        r = -EINVAL;
    }
    t->rules = text_rules_new(t->conf);
    return r;
}

static void forget(struct plan_template *t)
{
    template_free(t->compiled);
    zone_close(t->zone);
    text_rules_free(t->rules);
}

int plan_make(const struct conf *conf, struct plan **ret, struct buf *report)
{
    struct plan *p = xcalloc(1, sizeof(*p));
    int r = 0;

    p->conf = conf;
    p->templates = xcalloc(conf->template_count + 1, sizeof(*p->templates));
    for (size_t i = 0; i < conf->template_count; i++) {
        p->templates[i].conf = &conf->templates[i];
        int compiled = compile(&p->templates[i], report);
        r = r < 0 ? r : compiled;
    }
    p->heartbeat.conf = &heartbeat;
    if (compile(&p->heartbeat, report) < 0)
        r = -EINVAL;
    p->prices = xcalloc(conf->gateway_count + 1, sizeof(struct prices *));
    for (size_t i = 0; i < conf->gateway_count; i++)
        p->prices[i] = prices_new(conf->gateways[i].prices, conf->gateways[i].price_count);
    if (r < 0) {
        plan_free(p);
        return r;
    }
    *ret = p;
    return 0;
}

int plan_load(const char *dir, struct plan **ret, struct buf *report)
{
    struct conf *conf = NULL;
    int r = conf_load(dir, "render", &conf, report);

    if (r == 0)
        r = plan_make(conf, ret, report);
    if (r < 0)
        conf_free(conf);
    else
        (*ret)->owned = conf;
    return r;
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->templates && i < p->conf->template_count; i++)
        forget(&p->templates[i]);
    forget(&p->heartbeat);
    free(p->templates);
    for (size_t i = 0; p->prices && i < p->conf->gateway_count; i++)
        prices_free(p->prices[i]);
    free(p->prices);
    conf_free(p->owned);
    free(p);
}

const struct plan_template *plan_template(const struct plan *p, const char *name)
{
    for (size_t i = 0; i < p->conf->template_count; i++)
        if (strcmp(p->templates[i].conf->name, name) == 0)
            return &p->templates[i];
    return strcmp(name, RECORD_HEARTBEAT) == 0 ? &p->heartbeat : NULL;
}

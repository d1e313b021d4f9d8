/* Loads the configuration and compiles its templates; all that is wrong comes out at once. */
#include "render/plan.h"

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
    for (size_t i = 0; p->templates && i < p->conf->template_count; i++) {
        template_free(p->templates[i].compiled);
        zone_close(p->templates[i].zone);
        text_rules_free(p->templates[i].rules);
    }
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
    return NULL;
}

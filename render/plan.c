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

int plan_load(const char *dir, struct plan **ret, struct buf *report)
{
    struct plan *p = xcalloc(1, sizeof(*p));
    int r = conf_load(dir, "render", &p->conf, report);

    if (r == 0)
        p->templates = xcalloc(p->conf->template_count + 1, sizeof(*p->templates));
    for (size_t i = 0; p->templates && i < p->conf->template_count; i++) {
        p->templates[i].conf = &p->conf->templates[i];
        int compiled = compile(&p->templates[i], report);
        r = r < 0 ? r : compiled;
    }
    if (r < 0) {
        plan_free(p);
        return r;
    }
    *ret = p;
    return 0;
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
    conf_free(p->conf);
    free(p);
}

const struct plan_template *plan_template(const struct plan *p, const char *name)
{
    for (size_t i = 0; i < p->conf->template_count; i++)
        if (strcmp(p->templates[i].conf->name, name) == 0)
            return &p->templates[i];
    return NULL;
}

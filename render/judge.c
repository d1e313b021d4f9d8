/* Rule and template, text, encoding and segments, route: in this order, the first that fails is the reason.
 */
#include "render/judge.h"
#include <stdio.h>

void judge_init(struct judge *j, const struct plan *plan)
{
    *j = (struct judge){.plan = plan, .text = {.max = JUDGE_TEXT_BYTES_MAX}};
}

void judge_deinit(struct judge *j)
{
    buf_deinit(&j->text);
}

static struct template_value cell_value(const void *data, const char *name)
{
    const struct row *row = data;

    for (size_t i = 0; i < row->count; i++) {
        if (strcmp(row->cells[i].name, name) != 0)
            continue;
        if (!row->cells[i].value)
            return (struct template_value){.type = TEMPLATE_NULL};
        return (struct template_value){.type = TEMPLATE_STR, .str = row->cells[i].value};
    }
    return (struct template_value){.type = TEMPLATE_MISSING};
}

static const char *cell_name(const void *data, size_t i)
{
    const struct row *row = data;

    return i < row->count ? row->cells[i].name : NULL;
}

/* The row's end: its reason, and words that hold nothing of the row's own. */
static bool fails(struct judgement *ret, const char *reason, const char *format, ...) printf_like(3, 4);
static bool fails(struct judgement *ret, const char *reason, const char *format, ...)
{
    va_list ap;

    ret->reason = reason;
    va_start(ap, format);
    vsnprintf(ret->error, sizeof(ret->error), format, ap);
    va_end(ap);
    return false;
}

static bool find_rule_and_template(struct judge *j, const struct row_record *row, struct judgement *ret)
{
    bool own_route = row->route.count > 0; /* it belongs to no configured rule */

    if (own_route)
        j->rule = NULL;
    else if (!j->rule || strcmp(j->rule->name, row->rule) != 0)
        j->rule = conf_rule(j->plan->conf, row->rule);
    if (!j->tmpl || strcmp(j->tmpl->conf->name, row->tmpl) != 0)
        j->tmpl = plan_template(j->plan, row->tmpl);
    ret->tmpl = j->tmpl ? j->tmpl->conf : NULL;
    if (!j->rule && !own_route)
        return fails(ret, "unknown_rule", "there is no rule '%.100s' in the configuration", row->rule);
    if (!j->tmpl)
        return fails(ret, "unknown_template", "there is no template '%.100s' in the configuration",
                     row->tmpl);
    return true;
}

static bool make_text(struct judge *j, const struct row_record *row, int64_t now_ms, struct judgement *ret)
{
    const struct conf_template *conf = j->tmpl->conf;
    const struct template_scope scope = {.get = cell_value,
                                         .name_at = cell_name,
                                         .data = &row->row,
                                         .zone = j->tmpl->zone,
                                         .now_ms = now_ms,
                                         .currency_decimal = conf->currency_decimal,
                                         .currency_group = conf->currency_group};
    struct template_error e;

    buf_clear(&j->text);
    if (template_render(j->tmpl->compiled, &scope, &j->text, &e) < 0) {
        ret->line = e.line;
        ret->column = e.column;
        return fails(ret, "template", "%s:%d:%d: %s", conf->file, e.line, e.column, e.message);
    }
    if (j->text.len == 0 || strspn(j->text.data, " \t\r\n") == j->text.len)
        return fails(ret, "empty_text", "%s:%d: the text is empty", conf->file, conf->text_line);
    ret->reason =
        text_rules_apply(j->tmpl->rules, conf, &j->text, &ret->shape, ret->error, sizeof(ret->error));
    if (ret->reason)
        return false;
    ret->text = j->text.data;
    ret->len = j->text.len;
    return true;
}

/* Gateways in the order to try, whom it is from. */
static bool choose(struct judge *j, const struct row_record *row, struct judgement *ret)
{
    char *own = j->tmpl->conf->sender && *j->tmpl->conf->sender ? j->tmpl->conf->sender : NULL;

    if (!j->rule) {
        ret->gateway_count = MIN_OF(row->route.count, (size_t)ROUTE_MAX);
        memcpy(ret->gateways, row->route.items, ret->gateway_count * sizeof(*ret->gateways));
        ret->sender = row->sender ? row->sender : own;
        return true;
    }
    ret->sender = *j->rule->sender ? j->rule->sender : own;
    ret->gateway_count = route_choose(j->rule->routes, j->rule->route_count,
                                      route_share(j->rule->name, row->number), row->number, ret->gateways);
    if (ret->gateway_count == 0)
        return fails(ret, "no_route", "%s: no entry of the route fits this number", j->rule->file);
    return true;
}

bool judge_row(struct judge *j, const struct row_record *row, int64_t now_ms, struct judgement *ret)
{
    ret->reason = NULL;
    ret->error[0] = '\0';
    ret->line = ret->column = 0;
    ret->text = NULL;
    ret->len = 0;
    ret->gateway_count = 0;
    ret->sender = NULL;
    return find_rule_and_template(j, row, ret) && make_text(j, row, now_ms, ret) && choose(j, row, ret);
}

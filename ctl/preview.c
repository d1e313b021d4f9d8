/* smschain preview: the text of one row, with what each character costs. Nothing is entered and nothing is
 * sent. */
#include "ctl/preview.h"
#include "lib/clock.h"
#include "lib/number.h"
#include <json-c/json.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 4

void preview_add_cell(struct preview *p, const char *name, const char *value)
{
    p->cells = xrealloc(p->cells, (p->cell_count + 1) * sizeof(*p->cells));
    p->cells[p->cell_count++] = (struct row_cell){.name = xstrdup(name), .value = xstrdup(value)};
}

int preview_row(struct preview *p, const char *json)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    json_object *root = json_tokener_parse_ex(tokener, json, (int)strlen(json));
    enum json_tokener_error e = json_tokener_get_error(tokener);
    int code = 0;

    if (e != json_tokener_success)
        code = ctl_fail(EXIT_USAGE, "--row is not JSON at byte %zu: %s", json_tokener_get_parse_end(tokener),
                        e == json_tokener_continue ? "it ends too early" : json_tokener_error_desc(e));
    else if (!json_object_is_type(root, json_type_object))
        code = ctl_fail(EXIT_USAGE, "--row wants an object such as {\"name\":\"Jo\",\"amount\":\"12.50\"}");
    if (code == 0) {
        json_object_object_foreach(root, name, value)
        {
            preview_add_cell(p, name, value ? json_object_get_string(value) : NULL);
        }
    }
    json_object_put(root);
    json_tokener_free(tokener);
    return code;
}

static int words_to_cells(struct preview *p, int first)
{
    for (int i = first; i < p->ctl->argc; i++) {
        char *word = p->ctl->argv[i], *sign = strchr(word, '=');
        if (!sign || sign == word)
            return ctl_fail(EXIT_USAGE, "'%s' is no column=value", word);
        auto_free char *name = xstrndup(word, (size_t)(sign - word));
        preview_add_cell(p, name, sign + 1);
    }
    return 0;
}

static int show(struct preview *p)
{
    static char no_gateway[] = "";
    char *route[] = {no_gateway};
    struct row_record row = {.sms_id = 1,
                             .number = p->number,
                             .rule = p->rule ? p->rule->name : no_gateway,
                             .tmpl = (char *)(uintptr_t)p->tmpl,
                             .row = {p->cells, p->cell_count}};
    struct judge judge;
    struct judgement j;
    struct plan *plan;
    auto_buf report = {0};

    if (!p->rule)
        row.route = (struct str_list){.items = route, .count = 1};
    if (plan_make(p->conf, &plan, &report) < 0) {
        fputs(report.data, stderr);
        return EXIT_CONF;
    }
    judge_init(&judge, plan);
    bool ok = judge_row(&judge, &row, clock_wall_ms(), &j);
    preview_print(p, plan, &j);
    judge_deinit(&judge);
    plan_free(plan);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

/* Templates need nobody's secrets; a rule's row needs its source's. */
static int load(struct preview *p, const char *rule)
{
    auto_buf report = {0};

    if (conf_load(p->ctl->conf_dir, rule ? "extract" : "preview", &p->conf, &report) < 0) {
        fputs(report.data ? report.data : "smschain: the configuration cannot be read\n", stderr);
        return EXIT_CONF;
    }
    if (!rule)
        return 0;
    p->rule = conf_rule(p->conf, rule);
    if (!p->rule)
        return ctl_fail(EXIT_REFUSED, "no rule %s in %s/rules", rule, p->ctl->conf_dir);
    if (ctl_has_sql(p->rule, "read") != 0)
        return EXIT_REFUSED;
    p->tmpl = p->rule->template_name;
    return 0;
}

static int make_preview(struct preview *p, const char *rule, const char *key, const char *json)
{
    int code = load(p, rule);

    if (code == 0 && rule)
        code = preview_find(p, key);
    else if (code == 0 && !conf_template(p->conf, p->tmpl))
        code = ctl_fail(EXIT_REFUSED, "no template %s in %s/templates", p->tmpl, p->ctl->conf_dir);
    else if (code == 0)
        code = json ? preview_row(p, json) : words_to_cells(p, 2);
    return code != 0 ? code : show(p);
}

int cmd_preview(struct ctl *c)
{
    const char *rule = NULL, *key = NULL, *json = NULL;
    struct preview p = {.ctl = c, .json = ctl_take_flag(c, "--json")};

    if (!ctl_take_value(c, "--rule", &rule) || !ctl_take_value(c, "--key", &key) ||
        !ctl_take_value(c, "--row", &json) || !ctl_no_options_left(c) || !rule != !key ||
        (rule ? c->argc != 1 || json : c->argc < 2 || (json && c->argc > 2)))
        return ctl_usage("preview");
    p.tmpl = c->argv[rule ? 0 : 1];
    int code = make_preview(&p, rule, key, json);
    for (size_t i = 0; i < p.cell_count; i++) {
        free(p.cells[i].name);
        free(p.cells[i].value);
    }
    free(p.cells);
    conf_free(p.conf);
    return code;
}

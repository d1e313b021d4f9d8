/* Rows of tasks as rows of a source: see task_row.h. */
#include "extract/task_row.h"
#include <json-c/json.h>

#define JSON_DEPTH_MAX 2 /* the table's constraints let no deeper ones in */

struct task_reader {
    const struct conf_rule *rule;
    struct json_tokener *tokener;
    json_object *params; /* of the row that was taken last */
    const char **names, **values;
    size_t count, max;
};

struct task_reader *task_reader_new(const struct conf_rule *rule)
{
    struct task_reader *r = xmalloc(sizeof(*r));

    *r = (struct task_reader){.rule = rule, .tokener = json_tokener_new_ex(JSON_DEPTH_MAX)};
    return r;
}

void task_reader_free(struct task_reader *r)
{
    if (!r)
        return;
    json_object_put(r->params);
    json_tokener_free(r->tokener);
    free(r->names);
    free(r->values);
    free(r);
}

static void add(struct task_reader *r, const char *name, const char *value)
{
    if (r->count == r->max) {
        r->max = 2 * r->max + 8;
        r->names = xrealloc(r->names, r->max * sizeof(*r->names));
        r->values = xrealloc(r->values, r->max * sizeof(*r->values));
    }
    r->names[r->count] = name;
    r->values[r->count++] = value;
}

static bool is_reserved(const char *name)
{
    static const char *const reserved[] = {"task_id", "ext_id", "number", "text"};

    for (size_t i = 0; i < COUNT_OF(reserved); i++)
        if (strcmp(reserved[i], name) == 0)
            return true;
    return false;
}

/* NULL, or why not. */
static const char *add_params(struct task_reader *r, const char *params)
{
    json_object_put(r->params);
    r->params = NULL;
    if (!params)
        return NULL;
    json_tokener_reset(r->tokener);
    r->params = json_tokener_parse_ex(r->tokener, params, (int)strlen(params) + 1);
    if (!json_object_is_type(r->params, json_type_object))
        return "params_unreadable";
    json_object_object_foreach(r->params, name, value)
    {
        if (is_reserved(name))
            return "params_reserved";
        add(r, name, value ? json_object_get_string(value) : NULL);
    }
    return NULL;
}

static bool may_name(const struct conf_rule *rule, const char *template)
{
    if (strcmp(rule->template_name, template) == 0)
        return true;
    for (size_t i = 0; i < rule->templates.count; i++)
        if (strcmp(rule->templates.items[i], template) == 0)
            return true;
    return false;
}

/* NULL, or why not. */
static const char *choose_template(const struct conf_rule *rule, const struct task_row *row, const char **ret)
{
    *ret = NULL; /* the rule's */
    if (row->template && row->text)
        return "template_and_text";
    if (row->text && !*rule->text_template)
        return "text_not_allowed";
    if (row->template && !may_name(rule, row->template))
        return "template_not_allowed";
    *ret = row->text ? rule->text_template : row->template;
    return NULL;
}

void task_reader_take(struct task_reader *r, const struct task_row *row, struct source_row *ret)
{
    const char *template, *refused = choose_template(r->rule, row, &template), *wrong;

    r->count = 0;
    add(r, "task_id", row->task_id);
    add(r, "ext_id", row->ext_id);
    add(r, "number", row->number);
    if (row->text)
        add(r, "text", row->text);
    wrong = add_params(r, row->params);
    *ret = (struct source_row){.names = r->names,
                               .values = r->values,
                               .count = r->count,
                               .ext_id = row->ext_id,
                               .template = template,
                               .refused = refused ? refused : wrong};
}

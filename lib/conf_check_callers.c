/* Checks of callers that need more than one key: what they name exists, no two are the same to a door, and
 * what they may say about time fits together. */
#include "lib/conf_internal.h"

static const struct conf_node *at(const struct conf_checking *k, const char *path)
{
    return conf_node_at(k->file->root, path);
}

/* The node of an item where the list is as long as it was read; else that of the list. */
static const struct conf_node *item_of(const struct conf_node *list, const struct str_list *read, size_t i)
{
    return list && list->type == CONF_NODE_LIST && list->count == read->count ? list->items[i] : list;
}

static void check_templates(struct conf_checking *k, const struct conf_caller *c)
{
    const struct conf_node *list = at(k, "templates");

    for (size_t i = 0; i < c->templates.count; i++) {
        conf_check_template_name(k, item_of(list, &c->templates, i), c->templates.items[i]);
        conf_check_sender(k, "sender", c->sender, c->templates.items[i]);
    }
    conf_check_template_name(k, at(k, "text_template"), c->text_template);
    conf_check_sender(k, "sender", c->sender, c->text_template);
    if (c->templates.count == 0 && !*c->text_template)
        conf_error_at(
            k->report, k->file, list ? list : k->file->root,
            "neither 'templates' nor 'text_template' is given; there is nothing that it may ask for");
}

/* A template that needs anything but the text could never be used. */
static void check_text_template(struct conf_checking *k, const struct conf_caller *c)
{
    const struct conf_template *t = *c->text_template ? conf_template(k->conf, c->text_template) : NULL;
    struct template *compiled = NULL;
    struct template_error ignored;
    const struct template_name *names;
    bool has_text = false;

    if (!t || template_compile(t->text, strlen(t->text), t->text_line, &compiled, &ignored) < 0)
        return; /* said where it stands */
    size_t count = template_names(compiled, &names);
    for (size_t i = 0; i < count; i++) {
        has_text |= !strcmp(names[i].name, "text");
        if (strcmp(names[i].name, "text") != 0 && !names[i].optional)
            conf_error_at(k->report, k->file, at(k, "text_template"),
                          "text_template: template '%s' needs '%s' (%s:%d), but all it is given is 'text'",
                          t->name, names[i].name, t->file, names[i].line);
    }
    if (!has_text)
        conf_error_at(k->report, k->file, at(k, "text_template"),
                      "text_template: template '%s' does not show '{{ text }}', which is all it is given",
                      t->name);
    template_free(compiled);
}

static bool shares_a_key(const struct conf_caller *a, const struct conf_caller *b)
{
    for (size_t i = 0; i < a->key_hashes.count; i++)
        for (size_t j = 0; j < b->key_hashes.count; j++)
            if (!strcmp(a->key_hashes.items[i], b->key_hashes.items[j]))
                return true;
    return false;
}

/* Who knocks must be one caller. */
static void check_doors(struct conf_checking *k, const struct conf_caller *c)
{
    for (const struct conf_caller *o = k->conf->callers; o < c; o++) {
        if (shares_a_key(c, o))
            conf_error_at(k->report, k->file, at(k, "key_hashes"),
                          "key_hashes: one of them is %s's as well; expected a key of its own", o->file);
        if (*c->broker_user && !strcmp(c->broker_user, o->broker_user))
            conf_error_at(k->report, k->file, at(k, "broker_user"),
                          "broker_user: '%s' is %s's as well; expected a user of its own", c->broker_user,
                          o->file);
    }
    if (!c->key_hashes.count && !*c->broker_user && strcmp(k->conf->main.extract.door_caller, c->name) != 0)
        conf_error_at(k->report, k->file, k->file->root,
                      "neither 'key_hashes' nor 'broker_user' is given; nobody could ask in its name "
                      "(smschain key %s makes an API key)",
                      c->name);
}

static void check_times(struct conf_checking *k, const struct conf_caller *c)
{
    int64_t kept_ms = k->conf->main.database.claims_keep_days * 86400000;
    const struct conf_node *n = at(k, "valid_for");
    char text[32];

    if (c->valid_for_ms > c->valid_for_max_ms)
        conf_error_at(k->report, k->file, n ? n : at(k, "valid_for_max"),
                      "valid_for: expected at most valid_for_max, which is %s",
                      conf_duration_text(c->valid_for_max_ms, text));
    if (c->send_at_max_ms + c->valid_for_max_ms >= kept_ms)
        conf_error_at(k->report, k->file, at(k, "send_at_max"),
                      "send_at_max: with valid_for_max it must be shorter than database.claims_keep_days: "
                      "what is older "
                      "than the claims is never sent");
}

void conf_check_caller(struct conf_checking *k, const struct conf_caller *c)
{
    const struct conf_node *routes = at(k, "route");

    if (!strcmp(c->name, CALLER_OPERATOR))
        conf_error(k->report, k->file, 1, 1,
                   "'" CALLER_OPERATOR
                   "' is the built-in caller of smschain send; expected another file name");
    check_templates(k, c);
    check_text_template(k, c);
    check_doors(k, c);
    check_times(k, c);
    for (size_t i = 0; i < c->route_count; i++)
        conf_check_gateway_name(k, conf_node_at(routes->items[i], "gateway"), c->routes[i].gateway);
}

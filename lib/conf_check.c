/* Checks that need more than one key: a rule's source, template and gateways exist, templates compile, times
 * make sense together. */
#include "lib/conf_internal.h"
#include "lib/keyword.h"
#include "lib/suggest.h"

#include <stdio.h>

static const struct conf_node *at(const struct conf_checking *k, const char *path)
{
    return conf_node_at(k->file->root, path);
}

/* ---- templates ---- */

/* A template's error in the value of n, as a place in the file. Where the value is not what stands there
 * (folded lines,
 * ${NAME}), the beginning of the line or value is all that can be shown. */
static void template_place(const struct conf_node *n, const struct template_error *e, int *ret_line,
                           int *ret_column)
{
    bool exact = !strstr(n->value, "${");

    *ret_line = n->style == CONF_LITERAL ? e->line : n->text_line;
    *ret_column = n->text_column;
    if (exact && (n->style == CONF_LITERAL || (n->style != CONF_FOLDED && e->line == n->text_line)))
        *ret_column += e->column - 1;
}

struct template *conf_check_template(struct conf_checking *k, const struct conf_node *n, const char *text)
{
    struct template *t = NULL;
    struct template_error error = {0};
    int line, column;

    if (template_compile(text, strlen(text), n->text_line, &t, &error) >= 0)
        return t;
    template_place(n, &error, &line, &column);
    conf_error(k->report, k->file, line, column, "%s", error.message);
    return NULL;
}

static void check_text_rules(struct conf_checking *k, const struct conf_template *t)
{
    struct conf_text_problem problems[CONF_TEXT_PROBLEMS];
    size_t count = conf_text_rules_check(t, problems);

    for (size_t i = 0; i < count; i++) {
        const struct conf_node *n = problems[i].key ? at(k, problems[i].key) : NULL;
        if (problems[i].key)
            conf_error_at(k->report, k->file, n ? n : k->file->root, "%s", problems[i].message);
        else
            conf_error(k->report, k->file, problems[i].line, problems[i].column, "%s", problems[i].message);
    }
}

static void check_template(struct conf_checking *k, const struct conf_template *t)
{
    struct template *compiled = NULL;
    struct template_error error = {0};

    if (!*t->text) {
        conf_error(k->report, k->file, t->text_line, 1, "the template has no text");
        return;
    }
    if (template_compile(t->text, strlen(t->text), t->text_line, &compiled, &error) < 0)
        conf_error(k->report, k->file, error.line, error.column, "%s", error.message);
    else
        check_text_rules(k, t);
    template_free(compiled);
}

/* ---- rules ---- */
static const char *source_name(const struct conf *c, size_t i)
{
    return i < c->source_count ? c->sources[i].name : NULL;
}
static const char *template_name(const struct conf *c, size_t i)
{
    return i < c->template_count ? c->templates[i].name : NULL;
}
static const char *gateway_name(const struct conf *c, size_t i)
{
    return i < c->gateway_count ? c->gateways[i].name : NULL;
}

static void check_reference(struct conf_checking *k, const struct conf_node *n, const char *name,
                            const char *what, const char *file,
                            const char *(*nth)(const struct conf *c, size_t i))
{
    struct suggest s = {.word = name, .len = strlen(name)};
    const char *known;

    if (!*name || !n)
        return; /* missing or malformed: said already */
    for (size_t i = 0; (known = nth(k->conf, i)); i++) {
        if (!strcmp(known, name))
            return;
        suggest_offer(&s, known);
    }
    if (s.best)
        conf_error_at(k->report, k->file, n, "no %s '%s', did you mean '%s'?", what, name, s.best);
    else
        conf_error_at(k->report, k->file, n, "no %s '%s'; expected the name of a file %s", what, name, file);
}

void conf_check_template_name(struct conf_checking *k, const struct conf_node *n, const char *name)
{
    check_reference(k, n, name, "template", "templates/NAME.liquid", template_name);
}

void conf_check_gateway_name(struct conf_checking *k, const struct conf_node *n, const char *name)
{
    check_reference(k, n, name, "gateway", "gateways/NAME.yaml", gateway_name);
}

/* A civil time that the zone's clocks never show would never come. */
static void check_at(struct conf_checking *k, const struct conf_rule *rule)
{
    struct zone *zone = zone_open(rule->time_zone);
    struct zone_civil civil;
    int64_t utc[2];

    if (zone && conf_civil_parse(rule->at, &civil) && zone_utc_of(zone, &civil, utc) == ZONE_GAP)
        conf_error_at(k->report, k->file, at(k, "at"),
                      "at: the clocks of %s never show %s; expected a time outside "
                      "the hour that is skipped",
                      rule->time_zone, rule->at);
    zone_close(zone);
}

static void check_when(struct conf_checking *k, const struct conf_rule *rule)
{
    const struct conf_node *schedule = at(k, "schedule"), *moment = at(k, "at");

    if (*rule->schedule && *rule->at)
        conf_error_at(k->report, k->file, moment, "'schedule' and 'at' are both given; expected one of them");
    else if (!schedule && !moment)
        conf_error_at(k->report, k->file, k->file->root,
                      "neither 'schedule' nor 'at' is given; expected one of them");
    else if (schedule && !moment && schedule->type == CONF_NODE_SCALAR && !*schedule->value)
        conf_error_at(k->report, k->file, schedule, "schedule: is empty");
    else if (moment && !schedule && moment->type == CONF_NODE_SCALAR && !*moment->value)
        conf_error_at(k->report, k->file, moment, "at: is empty");
    if (*rule->at)
        check_at(k, rule);
}

static void check_once_per(struct conf_checking *k, const struct conf_rule *rule)
{
    const struct conf_node *n = at(k, "once_per");

    for (size_t i = 0; i < rule->once_per.count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (!strcmp(rule->once_per.items[i], rule->once_per.items[j]))
                conf_error_at(k->report, k->file, n, "once_per: column '%s' is given twice",
                              rule->once_per.items[i]);
        }
    }
}

/* Of two names one would be passed over in silence. */
void conf_check_sender(struct conf_checking *k, const char *path, const char *sender,
                       const char *template_name)
{
    const struct conf_template *t = *sender ? conf_template(k->conf, template_name) : NULL;

    if (t && *t->sender && strcmp(t->sender, sender) != 0)
        conf_error_at(k->report, k->file, at(k, path),
                      "%s: template '%s' may only be from '%s' (its own key 'sender'), not from '%s'", path,
                      t->name, t->sender, sender);
}

/* What is decided when the SQL has ended cannot hold what has left by then. */
static void check_holds(struct conf_checking *k, const struct conf_rule *rule)
{
    static const char *const keys[] = {"hold_if_recipients_differ", "hold_render_errors", "approve", "waves"};
    const struct conf_node *waves = at(k, "waves");

    for (size_t i = 0; rule->start_at_once && i < COUNT_OF(keys); i++) {
        const struct conf_node *n = at(k, keys[i]);
        if (n && (strcmp(keys[i], "approve") != 0 || rule->approve))
            conf_error_at(
                k->report, k->file, n,
                "%s: is decided when the SQL has ended, but with start: at_once messages leave before "
                "that; expected start: when_read",
                keys[i]);
    }
    if (waves && waves->type == CONF_NODE_MAP && !*rule->waves.first && !conf_node_at(waves, "first"))
        conf_error_at(k->report, k->file, waves,
                      "waves: key 'first' is missing: how much goes out first, as 1%%");
    if (*rule->waves.first && rule->waves.wait_ms >= rule->valid_for_ms) {
        const struct conf_node *n = at(k, "waves.wait");
        conf_error_at(
            k->report, k->file, n ? n : waves,
            "waves: wait must be shorter than valid_for: by then the rest would not be sent any more");
    }
}

/* What a rule with SQL needs one with tasks has no use for, and the other way round. */
static void check_kind(struct conf_checking *k, const struct conf_rule *rule)
{
    for (const struct conf_key *key = conf_tables[CONF_KIND_RULE].keys; key->name; key++) {
        const struct conf_node *n = key->kind ? at(k, key->name) : NULL;
        if (n && conf_node_is_null(n))
            n = NULL;
        if (n && conf_key_is_foreign(key, rule))
            conf_error_at(k->report, k->file, n,
                          rule->tasks ? "%s: belongs to rules with SQL; this one has 'tasks: true'"
                                      : "%s: belongs to rules with 'tasks: true'; this one has SQL",
                          key->name);
        else if (!n && key->kind && key->required && !conf_key_is_foreign(key, rule))
            conf_error_at(k->report, k->file, k->file->root, "key '%s' is missing. %.*s", key->name,
                          conf_key_about(key), key->help);
    }
}

/* One more template of a rule: suppression is asked for a whole run, so all are marketing or none is. */
static void check_more_template(struct conf_checking *k, const struct conf_node *n, const char *key,
                                const struct conf_rule *rule, const char *name)
{
    const struct conf_template *first = conf_template(k->conf, rule->template_name),
                               *t = conf_template(k->conf, name);

    check_reference(k, n, name, "template", "templates/NAME.liquid", template_name);
    conf_check_sender(k, "sender", rule->sender, name);
    if (!first || !t || !first->class || !t->class)
        return;
    if (!strcmp(first->class, "marketing") != !strcmp(t->class, "marketing"))
        conf_error_at(k->report, k->file, n,
                      "%s: template '%s' is of class %s, and the rule's template '%s' of class %s; expected all "
                      "of a rule's templates to be marketing, or none: make a rule for each",
                      key, name, t->class, first->name, first->class);
}

static void check_tasks(struct conf_checking *k, const struct conf_rule *rule)
{
    const struct conf_node *list = at(k, "templates"), *text = at(k, "text_template");

    for (size_t i = 0; list && list->count == rule->templates.count && i < rule->templates.count; i++)
        check_more_template(k, list->items[i], "templates", rule, rule->templates.items[i]);
    if (text && *rule->text_template)
        check_more_template(k, text, "text_template", rule, rule->text_template);
}

static void check_rule(struct conf_checking *k, const struct conf_rule *rule)
{
    const struct conf_node *routes = at(k, "route");

    if (!strcmp(rule->name, INBOUND_RULE))
        conf_error(k->report, k->file, 1, 1,
                   "'%s' is the name of the built-in rule that answers to STOP and START belong to; expected "
                   "another file name",
                   INBOUND_RULE);
    check_kind(k, rule);
    if (rule->tasks)
        check_tasks(k, rule);
    else
        check_when(k, rule);
    check_once_per(k, rule);
    check_holds(k, rule);
    check_reference(k, at(k, "source"), rule->source, "source", "sources/NAME.yaml", source_name);
    conf_check_template_name(k, at(k, "template"), rule->template_name);
    conf_check_sender(k, "sender", rule->sender, rule->template_name);
    for (size_t i = 0; i < rule->route_count; i++)
        conf_check_gateway_name(k, conf_node_at(routes->items[i], "gateway"), rule->routes[i].gateway);
}

/* ---- inbound ---- */

/* What answers a STOP must not be what a STOP blocks: neither the template nor that of any language. */
static void check_reply_template(struct conf_checking *k, const char *path, const char *key, const char *name)
{
    const struct conf_node *n = at(k, path);

    conf_check_template_name(k, n, name);
    for (int i = -1; n && i < INBOUND_LANGUAGES; i++) {
        auto_free char *of = i < 0 ? xstrdup(name) : xasprintf("%s-%s", name, keyword_languages[i]);
        const struct conf_template *t = conf_template(k->conf, of);
        if (t)
            conf_check_sender(k, "inbound.reply_sender", k->conf->main.inbound.reply_sender, of);
        if (t && t->class && !strcmp(t->class, "marketing"))
            conf_error_at(
                k->report, k->file, n,
                "%s: template '%s' is of class marketing, which a STOP blocks; expected class service", key,
                of);
    }
}

/* A word that stops must not start as well. */
static void check_start_words(struct conf_checking *k, const struct conf_inbound *in,
                              const struct conf_inbound *stops_only)
{
    auto_keywords stops = keywords_new(stops_only);

    for (int i = 0; i < INBOUND_LANGUAGES; i++) {
        for (size_t j = 0; j < in->start[i].count; j++) {
            const char *word = in->start[i].items[j], *language;
            auto_free char *path = xasprintf("inbound.start.%s", keyword_languages[i]);
            const struct conf_node *n = at(k, path);
            if (keyword_of(stops, word, &language) == KEYWORD_STOP)
                conf_error_at(k->report, k->file, n ? n : at(k, "inbound"),
                              "'%s' is among the words of start.%s and stops as well (stop.%s)", word,
                              keyword_languages[i], language);
        }
    }
}

static void check_inbound(struct conf_checking *k)
{
    const struct conf_inbound *in = &k->conf->main.inbound;
    const struct conf_node *route = at(k, "inbound.reply_route");
    struct conf_inbound stops_only = *in;

    check_reply_template(k, "inbound.stop_template", "stop_template", in->stop_template);
    check_reply_template(k, "inbound.start_template", "start_template", in->start_template);
    for (size_t i = 0; route && route->count == in->reply_route.count && i < in->reply_route.count; i++)
        conf_check_gateway_name(k, route->items[i], in->reply_route.items[i]);
    conf_check_http(k, &in->forward.http, "inbound.forward");
    memset(stops_only.start, 0, sizeof(stops_only.start));
    check_start_words(k, in, &stops_only);
}

/* ---- sources ---- */
static void check_connection(struct conf_checking *k, const char *driver, const char *key)
{
    auto_free char *in_file = xasprintf("%s_file", key);

    if (!at(k, key) && !at(k, in_file))
        conf_error_at(k->report, k->file, k->file->root,
                      "key '%s' is missing. driver: %s needs it to connect", key, driver);
}

static void check_source(struct conf_checking *k, const struct conf_source *source)
{
    static const char *const of_odbc[] = {"connection", "connection_file", "setup", "memory_limit"};
    static const char *const of_postgresql[] = {"conninfo", "conninfo_file"};
    bool odbc = !strcmp(source->driver, "odbc");
    const char *const *foreign = odbc ? of_postgresql : of_odbc;
    char message[CONF_MESSAGE_MAX];

    if (!conf_source_driver_check(source->driver, message))
        conf_error_at(k->report, k->file, at(k, "driver"), "driver: %s", message);
    check_connection(k, source->driver, odbc ? "connection" : "conninfo");
    for (size_t i = 0; i < (odbc ? COUNT_OF(of_postgresql) : COUNT_OF(of_odbc)); i++)
        if (at(k, foreign[i]))
            conf_error_at(k->report, k->file, at(k, foreign[i]),
                          "%s: belongs to driver: %s; this is driver: %s", foreign[i],
                          odbc ? "postgresql" : "odbc", source->driver);
}

/* ---- smschain.yaml ---- */
static const char *caller_name(const struct conf *c, size_t i)
{
    return i < c->caller_count ? c->callers[i].name : NULL;
}

static void check_door(struct conf_checking *k)
{
    check_reference(k, at(k, "extract.door_caller"), k->conf->main.extract.door_caller, "caller",
                    "callers/NAME.yaml", caller_name);
}

static void check_dashboard(struct conf_checking *k, const struct conf_dashboard *d)
{
    if (!*d->tls_certificate != !*d->tls_key)
        conf_error_at(k->report, k->file, at(k, "dashboard"),
                      "dashboard: 'tls_certificate' and 'tls_key' belong together");
    if (*d->role_header && d->trusted_proxies.count == 0)
        conf_error_at(k->report, k->file, at(k, "dashboard.role_header"),
                      "role_header: needs 'trusted_proxies': without them everybody could write it");
    if (*d->viewer_token && strcmp(d->viewer_token, d->operator_token) == 0)
        conf_error_at(k->report, k->file, at(k, "dashboard"),
                      "dashboard: 'viewer_token' and 'operator_token' are the same: each role needs its own");
}

static void check_main(struct conf_checking *k)
{
    const struct conf *c = k->conf;
    int64_t horizon = c->main.dispatch.claim_horizon_ms;
    char text[32];

    check_inbound(k);
    check_door(k);
    if (!*c->main.callback.tls_certificate != !*c->main.callback.tls_key)
        conf_error_at(k->report, k->file, at(k, "callback"),
                      "callback: 'tls_certificate' and 'tls_key' belong together");
    check_dashboard(k, &c->main.dashboard);
    if (!*c->main.extract.api.tls_certificate != !*c->main.extract.api.tls_key)
        conf_error_at(k->report, k->file, at(k, "extract.api"),
                      "extract.api: 'tls_certificate' and 'tls_key' belong together");
    if (c->main.broker.heartbeat_ms % 1000)
        conf_error_at(k->report, k->file, at(k, "broker.heartbeat"), "heartbeat: expected whole seconds");
    for (size_t i = 0; i < c->gateway_count; i++) {
        const struct conf_gateway *g = &c->gateways[i];
        int64_t slowest = 2 * (g->connect_timeout_ms + g->answer_timeout_ms);
        const struct conf_node *n = at(k, "dispatch.claim_horizon");
        if (horizon > slowest)
            continue;
        conf_error_at(
            k->report, k->file, n ? n : k->file->root,
            "claim_horizon: expected more than %s, twice the connect_timeout and answer_timeout of gateway "
            "'%s': else a claim would be in doubt while its answer is still awaited",
            conf_duration_text(slowest, text), g->name);
    }
}

void conf_check(struct conf_checking *k)
{
    const struct conf *c = k->conf;
    size_t i = k->file->index;

    switch (k->file->kind) {
    case CONF_KIND_MAIN:
        check_main(k);
        return;
    case CONF_KIND_TEMPLATE:
        check_template(k, &c->templates[i]);
        return;
    case CONF_KIND_RULE:
        check_rule(k, &c->rules[i]);
        return;
    case CONF_KIND_GATEWAY:
        conf_check_gateway(k, &c->gateways[i]);
        return;
    case CONF_KIND_SOURCE:
        check_source(k, &c->sources[i]);
        return;
    case CONF_KIND_CALLER:
        conf_check_caller(k, &c->callers[i]);
        return;
    }
}

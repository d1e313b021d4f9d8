/* smschain send: one message now, by the way that all requests on demand go (extract/asked.h), asked for by
 * the built-in caller `operator`, who may use every template. */
#include "ctl/ctl.h"
#include "extract/asked.h"
#include "lib/clock.h"
#include "lib/number.h"
#include "lib/suggest.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#define DAYS_MAX_MS (INT64_C(30) * 86400000)

struct sending {
    struct ctl *ctl;
    const char *template_name, *route, *lane, *valid_for, *send_at, *ext_id, *sender, *key;
    bool json;
    struct json_object *request;
    struct conf_caller caller; /* its strings belong to others; its lists to itself */
    char *lanes[2], *templates[1];
    struct conf_route routes[32];
};

static char *not_owned(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* ---- the request ---- */

static void add(struct json_object *object, const char *name, const char *value)
{
    if (value)
        json_object_object_add(object, name, json_object_new_string(value));
}

/* False: a word without a '='. */
static bool make_request(struct sending *s)
{
    struct json_object *params = json_object_new_object();

    s->request = json_object_new_object();
    add(s->request, "recipient", s->ctl->argv[2]);
    add(s->request, "template", s->template_name);
    add(s->request, "lane", s->lane);
    add(s->request, "valid_for", s->valid_for);
    add(s->request, "send_at", s->send_at);
    add(s->request, "ext_id", s->ext_id);
    json_object_object_add(s->request, "params", params);
    for (int i = 3; i < s->ctl->argc; i++) {
        char *word = s->ctl->argv[i], *sign = strchr(word, '=');
        if (!sign || sign == word) {
            ctl_fail(EXIT_USAGE, "'%s': expected COLUMN=VALUE", word);
            return false;
        }
        auto_free char *name = xstrndup(word, (size_t)(sign - word));
        if (json_object_object_get_ex(params, name, NULL)) {
            ctl_fail(EXIT_USAGE, "'%s' is given twice", name);
            return false;
        }
        add(params, name, sign + 1);
    }
    return true;
}

/* ---- who asks ---- */

static int named_route(struct sending *s)
{
    struct suggest near = {.word = s->route, .len = strlen(s->route)};
    auto_free char *all = xstrdup(s->route);
    char *rest = all, *one;

    while ((one = strsep(&rest, ","))) {
        const struct conf_gateway *g = conf_gateway(s->ctl->conf, one);
        if (!g) {
            near = (struct suggest){.word = one, .len = strlen(one)};
            for (size_t i = 0; i < s->ctl->conf->gateway_count; i++)
                suggest_offer(&near, s->ctl->conf->gateways[i].name);
            return near.best ? ctl_fail(EXIT_REFUSED, "--route: no gateway '%s', did you mean '%s'?", one,
                                        near.best)
                             : ctl_fail(EXIT_REFUSED, "--route: no gateway '%s' in %s/gateways", one,
                                        s->ctl->conf_dir);
        }
        if (s->caller.route_count == COUNT_OF(s->routes))
            return ctl_fail(EXIT_REFUSED, "--route: more than %zu gateways", COUNT_OF(s->routes));
        s->routes[s->caller.route_count++] = (struct conf_route){.gateway = g->name, .weight = 1};
    }
    s->caller.routes = s->routes;
    return 0;
}

/* As the first rule that uses this template has it, or the first caller that may. */
static int usual_route(struct sending *s)
{
    const struct conf *c = s->ctl->conf;

    for (size_t i = 0; i < c->rule_count; i++) {
        if (strcmp(c->rules[i].template_name, s->template_name) != 0)
            continue;
        s->caller.routes = c->rules[i].routes;
        s->caller.route_count = c->rules[i].route_count;
        s->caller.sender = s->sender ? s->caller.sender : c->rules[i].sender;
        return 0;
    }
    for (size_t i = 0; i < c->caller_count; i++) {
        const struct conf_caller *k = &c->callers[i];
        bool may = strcmp(k->text_template, s->template_name) == 0;
        for (size_t t = 0; t < k->templates.count; t++)
            may |= strcmp(k->templates.items[t], s->template_name) == 0;
        if (!may)
            continue;
        s->caller.routes = k->routes;
        s->caller.route_count = k->route_count;
        s->caller.sender = s->sender ? s->caller.sender : k->sender;
        return 0;
    }
    return ctl_fail(EXIT_REFUSED,
                    "no rule and no caller uses template %s; --route GATEWAY says by which gateway it goes",
                    s->template_name);
}

static int make_caller(struct sending *s)
{
    s->lanes[0] = not_owned("instant");
    s->lanes[1] = not_owned("bulk");
    s->templates[0] = not_owned(s->template_name);
    s->caller = (struct conf_caller){
        .name = not_owned(CALLER_OPERATOR),
        .daily_cap = INT64_MAX,
        .templates = {s->templates, 1},
        .text_template = not_owned(""),
        .lanes = {s->lanes, 2},
        .sender = not_owned(s->sender ? s->sender : ""),
        .valid_for_ms = 600000,
        .valid_for_max_ms = DAYS_MAX_MS,
        .send_at_max_ms = DAYS_MAX_MS,
    };
    if (s->route)
        return named_route(s);
    return conf_template(s->ctl->conf, s->template_name) ? usual_route(s) : 0; /* asked_read says it better */
}

/* ---- what becomes of it ---- */

static int say_problems(const struct asked_problems *p)
{
    for (size_t i = 0; i < p->count; i++)
        fprintf(stderr, "smschain: %s%s%s: %s\n", *p->items[i].pointer ? p->items[i].pointer + 1 : "",
                *p->items[i].pointer ? ": " : "", p->items[i].type, p->items[i].detail);
    return EXIT_REFUSED;
}

static int say_entered(const struct sending *s, const struct asked_answer *a)
{
    if (s->json)
        printf("{\"sms_id\":%" PRId64 ",\"outcome\":\"%s\"}\n", a->sms_id, asked_outcome_word(a->outcome));
    else
        printf("%s: message %" PRId64 "; smschain message %" PRId64 " tells what becomes of it\n",
               a->outcome == ASKED_NEW ? "entered" : "entered before by this key", a->sms_id, a->sms_id);
    return EXIT_DONE;
}

static int say_answer(const struct sending *s, const struct asked_answer *a, const struct asked_problems *p)
{
    switch (a->outcome) {
    case ASKED_NEW:
    case ASKED_SAME:
        return say_entered(s, a);
    case ASKED_UNKNOWN:
        return say_problems(p);
    case ASKED_OTHER:
        return ctl_fail(EXIT_REFUSED, "by this --key another message was asked for");
    case ASKED_USED:
        return ctl_fail(EXIT_REFUSED, "by this --key message %" PRId64 " was entered long ago", a->sms_id);
    case ASKED_SUPPRESSED:
        return ctl_fail(EXIT_REFUSED, "the number is suppressed: %s", a->why);
    case ASKED_HELD:
        return ctl_fail(EXIT_REFUSED, "held: %s", a->why);
    case ASKED_CAPPED:
    case ASKED_FAILED:
        return ctl_fail(EXIT_REFUSED, "%s: %s", asked_outcome_word(a->outcome), a->why);
    case ASKED_AWAY:
        return ctl_fail(EXIT_UNREACHABLE, "%s", *a->why ? a->why : "try again");
    }
    abort();
}

static int enter(struct sending *s, const struct asked_conf *conf)
{
    struct asked_problems problems;
    struct asked *asked = asked_read(conf, &s->caller, s->request, s->key, clock_wall_ms(), &problems);
    struct asked_answer answer = {.outcome = ASKED_UNKNOWN};
    int code = 0;

    if (problems.count == 0 || s->key) {
        int r = asked_enter(s->ctl->db, &asked, 1, &answer);
        if (r != 0)
            code = ctl_fail(r < 0 ? EXIT_UNREACHABLE : EXIT_REFUSED, "database: %s", db_error(s->ctl->db));
    }
    if (code == 0)
        code = say_answer(s, &answer, &problems);
    asked_problems_deinit(&problems);
    asked_free(asked);
    return code;
}

static int send(struct sending *s)
{
    auto_buf why = {0};
    struct confhold *hold;
    struct asked_conf *conf;
    int code = ctl_db(s->ctl);

    if (code == 0)
        code = make_caller(s);
    if (code != 0)
        return code;
    hold = confhold_new(s->ctl->conf);
    conf = asked_conf_new(hold, &why);
    if (conf)
        code = enter(s, conf);
    else
        fputs(why.data ? why.data : "", stderr);
    if (!conf)
        code = EXIT_CONF;
    asked_conf_unref(conf);
    s->ctl->conf = NULL; /* the hold's */
    confhold_unref(hold);
    return code;
}

int cmd_send(struct ctl *c)
{
    struct sending s = {.ctl = c, .json = ctl_take_flag(c, "--json")};

    if (!ctl_take_value(c, "--route", &s.route) || !ctl_take_value(c, "--lane", &s.lane) ||
        !ctl_take_value(c, "--valid-for", &s.valid_for) || !ctl_take_value(c, "--send-at", &s.send_at) ||
        !ctl_take_value(c, "--ext-id", &s.ext_id) || !ctl_take_value(c, "--sender", &s.sender) ||
        !ctl_take_value(c, "--key", &s.key) || !ctl_no_options_left(c) || c->argc < 3)
        return ctl_usage("send");
    s.template_name = c->argv[1];
    int code = make_request(&s) ? send(&s) : EXIT_USAGE;
    json_object_put(s.request);
    return code;
}

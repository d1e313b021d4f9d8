/* What a request on demand means: number, times, gateways, and its text, really made by render's judge.
 * Whatever is wrong becomes a problem; nothing here names a value that was asked with. Pure. */
#include "extract/asked_internal.h"
#include "extract/group.h"
#include "lib/clock.h"
#include "lib/number.h"
#include "lib/record.h"
#include "lib/suggest.h"
#include "render/judge.h"
#include <assert.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

/* ---- recipient ---- */

static bool is_listed(const struct conf *conf, int64_t number)
{
    const struct str_list *only = &conf->main.extract.deliver_only_to;
    bool found = only->count == 0;

    for (size_t i = 0; i < only->count && !found; i++)
        found = strtoll(only->items[i], NULL, 10) == number;
    return found;
}

static void check_recipient(struct asked_reading *r)
{
    const struct conf *conf = asked_conf_conf(r->conf);
    enum number_fault fault;

    if (!r->recipient) {
        if (!json_object_object_get(r->request, "recipient"))
            asked_problem(r->problems, 422, "missing_member", "/recipient", "the number is missing");
        return;
    }
    fault = number_normalise(r->recipient, conf->main.country_code, &r->asked->number);
    if (fault != NUMBER_OK) {
        r->asked->number = 0;
        asked_problem(r->problems, 422, number_fault_word(fault), "/recipient",
                      "is no telephone number: %s; expected one in international form such as +491711234567",
                      number_fault_word(fault));
    } else if (!is_listed(conf, r->asked->number)) {
        asked_problem(r->problems, 422, "not_listed", "/recipient",
                      "is not among extract.deliver_only_to: this is a staging system");
    }
}

/* ---- lane and times ---- */

static bool has(const struct str_list *list, const char *word)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], word) == 0)
            return true;
    return false;
}

static void check_lane(struct asked_reading *r)
{
    const char *lane = r->lane ? r->lane : "instant";

    r->asked->instant = strcmp(lane, "instant") == 0;
    if (!r->asked->instant && strcmp(lane, "bulk") != 0)
        asked_problem(r->problems, 422, "unknown_lane", "/lane", "expected instant or bulk");
    else if (!has(&r->caller->lanes, lane))
        asked_problem(r->problems, 403, "lane_not_allowed", "/lane",
                      "the lane %s is not allowed to caller %s", lane, r->caller->name);
}

static int64_t read_valid_for(struct asked_reading *r)
{
    struct json_object *value = NULL;
    const char *text;
    int64_t ms = 0;
    char most[32];

    if (!json_object_object_get_ex(r->request, "valid_for", &value) || !value)
        return r->caller->valid_for_ms;
    text = asked_string(value);
    if (text && conf_duration(text, &ms) && ms >= 1000 && ms <= r->caller->valid_for_max_ms)
        return ms;
    asked_problem(r->problems, 422, "valid_for", "/valid_for",
                  "expected a duration such as \"10m\" from 1s to %s",
                  conf_duration_text(r->caller->valid_for_max_ms, most));
    return r->caller->valid_for_ms;
}

/* One that is over is no mistake by itself: the request may have been on its way so long. It leaves at once
 * then, if it is valid still. */
static void check_times(struct asked_reading *r)
{
    struct json_object *value = NULL;
    int64_t valid_for_ms = read_valid_for(r), at = 0;
    const char *text;
    char most[32];

    r->asked->until_ms = r->now_ms + valid_for_ms;
    if (!json_object_object_get_ex(r->request, "send_at", &value) || !value)
        return;
    text = asked_string(value);
    if (!text || !clock_parse_iso(text, &at)) {
        asked_problem(r->problems, 422, "send_at", "/send_at",
                      "expected a time of RFC 3339 with its zone, such as \"2026-01-31T08:15:00Z\"");
    } else if (at - r->now_ms > r->caller->send_at_max_ms) {
        asked_problem(r->problems, 422, "send_at", "/send_at",
                      "is too far ahead: caller %s may say %s at most", r->caller->name,
                      conf_duration_text(r->caller->send_at_max_ms, most));
    } else if (at + valid_for_ms <= r->now_ms) {
        asked_problem(r->problems, 422, "send_at", "/send_at",
                      "is so long ago that the message would not be valid any more");
    } else {
        r->asked->due_ms = at > r->now_ms ? at : 0;
        r->asked->until_ms = at + valid_for_ms;
    }
}

/* ---- route ---- */

static bool routes_by(const struct conf_caller *caller, const char *gateway)
{
    for (size_t i = 0; i < caller->route_count; i++)
        if (strcmp(caller->routes[i].gateway, gateway) == 0)
            return true;
    return false;
}

/* The i-th gateway that the request names; NULL: it may not be named, which is said. */
static const char *named_gateway(struct asked_reading *r, size_t i)
{
    auto_free char *pointer = xasprintf("/route/%zu", i);
    const char *name = asked_string(json_object_array_get_idx(r->route, i));

    if (name && routes_by(r->caller, name))
        return name;
    asked_problem(r->problems, 422, "unknown_gateway", pointer, "expected a gateway of caller %s's route",
                  r->caller->name);
    return NULL;
}

/* Of those that fit the number, the ones that are named, in that order. */
static void keep_named(struct asked_reading *r, char *const *fit, size_t fit_count)
{
    for (size_t i = 0; i < json_object_array_length(r->route); i++) {
        const char *name = named_gateway(r, i);
        bool twice = false;
        for (size_t k = 0; name && k < r->gateway_count; k++)
            twice |= strcmp(r->gateways[k], name) == 0;
        for (size_t k = 0; name && !twice && k < fit_count; k++)
            if (strcmp(fit[k], name) == 0)
                r->gateways[r->gateway_count++] = fit[k];
    }
}

static void check_route(struct asked_reading *r)
{
    auto_free char *rule = xasprintf(CALLER_RULE_PREFIX "%s", r->caller->name);
    char *fit[ROUTE_MAX];
    size_t count = route_choose(r->caller->routes, r->caller->route_count,
                                route_share(rule, r->asked->number), r->asked->number, fit);
    size_t problems = r->problems->count;

    _Static_assert(COUNT_OF(r->gateways) >= ROUTE_MAX, "all of a route have room");
    if (r->route && json_object_array_length(r->route) > ROUTE_MAX)
        asked_problem(r->problems, 422, "unknown_gateway", "/route", "expected at most %d gateways",
                      ROUTE_MAX);
    else if (r->route)
        keep_named(r, fit, count);
    else
        memcpy(r->gateways, fit, (r->gateway_count = count) * sizeof(*fit));
    if (r->gateway_count == 0 && r->problems->count == problems && r->asked->number != 0)
        asked_problem(r->problems, 422, "no_route", r->route ? "/route" : "/recipient",
                      "no gateway of the route takes numbers that begin so");
}

/* ---- template and text ---- */

static const struct plan_template *find_template(struct asked_reading *r)
{
    const struct plan_template *t = plan_template(asked_conf_plan(r->conf), r->template_name);
    struct suggest s = {.word = r->template_name, .len = strlen(r->template_name)};

    if (t && has(&r->caller->templates, r->template_name))
        return t;
    for (size_t i = 0; i < r->caller->templates.count; i++)
        if (strcmp(r->caller->templates.items[i], r->template_name) != 0) /* the operator may use any name */
            suggest_offer(&s, r->caller->templates.items[i]);
    if (t)
        asked_problem(r->problems, 403, "template_not_allowed", "/template",
                      "this template is not allowed to caller %s", r->caller->name);
    else if (s.best)
        asked_problem(r->problems, 422, "unknown_template", "/template",
                      "there is no such template; did you mean '%s'?", s.best);
    else
        asked_problem(r->problems, 422, "unknown_template", "/template", "there is no such template");
    return NULL;
}

static bool is_given(const struct asked_reading *r, const char *name)
{
    return r->params && json_object_object_get_ex(r->params, name, NULL);
}

/* All that are missing are said at once; a template's own error would name the first. */
static bool all_given(struct asked_reading *r, const struct plan_template *t)
{
    const struct template_name *names;
    size_t count = template_names(t->compiled, &names);
    bool all = !r->params || r->cell_count == (size_t)json_object_object_length(r->params);

    for (size_t i = 0; i < count; i++) {
        if (names[i].optional || is_given(r, names[i].name))
            continue;
        auto_free char *pointer = asked_pointer("/params", names[i].name);
        asked_problem(r->problems, 422, "missing_parameter", pointer, "template %s needs '%s'", t->conf->name,
                      names[i].name);
        all = false;
    }
    return all;
}

/* The judge's words without the folder that the template lies in here. */
static void say_judgement(struct asked_reading *r, const struct judgement *j, const char *pointer)
{
    const char *words = j->error, *file = j->tmpl ? j->tmpl->file : "";
    size_t len = strlen(file);

    if (len > 0 && strncmp(words, file, len) == 0)
        asked_problem(r->problems, 422, j->reason, pointer, "template %s%s", j->tmpl->name, words + len);
    else
        asked_problem(r->problems, 422, j->reason, pointer, "%s", words);
}

/* Records have plain strings as members because a decoded one owns them; neither judge nor encoder changes
 * any. */
static char *not_owned(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void encode(struct asked_reading *r, const struct row_record *row)
{
    auto_free char *head = xasprintf(GROUP_HEAD ",\"number\":%" PRId64 ",\"run\":%" PRId64, row->number,
                                     row->run); /* enter_asked has its own */
    auto_buf record = {0};

    chunk_add_row(&record, row);
    assert(memcmp(record.data, head, strlen(head)) == 0 && record.data[strlen(head)] == ',');
    if (record.len > ROW_BYTES_MAX) {
        asked_problem(r->problems, 422, "row_too_long", r->text ? "/text" : "/params",
                      "is too long: more than %u KiB in all", ROW_BYTES_MAX >> 10);
        return;
    }
    r->asked->record = xstrdup(record.data + strlen(head));
    r->asked->record_len = record.len - strlen(head);
}

/* Renders it as render will. */
static void judge(struct asked_reading *r, const struct plan_template *t, const char *pointer)
{
    static char nowhere[] =
        "-"; /* so that the text is judged also where there is no gateway, which is said already */
    char *none[] = {nowhere};
    auto_free char *rule = xasprintf(CALLER_RULE_PREFIX "%s", r->caller->name);
    struct row_record row = {
        .number = r->asked->number ? r->asked->number : 1,
        .run = 1,
        .rule = rule,
        .tmpl = t->conf->name,
        .lane = not_owned(r->asked->instant ? "instant" : "bulk"),
        .valid_until = r->asked->until_ms,
        .row = {r->cells, r->cell_count},
        .sender = *r->caller->sender ? r->caller->sender : NULL,
        .route = {r->gateway_count ? r->gateways : none, MAX_OF(r->gateway_count, (size_t)1)},
    };
    struct judge j;
    struct judgement verdict;

    judge_init(&j, asked_conf_plan(r->conf));
    if (!judge_row(&j, &row, r->now_ms, &verdict))
        say_judgement(r, &verdict, pointer);
    judge_deinit(&j);
    r->asked->marketing = strcmp(t->conf->class, "marketing") == 0;
    if (r->problems->count == 0)
        encode(r, &row);
}

/* Its own text is the column `text` of the caller's template for that. */
static void check_text(struct asked_reading *r)
{
    const struct plan_template *t =
        *r->caller->text_template ? plan_template(asked_conf_plan(r->conf), r->caller->text_template) : NULL;

    if (r->params)
        asked_problem(r->problems, 422, "text_and_params", "/params", "a text of your own takes no params");
    if (!t) {
        asked_problem(r->problems, 403, "text_not_allowed", "/text",
                      "caller %s may not bring texts of its own; expected template and params",
                      r->caller->name);
        return;
    }
    if (r->params)
        return;
    r->cells = xcalloc(1, sizeof(*r->cells));
    r->cells[r->cell_count++] = (struct row_cell){.name = xstrdup("text"), .value = xstrdup(r->text)};
    judge(r, t, "/text");
}

static void check_template(struct asked_reading *r)
{
    const struct plan_template *t = find_template(r);

    if (t && all_given(r, t))
        judge(r, t, "/params");
}

static bool is_there(const struct asked_reading *r, const char *name)
{
    return json_object_object_get(r->request, name) != NULL;
}

void asked_check(struct asked_reading *r)
{
    check_recipient(r);
    check_lane(r);
    check_times(r);
    check_route(r);
    if (is_there(r, "template") && is_there(r, "text"))
        asked_problem(r->problems, 422, "template_and_text", "/text",
                      "expected template and params, or text, not both");
    else if (r->template_name)
        check_template(r);
    else if (r->text)
        check_text(r);
    else if (!is_there(r, "template") && !is_there(r, "text"))
        asked_problem(r->problems, 422, "missing_member", "", "expected template and params, or text");
}

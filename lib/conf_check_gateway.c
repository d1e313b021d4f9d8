/* A gateway's request and answers, each taken as a whole. */
#include "lib/conf_internal.h"

#include <regex.h>
#include <stdio.h>

static const struct conf_node *at(const struct conf_checking *k, const char *path)
{
    return conf_node_at(k->file->root, path);
}

/* ---- answers ---- */

/* How many groups the expression has; -1: it does not compile, said already. */
static long groups_of(const char *match)
{
    regex_t compiled;

    if (regcomp(&compiled, match, REG_EXTENDED))
        return -1;
    long groups = (long)compiled.re_nsub;
    regfree(&compiled);
    return groups;
}

static void check_taken(struct conf_checking *k, const struct conf_answer *a, const struct conf_node *item,
                        const char *key, const char *value)
{
    const struct conf_node *n = conf_node_at(item, key);

    if (!n || strncmp(value, "match", 5) != 0)
        return;
    if (!conf_node_at(item, "match")) {
        conf_error_at(k->report, k->file, n, "%s: '%s' needs the key 'match' beside it", key, value);
        return;
    }
    long group = value[5] == ':' ? value[6] - '0' : 1, groups = *a->match ? groups_of(a->match) : -1;
    if (groups >= 0 && group > groups)
        conf_error_at(k->report, k->file, n,
                      "%s: '%s' is group %ld, but the expression has %ld; expected ( ) around it", key, value,
                      group, groups);
}

static void check_answer(struct conf_checking *k, const struct conf_gateway *g, const struct conf_answer *a,
                         const struct conf_node *item, bool of_results)
{
    const struct conf_node *pointer = conf_node_at(item, "pointer"), *equals = conf_node_at(item, "equals");

    if (!conf_node_at(item, "status") && !conf_node_at(item, "match") && !pointer)
        conf_error_at(k->report, k->file, item, "fits every answer; expected status, match or pointer");
    if (!pointer != !equals)
        conf_error_at(k->report, k->file, pointer ? pointer : equals,
                      "'pointer' and 'equals' belong together");
    if (a->is == ANSWER_ACCEPTED && !conf_node_at(item, "msg_id"))
        conf_error_at(k->report, k->file, item,
                      "an accepted answer has a 'msg_id': body, match, match:2 or a JSON "
                      "pointer");
    if (a->is != ANSWER_ACCEPTED && *a->refused_numbers)
        conf_error_at(k->report, k->file, conf_node_at(item, "refused_numbers"),
                      "refused_numbers: belongs to an accepted answer");
    else if (*a->refused_numbers && (g->request.numbers_max == 1 || of_results))
        conf_error_at(k->report, k->file, conf_node_at(item, "refused_numbers"),
                      "refused_numbers: a request has only one number here (numbers_max)");
    check_taken(k, a, item, "msg_id", a->msg_id);
    check_taken(k, a, item, "reason", a->reason);
    check_taken(k, a, item, "refused_numbers", a->refused_numbers);
}

/* `is: results`, and the section that says how to read them. */
static void check_results(struct conf_checking *k, const struct conf_gateway *g, bool used)
{
    const struct conf_node *results = at(k, "results"), *lines = at(k, "results.answer");
    bool accepts = false;

    if (used && !results)
        conf_error_at(
            k->report, k->file, at(k, "answer"),
            "answer: a line is 'results', but the key 'results' is missing. It says how to read them");
    if (!results || results->type != CONF_NODE_MAP)
        return;
    if (!used)
        conf_error_at(k->report, k->file, results, "results: no line of 'answer' is 'results'");
    if (!*g->results.number && !*g->results.reference)
        conf_error_at(k->report, k->file, results,
                      "results: expected number or reference, else nobody knows whose record it is");
    for (size_t i = 0; i < g->results.answer_count; i++) {
        const struct conf_answer *a = &g->results.answers[i];
        if (lines->items[i]->type == CONF_NODE_MAP)
            check_answer(k, g, a, lines->items[i], true);
        if (a->is == ANSWER_RESULTS)
            conf_error_at(k->report, k->file, lines->items[i], "is: a record has no results of its own");
        accepts = accepts || a->is == ANSWER_ACCEPTED || !a->is;
    }
    if (!accepts)
        conf_error_at(k->report, k->file, lines ? lines : results,
                      "results: no line of its 'answer' is 'accepted', so every message would be in doubt");
}

static void check_answers(struct conf_checking *k, const struct conf_gateway *g)
{
    const struct conf_node *answers = at(k, "answer");
    bool accepts = false, results = false;

    for (size_t i = 0; i < g->answer_count; i++) {
        if (answers->items[i]->type == CONF_NODE_MAP)
            check_answer(k, g, &g->answers[i], answers->items[i], false);
        accepts = accepts || g->answers[i].is == ANSWER_ACCEPTED || !g->answers[i].is;
        results = results || g->answers[i].is == ANSWER_RESULTS;
    }
    check_results(k, g, results);
    if (g->answer_count && !accepts && !results)
        conf_error_at(k->report, k->file, answers,
                      "answer: no line is 'accepted', so every message would be in doubt");
}

/* ---- drivers ---- */

static bool given(const struct conf_checking *k, const char *name)
{
    auto_free char *file = xasprintf("%s_file", name);

    return at(k, name) || at(k, file);
}

/* Each driver has sections of its own; those of another would be passed over in silence. */
static void check_driver_keys(struct conf_checking *k, const struct conf_gateway *g)
{
    for (const struct conf_key *key = conf_tables[CONF_KIND_GATEWAY].keys; key->name; key++) {
        if (!key->driver)
            continue;
        bool ours = !strcmp(key->driver, g->driver);
        if (ours && key->required && !given(k, key->name))
            conf_error_at(k->report, k->file, k->file->root, "key '%s' is missing. %.*s", key->name,
                          conf_key_about(key), key->help);
        else if (!ours && given(k, key->name))
            conf_error_at(k->report, k->file, at(k, key->name),
                          "%s: belongs to driver: %s; this is driver: %s", key->name, key->driver, g->driver);
    }
}

/* What comes over the gateway's own link has no format and nobody to authenticate; these keys count there
 * too. With any other its gateway posts as well, as one over HTTP does. */
static bool only_over_link(const struct conf_checking *k, const char *section)
{
    static const char *const keys[] = {"id", "answer_id", "states", "time_zone", "forward_url"};
    const struct conf_node *n = at(k, section);
    size_t known = 0;

    for (size_t i = 0; n && n->type == CONF_NODE_MAP && i < COUNT_OF(keys); i++)
        known += conf_node_at(n, keys[i]) != NULL;
    return n && n->type == CONF_NODE_MAP && known == n->count;
}

static void check_posts(struct conf_checking *k, const struct conf_gateway *g)
{
    bool http = !strcmp(g->driver, "http");

    if (http || !only_over_link(k, "report"))
        conf_check_report(k, g);
    if (http || !only_over_link(k, "inbound"))
        conf_check_inbound(k, g);
}

static void check_of_http(struct conf_checking *k, const struct conf_gateway *g)
{
    conf_check_http(k, &g->http, "");
    conf_check_submit(k, g);
    check_answers(k, g);
}

void conf_check_gateway(struct conf_checking *k, const struct conf_gateway *g)
{
    if (g->retry_base_ms > g->retry_max_ms)
        conf_error_at(k->report, k->file, at(k, "retry_base") ? at(k, "retry_base") : at(k, "retry_max"),
                      "retry_base is longer than retry_max");
    if (g->window > 0 && g->window < g->dispatchers)
        conf_error_at(k->report, k->file, at(k, "dispatchers"),
                      "dispatchers: expected at most as many as the window (%lld) has places: each needs one",
                      (long long)g->window);
    check_driver_keys(k, g);
    conf_check_heartbeat(k, g);
    if (!strcmp(g->driver, "http"))
        check_of_http(k, g);
    else if (!strcmp(g->driver, "smpp"))
        conf_check_smpp(k, g);
    else if (!strcmp(g->driver, "adapter"))
        conf_check_adapter(k, g);
    check_posts(k, g);
    conf_check_follow(k, g);
    conf_check_prices(k, g);
}

/* A gateway's request and answers, each taken as a whole. */
#include "lib/conf_internal.h"
#include "lib/suggest.h"

#include <regex.h>
#include <stdio.h>
#include <strings.h>

static const struct conf_node *at(const struct conf_checking *k, const char *path)
{
    return conf_node_at(k->file->root, path);
}

/* ---- the request ---- */
enum name_bit { NAME_NUMBER = 1, NAME_NUMBERS = 2, NAME_TEXT = 4, NAME_SEQ_ID = 8, NAME_OTHER = 16 };
static const struct {
    const char *name;
    enum name_bit bit;
} names[] = {
    {"number", NAME_NUMBER}, {"numbers", NAME_NUMBERS}, {"text", NAME_TEXT},      {"seq_id", NAME_SEQ_ID},
    {"sender", NAME_OTHER},  {"encoding", NAME_OTHER},  {"segments", NAME_OTHER},
};

static unsigned bit_of(struct conf_checking *k, const struct conf_node *n, const struct template_name *used)
{
    struct suggest s = {.word = used->name, .len = strlen(used->name)};
    int line = n->style == CONF_LITERAL ? used->line : n->text_line;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (!strcmp(names[i].name, used->name))
            return names[i].bit;
        suggest_offer(&s, names[i].name);
    }
    if (s.best)
        conf_error(k->report, k->file, line, n->text_column, "a request has no '%s', did you mean '%s'?",
                   used->name, s.best);
    else
        conf_error(
            k->report, k->file, line, n->text_column,
            "a request has no '%s'; expected number, numbers, text, sender, seq_id, encoding or segments",
            used->name);
    return 0;
}

/* Compiles one template of the request and returns the names it uses; *ok becomes false if it does not
 * compile. */
static unsigned names_used(struct conf_checking *k, const struct conf_node *n, const char *text, bool *ok)
{
    const struct template_name *used = NULL;
    unsigned bits = 0;

    if (!n || n->type != CONF_NODE_SCALAR || !*text)
        return 0;
    struct template *t = conf_check_template(k, n, text);
    if (!t) {
        *ok = false;
        return 0;
    }
    size_t count = template_names(t, &used);
    for (size_t i = 0; i < count; i++) {
        unsigned bit = bit_of(k, n, &used[i]);
        *ok = *ok && bit;
        bits |= bit;
    }
    template_free(t);
    return bits;
}

/* Headers that the driver writes itself: a second one of these changes what the request is. */
static void check_header_name(struct conf_checking *k, const struct conf_node *n, const char *name)
{
    static const char *const ours[] = {"Content-Length", "Transfer-Encoding", "Connection", "Expect", "Host"};
    static const char *const chars =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";

    if (!*name || name[strspn(name, chars)] != '\0')
        conf_error_at(k->report, k->file, n, "headers: expected a header's name, got '%s'", name);
    for (size_t i = 0; i < COUNT_OF(ours); i++) {
        if (!strcasecmp(ours[i], name))
            conf_error_at(k->report, k->file, n, "headers: '%s' is written by smschain itself", ours[i]);
    }
}

static unsigned check_headers(struct conf_checking *k, const struct conf_gateway *g, bool *ok)
{
    const struct conf_node *headers = at(k, "request.headers");
    unsigned bits = 0;

    if (!headers || headers->type != CONF_NODE_MAP)
        return 0;
    for (size_t i = 0; i < headers->count; i++)
        check_header_name(k, headers->pairs[i].key, headers->pairs[i].key->value);
    for (size_t i = 0; i < g->request.headers.count; i++) {
        const struct conf_pair *pair = &g->request.headers.pairs[i];
        for (size_t j = 0; j < headers->count; j++) {
            if (!strcmp(headers->pairs[j].key->value, pair->key)) {
                bits |= names_used(k, headers->pairs[j].value, pair->value, ok);
                break;
            }
        }
    }
    return bits;
}

static void check_request(struct conf_checking *k, const struct conf_gateway *g)
{
    const struct conf_node *url = at(k, "request.url"), *body = at(k, "request.body"),
                           *request = at(k, "request");
    bool ok = true;

    if (!url || (!*g->request.url && !conf_is_for("dispatch", k->section)))
        return; /* missing: said already; or a variable that only dispatch has */
    if (!*g->request.url) {
        if (url->type == CONF_NODE_SCALAR && !*url->value)
            conf_error_at(k->report, k->file, url, "url: is empty");
        return;
    }
    unsigned bits = names_used(k, url, g->request.url, &ok);
    bits |= names_used(k, body, g->request.body, &ok);
    bits |= check_headers(k, g, &ok);
    if (*g->request.body && !strcmp(g->request.method, "GET"))
        conf_error_at(k->report, k->file, body, "body: a GET has none; expected method POST or PUT");
    if (!ok)
        return;
    if (!(bits & NAME_TEXT))
        conf_error_at(k->report, k->file, request, "request: uses 'text' nowhere in url, headers or body");
    if (!(bits & (NAME_NUMBER | NAME_NUMBERS)))
        conf_error_at(k->report, k->file, request,
                      "request: uses neither 'number' nor 'numbers' in url, headers or body");
    if (g->request.numbers_max > 1 && (bits & (NAME_NUMBER | NAME_SEQ_ID)))
        conf_error_at(k->report, k->file, at(k, "request.numbers_max"),
                      "numbers_max: a request with several numbers uses 'numbers'; 'number' and 'seq_id' "
                      "would name only "
                      "the first of them");
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
                         const struct conf_node *item)
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
    else if (*a->refused_numbers && g->request.numbers_max == 1)
        conf_error_at(k->report, k->file, conf_node_at(item, "refused_numbers"),
                      "refused_numbers: a request has only one number here (numbers_max)");
    check_taken(k, a, item, "msg_id", a->msg_id);
    check_taken(k, a, item, "reason", a->reason);
    check_taken(k, a, item, "refused_numbers", a->refused_numbers);
}

static void check_answers(struct conf_checking *k, const struct conf_gateway *g)
{
    const struct conf_node *answers = at(k, "answer");
    bool accepts = false;

    for (size_t i = 0; i < g->answer_count; i++) {
        if (answers->items[i]->type == CONF_NODE_MAP)
            check_answer(k, g, &g->answers[i], answers->items[i]);
        accepts = accepts || g->answers[i].is == ANSWER_ACCEPTED || !g->answers[i].is;
    }
    if (g->answer_count && !accepts)
        conf_error_at(k->report, k->file, answers,
                      "answer: no line is 'accepted', so every message would be in doubt");
}

static void check_authorization(struct conf_checking *k, const struct conf_gateway *g)
{
    const struct conf_node *headers = at(k, "request.headers");

    for (size_t i = 0; headers && headers->type == CONF_NODE_MAP && i < headers->count; i++) {
        if (!strcasecmp(headers->pairs[i].key->value, "Authorization") &&
            strcmp(g->http.auth.type, "none") != 0)
            conf_error_at(k->report, k->file, headers->pairs[i].key,
                          "headers: 'Authorization' is written by smschain itself, since there is an 'auth'");
    }
}

void conf_check_gateway(struct conf_checking *k, const struct conf_gateway *g)
{
    if (g->retry_base_ms > g->retry_max_ms)
        conf_error_at(k->report, k->file, at(k, "retry_base") ? at(k, "retry_base") : at(k, "retry_max"),
                      "retry_base is longer than retry_max");
    check_authorization(k, g);
    conf_check_http(k, &g->http, "");
    check_request(k, g);
    check_answers(k, g);
    conf_check_report(k, g);
}

/* A gateway's look-up and poll, each taken as a whole. */
#include "lib/conf_internal.h"
#include "lib/suggest.h"

#include <regex.h>
#include <stdio.h>

struct call { /* section lookup or poll */
    struct conf_checking *k;
    const char *section;
    const struct conf_node *node;
    const char *const *names; /* what its templates may use; ends with NULL */
    unsigned used;            /* a bit each, in that order */
};

static void check_name(struct call *c, const struct conf_node *n, const struct template_name *used)
{
    struct suggest s = {.word = used->name, .len = strlen(used->name)};
    auto_buf list = {0};

    for (size_t i = 0; c->names[i]; i++) {
        if (!strcmp(c->names[i], used->name)) {
            c->used |= 1u << i;
            return;
        }
        suggest_offer(&s, c->names[i]);
        buf_addf(&list, "%s%s", i > 0 ? ", " : "", c->names[i]);
    }
    int line = n->style == CONF_LITERAL ? used->line : n->text_line;
    if (s.best)
        conf_error(c->k->report, c->k->file, line, n->text_column, "a %s has no '%s', did you mean '%s'?",
                   c->section, used->name, s.best);
    else
        conf_error(c->k->report, c->k->file, line, n->text_column, "a %s has no '%s'; expected %s",
                   c->section, used->name, list.data);
}

static void check_text(struct call *c, const struct conf_node *n, const char *text)
{
    const struct template_name *used;

    if (!n || n->type != CONF_NODE_SCALAR || !*text)
        return;
    struct template *t = conf_check_template(c->k, n, text);
    size_t count = t ? template_names(t, &used) : 0;
    for (size_t i = 0; i < count; i++)
        check_name(c, n, &used[i]);
    template_free(t);
}

/* False: it has no address, so nothing else counts. */
static bool check_call(struct call *c, const struct conf_call *call)
{
    const struct conf_node *url = conf_node_at(c->node, "url"), *body = conf_node_at(c->node, "body"),
                           *headers = conf_node_at(c->node, "headers");

    if (!url)
        conf_error_at(c->k->report, c->k->file, c->node, "%s: 'url' is missing", c->section);
    if (!url || !*call->url)
        return false; /* or a variable that only callback has */
    check_text(c, url, call->url);
    check_text(c, body, call->body);
    for (size_t i = 0; headers && headers->type == CONF_NODE_MAP && i < headers->count; i++) {
        for (size_t j = 0; j < call->headers.count; j++) {
            if (!strcmp(headers->pairs[i].key->value, call->headers.pairs[j].key))
                check_text(c, headers->pairs[i].value, call->headers.pairs[j].value);
        }
    }
    if (*call->body && !strcmp(call->method, "GET"))
        conf_error_at(c->k->report, c->k->file, body, "body: a GET has none; expected method POST");
    conf_check_http(c->k, &call->http, c->section);
    return true;
}

/* ---- lookup ---- */

static long groups_of(const char *match)
{
    regex_t compiled;

    if (!*match || regcomp(&compiled, match, REG_EXTENDED))
        return -1;
    long groups = (long)compiled.re_nsub;
    regfree(&compiled);
    return groups;
}

static void check_taken(struct conf_checking *k, const struct conf_node *item, const char *match,
                        const char *key, const char *value)
{
    const struct conf_node *n = conf_node_at(item, key);

    if (!n || strncmp(value, "match", 5) != 0)
        return;
    long group = value[5] == ':' ? value[6] - '0' : 1, groups = groups_of(match);
    if (!*match)
        conf_error_at(k->report, k->file, n, "%s: '%s' needs the key 'match' beside it", key, value);
    else if (groups >= 0 && group > groups)
        conf_error_at(k->report, k->file, n, "%s: '%s' is group %ld, but the expression has %ld", key, value,
                      group, groups);
}

static void check_answer(struct conf_checking *k, const struct conf_lookup_answer *a,
                         const struct conf_node *item)
{
    const struct conf_node *pointer = conf_node_at(item, "pointer"), *equals = conf_node_at(item, "equals");

    if (!conf_node_at(item, "status") && !conf_node_at(item, "match") && !pointer)
        conf_error_at(k->report, k->file, item, "fits every answer; expected status, match or pointer");
    if (!pointer != !equals)
        conf_error_at(k->report, k->file, pointer ? pointer : equals,
                      "'pointer' and 'equals' belong together");
    check_taken(k, item, a->match, "msg_id", a->msg_id);
    check_taken(k, item, a->match, "reason", a->reason);
}

static void check_lookup(struct conf_checking *k, const struct conf_lookup *l)
{
    static const char *const names[] = {"seq_id", "number", "msg_id", "time", NULL};
    struct call c = {
        .k = k, .section = "lookup", .node = conf_node_at(k->file->root, "lookup"), .names = names};
    const struct conf_node *answers = conf_node_at(c.node, "answer");

    if (!c.node || !check_call(&c, &l->call))
        return;
    if (l->retry_base_ms > l->retry_max_ms)
        conf_error_at(k->report, k->file, c.node, "lookup: retry_base is longer than retry_max");
    if (l->answer_count == 0)
        conf_error_at(k->report, k->file, c.node,
                      "lookup: 'answer' is missing: nothing would ever be settled");
    for (size_t i = 0; i < l->answer_count; i++) {
        const struct conf_node *item = answers->items[i];
        if (item->type != CONF_NODE_MAP)
            continue;
        check_answer(k, &l->answers[i], item);
        if (l->answers[i].is == LOOKUP_NOT_ACCEPTED && !(c.used & 1))
            conf_error_at(
                k->report, k->file, conf_node_at(item, "is"),
                "is: 'not_accepted' needs a question that names the attempt by its 'seq_id': about a number "
                "or a time a gateway can prove nothing");
    }
}

/* ---- poll ---- */

static void check_poll(struct conf_checking *k, const char *section, const char *read_as,
                       const struct conf_poll *p)
{
    static const char *const names[] = {"cursor", NULL};
    struct call c = {
        .k = k, .section = section, .node = conf_node_at(k->file->root, section), .names = names};

    if (!c.node || !check_call(&c, &p->call))
        return;
    if (!conf_node_at(k->file->root, read_as))
        conf_error_at(k->report, k->file, c.node,
                      "%s: needs a section '%s', which says how its records are read", section, read_as);
    if (*p->next && *p->next_match)
        conf_error_at(k->report, k->file, conf_node_at(c.node, "next_match"),
                      "'next' and 'next_match' are given; expected one of them");
    if (*p->more && *p->more_match)
        conf_error_at(k->report, k->file, conf_node_at(c.node, "more_match"),
                      "'more' and 'more_match' are given; expected one of them");
    if (*p->next_match && groups_of(p->next_match) == 0)
        conf_error_at(k->report, k->file, conf_node_at(c.node, "next_match"),
                      "next_match: expected ( ) around the cursor");
    if ((*p->next || *p->next_match) && !(c.used & 1))
        conf_error_at(k->report, k->file, c.node,
                      "%s: there is a next cursor, but 'cursor' is used nowhere in url, "
                      "headers or body",
                      section);
}

void conf_check_follow(struct conf_checking *k, const struct conf_gateway *g)
{
    check_lookup(k, &g->lookup);
    check_poll(k, "poll", "report", &g->poll);
    check_poll(k, "poll_inbound", "inbound", &g->poll_inbound);
}

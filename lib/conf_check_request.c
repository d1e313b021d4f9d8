/* Requests over HTTP, each taken as a whole: its templates, the names in them, and what a signature may
 * cover. */
#include "lib/conf_internal.h"
#include "lib/request.h"
#include "lib/suggest.h"

#include <strings.h>

static const struct conf_node *at(const struct conf_checking *k, const char *path, const char *key)
{
    auto_free char *whole = xasprintf("%s.%s", path, key);

    return conf_node_at(k->file->root, whole);
}

/* ---- names ---- */
#define LISTS 3 /* the caller's own, those of every request, those of what is signed */

uint64_t conf_request_bit(const struct conf_request_names *n, const char *name)
{
    const char *const *const lists[LISTS] = {n->own, request_names, request_sign_names};
    unsigned bit = 0;

    for (size_t l = 0; l < LISTS; l++) {
        for (size_t i = 0; lists[l][i]; i++, bit++) {
            if (!strcmp(lists[l][i], name))
                return UINT64_C(1) << bit;
        }
    }
    return 0;
}

static uint64_t unknown_name(struct conf_checking *k, const struct conf_node *n,
                             const struct template_name *used, const char *const *const lists[LISTS])
{
    struct suggest s = {.word = used->name, .len = strlen(used->name)};
    int line = n->style == CONF_LITERAL ? used->line : n->text_line;
    auto_buf known = {0};

    for (size_t l = 0; l < LISTS; l++) {
        for (size_t i = 0; lists[l] && lists[l][i]; i++) {
            suggest_offer(&s, lists[l][i]);
            buf_addf(&known, "%s%s", known.len ? ", " : "", lists[l][i]);
        }
    }
    if (s.best)
        conf_error(k->report, k->file, line, n->text_column, "a request has no '%s', did you mean '%s'?",
                   used->name, s.best);
    else
        conf_error(k->report, k->file, line, n->text_column, "a request has no '%s'; there are %s",
                   used->name, known.data);
    return 0;
}

/* Compiles one template and returns the bits of the names it uses; n->ok becomes false if it does not
 * compile. */
static uint64_t names_used(struct conf_checking *k, struct conf_request_names *n,
                           const struct conf_node *node, const char *text,
                           const char *const *const lists[LISTS])
{
    const struct template_name *used = NULL;
    uint64_t bits = 0;

    if (!node || node->type != CONF_NODE_SCALAR || !text || !*text)
        return 0;
    struct template *t = conf_check_template(k, node, text);
    if (!t) {
        n->ok = false;
        return 0;
    }
    size_t count = template_names(t, &used);
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t l = 0; l < LISTS; l++) {
            for (size_t j = 0; lists[l] && lists[l][j]; j++)
                known = known || !strcmp(lists[l][j], used[i].name);
        }
        bits |= known ? conf_request_bit(n, used[i].name) : unknown_name(k, node, &used[i], lists);
        n->ok = n->ok && known;
    }
    template_free(t);
    return bits;
}

static uint64_t map_names(struct conf_checking *k, struct conf_request_names *n, const struct conf_node *map,
                          const struct conf_map *values)
{
    const char *const *const lists[LISTS] = {n->own, request_names, NULL};
    uint64_t bits = 0;

    if (!map || map->type != CONF_NODE_MAP)
        return 0;
    for (size_t i = 0; i < values->count; i++) {
        for (size_t j = 0; j < map->count; j++) {
            if (!strcmp(map->pairs[j].key->value, values->pairs[i].key)) {
                bits |= names_used(k, n, map->pairs[j].value, values->pairs[i].value, lists);
                break;
            }
        }
    }
    return bits;
}

/* ---- headers ---- */

/* Headers that libcurl writes itself: a second one of these changes what the request is. */
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

static void check_header_names(struct conf_checking *k, const struct conf_node *headers)
{
    for (size_t i = 0; headers && headers->type == CONF_NODE_MAP && i < headers->count; i++)
        check_header_name(k, headers->pairs[i].key, headers->pairs[i].key->value);
}

/* ---- the signature ---- */
static void check_signed(struct conf_checking *k, const struct conf_request_names *n,
                         const struct conf_sign *s)
{
    const struct conf_node *text = conf_node_at(k->file->root, "sign.text");
    uint64_t signature = conf_request_bit(n, "signature"), body = conf_request_bit(n, "body");
    uint64_t address = conf_request_bit(n, "url") | conf_request_bit(n, "host") |
                       conf_request_bit(n, "path") | conf_request_bit(n, "query");

    if (n->sign & signature)
        conf_error_at(k->report, k->file, text, "text: a signature cannot sign itself");
    if ((n->sign & body) && (n->body & signature))
        conf_error_at(k->report, k->file, text, "text: signs the 'body', which holds the signature");
    if ((n->sign & address) && (n->url & signature))
        conf_error_at(k->report, k->file, text, "text: signs the address, which holds the signature");
    if (!(s->algorithm & CONF_SIGN_KEYED) && !(n->sign & conf_request_bit(n, "key")))
        conf_error_at(k->report, k->file, text,
                      "text: holds no 'key', so that anybody could make this signature; use it, or an hmac");
}

static void check_sign(struct conf_checking *k, const struct conf_request_names *n, const struct conf_sign *s)
{
    const struct conf_node *sign = conf_node_at(k->file->root, "sign");
    bool used = (n->url | n->headers | n->body) & conf_request_bit(n, "signature");

    if (!sign || sign->type != CONF_NODE_MAP) {
        if (used)
            conf_error_at(k->report, k->file, k->file->root,
                          "'signature' stands in a request, but the key 'sign' is missing");
        return;
    }
    if (!conf_node_at(sign, "key") && !conf_node_at(sign, "key_file"))
        conf_error_at(k->report, k->file, sign, "key 'key' is missing in sign");
    if (!*s->text)
        conf_error_at(k->report, k->file, sign, "key 'text' is missing in sign. It says what is signed");
    else
        check_signed(k, n, s);
    if (!used)
        conf_error_at(k->report, k->file, sign, "sign: no request uses 'signature' in url, headers or body");
}

/* ---- a request ---- */
void conf_check_request(struct conf_checking *k, const struct conf_request *c, const struct conf_sign *sign,
                        const char *path, struct conf_request_names *n)
{
    const char *const *const lists[LISTS] = {n->own, request_names, NULL};
    const char *const *const sign_lists[LISTS] = {n->own, request_names, request_sign_names};
    const struct conf_node *body = at(k, path, "body"), *parameters = at(k, path, "parameters");

    n->ok = true;
    n->url = names_used(k, n, at(k, path, "url"), c->url, lists);
    n->body = names_used(k, n, body, c->body, lists);
    n->headers = map_names(k, n, at(k, path, "headers"), &c->headers);
    n->parameters = map_names(k, n, parameters, &c->parameters);
    n->sign = names_used(k, n, conf_node_at(k->file->root, "sign.text"), sign->text, sign_lists);
    n->all = n->url | n->body | n->headers | n->parameters;
    check_header_names(k, at(k, path, "headers"));
    if (*c->body && !strcmp(c->method, "GET"))
        conf_error_at(k->report, k->file, body, "body: a GET has none; expected method POST or PUT");
    if (!n->ok)
        return;
    uint64_t joined = conf_request_bit(n, "parameters");
    if (n->parameters & (joined | conf_request_bit(n, "signature")))
        conf_error_at(
            k->report, k->file, parameters,
            "parameters: neither 'parameters' nor 'signature' can stand in them: they are what is signed");
    if (parameters && !((n->url | n->headers | n->body) & joined))
        conf_error_at(k->report, k->file, parameters,
                      "parameters: 'parameters' stands nowhere in url, headers or body");
    if (!parameters && (n->all & joined))
        conf_error_at(k->report, k->file, conf_node_at(k->file->root, path),
                      "'parameters' stands in the request, but it has no key 'parameters'");
    check_sign(k, n, sign);
}

/* ---- a gateway's submit request ---- */
static const char *const submit_names[] = {"number",   "numbers",  "text",       "sender",   "seq_id",
                                           "encoding", "segments", "request_id", "messages", NULL};
static const char *const message_names[] = {"number",   "text",     "sender",     "seq_id",
                                            "encoding", "segments", "request_id", NULL};

static uint64_t bits_of(const struct conf_request_names *n, const char *const *words)
{
    uint64_t bits = 0;

    for (size_t i = 0; words[i]; i++)
        bits |= conf_request_bit(n, words[i]);
    return bits;
}

static void check_several(struct conf_checking *k, const struct conf_gateway *g,
                          const struct conf_request_names *n, uint64_t message)
{
    static const char *const of_one[] = {"number",   "text",     "sender",  "seq_id",
                                         "encoding", "segments", "numbers", NULL};
    const struct conf_node *max = at(k, "request", "messages_max"), *node = at(k, "request", "message");
    bool joined = n->all & conf_request_bit(n, "messages");

    if (!node && joined)
        conf_error_at(k->report, k->file, conf_node_at(k->file->root, "request"),
                      "'messages' stands in the request, but it has no key 'message'");
    if (node && !joined)
        conf_error_at(k->report, k->file, node, "message: 'messages' stands nowhere in url, headers or body");
    if (g->request.messages_max > 1 && !node)
        conf_error_at(k->report, k->file, max,
                      "messages_max: needs the key 'message', which is made for each");
    if (g->request.messages_max > 1 && g->request.numbers_max > 1)
        conf_error_at(k->report, k->file, max, "messages_max and numbers_max exclude each other");
    if (g->request.messages_max > 1 && (n->all & bits_of(n, of_one)))
        conf_error_at(
            k->report, k->file, max,
            "messages_max: outside 'message' a request with several messages knows none of their values; "
            "it uses 'messages' and 'request_id'");
    if (!*g->request.message)
        return; /* a variable that only dispatch has */
    if (!(message & conf_request_bit(n, "text")))
        conf_error_at(k->report, k->file, node, "message: uses 'text' nowhere");
    if (!(message & conf_request_bit(n, "number")))
        conf_error_at(k->report, k->file, node, "message: uses 'number' nowhere");
}

static void check_numbers(struct conf_checking *k, const struct conf_gateway *g,
                          const struct conf_request_names *n)
{
    const struct conf_node *request = conf_node_at(k->file->root, "request");
    uint64_t number = conf_request_bit(n, "number"), numbers = conf_request_bit(n, "numbers");

    if (!(n->all & conf_request_bit(n, "text")))
        conf_error_at(k->report, k->file, request,
                      "request: uses 'text' nowhere in url, headers, parameters or body");
    if (!(n->all & (number | numbers)))
        conf_error_at(k->report, k->file, request,
                      "request: uses neither 'number' nor 'numbers' in url, headers, parameters or body");
    if (g->request.numbers_max > 1 && (n->all & (number | conf_request_bit(n, "seq_id"))))
        conf_error_at(
            k->report, k->file, at(k, "request", "numbers_max"),
            "numbers_max: a request with several numbers uses 'numbers'; 'number' and 'seq_id' would name "
            "only the first of them");
}

static void check_authorization(struct conf_checking *k, const struct conf_gateway *g)
{
    const struct conf_node *headers = at(k, "request", "headers");

    for (size_t i = 0; headers && headers->type == CONF_NODE_MAP && i < headers->count; i++) {
        if (!strcasecmp(headers->pairs[i].key->value, "Authorization") &&
            strcmp(g->http.auth.type, "none") != 0)
            conf_error_at(k->report, k->file, headers->pairs[i].key,
                          "headers: 'Authorization' is written by smschain itself, since there is an 'auth'");
    }
}

void conf_check_submit(struct conf_checking *k, const struct conf_gateway *g)
{
    const char *const *const lists[LISTS] = {message_names, request_names, NULL};
    struct conf_request_names n = {.own = submit_names};
    const struct conf_node *url = at(k, "request", "url"), *message = at(k, "request", "message");

    check_authorization(k, g);
    if (!url || (!*g->request.url && !conf_is_for("dispatch", k->section)))
        return; /* missing: said already; or a variable that only dispatch has */
    if (!*g->request.url) {
        if (url->type == CONF_NODE_SCALAR && !*url->value)
            conf_error_at(k->report, k->file, url, "url: is empty");
        return;
    }
    conf_check_request(k, &g->request, &g->sign, "request", &n);
    uint64_t of_message = names_used(k, &n, message, g->request.message, lists);
    if (!n.ok)
        return;
    if (message || (n.all & conf_request_bit(&n, "messages")) || g->request.messages_max > 1)
        check_several(k, g, &n, of_message);
    else
        check_numbers(k, g, &n);
}

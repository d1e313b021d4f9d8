/* The HTTP driver: everything that differs between gateways stands in their configuration. gateway.h says
 * what it must do; lib/http.h sends each request once and no more. */
#include "lib/http.h"
#include "dispatch/answer.h"
#include "dispatch/gateway.h"
#include "dispatch/results.h"
#include "dispatch/submit.h"
#include "lib/clock.h"
#include "lib/hide.h"

#include <stdio.h>

#define ANSWER_MAX_BYTES    65536
#define CUT_BYTES           8    /* words as long as their place, but for so many, may have been cut there */
#define ANSWER_RESULT_BYTES 2048 /* more for each message of a request */

struct gateway { /* of this driver */
    struct gateway_options opts;
    struct submit_template *template;
    struct answer_rules *rules;
    struct results *results; /* NULL: none */
    struct http_multi *multi;
    struct hide hide;       /* the secrets that its requests carry: some gateways say them back */
    struct request request; /* the one being made */
    struct unmade {         /* taken, but no request can be made of them: answered in the next turn */
        struct gateway_request *request;
        char error[REQUEST_ERROR_SIZE];
    } * unmade;
    size_t unmade_count, unmade_room;
    char *probe_url;
    struct answer *read; /* the answer being read */
};

static int64_t http_wait_ms(const struct gateway *g)
{
    return g->unmade_count > 0 ? 0 : http_multi_wait_ms(g->multi);
}

static int http_fd(const struct gateway *g)
{
    return http_multi_fd(g->multi);
}

/* ---- there ---- */

static int build(struct gateway *g, const struct gateway_request *r)
{
    auto_free struct submit_message *messages = xmalloc(r->count * sizeof(*messages));
    for (size_t i = 0; i < r->count; i++) {
        const struct gateway_item *item = &r->items[i];
        messages[i] = (struct submit_message){.number = item->number,
                                              .text = item->text,
                                              .sender = item->sender,
                                              .encoding = item->encoding,
                                              .seq_id = item->seq_id,
                                              .segments = item->segments};
    }
    struct submit_values v = {.messages = messages, .count = r->count, .now_ms = clock_wall_ms()};
    return submit_build(g->template, &v, &g->request);
}

static void keep_unmade(struct gateway *g, struct gateway_request *r)
{
    if (g->unmade_count == g->unmade_room) {
        g->unmade_room = g->unmade_room == 0 ? 16 : g->unmade_room * 2;
        g->unmade = xrealloc(g->unmade, g->unmade_room * sizeof(*g->unmade));
    }
    struct unmade *u = &g->unmade[g->unmade_count++];
    u->request = r;
    memcpy(u->error, g->request.error, sizeof(u->error));
}

static void http_send(struct gateway *g, struct gateway_request *r)
{
    const struct request *q = &g->request;
    if (build(g, r) < 0) {
        keep_unmade(g, r);
        return;
    }
    if (g->opts.events.request_seen != NULL)
        g->opts.events.request_seen(g->opts.events.arg, q);
    struct http_request h = {.method = q->method,
                             .url = q->url.data,
                             .headers = q->header_lines,
                             .header_count = q->header_count,
                             .body = !q->has_body           ? NULL
                                     : q->body.data != NULL ? q->body.data
                                                            : "",
                             .body_len = q->body.len};
    http_multi_send(g->multi, &h, r);
}

static void http_probe(struct gateway *g)
{
    http_multi_connect(g->multi, g->probe_url, NULL);
}

static bool first_byte(void *arg, void *what)
{
    struct gateway *g = arg;
    return g->opts.events.first_byte(g->opts.events.arg, what);
}

/* ---- and back ---- */

/* Nothing of such a request has left. */
static void answer_unmade(struct gateway *g)
{
    while (g->unmade_count > 0) {
        struct unmade u = g->unmade[--g->unmade_count];
        struct gateway_answer a = {
            .outcome = OUTCOME_REFUSED, .reason = "bad_request", .error = u.error, .retry_after_ms = -1};
        g->opts.events.answered(g->opts.events.arg, u.request, &a);
    }
}

static void hide_words(const struct gateway *g, char *words, size_t size)
{
    auto_buf out = {0};
    if (*words == '\0')
        return;
    if (strlen(words) + CUT_BYTES >= size)
        hide_cut_end(&g->hide, words);
    hide_in(&g->hide, words, strlen(words), &out);
    snprintf(words, size, "%s", out.data != NULL ? out.data : "");
}

static struct gateway_outcome *read_results(const struct gateway *g, const struct gateway_request *r,
                                            const struct http_result *h)
{
    struct gateway_outcome *each = results_read(g->results, h->status, h->body, h->body_len, r);
    for (size_t i = 0; i < r->count; i++) {
        hide_words(g, each[i].reason, sizeof(each[i].reason));
        hide_words(g, each[i].error, sizeof(each[i].error));
    }
    return each;
}

static void tell(struct gateway *g, struct gateway_request *r, const struct http_result *h,
                 const struct classified *c)
{
    struct answer *a = g->read;
    char error[ANSWER_ERROR_SIZE + 32];
    hide_words(g, a->error, sizeof(a->error));
    if (h->status != 0)
        snprintf(error, sizeof(error), "HTTP %d: %s", h->status, a->error);
    else
        snprintf(error, sizeof(error), "%.200s", h->error);
    hide_words(g, a->reason, sizeof(a->reason));
    struct gateway_answer told = {
        .outcome = c->outcome,
        .msg_id = a->own_id ? NULL : a->msg_id,
        .reason = c->reason != NULL ? c->reason : a->reason,
        .error = c->outcome == OUTCOME_ACCEPTED && a->refused_count == 0 ? "" : error,
        .throttled = c->throttled,
        .unreachable = c->unreachable,
        .retry_after_ms =
            *h->retry_after != '\0' ? answer_retry_after_ms(h->retry_after, clock_wall_ms()) : -1,
        .refused = a->refused,
        .refused_count = a->refused_count};
    auto_free struct gateway_outcome *each = NULL;
    if (a->is == ANSWER_RESULTS && c->outcome == OUTCOME_IN_DOUBT && g->results != NULL) {
        each = read_results(g, r, h);
        told.each = each;
    }
    g->opts.events.answered(g->opts.events.arg, r, &told);
}

static void done(void *arg, void *what, const struct http_result *h)
{
    struct gateway *g = arg;
    struct answer *a = g->read;
    struct exchange e = {.end = h->end, .sends = h->sends};
    if (what == NULL) {
        g->opts.events.probed(g->opts.events.arg, h->end == HTTP_ANSWERED);
        return;
    }
    a->is = 0;
    a->reason[0] = a->error[0] = '\0';
    a->refused_count = 0;
    if (h->end == HTTP_ANSWERED && h->sends == 1) {
        answer_read(g->rules, h->status, h->body, h->body_len, a);
        e.matched = a->is;
        e.msg_id_missing = a->msg_id_missing;
        e.refused_unreadable = a->refused_unreadable;
    }
    if (g->opts.events.result_seen != NULL)
        g->opts.events.result_seen(g->opts.events.arg, h, e.matched != 0 ? a->line : 0);
    struct classified c = classify(&e);
    tell(g, what, h, &c);
}

static void http_turn(struct gateway *g)
{
    answer_unmade(g);
    http_multi_turn(g->multi);
}

/* ---- opening and closing ---- */

/* A trial request with harmless values: tells what can be told of the configuration before a message needs
 * it, and gives the address that is tried while the breaker is open. */
static int make_probe_url(struct gateway *g, char **ret_why)
{
    static const struct submit_message message = {.number = 491700000000,
                                                  .text = "x",
                                                  .sender = "x",
                                                  .encoding = "gsm7",
                                                  .seq_id = "1.1.1",
                                                  .segments = 1};
    struct submit_values v = {.messages = &message, .count = 1, .now_ms = clock_wall_ms()};
    struct http_url url = {0};
    int rc = submit_build(g->template, &v, &g->request);
    if (rc < 0) {
        *ret_why = xstrdup(g->request.error);
    } else if (!http_url_parse(g->request.url.data, &url)) {
        *ret_why = xasprintf("line %d: request.url makes no URL", g->opts.conf->request.url_line);
        rc = -EINVAL;
    } else {
        g->probe_url = xasprintf("%s://%s/", url.scheme, url.host);
    }
    http_url_deinit(&url);
    return rc;
}

static void http_close(struct gateway *g)
{
    if (g == NULL)
        return;
    answer_unmade(g);
    http_multi_free(g->multi);
    hide_deinit(&g->hide);
    if (g->template != NULL)
        request_deinit(&g->request);
    submit_template_free(g->template);
    answer_free(g->rules);
    results_free(g->results);
    free(g->read);
    free(g->probe_url);
    free(g->unmade);
    free(g);
}

static int open_multi(struct gateway *g, char **ret_why)
{
    const struct conf_gateway *c = g->opts.conf;
    struct http_multi_options o = {
        .http = {.conf = &c->http,
                 .connect_timeout_ms = c->connect_timeout_ms,
                 .answer_timeout_ms = c->answer_timeout_ms,
                 .answer_max = ANSWER_MAX_BYTES + (size_t)c->request.messages_max * ANSWER_RESULT_BYTES},
        .connections = g->opts.window,
        .arg = g,
        .first_byte = first_byte,
        .done = done};
    int rc = http_multi_new(&o, &g->multi);
    if (rc < 0)
        *ret_why = xasprintf("no libcurl or no descriptor: %s", strerror(-rc));
    return rc;
}

static bool carries(const struct conf_request *c, const char *secret)
{
    const struct conf_map *maps[] = {&c->headers, &c->parameters};
    const char *texts[] = {c->url, c->body, c->message};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (texts[i] != NULL && strstr(texts[i], secret) != NULL)
            return true;
    for (size_t i = 0; i < COUNT_OF(maps); i++)
        for (size_t j = 0; j < maps[i]->count; j++)
            if (strstr(maps[i]->pairs[j].value, secret) != NULL)
                return true;
    return false;
}

static void gather_secrets(struct gateway *g)
{
    const struct conf_gateway *c = g->opts.conf;
    const struct str_list *all = g->opts.secrets;
    const char *own[] = {c->http.auth.password, c->http.auth.token, c->http.proxy.password,
                         c->http.tls.key_password, c->sign.key};
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (own[i] != NULL && *own[i] != '\0')
            hide_add(&g->hide, own[i]);
    if (c->http.auth.user != NULL && c->http.auth.password != NULL) {
        auto_free char *basic = xasprintf("%s:%s", c->http.auth.user, c->http.auth.password);
        hide_add(&g->hide, basic); /* also as base64 */
    }
    for (size_t i = 0; all != NULL && i < all->count; i++)
        if (carries(&c->request, all->items[i]))
            hide_add(&g->hide, all->items[i]);
}

static int http_open(const struct gateway_options *opts, struct gateway **ret, char **ret_why)
{
    struct gateway *g = xcalloc(1, sizeof(*g));
    *g = (struct gateway){.opts = *opts, .read = xcalloc(1, sizeof(*g->read))};
    gather_secrets(g);
    int rc = submit_compile(opts->conf, &g->template, ret_why);
    if (rc == 0) {
        submit_init(&g->request, g->template);
        rc = answer_compile(opts->conf, &g->rules, ret_why);
    }
    if (rc == 0)
        rc = results_compile(opts->conf, &g->results, ret_why);
    if (rc == 0)
        rc = make_probe_url(g, ret_why);
    if (rc == 0)
        rc = http_check(&opts->conf->http, ret_why);
    if (rc == 0)
        rc = open_multi(g, ret_why);
    if (rc < 0) {
        http_close(g);
        return rc;
    }
    *ret = g;
    return 0;
}

const struct gateway_driver http_driver = {.name = "http",
                                           .open = http_open,
                                           .close = http_close,
                                           .send = http_send,
                                           .probe = http_probe,
                                           .fd = http_fd,
                                           .wait_ms = http_wait_ms,
                                           .turn = http_turn};

const struct gateway_driver *gateway_driver(const char *name)
{
    static const struct gateway_driver *const drivers[] = {&http_driver, &smpp_driver, &adapter_driver};
    for (size_t i = 0; i < COUNT_OF(drivers); i++)
        if (strcmp(drivers[i]->name, name) == 0)
            return drivers[i];
    return NULL;
}

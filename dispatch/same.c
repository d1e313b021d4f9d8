/* Field by field: a loaded configuration has no other form in which it could be compared. Reports are
 * dispatch's only where they come over the gateway's own link. */
#include "dispatch/same.h"

static bool str(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool same_map(const struct conf_map *a, const struct conf_map *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!str(a->pairs[i].key, b->pairs[i].key) || !str(a->pairs[i].value, b->pairs[i].value))
            return false;
    return true;
}

static bool same_answer(const struct conf_answer *a, const struct conf_answer *b)
{
    return str(a->status, b->status) && str(a->match, b->match) && str(a->pointer, b->pointer) &&
           str(a->equals, b->equals) && a->is == b->is && str(a->msg_id, b->msg_id) &&
           str(a->reason, b->reason) && str(a->refused_numbers, b->refused_numbers);
}

static bool same_request(const struct conf_request *a, const struct conf_request *b)
{
    return str(a->method, b->method) && str(a->url, b->url) && str(a->body, b->body) &&
           same_map(&a->headers, &b->headers) && same_map(&a->parameters, &b->parameters) &&
           a->numbers_max == b->numbers_max && a->messages_max == b->messages_max &&
           str(a->message, b->message) && str(a->message_separator, b->message_separator);
}

static bool same_sign(const struct conf_sign *a, const struct conf_sign *b)
{
    return a->algorithm == b->algorithm && a->form == b->form && str(a->key, b->key) && str(a->text, b->text);
}

static bool same_http(const struct conf_http *a, const struct conf_http *b)
{
    return str(a->auth.type, b->auth.type) && str(a->auth.user, b->auth.user) &&
           str(a->auth.password, b->auth.password) && str(a->auth.token, b->auth.token) &&
           str(a->tls.ca_file, b->tls.ca_file) && str(a->tls.certificate_file, b->tls.certificate_file) &&
           str(a->tls.key_file, b->tls.key_file) && str(a->tls.key_password, b->tls.key_password) &&
           str(a->tls.version, b->tls.version) && str(a->proxy.url, b->proxy.url) &&
           str(a->proxy.user, b->proxy.user) && str(a->proxy.password, b->proxy.password) &&
           a->proxy.tunnel == b->proxy.tunnel;
}

static bool same_limits(const struct conf_gateway *a, const struct conf_gateway *b)
{
    return a->rate == b->rate && a->window == b->window && a->dispatchers == b->dispatchers &&
           a->connect_timeout_ms == b->connect_timeout_ms && a->answer_timeout_ms == b->answer_timeout_ms &&
           a->max_attempts == b->max_attempts && a->retry_base_ms == b->retry_base_ms &&
           a->retry_max_ms == b->retry_max_ms && a->breaker_failures == b->breaker_failures &&
           a->breaker_pause_ms == b->breaker_pause_ms;
}

static bool same_answers(const struct conf_answer *a, size_t a_count, const struct conf_answer *b,
                         size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; same && i < a_count; i++)
        same = same_answer(&a[i], &b[i]);
    return same;
}

static bool same_results(const struct conf_results *a, const struct conf_results *b)
{
    return str(a->records, b->records) && str(a->number, b->number) && str(a->reference, b->reference) &&
           same_answers(a->answers, a->answer_count, b->answers, b->answer_count);
}

bool same_gateway(const struct conf_gateway *a, const struct conf_gateway *b)
{
    if (!str(a->name, b->name) || !str(a->driver, b->driver) || !str(a->sender, b->sender) ||
        !same_http(&a->http, &b->http) || !same_limits(a, b) || !same_request(&a->request, &b->request) ||
        !same_sign(&a->sign, &b->sign))
        return false;
    if (a->heartbeat_ms != b->heartbeat_ms || !str(a->heartbeat_number, b->heartbeat_number) ||
        !str(a->heartbeat_text, b->heartbeat_text))
        return false;
    if (strcmp(a->driver, "http") != 0 &&
        (!conf_gateway_key_same(a, b, "smpp") || !conf_gateway_key_same(a, b, "adapter") ||
         !conf_gateway_key_same(a, b, "report")))
        return false;
    return same_answers(a->answers, a->answer_count, b->answers, b->answer_count) &&
           same_results(&a->results, &b->results);
}

bool same_surroundings(const struct conf *a, const struct conf *b)
{
    const struct conf_main *x = &a->main, *y = &b->main;
    const struct conf_service *s = &x->dispatch.service, *t = &y->dispatch.service;
    return str(x->state_dir, y->state_dir) && str(x->database.conninfo, y->database.conninfo) &&
           x->database.claims_keep_days == y->database.claims_keep_days &&
           str(x->broker.host, y->broker.host) && str(x->broker.vhost, y->broker.vhost) &&
           x->broker.port == y->broker.port && x->broker.heartbeat_ms == y->broker.heartbeat_ms &&
           x->broker.tls == y->broker.tls && str(x->broker.ca_file, y->broker.ca_file) &&
           x->broker.update_shards == y->broker.update_shards && str(s->database_user, t->database_user) &&
           str(s->database_password, t->database_password) && str(s->broker_user, t->broker_user) &&
           str(s->broker_password, t->broker_password) &&
           x->dispatch.claim_horizon_ms == y->dispatch.claim_horizon_ms &&
           x->dispatch.claim_group == y->dispatch.claim_group;
}

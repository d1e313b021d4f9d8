/* A gateway's section `smpp`, taken as a whole. */
#include "lib/conf_internal.h"

#include <stdio.h>

static const struct conf_node *at(const struct conf_checking *k, const char *key)
{
    char path[80];

    snprintf(path, sizeof(path), "smpp.%s", key);
    const struct conf_node *n = conf_node_at(k->file->root, path);
    return n ? n : conf_node_at(k->file->root, "smpp");
}

static void check_times(struct conf_checking *k, const struct conf_smpp *c)
{
    if (c->dead_after_ms <= c->enquire_link_ms)
        conf_error_at(
            k->report, k->file, at(k, "dead_after"),
            "dead_after: expected longer than enquire_link_interval, else a link is given up before the "
            "gateway could answer");
    if (c->reconnect_base_ms > c->reconnect_max_ms)
        conf_error_at(k->report, k->file, at(k, "reconnect_base"),
                      "reconnect_base is longer than reconnect_max");
}

void conf_check_smpp(struct conf_checking *k, const struct conf_gateway *g)
{
    const struct conf_smpp *c = &g->smpp;
    const struct conf_node *smpp = conf_node_at(k->file->root, "smpp");
    int64_t share = g->dispatchers > 0 ? g->window / g->dispatchers : g->window;

    if (!smpp || smpp->type != CONF_NODE_MAP)
        return;
    check_times(k, c);
    if (c->long_way != 3 && c->segments_max > share && share > 0)
        conf_error_at(k->report, k->file, at(k, "segments_max"),
                      "segments_max: expected at most %lld, the places of a dispatcher in the window: all "
                      "segments of a "
                      "text are claimed at once",
                      (long long)share);
    if (!c->tls && conf_node_at(smpp, "tls") && !conf_node_at(smpp, "tls.enabled"))
        conf_error_at(k->report, k->file, at(k, "tls"),
                      "tls: 'enabled' is missing; expected true, or false and nothing is encrypted");
    if (!*c->http.tls.certificate_file && (*c->http.tls.key_file || *c->http.tls.key_password))
        conf_error_at(k->report, k->file, at(k, "tls"),
                      "tls: a key without its certificate; expected certificate_file");
    if (c->receipt_any_class && c->registered_delivery == 0)
        conf_error_at(k->report, k->file, at(k, "receipt_any_class"),
                      "receipt_any_class: no reports are asked for (registered_delivery: 0)");
}

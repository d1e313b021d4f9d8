/* A gateway's heartbeat keys, taken together. */
#include "lib/alphabet.h"
#include "lib/conf_internal.h"

#define SEPTETS_MAX 160 /* of one segment */

static const struct conf_node *at(const struct conf_checking *k, const char *key)
{
    return conf_node_at(k->file->root, key);
}

/* Septets; 0: some character is not in the alphabet. */
static unsigned septets_of(const char *text)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + strlen(text);
    unsigned all = 0;
    uint32_t c;

    while (p < end) {
        unsigned septets = utf8_next(&p, end, &c) ? gsm7_septets(gsm7_code(c)) : 0;
        if (septets == 0)
            return 0;
        all += septets;
    }
    return all;
}

static bool listed(const struct str_list *only, const char *number)
{
    long long wanted = strtoll(number, NULL, 10);
    bool found = only->count == 0;

    for (size_t i = 0; i < only->count && !found; i++)
        found = strtoll(only->items[i], NULL, 10) == wanted;
    return found;
}

void conf_check_heartbeat(struct conf_checking *k, const struct conf_gateway *g)
{
    const struct conf_node *interval = at(k, "heartbeat_interval"), *text = at(k, "heartbeat_text");
    unsigned septets = septets_of(g->heartbeat_text);

    if (text && (septets == 0 || septets > SEPTETS_MAX))
        conf_error_at(k->report, k->file, text,
                      "heartbeat_text: expected at most %d characters of the GSM 7-bit alphabet",
                      SEPTETS_MAX);
    if (g->heartbeat_ms == 0)
        return;
    if (g->heartbeat_ms < 1000)
        conf_error_at(k->report, k->file, interval,
                      "heartbeat_interval: expected at least 1s, or 0s for none");
    if (!*g->heartbeat_number && !at(k, "heartbeat_number"))
        conf_error_at(k->report, k->file, interval,
                      "heartbeat_interval: key 'heartbeat_number' is missing. It is a phone of your own");
    else if (!listed(&k->conf->main.extract.deliver_only_to, g->heartbeat_number))
        conf_error_at(k->report, k->file, at(k, "heartbeat_number"),
                      "heartbeat_number: extract.deliver_only_to is set and does not list it");
}

/* The SMPP driver alone: N messages through it to whatever its gateway's address is, every report kept at
 * once. No claim, no slot, no step. smpp_load CONF-DIR GATEWAY N WINDOW Prints one JSON line:
 * {"messages":…,"pdus":…,"seconds":…}; four PDUs a message. */
#include "dispatch/gateway.h"
#include "lib/clock.h"
#include <poll.h>
#include <stdio.h>

#define TOKENS_MAX 4096

static struct load {
    const struct gateway_driver *driver;
    struct gateway *gateway;
    struct gateway_request **idle; /* a stack */
    size_t idle_count;
    int64_t total, sent, accepted, failed, told;
    uint64_t tokens[TOKENS_MAX];
    size_t token_count;
    bool probed, connected;
} load;

static bool first_byte(void *arg, struct gateway_request *r)
{
    return true;
}

static void answered(void *arg, struct gateway_request *r, const struct gateway_answer *a)
{
    if (a->outcome == OUTCOME_ACCEPTED)
        load.accepted++;
    else if (load.failed++ == 0)
        fprintf(stderr, "smpp_load: %s: %s\n", a->reason, a->error);
    load.idle[load.idle_count++] = r;
}

static void probed(void *arg, bool connected)
{
    load.probed = true;
    load.connected = connected;
}

static void report(void *arg, const struct step_record *s, uint64_t token)
{
    load.told++;
    if (load.token_count == TOKENS_MAX)
        abort();
    load.tokens[load.token_count++] = token;
}

static void inbound(void *arg, const struct inbound_record *in, uint64_t token)
{
    abort();
}

static void keep_all(void)
{
    for (size_t i = 0; i < load.token_count; i++)
        load.driver->kept(load.gateway, load.tokens[i], true);
    load.token_count = 0;
}

static void turn(void)
{
    int64_t wait = load.driver->wait_ms(load.gateway);
    struct pollfd p = {load.driver->fd(load.gateway), POLLIN, 0};
    poll(&p, 1, wait < 0 || wait > 1000 ? 1000 : (int)wait);
    load.driver->turn(load.gateway);
    keep_all();
}

static void send_next(void)
{
    struct gateway_request *r = load.idle[--load.idle_count];
    struct gateway_item *item = &r->items[0];
    r->claimed_mono_ms = clock_mono_ms();
    item->number = 491700000000 + load.sent;
    item->valid_until = clock_wall_ms() + 3600000;
    snprintf(item->seq_id, sizeof(item->seq_id), "%lld.1.1", (long long)++load.sent);
    load.driver->send(load.gateway, r);
}

static void open_gateway(const struct conf *conf, const char *name, unsigned window)
{
    struct gateway_options o = {.conf = conf_gateway(conf, name),
                                .window = window,
                                .events = {.first_byte = first_byte,
                                           .answered = answered,
                                           .probed = probed,
                                           .report = report,
                                           .inbound = inbound}};
    auto_free char *why = NULL;
    load.driver = o.conf != NULL ? gateway_driver(o.conf->driver) : NULL;
    if (load.driver == NULL || load.driver->open(&o, &load.gateway, &why) != 0) {
        fprintf(stderr, "smpp_load: %s: %s\n", name, why != NULL ? why : "no such gateway");
        exit(1);
    }
    load.idle = xcalloc(window, sizeof(*load.idle));
    while (load.idle_count < window) {
        struct gateway_request *r = xcalloc(1, sizeof(*r) + sizeof(r->items[0]));
        r->count = 1;
        r->items[0] = (struct gateway_item){
            .text = "Dear customer, instalment 12345678 of 123.45 EUR falls due on 31 December. Your shop.",
            .sender = "smschain",
            .encoding = "gsm7",
            .segments = 1,
            .cut = {.parts = 1},
            .segment = 1};
        load.idle[load.idle_count++] = r;
    }
}

int main(int argc, char **argv)
{
    struct conf *conf = NULL;
    struct buf why = {0};
    if (argc != 5) {
        fprintf(stderr, "usage: smpp_load CONF-DIR GATEWAY N WINDOW\n");
        return 2;
    }
    if (conf_load(argv[1], "dispatch", &conf, &why) != 0) {
        fprintf(stderr, "%s", why.data);
        return 1;
    }
    unsigned window = (unsigned)atoi(argv[4]);
    open_gateway(conf, argv[2], window);
    load.total = atoll(argv[3]);
    load.driver->probe(load.gateway);
    while (!load.probed)
        turn();
    if (!load.connected)
        return 1;
    int64_t begun = clock_mono_ms();
    while (load.told < load.total && load.failed == 0) {
        while (load.idle_count > 0 && load.sent < load.total)
            send_next();
        turn();
    }
    double seconds = (double)(clock_mono_ms() - begun) / 1000;
    printf("{\"messages\":%lld,\"pdus\":%lld,\"seconds\":%.3f}\n", (long long)load.accepted,
           (long long)load.total * 4, seconds);
    load.driver->close(load.gateway);
    while (load.idle_count > 0)
        free(load.idle[--load.idle_count]);
    free(load.idle);
    conf_free(conf);
    buf_deinit(&why);
    return load.accepted == load.total ? 0 : 1;
}

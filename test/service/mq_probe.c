/* Drives lib/mq from a test: one command, what happens as lines on standard output, orders on standard input.
 *
 *   mq_probe HOST PORT VHOST USER PASSWORD CA|- declare QUEUE… | depths QUEUE… |
 *     publish QUEUE COUNT SIZE [PER_SECOND]     "outcome COOKIE confirmed|returned", connected, blocked …;
 * ends by itself consume QUEUE PREFETCH [ack]              "delivery EPOCH TAG REDELIVERED BODY"; orders: ack
 * EPOCH TAG 0|1, pause, resume, quit dead QUEUE */
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mq.h"
#include "lib/stop.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#define PUMP_MS 50

static int64_t longest_ms;

static void say(const char *format, ...) printf_like(1, 2);
static void say(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

static void say_change(const char *yes, const char *no, bool now, bool *last)
{
    if (now != *last)
        say("%s", now ? yes : no);
    *last = now;
}

static void took(int64_t since_ms)
{
    longest_ms = MAX_OF(longest_ms, clock_mono_ms() - since_ms);
}

static int publish(const struct mq_options *opts, char **args, int count)
{
    struct mq_publisher *p = mq_publisher_new(opts, NULL);
    const long total = atol(args[1]), size = atol(args[2]), per_second = count > 3 ? atol(args[3]) : 0;
    auto_free char *body = xmalloc((size_t)size + 32);
    bool connected = false, blocked = false;
    const int64_t begin = clock_mono_ms();
    long sent = 0, settled = 0;

    while (settled < total && !stop_requested()) {
        while (sent < total && (!per_second || sent < (clock_mono_ms() - begin) * per_second / 1000 + 1)) {
            const int64_t before = clock_mono_ms();
            int len = snprintf(body, (size_t)size + 32, "%ld", sent);
            memset(body + len, ' ', (size_t)MAX_OF(size - len, 0));
            const struct mq_message m = {
                .queue = args[0], .body = body, .len = (size_t)MAX_OF(size, len), .cookie = (uint64_t)sent};
            const int r = mq_publish(p, &m);
            took(before);
            if (r == MQ_FULL)
                break;
            sent++;
        }
        const int64_t before = clock_mono_ms();
        mq_publisher_pump(p, per_second ? 10 : PUMP_MS);
        took(before);
        for (struct mq_outcome o; mq_publisher_next(p, &o); settled++)
            say("outcome %llu %s", (unsigned long long)o.cookie, o.confirmed ? "confirmed" : "returned");
        say_change("connected", "disconnected", mq_publisher_connected(p), &connected);
        say_change("blocked", "unblocked", mq_publisher_blocked(p), &blocked);
    }
    say("unconfirmed %zu", mq_publisher_unconfirmed(p));
    say("longest_ms %lld", (long long)longest_ms);
    mq_publisher_free(p);
    return 0;
}

/* False: the end. */
static bool obey(struct mq_consumer *c)
{
    static char line[256];
    static size_t len;
    unsigned long long epoch, tag;
    int multiple;

    for (char byte; read(0, &byte, 1) == 1;) {
        if (byte != '\n') {
            if (len < sizeof(line) - 1)
                line[len++] = byte;
            continue;
        }
        line[len] = '\0';
        len = 0;
        if (strcmp(line, "quit") == 0)
            return false;
        if (strcmp(line, "pause") == 0)
            mq_consumer_pause(c);
        else if (strcmp(line, "resume") == 0)
            mq_consumer_resume(c);
        else if (sscanf(line, "ack %llu %llu %d", &epoch, &tag, &multiple) == 3)
            mq_consumer_ack(c, epoch, tag, multiple);
        say("done %s", line);
    }
    return true;
}

static int consume(const struct mq_options *opts, char **args, int count)
{
    struct mq_consumer *c = mq_consumer_new(opts, args[0], (uint16_t)atoi(args[1]));
    const bool ack = count > 2 && strcmp(args[2], "ack") == 0;
    uint64_t epoch = 0;

    fcntl(0, F_SETFL, O_NONBLOCK);
    while (!stop_requested() && obey(c)) {
        const int64_t before = clock_mono_ms();
        mq_consumer_pump(c, PUMP_MS);
        took(before);
        if (mq_consumer_epoch(c) != epoch)
            say("epoch %llu", (unsigned long long)mq_consumer_epoch(c));
        epoch = mq_consumer_epoch(c);
        for (struct mq_delivery d; mq_consumer_next(c, &d); mq_delivery_deinit(&d)) {
            d.body[strcspn(d.body, " ")] = '\0';
            say("delivery %llu %llu %d %zu %s", (unsigned long long)d.epoch, (unsigned long long)d.tag,
                d.redelivered, d.len, d.body);
            if (ack)
                mq_consumer_ack(c, d.epoch, d.tag, false);
        }
    }
    say("longest_ms %lld", (long long)longest_ms);
    mq_consumer_free(c);
    return 0;
}

static int dead(const struct mq_options *opts)
{
    struct mq_publisher *p = mq_publisher_new(opts, NULL);
    const struct mq_message m = {
        .queue = MQ_QUEUE_DEAD, .body = "x", .len = 1, .dead_from = "sms.update.0", .dead_why = "unreadable"};
    int r = mq_publish(p, &m);

    if (r == 0)
        r = mq_publisher_flush(p, 20000);
    mq_publisher_free(p);
    return r == 0 ? 0 : 1;
}

static int look(const struct mq_options *opts, const char *const *queues, size_t count)
{
    int64_t ready[64];
    auto_free char *why = NULL;

    if (mq_depths(opts, queues, MIN_OF(count, COUNT_OF(ready)), ready, &why) < 0) {
        say("failed %s", why);
        return 1;
    }
    for (size_t i = 0; i < count; i++)
        say("depth %s %lld", queues[i], (long long)ready[i]);
    return 0;
}

static int declare(const struct mq_options *opts, const char *const *queues, size_t count)
{
    auto_free char *why = NULL;

    if (mq_declare(opts, queues, count, &why) < 0) {
        say("failed %s", why);
        return 1;
    }
    say("declared");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 8)
        return 2;
    stop_init();
    log_init("mq_probe", LOG_LOGFMT, LOG_LEVEL_DEBUG);
    const bool tls = strcmp(argv[6], "-") != 0;
    const struct mq_options opts = {
        .host = argv[1],
        .port = atoi(argv[2]),
        .vhost = argv[3],
        .user = argv[4],
        .password = argv[5],
        .name = "probe",
        .heartbeat_s = 4,
        .tls = tls,
        .ca_file = tls ? argv[6] : NULL,
    };
    const char *what = argv[7];
    char **args = argv + 8;
    const int count = argc - 8;

    if (strcmp(what, "publish") == 0 && count >= 3)
        return publish(&opts, args, count);
    if (strcmp(what, "consume") == 0 && count >= 2)
        return consume(&opts, args, count);
    if (strcmp(what, "declare") == 0)
        return declare(&opts, (const char *const *)args, (size_t)count);
    if (strcmp(what, "depths") == 0)
        return look(&opts, (const char *const *)args, (size_t)count);
    if (strcmp(what, "dead") == 0)
        return dead(&opts);
    return 2;
}

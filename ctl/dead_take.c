/* sms.dead -> table `dead`. A body is acked once it is committed; killed in between it comes again and is
 * known by its digest and the time of its death, so nothing is lost, doubled or reordered by looking. */
#include "ctl/ctl.h"
#include "dead_clean.sql.h"
#include "dead_enter.sql.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include <openssl/evp.h>

#define PREFETCH     100
#define PUMP_MS      500
#define NO_MORE_MS   5000 /* nothing comes though some were counted: another takes them too */
#define WHY_MAX      500
#define DIGEST_BYTES 32

/* Headers of a foreign publisher may hold anything; a text column does not. */
static char *as_text(const char *s)
{
    char *copy = s != NULL ? xstrndup(s, WHY_MAX) : xstrdup("");
    if (utf8_is_text(copy, strlen(copy)))
        return copy;
    for (char *at = copy; *at != '\0'; at++)
        if (*at < 0x20 || *at > 0x7e)
            *at = '?';
    return copy;
}

static int enter(struct ctl *c, const struct mq_delivery *d)
{
    auto_params p = db_params_new();
    auto_free char *from = as_text(d->dead_from), *why = as_text(d->dead_why);
    unsigned char digest[EVP_MAX_MD_SIZE];
    int64_t died_ms = 0;
    if (EVP_Digest(d->body, d->len, digest, NULL, EVP_sha256(), NULL) != 1)
        return ctl_fail(EXIT_REFUSED, "no SHA-256 in this machine's OpenSSL");
    if (d->dead_at == NULL || !clock_parse_iso(d->dead_at, &died_ms))
        died_ms = 0;
    db_add_text(p, from);
    db_add_text(p, why);
    db_add_bytes(p, d->body, d->len);
    db_add_bytes(p, digest, DIGEST_BYTES);
    db_add_bool(p, utf8_is_text(d->body, d->len));
    db_add_time(p, died_ms);
    return ctl_sql(c, &sql_dead_enter, p, NULL);
}

/* What has been delivered so far, in one transaction; then the ack. Gives how many in *ret_count. */
static int take_delivered(struct ctl *c, struct mq_consumer *q, int64_t *ret_count)
{
    struct mq_delivery d;
    uint64_t epoch = 0, tag = 0;
    int64_t count = 0;
    int code = 0;
    while (code == 0 && mq_consumer_next(q, &d)) {
        if (count++ == 0)
            code = ctl_begin(c);
        epoch = d.epoch;
        tag = d.tag;
        if (code == 0)
            code = enter(c, &d);
        mq_delivery_deinit(&d);
    }
    if (code != 0 || count == 0)
        return code;
    FAULT("ctl.dead_entered");
    code = ctl_commit(c);
    if (code != 0)
        return code;
    FAULT("ctl.dead_committed");
    mq_consumer_ack(q, epoch, tag, true);
    *ret_count += count;
    return 0;
}

static int take_all(struct ctl *c, const struct mq_options *o, int64_t waiting)
{
    struct mq_consumer *q = mq_consumer_new(o, MQ_QUEUE_DEAD, PREFETCH);
    int64_t taken = 0, progress_ms = clock_mono_ms();
    int code = 0;
    while (code == 0 && taken < waiting && clock_mono_ms() - progress_ms < NO_MORE_MS) {
        int64_t before = taken;
        mq_consumer_pump(q, PUMP_MS);
        code = take_delivered(c, q, &taken);
        if (taken > before)
            progress_ms = clock_mono_ms();
    }
    if (code == 0 && taken == 0 && mq_consumer_epoch(q) == 0)
        code = ctl_fail(EXIT_UNREACHABLE,
                        "broker %s:%d: queue " MQ_QUEUE_DEAD
                        " cannot be read; what was taken before is still there",
                        o->host, o->port);
    mq_consumer_free(q);
    return code;
}

/* Rows that a person has settled are kept as long as published bodies are. */
static int clean(struct ctl *c)
{
    auto_params p = db_params_new();
    db_add_big(p, c->conf->main.extract.outbox_keep_ms);
    return ctl_sql(c, &sql_dead_clean, p, NULL);
}

int dead_take(struct ctl *c)
{
    const struct conf_service *s = &c->conf->main.operator_.service;
    struct mq_options o = ctl_mq_options(c, s->broker_user, s->broker_password);
    const char *const queues[] = {MQ_QUEUE_DEAD};
    auto_free char *why = NULL;
    int64_t waiting = 0;
    int r = mq_depths(&o, queues, 1, &waiting, &why);
    if (r < 0)
        return ctl_fail(EXIT_UNREACHABLE, "broker %s:%d: %s", o.host, o.port,
                        why != NULL ? why : strerror(-r));
    if (waiting < 0)
        return ctl_fail(EXIT_REFUSED,
                        "broker: there is no queue " MQ_QUEUE_DEAD "; has smschain migrate run?");
    int code = waiting > 0 ? take_all(c, &o, waiting) : 0;
    return code == 0 ? clean(c) : code;
}

/* smschain requeue: messages that are open, have no open claim, and whose body stands in no queue any more
 * (the broker has lost its data, a queue was deleted) leave once more from the bodies that the outbox keeps.
 * It sends nothing twice: each copy has to pass the claim. */
#include "ctl/ctl.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/record.h"
#include "requeue_add.sql.h"
#include "requeue_bodies.sql.h"
#include "requeue_body.sql.h"
#include "requeue_open.sql.h"
#include "requeue_runs.sql.h"
#include <stdio.h>

struct choice {
    int64_t run_id, sms_id, older_than_ms; /* 0: any */
    bool dry_run, json;
};

enum fate { NOT_FOUND, WAITS, REQUEUED };
struct open_run { /* the open messages of one run, by sms_id */
    int64_t run_id;
    size_t count;
    int64_t *sms_ids, *valid_until_ms;
    uint8_t *fates;
};
struct tally {
    int64_t open, requeued, expired, waits, nowhere;
};

static void open_run_deinit(struct open_run *o)
{
    free(o->sms_ids);
    free(o->valid_until_ms);
    free(o->fates);
}

static int read_open(struct ctl *c, const struct choice *w, int64_t run_id, struct open_run *ret)
{
    auto_params p = db_params_new();
    auto_result r = NULL;
    db_add_big(p, run_id);
    db_add_big(p, w->sms_id);
    db_add_big(p, w->older_than_ms);
    int code = ctl_sql(c, &sql_requeue_open, p, &r);
    if (code != 0)
        return code;
    *ret = (struct open_run){.run_id = run_id, .count = (size_t)db_rows(r)};
    ret->sms_ids = xcalloc(ret->count + 1, sizeof(*ret->sms_ids));
    ret->valid_until_ms = xcalloc(ret->count + 1, sizeof(*ret->valid_until_ms));
    ret->fates = xcalloc(ret->count + 1, 1);
    for (size_t i = 0; i < ret->count; i++) {
        ret->sms_ids[i] = db_big(r, (int)i, 0);
        ret->valid_until_ms[i] = db_time_ms(r, (int)i, 1);
    }
    return 0;
}

static int by_sms_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Is this record's message open, and not found before? Then it has its fate now. */
static bool take(struct open_run *o, int64_t sms_id, enum fate fate)
{
    const int64_t *at = bsearch(&sms_id, o->sms_ids, o->count, sizeof(*o->sms_ids), by_sms_id);
    if (at == NULL || o->fates[at - o->sms_ids] != NOT_FOUND)
        return false;
    o->fates[at - o->sms_ids] = (uint8_t)fate;
    return true;
}

/* The records of a body that are wanted, as a chunk of their own. */
static size_t pick(struct open_run *o, const char *body, enum fate fate, struct buf *out)
{
    auto_chunk chunk = NULL;
    auto_free char *why = NULL;
    size_t picked = 0;
    if (chunk_decode(body, strlen(body), &chunk, &why) != 0 || chunk->kind == RECORD_STEPS)
        return 0; /* a dead letter that was given back: no body of a message */
    for (size_t i = 0; i < chunk->count; i++) {
        int64_t sms_id = chunk->kind == RECORD_ROWS ? chunk->rows[i].sms_id : chunk->texts[i].sms_id;
        if ((chunk->kind != RECORD_ROWS && chunk->kind != RECORD_TEXTS) || !take(o, sms_id, fate))
            continue;
        if (picked++ == 0)
            chunk_begin(out, chunk->kind);
        if (chunk->kind == RECORD_ROWS)
            chunk_add_row(out, &chunk->rows[i]);
        else
            chunk_add_text(out, &chunk->texts[i]);
    }
    if (picked > 0)
        chunk_end(out);
    return picked;
}

static int take_body(struct ctl *c, const struct choice *w, struct open_run *o, int64_t outbox_id)
{
    auto_params p = db_params_new();
    auto_params q = db_params_new();
    auto_result r = NULL;
    auto_buf body = {0};
    db_add_big(p, outbox_id);
    int code = ctl_sql(c, &sql_requeue_body, p, &r);
    if (code != 0 || db_rows(r) == 0)
        return code; /* cleaned since */
    bool waits = db_is_null(r, 0, 2);
    if (pick(o, db_text(r, 0, 1), waits ? WAITS : REQUEUED, &body) == 0 || waits || w->dry_run)
        return 0;
    db_add_text(q, db_text(r, 0, 0));
    db_add_text(q, body.data);
    db_add_big(q, o->run_id);
    return ctl_sql(c, &sql_requeue_add, q, NULL);
}

/* What waits in the outbox first, then the newest body of each. */
static int take_bodies(struct ctl *c, const struct choice *w, struct open_run *o)
{
    auto_params p = db_params_new();
    auto_result ids = NULL;
    db_add_big(p, o->run_id);
    int code = ctl_sql(c, &sql_requeue_bodies, p, &ids);
    for (int i = 0; code == 0 && i < db_rows(ids); i++)
        code = take_body(c, w, o, db_big(ids, i, 0));
    return code;
}

static void count(const struct open_run *o, struct tally *t)
{
    int64_t now = clock_wall_ms();
    *t = (struct tally){.open = (int64_t)o->count};
    for (size_t i = 0; i < o->count; i++) {
        t->requeued += o->fates[i] == REQUEUED;
        t->expired += o->fates[i] == REQUEUED && o->valid_until_ms[i] < now;
        t->waits += o->fates[i] == WAITS;
        t->nowhere += o->fates[i] == NOT_FOUND;
    }
}

static void print_tally(const char *run, const char *rule, const struct tally *t, const struct choice *w)
{
    auto_buf b = {0};
    if (!w->json) {
        printf("%6s %-32.32s %9lld %9lld %9lld %9lld %9lld\n", run, rule, (long long)t->open,
               (long long)t->requeued, (long long)t->expired, (long long)t->waits, (long long)t->nowhere);
        return;
    }
    buf_add_char(&b, '{');
    show_json_text(&b, "run", run);
    show_json_text(&b, "rule", rule);
    show_json_big(&b, "open", t->open);
    show_json_big(&b, "requeued", t->requeued);
    show_json_big(&b, "expired", t->expired);
    show_json_big(&b, "in_outbox", t->waits);
    show_json_big(&b, "no_body", t->nowhere);
    printf("%s,\"dry_run\":%s}\n", b.data, w->dry_run ? "true" : "false");
}

/* One run, one transaction. */
static int requeue_run(struct ctl *c, const struct choice *w, const struct db_result *runs, int i,
                       struct tally *sum)
{
    cleanup_with(open_run_deinit) struct open_run o = {0};
    struct tally t = {0};
    int code = ctl_begin(c);
    if (code == 0)
        code = read_open(c, w, db_big(runs, i, 0), &o);
    if (code == 0 && o.count > 0)
        code = take_bodies(c, w, &o);
    FAULT("ctl.requeue_entered");
    if (code == 0)
        code = ctl_commit(c);
    if (code != 0)
        return code;
    FAULT("ctl.requeue_committed");
    if (o.count == 0)
        return 0;
    count(&o, &t);
    print_tally(db_text(runs, i, 0), db_text(runs, i, 1), &t, w);
    sum->open += t.open;
    sum->requeued += t.requeued;
    sum->waits += t.waits;
    sum->nowhere += t.nowhere;
    return 0;
}

/* A body that stands in a queue is no lost one, and nobody can look into a queue: said, not hidden. */
static void say_queues(const struct ctl *c)
{
    static const char *const lanes[] = {"instant", "bulk"};
    const struct conf_service *s = &c->conf->main.operator_.service;
    struct mq_options o = ctl_mq_options(c, s->broker_user, s->broker_password);
    size_t count = 2 * (c->conf->gateway_count + 1), n = 0;
    auto_free char(*names)[MQ_QUEUE_SIZE] = xcalloc(count, MQ_QUEUE_SIZE);
    auto_free const char **list = xcalloc(count, sizeof(*list));
    auto_free int64_t *ready = xcalloc(count, sizeof(*ready));
    auto_free char *why = NULL;
    int64_t chunks = 0;
    for (size_t l = 0; l < COUNT_OF(lanes); l++) {
        list[n] = mq_queue_render(lanes[l], names[n]);
        n++;
        for (size_t g = 0; g < c->conf->gateway_count; g++, n++)
            list[n] = mq_queue_dispatch(c->conf->gateways[g].name, lanes[l], names[n]);
    }
    if (mq_depths(&o, list, count, ready, &why) < 0) {
        fprintf(stderr, "smschain: the broker cannot be asked how full its queues are: %s\n",
                why != NULL ? why : "");
        return;
    }
    for (size_t i = 0; i < count; i++)
        chunks += MAX_OF(ready[i], 0);
    if (chunks > 0)
        fprintf(stderr,
                "smschain: %lld chunks stand in the queues: their messages are open, too, and not lost. "
                "Copies of them\n"
                "end at the claim; --older-than leaves young messages out.\n",
                (long long)chunks);
}

static int requeue(struct ctl *c, const struct choice *w)
{
    auto_params p = db_params_new();
    auto_result runs = NULL;
    struct tally sum = {0};
    db_add_big(p, w->run_id);
    db_add_big(p, w->sms_id);
    int code = ctl_sql(c, &sql_requeue_runs, p, &runs);
    if (code != 0)
        return code;
    if (db_rows(runs) == 0 && (w->run_id != 0 || w->sms_id != 0))
        return ctl_fail(EXIT_REFUSED, "no such %s, or nothing of it is open",
                        w->sms_id != 0 ? "message" : "run");
    if (db_rows(runs) > 0)
        say_queues(c);
    if (!w->json)
        printf("%6s %-32s %9s %9s %9s %9s %9s\n", "run", "rule", "open", w->dry_run ? "would go" : "requeued",
               "expired", "in outbox", "no body");
    for (int i = 0; code == 0 && i < db_rows(runs); i++)
        code = requeue_run(c, w, runs, i, &sum);
    if (code != 0)
        return code;
    if (sum.nowhere > 0)
        fprintf(stderr,
                "smschain: %lld have no body in the outbox any more (extract.outbox_keep) and can be sent by "
                "nobody\n",
                (long long)sum.nowhere);
    return sum.nowhere > 0 ? EXIT_ATTENTION : EXIT_DONE;
}

int cmd_requeue(struct ctl *c)
{
    struct choice w = {.dry_run = ctl_take_flag(c, "--dry-run"), .json = ctl_take_flag(c, "--json")};
    const char *run = NULL, *message = NULL, *older = NULL;
    if (!ctl_take_value(c, "--run", &run) || !ctl_take_value(c, "--message", &message) ||
        !ctl_take_value(c, "--older-than", &older) || !ctl_no_options_left(c) || c->argc != 1 ||
        (run == NULL && message == NULL && older == NULL) || (run != NULL && message != NULL))
        return ctl_usage("requeue");
    if ((run != NULL && !ctl_parse_big(run, &w.run_id)) ||
        (message != NULL && !ctl_parse_big(message, &w.sms_id)))
        return ctl_fail(EXIT_USAGE, "'%s' is no number", run != NULL ? run : message);
    if (older != NULL && !ctl_parse_duration(older, &w.older_than_ms))
        return ctl_fail(EXIT_USAGE, "--older-than wants a time like 90s, 15m, 2h or 3d");
    int code = ctl_db(c);
    return code == 0 ? requeue(c, &w) : code;
}

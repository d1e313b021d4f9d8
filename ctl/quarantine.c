/* smschain quarantine: what gateways have posted and nobody could read. After its format is mended a body is
 * read again by the reader of the intake itself, and what is understood is told as if it had just come, with
 * its own time of receipt: into the outbox and out of quarantine in one transaction. */
#include "lib/drain.h"
#include "callback/inbound.h"
#include "callback/report.h"
#include "ctl/ctl.h"
#include "lib/fault.h"
#include "lib/record.h"
#include "quarantine_again.sql.h"
#include "quarantine_drop.sql.h"
#include "quarantine_ids.sql.h"
#include "quarantine_list.sql.h"
#include "quarantine_lock.sql.h"
#include "quarantine_show.sql.h"
#include "quarantine_tell.sql.h"
#include <stdio.h>

enum column { ID, GATEWAY, RECEIVED, BYTES, REASON, ERROR, BODY };

struct words {
    const char *gateway, *reason;
    bool all, json, whole, yes;
    int64_t *ids;
    size_t count;
};

static void json_row(const struct db_result *r, int i, struct buf *b)
{
    buf_add_char(b, '{');
    show_json_big(b, "id", db_big(r, i, ID));
    show_json_text(b, "gateway", db_text(r, i, GATEWAY));
    show_json_time(b, "received_at", db_time_ms(r, i, RECEIVED));
    show_json_big(b, "bytes", db_big(r, i, BYTES));
    show_json_text(b, "reason", db_text(r, i, REASON));
    show_json_text(b, "error", db_text(r, i, ERROR));
}

static void print_row(const struct db_result *r, int i)
{
    char at[SHOW_TIME_SIZE];
    printf("%6s %-19s ", db_text(r, i, ID), show_time(db_time_ms(r, i, RECEIVED), at));
    int used = 27 + show_cut(db_text(r, i, GATEWAY), 16);
    putchar(' ');
    used += 2 + show_cut(db_text(r, i, REASON), 18);
    putchar(' ');
    show_cut(db_text(r, i, ERROR), SHOW_COLUMNS - used - 1);
    putchar('\n');
}

static int list(struct ctl *c, const struct words *w)
{
    int64_t after = 0;
    int shown = 0;
    for (bool more = true; more;) {
        auto_params p = db_params_new();
        auto_result r = NULL;
        db_add_big(p, after);
        db_add_text(p, w->gateway);
        int code = ctl_sql(c, &sql_quarantine_list, p, &r);
        if (code != 0)
            return code;
        for (int i = 0; i < db_rows(r); i++) {
            auto_buf b = {0};
            if (shown++ == 0 && !w->json)
                printf("%6s %-19s %s\n", "id", "received (UTC)", "gateway, reason, error");
            if (w->json) {
                json_row(r, i, &b);
                printf("%s}\n", b.data);
            } else {
                print_row(r, i);
            }
            after = db_big(r, i, ID);
        }
        more = db_rows(r) > 0;
    }
    if (shown == 0 && !w->json)
        printf("nothing is in quarantine%s%s\n", *w->gateway != '\0' ? " of gateway " : "", w->gateway);
    return shown > 0 ? EXIT_ATTENTION : EXIT_DONE;
}

static int show(struct ctl *c, const struct words *w)
{
    auto_params p = db_params_new();
    auto_result r = NULL;
    auto_buf shown = {0};
    char at[SHOW_TIME_SIZE];
    db_add_big(p, w->ids[0]);
    int code = ctl_sql(c, &sql_quarantine_show, p, &r);
    if (code != 0)
        return code;
    if (db_rows(r) == 0)
        return ctl_fail(EXIT_REFUSED, "nothing in quarantine has the id %lld", (long long)w->ids[0]);
    const char *body = db_text(r, 0, BODY);
    if (w->whole)
        buf_add_str(&shown, body);
    else
        show_masked(body, strlen(body), &shown);
    if (w->json) {
        auto_buf b = {0};
        json_row(r, 0, &b);
        show_json_text(&b, "body", shown.data != NULL ? shown.data : "");
        printf("%s}\n", b.data);
        return EXIT_DONE;
    }
    printf("id       %s\ngateway  %s\nreceived %s (UTC)\nreason   %s\nerror    ", db_text(r, 0, ID),
           db_text(r, 0, GATEWAY), show_time(db_time_ms(r, 0, RECEIVED), at), db_text(r, 0, REASON));
    show_cut(db_text(r, 0, ERROR), 1000);
    printf("\nbytes    %s\nbody%s\n%s\n", db_text(r, 0, BYTES),
           w->whole ? "" : " (numbers and codes masked; --whole shows all of it)",
           shown.data != NULL ? shown.data : "");
    return EXIT_DONE;
}

/* ---- reading again ---- */

/* Is what `a` found more than what `b` did? */
static bool more_than(const struct parsed *a, const struct parsed *b)
{
    return a->understood != b->understood ? a->understood > b->understood : a->refused > b->refused;
}

struct section { /* of a gateway's file, that a body was posted to */
    const char *name;
    const struct conf_format *format;
    int (*parse)(const struct format *f, const struct posted *request, struct parsed *ret);
};

/* Which section it was is not kept beside the body, but its reason tells. A body is never read by the other
 * one: a report that is not understood might pass for a message from a phone. */
static struct section section_of(const struct conf_gateway *g, const char *reason, const char *error)
{
    static const char *const inbound_reasons[] = {"no_number", "no_text", "text_too_long", "field_too_long"};
    bool inbound = strstr(error, "inbound:") != NULL || strstr(error, "inbound.time_format") != NULL;
    for (size_t i = 0; i < COUNT_OF(inbound_reasons); i++)
        inbound |= strcmp(reason, inbound_reasons[i]) == 0;
    return inbound ? (struct section){"inbound", &g->inbound.posts.format, inbound_parse}
                   : (struct section){"report", &g->report.posts.format, report_parse};
}

static int read_as(const struct conf_gateway *g, const struct section *s, const struct posted *posted,
                   struct parsed *best)
{
    char *why = NULL;
    struct parsed now = {0};
    struct format *f = format_new(g, s->format, s->name, &why);
    if (f == NULL) {
        int code = ctl_fail(EXIT_CONF, "%s", why);
        free(why);
        return code;
    }
    int r = s->parse(f, posted, &now); /* unreadable: its step 190 holds the reason */
    format_free(f);
    if (r < 0) {
        buf_deinit(&now.records);
        return ctl_fail(EXIT_REFUSED, "gateway %s: %s", g->name, strerror(-r));
    }
    if (best->records.len == 0 || more_than(&now, best)) {
        buf_deinit(&best->records);
        *best = now;
    } else {
        buf_deinit(&now.records);
    }
    return 0;
}

/* What is kept is a request's body, or its query, or one record out of it: which of them is not known, so it
 * is read in each way until it is understood. */
static int read_again(const struct conf_gateway *g, const struct section *whole, const char *body, int64_t at,
                      struct parsed *ret)
{
    static char none[] = "";
    size_t len = strlen(body);
    struct conf_format format = *whole->format; /* of a single record, outside the list it came in */
    struct section one = {whole->name, &format, whole->parse};
    format.records = format.parameter = none;
    int code =
        read_as(g, whole, &(struct posted){.body = body, .body_len = len, .form = true, .at = at}, ret);
    if (code == 0 && ret->understood == 0)
        code = read_as(g, whole, &(struct posted){.query = body, .query_len = len, .at = at}, ret);
    if (code == 0 && ret->understood == 0)
        code = read_as(g, &one, &(struct posted){.body = body, .body_len = len, .at = at}, ret);
    return code;
}

static int tell_chunk(struct ctl *c, const char *gateway, struct buf *chunk)
{
    auto_params p = db_params_new();
    char queue[MQ_QUEUE_SIZE];
    chunk_end(chunk);
    db_add_text(
        p, mq_queue_update(mq_update_shard(gateway, (unsigned)c->conf->main.broker.update_shards), queue));
    db_add_text(p, chunk->data);
    return ctl_sql(c, &sql_quarantine_tell, p, NULL);
}

/* All that was found goes the way of every post, single records that are still refused too: they come back
 * here. A line is a step, or a record of another kind behind that kind's name, and chunks hold one kind each.
 */
static int tell_kind(struct ctl *c, const char *gateway, const struct parsed *found, enum record_kind kind)
{
    auto_buf chunk = {0};
    size_t records = 0;
    int code = 0;
    for (const char *at = found->records.data, *end; code == 0 && (end = strchr(at, '\n')) != NULL;
         at = end + 1) {
        const char *record = memchr(at, '{', (size_t)(end - at));
        if (record == NULL || (record == at) != (kind == RECORD_STEPS))
            continue;
        if (records++ == 0)
            chunk_begin(&chunk, kind);
        chunk_add_raw(&chunk, record, (size_t)(end - record));
        if (records == DRAIN_CHUNK_RECORDS) {
            code = tell_chunk(c, gateway, &chunk);
            buf_clear(&chunk);
            records = 0;
        }
    }
    return code == 0 && records > 0 ? tell_chunk(c, gateway, &chunk) : code;
}

static int tell(struct ctl *c, const char *gateway, const struct parsed *found)
{
    int code = tell_kind(c, gateway, found, RECORD_STEPS);
    return code == 0 ? tell_kind(c, gateway, found, RECORD_INBOUND) : code;
}

/* Without another reason: there is nothing to read it by. */
static int stays_as_it_is(int64_t id, const char *why)
{
    fprintf(stderr, "smschain: %lld stays: %s\n", (long long)id, why);
    return 0;
}

static int stays(struct ctl *c, int64_t id, const char *reason, const char *error)
{
    auto_params p = db_params_new();
    db_add_big(p, id);
    db_add_text(p, reason);
    db_add_text(p, error);
    fprintf(stderr, "smschain: %lld stays: %s: %s\n", (long long)id, reason, error);
    return ctl_sql(c, &sql_quarantine_again, p, NULL);
}

/* The reason is in the step 190 that the reader has made of it. */
static int stays_as_told(struct ctl *c, int64_t id, const struct parsed *found)
{
    auto_buf body = {0};
    auto_chunk chunk = NULL;
    auto_free char *why = NULL;
    chunk_begin(&body, RECORD_STEPS);
    chunk_add_raw(&body, found->records.data, strcspn(found->records.data, "\n"));
    chunk_end(&body);
    if (chunk_decode(body.data, body.len, &chunk, &why) != 0 || chunk->count != 1)
        return stays(c, id, "unreadable", why != NULL ? why : "no reason is known");
    return stays(c, id, chunk->steps[0].reason, chunk->steps[0].error);
}

static int drop_row(struct ctl *c, int64_t id)
{
    auto_params p = db_params_new();
    db_add_big(p, id);
    return ctl_sql(c, &sql_quarantine_drop, p, NULL);
}

static int replay_locked(struct ctl *c, int64_t id, const struct db_result *row, bool *ret_told)
{
    const char *name = db_text(row, 0, GATEWAY);
    const struct conf_gateway *g = conf_gateway(c->conf, name);
    if (strcmp(db_text(row, 0, REASON), "wrong_gateway") == 0)
        return stays_as_it_is(id, "it names a message of another gateway, which this one may not report on");
    if (g == NULL) {
        auto_free char *why = xasprintf("there is no gateway %s in %s/gateways", name, c->conf_dir);
        return stays_as_it_is(id, why);
    }
    struct section section = section_of(g, db_text(row, 0, REASON), db_text(row, 0, ERROR));
    struct parsed found = {0};
    int code = read_again(g, &section, db_text(row, 0, BODY), db_time_ms(row, 0, RECEIVED), &found);
    *ret_told = code == 0 && found.understood > 0;
    if (*ret_told) {
        code = tell(c, name, &found);
        if (code == 0)
            code = drop_row(c, id);
    } else if (code == 0) {
        code = stays_as_told(c, id, &found);
    }
    buf_deinit(&found.records);
    return code;
}

/* *ret_there: it was still in quarantine. */
static int replay_one(struct ctl *c, int64_t id, bool *ret_there, bool *ret_told)
{
    auto_params p = db_params_new();
    auto_result row = NULL;
    int code = ctl_begin(c);
    db_add_big(p, id);
    if (code == 0)
        code = ctl_sql(c, &sql_quarantine_lock, p, &row);
    *ret_there = code == 0 && db_rows(row) > 0;
    *ret_told = false;
    if (*ret_there)
        code = replay_locked(c, id, row, ret_told);
    FAULT("ctl.quarantine_told");
    if (code == 0)
        code = ctl_commit(c);
    if (code == 0)
        FAULT("ctl.quarantine_replayed");
    else
        db_rollback(c->db);
    return code;
}

struct tally {
    int64_t told, stay;
};

static int replay_ids(struct ctl *c, const int64_t *ids, size_t count, bool must_be_there, struct tally *t)
{
    for (size_t i = 0; i < count; i++) {
        bool there, told;
        int code = replay_one(c, ids[i], &there, &told);
        if (code != 0)
            return code;
        if (!there && must_be_there)
            return ctl_fail(EXIT_REFUSED, "nothing in quarantine has the id %lld", (long long)ids[i]);
        t->told += told;
        t->stay += there && !told;
    }
    return 0;
}

/* The ids after `after`, a page of them, one query each, so that no long transaction stands open. */
static int next_ids(struct ctl *c, const struct words *w, int64_t after, int64_t **ret, size_t *ret_count)
{
    auto_params p = db_params_new();
    auto_result r = NULL;
    db_add_big(p, after);
    db_add_text(p, w->gateway);
    int code = ctl_sql(c, &sql_quarantine_ids, p, &r);
    if (code != 0)
        return code;
    *ret_count = (size_t)db_rows(r);
    *ret = xcalloc(*ret_count + 1, sizeof(**ret));
    for (size_t i = 0; i < *ret_count; i++)
        (*ret)[i] = db_big(r, (int)i, 0);
    return 0;
}

static int replay(struct ctl *c, const struct words *w)
{
    struct tally t = {0};
    int64_t after = 0;
    int code = w->all ? 0 : replay_ids(c, w->ids, w->count, true, &t);
    for (bool more = w->all; code == 0 && more;) {
        auto_free int64_t *ids = NULL;
        size_t count = 0;
        code = next_ids(c, w, after, &ids, &count);
        if (code == 0)
            code = replay_ids(c, ids, count, false, &t);
        more = count > 0;
        after = more ? ids[count - 1] : after;
    }
    if (code != 0)
        return code;
    printf("told: %lld, in quarantine still: %lld; what was told shows after the next flush\n",
           (long long)t.told, (long long)t.stay);
    return t.stay > 0 ? EXIT_ATTENTION : EXIT_DONE;
}

static int drop(struct ctl *c, const struct words *w)
{
    for (size_t i = 0; i < w->count; i++) {
        auto_params p = db_params_new();
        auto_result done = NULL;
        db_add_big(p, w->ids[i]);
        int code = ctl_sql(c, &sql_quarantine_drop, p, &done);
        if (code == 0 && db_rows(done) == 0)
            code = ctl_fail(EXIT_REFUSED, "nothing in quarantine has the id %lld", (long long)w->ids[i]);
        if (code != 0)
            return code;
        printf("dropped: %lld\n", (long long)w->ids[i]);
    }
    return EXIT_DONE;
}

/* ---- words ---- */

static bool read_words(struct ctl *c, struct words *w)
{
    w->all = ctl_take_flag(c, "--all");
    w->json = ctl_take_flag(c, "--json");
    w->whole = ctl_take_flag(c, "--whole");
    if (!ctl_take_value(c, "--gateway", &w->gateway) || !ctl_no_options_left(c) || c->argc < 2)
        return false;
    if (w->gateway == NULL)
        w->gateway = "";
    return ctl_parse_ids(c, 2, &w->ids, &w->count);
}

static int run_words(struct ctl *c, const struct words *w)
{
    static const struct {
        const char *name;
        int (*run)(struct ctl *c, const struct words *w);
        size_t ids_min, ids_max;
    } verbs[] = {{"list", list, 0, 0},
                 {"show", show, 1, 1},
                 {"replay", replay, 0, SIZE_MAX},
                 {"drop", drop, 1, SIZE_MAX}};
    const char *verb = c->argv[1];
    size_t i = 0;
    while (i < COUNT_OF(verbs) && strcmp(verbs[i].name, verb) != 0)
        i++;
    if (i == COUNT_OF(verbs) || w->count < verbs[i].ids_min || w->count > verbs[i].ids_max ||
        (verbs[i].run == replay ? w->all == (w->count > 0) : w->all))
        return ctl_usage("quarantine");
    int code = ctl_db(c);
    return code == 0 ? verbs[i].run(c, w) : code;
}

int cmd_quarantine(struct ctl *c)
{
    struct words w = {0};
    int code = read_words(c, &w) ? run_words(c, &w) : ctl_usage("quarantine");
    free(w.ids);
    return code;
}

/* The transaction, statement by statement. */
#include "callback/inbound_apply.h"
#include "callback/inbound_parts.h"
#include "inbound_enter.sql.h"
#include "inbound_lock.sql.h"
#include "inbound_outbox.sql.h"
#include "inbound_reply.sql.h"
#include "inbound_run.sql.h"
#include "inbound_suppress.sql.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/mq.h"
#include "lib/number.h"

#include <assert.h>
#include <stdio.h>

#define CHUNK_RECORDS 200
#define RECORD_HEAD   "{\"sms_id\":0" /* how a row record begins; its sms_id comes from enter_message */

struct applying {
    struct db *d;
    struct words *words;
    const struct conf *conf;
    const struct inbound *told; /* what came, parts among it */
    size_t told_count;
    struct inbound *in; /* whole messages, in our own memory */
    size_t count;
    struct inbound_figures now;
};

/* ---- the rows ---- */

static bool forwards(const struct applying *a, const struct inbound *in)
{
    const struct conf_gateway *g = conf_gateway(a->conf, in->gateway->text);
    return *a->conf->main.inbound.forward.url || (g && *g->inbound.forward_url);
}

static void take_ids(struct applying *a, const struct db_result *rows)
{
    for (size_t i = 0; i < a->count; i++)
        a->in[i].id = 0;
    for (int row = 0; row < db_rows(rows); row++)
        a->in[db_big(rows, row, 0) - 1].id = db_big(rows, row, 1);
    a->now.entered = db_rows(rows);
}

static int enter(struct applying *a)
{
    size_t n = a->count;
    auto_params p = db_params_new();
    auto_result rows = NULL;
    auto_free int32_t *gateways = xcalloc(n, sizeof(*gateways)), *forward = xcalloc(n, sizeof(*forward));
    auto_free int32_t *parts = xcalloc(n, sizeof(*parts)), *missing = xcalloc(n, sizeof(*missing));
    auto_free int64_t *numbers = xcalloc(n, sizeof(*numbers)), *times = xcalloc(3 * n, sizeof(*times));
    auto_free const char **texts = xcalloc(6 * n, sizeof(char *));
    auto_free uint8_t(*digests)[INBOUND_DIGEST] = xcalloc(n, INBOUND_DIGEST);
    for (size_t i = 0; i < n; i++) {
        const struct inbound *in = &a->in[i];
        const char *columns[] = {in->from,    in->to, in->text, in->msg_id, keyword_word(in->keyword),
                                 in->language};
        gateways[i] = in->gateway->id;
        numbers[i] = in->number;
        forward[i] = forwards(a, in);
        parts[i] = in->parts;
        missing[i] = in->missing;
        times[i] = in->gateway_at;
        times[n + i] = in->at;
        times[2 * n + i] = in->said_at;
        for (size_t k = 0; k < COUNT_OF(columns); k++)
            texts[k * n + i] = columns[k];
        memcpy(digests[i], in->digest, INBOUND_DIGEST);
    }
    db_add_int_array(p, gateways, n);
    db_add_big_array(p, numbers, n);
    for (size_t k = 0; k < 4; k++)
        db_add_text_array(p, texts + k * n, n);
    for (size_t k = 0; k < 3; k++)
        db_add_time_array(p, times + k * n, n);
    db_add_uuid_array(p, (const uint8_t(*)[16])digests, n);
    db_add_text_array(p, texts + 4 * n, n);
    db_add_text_array(p, texts + 5 * n, n);
    db_add_int_array(p, forward, n);
    db_add_int_array(p, parts, n);
    db_add_int_array(p, missing, n);
    int r = db_run(a->d, &sql_inbound_enter, p, &rows);
    if (r == 0)
        take_ids(a, rows);
    return r;
}

/* ---- for the company's own systems ---- */

static int put_outbox(struct applying *a, struct buf *body)
{
    auto_params p = db_params_new();
    chunk_end(body);
    db_add_text(p, MQ_QUEUE_INBOUND);
    db_add_text(p, body->data);
    int r = db_run(a->d, &sql_inbound_outbox, p, NULL);
    buf_clear(body);
    return r;
}

static int publish_new(struct applying *a)
{
    auto_buf body = {0};
    size_t records = 0;
    int r = 0;
    for (size_t i = 0; i < a->count && r == 0; i++) {
        if (a->in[i].id == 0)
            continue;
        if (records == 0)
            chunk_begin(&body, RECORD_INBOUND);
        inbound_encode(&a->in[i], &body);
        if (++records < CHUNK_RECORDS)
            continue;
        r = put_outbox(a, &body);
        records = 0;
    }
    return r == 0 && records > 0 ? put_outbox(a, &body) : r;
}

/* ---- what it does ---- */

static bool says_something(const struct inbound *in)
{
    return in->id != 0 && in->keyword != KEYWORD_NONE && in->number != 0;
}

static int suppress(struct applying *a)
{
    auto_params p = db_params_new();
    auto_free int64_t *numbers = xcalloc(a->count, sizeof(*numbers));
    size_t n = 0;
    for (size_t i = 0; i < a->count; i++) {
        const struct inbound *in = &a->in[i];
        if (!says_something(in))
            continue;
        numbers[n++] = in->number;
        a->now.stops += in->keyword == KEYWORD_STOP;
        a->now.starts += in->keyword == KEYWORD_START;
    }
    if (n == 0)
        return 0;
    db_add_big_array(p, numbers, n);
    return db_run(a->d, &sql_inbound_suppress, p, NULL);
}

/* ---- the answers ---- */

/* NAME-LANGUAGE where there is such a template, else NAME; NULL: nothing answers. */
static const struct conf_template *template_of(const struct applying *a, const struct inbound *in)
{
    const struct conf_inbound *c = &a->conf->main.inbound;
    const char *name = in->keyword == KEYWORD_STOP ? c->stop_template : c->start_template;
    if (!*name)
        return NULL;
    auto_free char *of_language = xasprintf("%s-%s", name, in->language);
    const struct conf_template *t = conf_template(a->conf, of_language);
    return t ? t : conf_template(a->conf, name);
}

/* Staging writes to nobody else, not even to those who have written. */
static bool may_be_written_to(const struct applying *a, int64_t number)
{
    const struct str_list *only = &a->conf->main.extract.deliver_only_to;
    bool found = only->count == 0;
    for (size_t i = 0; i < only->count && !found; i++)
        found = strtoll(only->items[i], NULL, 10) == number;
    return found;
}

static char *as_member(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void add_reply(const struct applying *a, const struct inbound *in, const struct conf_template *t,
                      int64_t run, int64_t valid_until, struct buf *out)
{
    const struct conf_inbound *c = &a->conf->main.inbound;
    char digits[NUMBER_SIZE];
    char *own_route[] = {in->gateway->text};
    struct row_cell cells[] = {{as_member("keyword"), as_member(keyword_word(in->keyword))},
                               {as_member("language"), as_member(in->language)},
                               {as_member("number"), number_format(in->number, digits) + 1},
                               {as_member("to"), as_member(in->to)},
                               {as_member("gateway"), in->gateway->text}};
    struct row_record r = {.number = in->number,
                           .run = run,
                           .rule = as_member(INBOUND_RULE),
                           .tmpl = t->name,
                           .lane = as_member("instant"),
                           .valid_until = valid_until,
                           .row = {cells, COUNT_OF(cells)},
                           .sender = *c->reply_sender ? c->reply_sender : NULL,
                           .route = {own_route, 1}};
    if (c->reply_route.count > 0)
        r.route = c->reply_route;
    size_t from = out->len;
    chunk_add_row(out, &r);
    assert(memcmp(out->data + from, RECORD_HEAD, strlen(RECORD_HEAD)) == 0);
    buf_add_char(out, '\0');
}

struct replies { /* arrays in step */
    size_t count;
    int64_t *ids, *numbers;
    uint8_t (*keys)[INBOUND_DIGEST];
    size_t *at; /* of each record in records, which end with a NUL each */
    struct buf records;
};

static void replies_deinit(struct replies *s)
{
    free(s->ids);
    free(s->numbers);
    free(s->keys);
    free(s->at);
    buf_deinit(&s->records);
}

static void reply_key(const struct inbound *in, uint8_t out[INBOUND_DIGEST])
{
    char hex[2 * INBOUND_DIGEST + 1];
    for (size_t i = 0; i < INBOUND_DIGEST; i++)
        snprintf(hex + 2 * i, 3, "%02x", in->digest[i]);
    const char *parts[] = {INBOUND_RULE, hex};
    inbound_hash(parts, COUNT_OF(parts), out);
}

static void collect_replies(struct applying *a, int64_t run, int64_t valid_until, struct replies *s)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct inbound *in = &a->in[i];
        const struct conf_template *t = says_something(in) ? template_of(a, in) : NULL;
        if (!t)
            continue;
        if (!may_be_written_to(a, in->number)) {
            a->now.withheld++;
            continue;
        }
        s->at[s->count] = s->records.len;
        add_reply(a, in, t, run, valid_until, &s->records);
        s->ids[s->count] = in->id;
        s->numbers[s->count] = in->number;
        reply_key(in, s->keys[s->count++]);
    }
}

static int send_replies(struct applying *a, const struct replies *s, int64_t run, int64_t valid_until)
{
    char queue[MQ_QUEUE_SIZE];
    auto_buf head = {0}, tail = {0};
    auto_params p = db_params_new();
    auto_result made = NULL;
    auto_free const char **records = xcalloc(s->count, sizeof(char *));
    for (size_t i = 0; i < s->count; i++)
        records[i] = s->records.data + s->at[i] + strlen(RECORD_HEAD);
    chunk_begin(&head, RECORD_ROWS);
    chunk_end(&tail);
    db_add_big(p, run);
    db_add_big_array(p, s->ids, s->count);
    db_add_big_array(p, s->numbers, s->count);
    db_add_uuid_array(p, (const uint8_t(*)[16])s->keys, s->count);
    db_add_text_array(p, records, s->count);
    db_add_time(p, valid_until);
    db_add_text(p, mq_queue_render("instant", queue));
    db_add_text(p, head.data);
    db_add_text(p, tail.data);
    db_add_big(p, a->conf->main.inbound.replies_per_day);
    int r = db_run(a->d, &sql_inbound_reply, p, &made);
    if (r != 0)
        return r;
    for (int row = 0; row < db_rows(made); row++)
        a->now.replies += !db_is_null(made, row, 1);
    a->now.withheld += (int64_t)s->count - a->now.replies;
    return 0;
}

static int reply(struct applying *a)
{
    auto_params p = db_params_new();
    auto_result found = NULL;
    int64_t valid_until = clock_wall_ms() + a->conf->main.inbound.reply_valid_ms;
    bool any = false;
    for (size_t i = 0; i < a->count && !any; i++)
        any = says_something(&a->in[i]) && template_of(a, &a->in[i]);
    if (!any)
        return 0;
    db_add_text(p, INBOUND_RULE);
    int r = db_run(a->d, &sql_inbound_run, p, &found);
    if (r != 0)
        return r;
    int64_t run = db_big(found, 0, 0);
    cleanup_with(replies_deinit) struct replies s = {.ids = xcalloc(a->count, sizeof(*s.ids)),
                                                     .numbers = xcalloc(a->count, sizeof(*s.numbers)),
                                                     .keys = xcalloc(a->count, sizeof(*s.keys)),
                                                     .at = xcalloc(a->count, sizeof(*s.at))};
    collect_replies(a, run, valid_until, &s);
    return s.count > 0 ? send_replies(a, &s, run, valid_until) : 0;
}

/* ---- all of it ---- */

/* A text without its beginning, or not whole, says less: START counts only as the whole text, STOP also as
 * its first word. */
static void find_keyword(const struct keywords *keywords, struct inbound *in)
{
    in->keyword = keyword_of(keywords, in->text, &in->language);
    if (in->headless || (in->missing > 0 && in->keyword == KEYWORD_START)) {
        in->keyword = KEYWORD_NONE;
        in->language = NULL;
    }
}

/* What came whole, and what has just become whole, or has waited long enough. */
static void gather_whole(struct applying *a, const struct inbound_parts *parts)
{
    auto_keywords keywords = keywords_new(&a->conf->main.inbound);
    a->in = xcalloc(a->told_count + parts->count + 1, sizeof(*a->in));
    for (size_t i = 0; i < a->told_count; i++) {
        if (!inbound_is_part(&a->told[i]))
            a->in[a->count++] = a->told[i];
    }
    memcpy(a->in + a->count, parts->whole, parts->count * sizeof(*a->in));
    a->count += parts->count;
    for (size_t i = 0; i < a->count; i++)
        find_keyword(keywords, &a->in[i]);
}

static int apply_whole(struct applying *a)
{
    int r = a->count > 0 ? enter(a) : 0;
    FAULT("consumer.inbound_entered");
    if (r == 0 && a->conf->main.inbound.queue)
        r = publish_new(a);
    if (r == 0)
        r = suppress(a);
    if (r == 0)
        r = reply(a);
    return r;
}

static int in_transaction(struct applying *a)
{
    cleanup_with(inbound_parts_deinit) struct inbound_parts parts = {0};
    int r = db_run(a->d, &sql_inbound_lock, NULL, NULL);
    if (r == 0)
        r = inbound_parts_put(a->d, a->conf, a->told, a->told_count, &parts);
    if (r == 0)
        r = inbound_parts_take(a->d, a->words, &parts);
    if (r != 0)
        return r;
    gather_whole(a, &parts);
    r = apply_whole(a);
    if (r == 0)
        r = inbound_parts_done(a->d, &parts, a->in + a->count - parts.count);
    FAULT("consumer.inbound_replied");
    return r;
}

static void add_figures(struct inbound_figures *to, const struct inbound_figures *now)
{
    to->told += now->told;
    to->entered += now->entered;
    to->stops += now->stops;
    to->starts += now->starts;
    to->replies += now->replies;
    to->withheld += now->withheld;
}

int inbound_apply(struct db *d, struct words *words, const struct conf *conf, const struct inbound *in,
                  size_t count, struct inbound_figures *io)
{
    struct applying a = {
        .d = d, .words = words, .conf = conf, .told = in, .told_count = count, .now.told = (int64_t)count};
    int r = words_resolve(words, d);
    if (r == 0)
        r = db_begin(d);
    if (r != 0)
        return r;
    r = in_transaction(&a);
    free(a.in);
    if (r == 0)
        r = db_commit(d);
    if (r > 0) {
        db_rollback(d);
        words_forget(words);
    }
    if (r != 0)
        return r;
    FAULT("consumer.inbound_committed");
    add_figures(io, &a.now);
    return 0;
}

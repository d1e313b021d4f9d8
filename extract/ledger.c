/* The ledger's statements: see ledger.h. */
#include "extract/ledger.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/mq.h"
#include "lib/record.h"
#include "lib/seq_id.h"

#include "failed_again.sql.h"
#include "group_enter.sql.h"
#include "partitions.sql.h"
#include "run_begin.sql.h"
#include "run_close.sql.h"
#include "run_end.sql.h"
#include "run_last.sql.h"
#include "run_lock.sql.h"
#include "run_look.sql.h"
#include "run_note.sql.h"
#include "run_read.sql.h"
#include "template_seen.sql.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#define SEND_TRIES_MAX 5 /* of one group that met a deadlock, a full disk, a missing partition */

struct ledger {
    struct db *db;
    int64_t run_id, partitions_ahead_days;
    int pass;
    struct pass_options options;
    struct holds_waves waves; /* share and count 0: none */
    char queue[MQ_QUEUE_SIZE];
    char *over_why;        /* of a run with too many new messages */
    char *no;              /* the last group's answer */
    struct buf held_why;   /* at the end of the pass */
    struct buf head, tail; /* of a chunk */
    struct db_params *params;
    const char **texts; /* pointers for the arrays of a group */
    size_t texts_max;
    const struct group *sent;
    int tries;
    char why[400];
};

struct ledger *ledger_new(const struct conf_main *conf, int64_t run_id, int64_t quiet_ms)
{
    struct ledger *l = xmalloc(sizeof(*l));
    char name[64];

    snprintf(name, sizeof(name), "smschain-extract run %" PRId64, run_id);
    *l = (struct ledger){
        .run_id = run_id,
        .partitions_ahead_days = conf->database.partitions_ahead_days,
        .params = db_params_new(),
        .db = db_new(&(struct db_options){.conninfo = conf->database.conninfo,
                                          .user = conf->extract.service.database_user,
                                          .password = conf->extract.service.database_password,
                                          .name = name,
                                          .idle_session_timeout_ms =
                                              (int)MIN_OF(quiet_ms + DB_HELD_IDLE_MS, (int64_t)INT32_MAX),
                                          .idle_in_transaction_timeout_ms = DB_HELD_IDLE_MS}),
    };
    chunk_begin(&l->head, RECORD_ROWS);
    chunk_end(&l->tail);
    return l;
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    db_free(l->db);
    db_params_free(l->params);
    buf_deinit(&l->head);
    buf_deinit(&l->tail);
    buf_deinit(&l->held_why);
    free(l->over_why);
    free(l->no);
    free(l->texts);
    free(l);
}

struct db *ledger_db(struct ledger *l)
{
    return l->db;
}

const char *ledger_why(const struct ledger *l)
{
    return l->why;
}

/* What the database's answer means to a run. Class 22 and 23 may quote a row: their code only. */
static int outcome(struct ledger *l, const char *what, int r)
{
    const char *words = db_error(l->db);

    if (r == 0)
        return 0;
    if (r == DB_CONSTRAINT || r == DB_BAD_DATA || r == DB_OTHER)
        snprintf(l->why, sizeof(l->why), "the ledger refuses %s with error %s", what, db_sqlstate(l->db));
    else
        snprintf(l->why, sizeof(l->why), "%s: %.*s", what, (int)strcspn(words, "\n"),
                 *words ? words : "no connection");
    if (r < 0)
        return r;
    /* A statement may be done again later; a missing right is given while we wait. */
    return r == DB_RETRY || r == DB_FULL || r == DB_CANCELLED || r == DB_DENIED ? -EAGAIN : LEDGER_REFUSED;
}

int ledger_lock(struct ledger *l)
{
    auto_result res = NULL;
    int r = db_ready(l->db);

    if (r == 0) {
        db_params_clear(l->params);
        db_add_int(l->params, (int32_t)(l->run_id & INT32_MAX));
        r = db_run(l->db, &sql_run_lock, l->params, &res);
    }
    if (r != 0)
        return outcome(l, "the run's lock", r);
    return db_bool(res, 0, 0) ? 0 : LEDGER_NOT_OURS;
}

int ledger_look(struct ledger *l, const struct str_list *once_per, struct run_row *ret)
{
    auto_result res = NULL;
    int r;

    db_params_clear(l->params);
    db_add_big(l->params, l->run_id);
    db_add_text_array(l->params, once_per ? (const char *const *)once_per->items : NULL,
                      once_per ? once_per->count : 0);
    r = db_run(l->db, &sql_run_look, l->params, &res);
    if (r != 0)
        return outcome(l, "the run's row", r);
    if (db_rows(res) == 0)
        return LEDGER_NOT_OURS;
    *ret = (struct run_row){
        .scheduled_ms = db_time_ms(res, 0, 2),
        .pass = (int)db_big(res, 0, 3),
        .once_per_known = db_bool(res, 0, 6),
        .cancelled = db_bool(res, 0, 7),
        .paused = db_bool(res, 0, 8),
        .released = holds_parse(db_text(res, 0, 9)),
        .of_task = db_bool(res, 0, 10),
    };
    snprintf(ret->state, sizeof(ret->state), "%s", db_text(res, 0, 0));
    snprintf(ret->why, sizeof(ret->why), "%s", db_text(res, 0, 1));
    snprintf(ret->rule, sizeof(ret->rule), "%s", db_text(res, 0, 4));
    snprintf(ret->held_why, sizeof(ret->held_why), "%s", db_text(res, 0, 5));
    return 0;
}

static int see_template(struct ledger *l, const struct conf_template *t)
{
    db_params_clear(l->params);
    db_add_text(l->params, t->version);
    db_add_text(l->params, t->name);
    db_add_text(l->params, t->whole);
    return db_run(l->db, &sql_template_seen, l->params, NULL);
}

static int try_failed_again(struct ledger *l)
{
    db_params_clear(l->params);
    db_add_big(l->params, l->run_id);
    db_add_big(l->params, l->options.rule->valid_for_ms);
    return db_run(l->db, &sql_failed_again, l->params, NULL);
}

int ledger_begin(struct ledger *l, const struct pass_options *options)
{
    auto_result res = NULL;
    int r;

    l->options = *options;
    l->sent = NULL;
    if (!holds_waves(options->rule, &l->waves))
        l->waves = (struct holds_waves){0};
    mq_queue_render(options->rule->lane, l->queue);
    free(l->over_why);
    l->over_why =
        xasprintf("more than max_recipients (%" PRId64 ") new messages: reading has stopped and nothing more "
                  "leaves; look at the rule's SQL, then: smschain release %" PRId64,
                  options->max_recipients, l->run_id);
    r = see_template(l, options->template);
    db_params_clear(l->params);
    db_add_big(l->params, l->run_id);
    db_add_text(l->params, options->template->version);
    db_add_bool(l->params, options->rule->start_at_once);
    if (r == 0)
        r = db_run(l->db, &sql_run_begin, l->params, &res);
    if (r != 0)
        return outcome(l, "the beginning of a pass", r);
    if (db_rows(res) == 0)
        return LEDGER_NOT_OURS;
    l->pass = (int)db_big(res, 0, 0);
    return l->pass == 1 ? outcome(l, "the rule's failed runs", try_failed_again(l)) : 0;
}

static const char **room_for(struct ledger *l, size_t count)
{
    if (count > l->texts_max) {
        l->texts = xrealloc(l->texts, count * sizeof(*l->texts));
        l->texts_max = count;
    }
    return l->texts;
}

static void add_arrays(struct ledger *l, const struct group *g)
{
    const char **texts = room_for(l, MAX_OF(g->count, g->skipped) + 1);

    db_add_uuid_array(l->params, (const uint8_t(*)[16])g->keys, g->count);
    db_add_big_array(l->params, g->numbers, g->count);
    for (size_t i = 0; i < g->count; i++)
        texts[i] = g->bodies.data + g->bodies_at[i];
    db_add_text_array(l->params, texts, g->count);
    for (size_t i = 0; i < g->skipped; i++)
        texts[i] = g->skip_keys[i][0] ? g->skip_keys[i] : NULL;
    db_add_text_array(l->params, texts, g->skipped);
    db_add_text_array(l->params, g->skip_reasons, g->skipped);
}

/* Apart, as $17: none of the other parameters moves. */
static void add_skipped_numbers(struct ledger *l, const struct group *g)
{
    const char **texts = room_for(l, g->skipped + 1);

    for (size_t i = 0; i < g->skipped; i++) {
        const char *written = g->skip_numbers.data + g->skip_numbers_at[i];
        texts[i] = *written && utf8_is_text(written, strlen(written)) ? written : NULL;
    }
    db_add_text_array(l->params, texts, g->skipped);
}

/* $21 beside $3: the ids that other systems gave to a task's rows; other rules' rows have none. */
static void add_exts(struct ledger *l, const struct group *g)
{
    size_t count = g->exts.len > 0 ? g->count : 0;
    const char **texts = room_for(l, count + 1);

    for (size_t i = 0; i < count; i++)
        texts[i] = g->exts.data + g->exts_at[i];
    db_add_text_array(l->params, texts, count);
}

static int start(struct ledger *l)
{
    const struct pass_options *o = &l->options;

    db_params_clear(l->params);
    db_add_big(l->params, l->run_id);
    db_add_int(l->params, l->pass);
    add_arrays(l, l->sent);
    db_add_big(l->params, sms_id_day_first(clock_day_2020(clock_wall_ms())));
    db_add_time(l->params, o->valid_until_ms);
    db_add_int(l->params, strcmp(o->rule->lane, "instant") == 0);
    db_add_bool(l->params, strcmp(o->template->class, "marketing") == 0);
    db_add_text(l->params, l->queue);
    db_add_text(l->params, l->head.data);
    db_add_text(l->params, l->tail.data);
    db_add_big(l->params, o->max_recipients);
    db_add_text(l->params, l->over_why);
    add_skipped_numbers(l, l->sent);
    db_add_int_array(l->params, l->sent->gateways, l->sent->count);
    db_add_big(l->params, l->waves.share);
    db_add_big(l->params, l->waves.count);
    add_exts(l, l->sent);
    FAULT("extract.group_before_commit");
    return db_start(l->db, &sql_group_enter, l->params);
}

int ledger_send(struct ledger *l, const struct group *g)
{
    int r;

    l->sent = g;
    l->tries = 0;
    r = start(l);
    FAULT("extract.group_sent");
    return outcome(l, "a group of rows", r);
}

static int poll_answer(struct ledger *l, struct db_result **ret)
{
    int r;

    while ((r = db_poll(l->db, ret)) == DB_BUSY) {
        struct pollfd fd = {.fd = db_fd(l->db), .events = POLLIN};
        /* With a timeout, because the connection may also have something left to write. */
        (void)poll(&fd, 1, 20);
    }
    return r;
}

/* A day's partition is made ahead by the hourly look; a database that was away over midnight lacks it. */
static int make_partitions(struct ledger *l)
{
    db_params_clear(l->params);
    db_add_int(l->params, (int32_t)l->partitions_ahead_days);
    return db_run(l->db, &sql_partitions, l->params, NULL);
}

static int send_again(struct ledger *l, int r)
{
    int ready = 0;

    if (r == DB_CONSTRAINT && strcmp(db_sqlstate(l->db), "23514") == 0)
        ready = make_partitions(l);
    else if (r == DB_RETRY || r == DB_FULL)
        usleep((useconds_t)clock_backoff_ms((unsigned)l->tries, 50, 2000) * 1000);
    else
        return r;
    return ready == 0 ? start(l) : ready;
}

int ledger_wait(struct ledger *l, struct group_outcome *ret)
{
    auto_result res = NULL;
    int r;

    *ret = (struct group_outcome){0};
    if (!l->sent)
        return 0;
    while ((r = poll_answer(l, &res)) > 0 && l->tries++ < SEND_TRIES_MAX) {
        r = send_again(l, r);
        if (r != 0)
            break;
    }
    if (r != 0)
        return outcome(l, "a group of rows", r);
    l->sent = NULL;
    FAULT("extract.group_committed");
    if (db_rows(res) == 0)
        return LEDGER_NOT_OURS;
    *ret = (struct group_outcome){
        .held = strcmp(db_text(res, 0, 0), "held") == 0,
        .rows_new = db_big(res, 0, 1),
        .cancelled = db_bool(res, 0, 2),
        .paused = db_bool(res, 0, 3),
    };
    free(l->no);
    l->no = xstrdup(db_text(res, 0, 4));
    ret->no = l->no;
    return 0;
}

static int close_row(struct ledger *l, const char *state, const char *why)
{
    db_params_clear(l->params);
    db_add_big(l->params, l->run_id);
    db_add_text(l->params, state);
    db_add_text(l->params, why);
    db_add_bool(l->params, strcmp(state, "read") == 0 || strcmp(state, "cancelled") == 0);
    return db_run(l->db, &sql_run_close, l->params, NULL);
}

/* How this run stands beside what the rule allows. */
static int look_at_figures(struct ledger *l, const struct planned *planned, const struct balance *b,
                           struct holds_figures *ret)
{
    auto_result res = NULL;
    int r;

    db_params_clear(l->params);
    db_add_big(l->params, l->run_id);
    r = db_run(l->db, &sql_run_last, l->params, &res);
    if (r != 0)
        return r;
    *ret = (struct holds_figures){
        .recipients = b->new_,
        .judged = planned->messages + planned->errors,
        .errors = planned->errors,
        .last_runs = db_big(res, 0, 0),
        .last_recipients = db_big(res, 0, 1),
    };
    return 0;
}

/* All that holds the run, said at once. A balance that does not hold is a mistake of ours: then nothing else
 * counts. */
static int find_holds(struct ledger *l, const struct planned *planned, const struct balance *b,
                      unsigned *ret_holds)
{
    struct holds_figures figures;
    char text[BALANCE_TEXT_SIZE];
    int r = 0;

    buf_clear(&l->held_why);
    if (!balance_holds(b)) {
        *ret_holds = HOLD_BALANCE;
        buf_addf(&l->held_why, "the balance does not hold: %s", balance_text(b, text));
        return 0;
    }
    r = look_at_figures(l, planned, b, &figures);
    if (r != 0)
        return r;
    *ret_holds = holds_decide(l->options.rule, &figures, l->options.released, &l->held_why);
    if (*ret_holds)
        buf_addf(&l->held_why,
                 "; nothing has left; smschain release %" PRId64 " lets it go, smschain cancel %" PRId64
                 " ends it",
                 l->run_id, l->run_id);
    return 0;
}

static int read_row(struct ledger *l, const struct planned *planned, unsigned holds)
{
    auto_buf json = {0}, held_by = {0};

    planned_encode(planned, &json);
    holds_array(holds, &held_by);
    db_params_clear(l->params);
    db_add_big(l->params, l->run_id);
    db_add_text(l->params, holds ? "held" : "read");
    db_add_text(l->params, holds ? l->held_why.data : "");
    db_add_bool(l->params, !holds);
    db_add_text(l->params, json.data);
    db_add_text(l->params, held_by.data);
    db_add_bool(l->params, l->waves.share > 0 || l->waves.count > 0);
    db_add_big(l->params, l->waves.wait_ms);
    db_add_big(l->params, l->waves.limit);
    return db_run(l->db, &sql_run_read, l->params, NULL);
}

/* Inside the transaction: the balance, and what becomes of the run. */
static int end_row(struct ledger *l, const struct planned *planned, struct balance *ret, unsigned *ret_holds,
                   bool *ret_ours)
{
    auto_result res = NULL;
    int r;

    db_params_clear(l->params);
    db_add_big(l->params, l->run_id);
    db_add_int(l->params, l->pass);
    r = db_run(l->db, &sql_run_end, l->params, &res);
    if (r != 0)
        return r;
    *ret_ours = db_rows(res) > 0;
    if (!*ret_ours)
        return 0;
    *ret = (struct balance){
        .rows = db_big(res, 0, 0),
        .gone = db_big(res, 0, 1),
        .new_ = db_big(res, 0, 2),
        .seen = db_big(res, 0, 3),
        .duplicate = db_big(res, 0, 4),
        .invalid = db_big(res, 0, 5),
        .suppressed = db_big(res, 0, 6),
    };
    r = find_holds(l, planned, ret, ret_holds);
    return r != 0 ? r : read_row(l, planned, *ret_holds);
}

int ledger_end(struct ledger *l, const struct planned *planned, struct balance *ret, const char **ret_held)
{
    bool ours = false;
    unsigned holds = 0;
    int r = db_begin(l->db);

    if (r == 0)
        r = end_row(l, planned, ret, &holds, &ours);
    if (r == 0)
        r = db_commit(l->db);
    if (r > 0)
        db_rollback(l->db);
    r = outcome(l, "the end of a pass", r);
    *ret_held = holds ? l->held_why.data : NULL;
    return r == 0 && !ours ? LEDGER_NOT_OURS : r;
}

int ledger_note(struct ledger *l, const struct planned *planned)
{
    auto_buf json = {0};

    planned_encode(planned, &json);
    db_params_clear(l->params);
    db_add_big(l->params, l->run_id);
    db_add_int(l->params, l->pass);
    db_add_text(l->params, json.data);
    return outcome(l, "a held run's figures", db_run(l->db, &sql_run_note, l->params, NULL));
}

int ledger_close(struct ledger *l, const char *state, const char *why)
{
    return outcome(l, "the run's state", close_row(l, state, why));
}

/* One run on one thread: see run.h. */
#include "extract/run.h"
#include "extract/gate.h"
#include "extract/group.h"
#include "extract/history_guard.h"
#include "extract/ledger.h"
#include "extract/measure.h"
#include "extract/planner.h"
#include "extract/source.h"
#include "extract/source_task.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/log.h"
#include "lib/stop.h"
#include <inttypes.h>
#include <stdio.h>

#define HISTORY_EVERY_MS 4000
#define GROUP_AGE_MS                                                                                         \
    1000 /* a slow source's rows do not wait longer for company, and a stop, pause or cancel is seen */

struct run {
    struct run_job *job;
    const struct conf *conf;
    const struct conf_rule *rule;
    struct ledger *ledger;
    struct source *source;
    struct planner *planner;
    struct reading reading;
    struct group groups[2]; /* one is filled while the other is on its way */
    const struct group *sent,
        *answered;  /* of these; answered: the ledger has said what is new, not judged yet */
    const char *no; /* its answer */
    struct run_row row;
    int64_t looked_at_history; /* mono ms; the same below */
    int64_t sent_us;           /* when `sent` was sent */
    int64_t group_began;       /* when the group that is being filled got its first row */
};

static enum run_result again(struct run *r, const char *why)
{
    snprintf(r->job->why, sizeof(r->job->why), "%s", why);
    series_add(r->job->shared->measure->runs_again, 1);
    return RUN_AGAIN;
}

/* Ends the run's row. The one place where a run that was not read to its end gets its state. */
static enum run_result close_run(struct run *r, const char *state, const char *why)
{
    int x = ledger_close(r->ledger, state, why);

    if (x != 0)
        return again(r, ledger_why(r->ledger));
    log_warn("run is not read", L_STR("rule", r->job->rule), L_INT("run", r->job->run_id),
             L_STR("state", state), L_STR("why", why));
    series_add(r->job->shared->measure->runs_closed, 1);
    return RUN_ENDED;
}

/* The ledger did not give 0: what becomes of the run. */
static enum run_result ledger_trouble(struct run *r, int x)
{
    char why[GATE_WHY_SIZE];

    if (x == LEDGER_NOT_OURS)
        return RUN_TAKEN;
    if (x < 0)
        return again(r, ledger_why(r->ledger));
    snprintf(why, sizeof(why), "%s", ledger_why(r->ledger));
    log_error("the ledger refuses a run", L_STR("rule", r->job->rule), L_INT("run", r->job->run_id),
              L_STR("why", why));
    return close_run(r, "failed", why);
}

/* The source did not give 0 or a row. */
static enum run_result source_trouble(struct run *r, int x)
{
    char why[GATE_WHY_SIZE];

    if (x == -ECANCELED)
        return RUN_PAUSED;
    if (x < 0)
        return again(r, source_why(r->source));
    if (r->rule->tasks)
        snprintf(why, sizeof(why), "%s: %s", r->rule->file, source_why(r->source));
    else
        snprintf(why, sizeof(why), "%s:%d: %s", r->rule->file, r->rule->sql_line + source_line(r->source),
                 source_why(r->source));
    return close_run(r, "failed", why);
}

static enum run_result missing_column(struct run *r, const char *column)
{
    char why[GATE_WHY_SIZE];

    snprintf(why, sizeof(why), "%s:%d: the SQL gives no column %s, which %s names", r->rule->file,
             r->rule->sql_line, column, column == r->rule->number_column ? "number_column" : "once_per");
    return close_run(r, "failed", why);
}

/* Of a run that is held in the middle a person wants to see as much as is known. It is held without it, too.
 */
static void note_so_far(struct run *r)
{
    auto_buf why = {0};

    if (planner_add(r->planner, r->answered, r->no, &why) &&
        ledger_note(r->ledger, planner_planned(r->planner)) != 0)
        log_warn("a held run's figures are not kept", L_INT("run", r->job->run_id),
                 L_STR("why", ledger_why(r->ledger)));
    r->answered = NULL;
}

static void measure_group(struct run *r)
{
    if (!r->sent)
        return;
    series_observe_us(r->job->shared->measure->group, clock_mono_us() - r->sent_us);
    series_set(r->job->shared->measure->last_group, clock_wall_ms());
}

/* Waits for the group that is on its way. RUN_ENDED: go on reading; else *ret_stop is set. */
static enum run_result settle(struct run *r, bool *ret_stop)
{
    struct group_outcome o;
    int x = ledger_wait(r->ledger, &o);

    *ret_stop = true;
    if (x != 0)
        return ledger_trouble(r, x);
    measure_group(r);
    r->answered = r->sent;
    r->sent = NULL;
    r->no = o.no;
    if (o.held) {
        log_warn("run is held: more new messages than max_recipients", L_STR("rule", r->job->rule),
                 L_INT("run", r->job->run_id), L_INT("max_recipients", r->rule->max_recipients),
                 L_INT("new", o.rows_new));
        series_add(r->job->shared->measure->runs_held, 1);
        note_so_far(r);
        return RUN_ENDED;
    }
    if (o.cancelled)
        return close_run(r, "cancelled", "cancelled");
    if (o.paused || stop_requested() || history_guard_lost(r->job->shared->history))
        return RUN_PAUSED;
    *ret_stop = false;
    return RUN_ENDED;
}

/* What the ledger has taken of the last group is judged as render will. */
static enum run_result judge_answered(struct run *r, bool *ret_stop)
{
    auto_buf why = {0};
    const struct group *g = r->answered;

    r->answered = NULL;
    if (!g || planner_add(r->planner, g, r->no, &why))
        return RUN_ENDED;
    *ret_stop = true;
    (void)settle(r, &(bool){false}); /* closing comes after what is on its way, on the same connection */
    return close_run(r, "failed", why.data);
}

static enum run_result send_group(struct run *r, const struct group *g, bool *ret_stop)
{
    enum run_result result = settle(r, ret_stop);
    int x;

    if (*ret_stop)
        return result;
    if (clock_mono_ms() - r->looked_at_history > HISTORY_EVERY_MS) {
        r->looked_at_history = clock_mono_ms();
        if (!history_guard_fine(r->job->shared->history, ledger_db(r->ledger))) {
            *ret_stop = true;
            return again(r, "the database is away, or has lost history");
        }
    }
    r->sent_us = clock_mono_us();
    x = ledger_send(r->ledger, g);
    if (x == 0) {
        r->sent = g;
        return judge_answered(r, ret_stop); /* while the server is at work */
    }
    *ret_stop = true;
    return ledger_trouble(r, x);
}

static bool is_due(struct run *r, const struct group *g)
{
    int64_t now = clock_mono_ms();

    if (g->rows == 1)
        r->group_began = now;
    return group_is_full(g) || now - r->group_began >= GROUP_AGE_MS;
}

/* Reads all rows into the ledger. RUN_ENDED without *ret_stop: the source's end was reached and all is
 * committed. */
static enum run_result read_rows(struct run *r, bool *ret_stop)
{
    enum run_result result = RUN_ENDED;
    struct source_row row;
    const char *missing;
    struct group *g = &r->groups[0];
    int x;

    *ret_stop = false;
    while ((x = source_next(r->source, &row)) == 0) {
        FAULT("extract.row_read");
        if (group_add(g, &r->reading, &row, &missing) != 0) {
            *ret_stop = true;
            return missing_column(r, missing);
        }
        if (!is_due(r, g))
            continue;
        atomic_fetch_add(&r->job->shared->rows, (int64_t)g->rows);
        result = send_group(r, g, ret_stop);
        if (*ret_stop)
            return result;
        g = g == &r->groups[0] ? &r->groups[1] : &r->groups[0];
        group_clear(g);
    }
    atomic_fetch_add(&r->job->shared->rows, (int64_t)g->rows);
    if (x != SOURCE_END) {
        *ret_stop = true;
        /* What is on its way is waited for: closing the run comes after it on the same connection. */
        result = settle(r, &(bool){false});
        return result == RUN_ENDED ? source_trouble(r, x) : result;
    }
    if (g->rows > 0)
        result = send_group(r, g, ret_stop);
    if (!*ret_stop)
        result = settle(r, ret_stop);
    return *ret_stop ? result : judge_answered(r, ret_stop);
}

static void measure_pass(struct measure *m, const struct balance *b, bool held)
{
    series_add(m->rows_new, b->new_);
    series_add(m->rows_duplicate, b->duplicate);
    series_add(m->rows_invalid, b->invalid);
    series_add(m->rows_suppressed, b->suppressed);
    series_add(m->rows_gone, b->gone);
    series_add(held ? m->runs_held : m->runs_read, 1);
}

static enum run_result finish(struct run *r)
{
    struct balance b = {0};
    const char *held;
    int x;

    FAULT("extract.read_ended");
    x = ledger_end(r->ledger, planner_planned(r->planner), &b, &held);
    if (x != 0)
        return ledger_trouble(r, x);
    FAULT("extract.run_ended");
    measure_pass(r->job->shared->measure, &b, held != NULL);
    if (held)
        log_warn("run is held", L_STR("rule", r->job->rule), L_INT("run", r->job->run_id),
                 L_STR("why", held));
    log_info("run is read", L_STR("rule", r->job->rule), L_INT("run", r->job->run_id), L_INT("rows", b.rows),
             L_INT("new", b.new_), L_INT("duplicate", b.duplicate), L_INT("invalid", b.invalid),
             L_INT("suppressed", b.suppressed), L_INT("gone", b.gone));
    return RUN_ENDED;
}

static enum run_result read_pass(struct run *r)
{
    enum run_result result;
    auto_buf why = {0};
    char name[64];
    bool stop;
    int x;
    struct pass_options options = {
        .rule = r->rule,
        .template = conf_template(r->conf, r->rule->template_name),
        .valid_until_ms = r->row.scheduled_ms + r->rule->valid_for_ms,
        .max_recipients = gate_max_recipients(&r->row, r->rule),
        .released = r->row.released,
    };

    r->planner = planner_new(r->conf, r->rule, &why);
    if (!r->planner)
        return close_run(r, "failed", why.data);
    snprintf(name, sizeof(name), "smschain-extract run %" PRId64, r->job->run_id);
    r->source = r->rule->tasks ? source_task_open(&r->conf->main, r->rule, r->job->run_id, name)
                               : source_open(conf_source(r->conf, r->rule->source), name);
    if (!r->source)
        return close_run(r, "failed", "no driver for its source");
    x = source_begin(r->source, r->rule->sql);
    if (x != 0)
        return source_trouble(r, x);
    /* Only now: a source that is away makes no pass after pass. */
    x = ledger_begin(r->ledger, &options);
    if (x != 0)
        return ledger_trouble(r, x);
    FAULT("extract.pass_begun");
    r->reading.run_id = r->job->run_id;
    r->reading.valid_until_ms = options.valid_until_ms;
    result = read_rows(r, &stop);
    return stop ? result : finish(r);
}

static enum run_result read_run(struct run *r)
{
    char why[GATE_WHY_SIZE];
    enum gate gate;
    int x = ledger_lock(r->ledger);

    if (x == 0 && !history_guard_fine(r->job->shared->history, ledger_db(r->ledger)))
        return again(r, "the database is away, or has lost history");
    r->looked_at_history = clock_mono_ms();
    if (x == 0)
        x = ledger_look(r->ledger, r->rule ? &r->rule->once_per : NULL, &r->row);
    if (x != 0)
        return ledger_trouble(r, x);
    gate = gate_decide(&r->row, r->rule, clock_wall_ms(), why);
    switch (gate) {
    case GATE_GO:
        return read_pass(r);
    case GATE_LEAVE:
        return RUN_TAKEN;
    case GATE_WAIT:
        return RUN_PAUSED;
    case GATE_CANCEL:
        return close_run(r, "cancelled", "cancelled");
    case GATE_FAIL:
    case GATE_HOLD:
    case GATE_SKIP:
        return close_run(r, gate_state(gate), why);
    }
    abort();
}

void run_read(struct run_job *job)
{
    const struct conf *conf = confhold_conf(job->conf);
    struct run r = {.job = job, .conf = conf, .rule = conf_rule(conf, job->rule)};

    const struct conf_source *source = r.rule && !r.rule->tasks ? conf_source(conf, r.rule->source) : NULL;
    r.ledger =
        ledger_new(&conf->main, job->run_id, source ? source->statement_timeout_ms : SOURCE_TASK_TIMEOUT_MS);
    if (r.rule)
        reading_init(&r.reading, r.rule, conf->main.country_code, &conf->main.extract.deliver_only_to);
    for (size_t i = 0; i < COUNT_OF(r.groups); i++)
        group_init(&r.groups[i], (size_t)conf->main.extract.group_rows);
    job->result = read_run(&r);
    /* The source first: its statement is cancelled at the server before the run's lock is given up. */
    source_close(r.source);
    ledger_free(r.ledger);
    planner_free(r.planner);
    reading_deinit(&r.reading);
    for (size_t i = 0; i < COUNT_OF(r.groups); i++)
        group_deinit(&r.groups[i]);
}

/* smschain plan: a rule's run beforehand. The source is read in its read-only transaction, the ledger is
 * asked in a session that cannot write; nothing is entered and nothing is sent. */
#include "ctl/planning.h"
#include "extract/holds.h"
#include "extract/source.h"
#include "lib/clock.h"
#include "plan_buffers.sql.h"
#include "plan_keys.sql.h"
#include "plan_read_only.sql.h"
#include "plan_rule.sql.h"
#include <inttypes.h>
#include <stdio.h>

#define SAMPLES 3

/* ---- what follows from the figures ---- */

int64_t planning_send_ms(const struct planning *p, const struct planned_gateway *g)
{
    const struct conf_gateway *conf = conf_gateway(p->conf, g->name);

    return conf && conf->rate > 0 ? g->messages * 1000 / conf->rate : 0;
}

int64_t planning_stale(const struct planning *p)
{
    int64_t stale = 0;

    if (p->at_ms + p->rule->valid_for_ms <= clock_wall_ms())
        return p->planned->messages; /* fired then, it would be over by now */
    for (size_t i = 0; i < p->planned->gateway_count; i++) {
        const struct planned_gateway *g = &p->planned->gateways[i];
        const struct conf_gateway *conf = conf_gateway(p->conf, g->name);
        if (conf && planning_send_ms(p, g) > p->rule->valid_for_ms)
            stale += g->messages - conf->rate * (p->rule->valid_for_ms / 1000);
    }
    return stale;
}

/* What would hold it at its end, and how much of it would go out first. */
static void warn_of_holds(const struct planning *p, int64_t recipients, struct buf *out)
{
    auto_buf why = {0};
    struct holds_waves waves;
    struct holds_figures figures = {.recipients = recipients,
                                    .judged = recipients,
                                    .errors = p->planned->errors,
                                    .last_runs = p->ledger.runs,
                                    .last_recipients = p->ledger.recipients};

    if (holds_decide(p->rule, &figures, 0, &why))
        buf_addf(out, "the run would be held (smschain release): %s\n", why.data);
    if (holds_waves(p->rule, &waves))
        buf_addf(out,
                 "it goes out in waves: %s first, the rest %" PRId64
                 " s later if at most %s of them are undelivered\n",
                 p->rule->waves.first, waves.wait_ms / 1000, p->rule->waves.max_undelivered);
}

void planning_warnings(const struct planning *p, struct buf *out)
{
    int64_t recipients = p->planned->messages + p->planned->errors;

    if (p->at_ms + p->rule->valid_for_ms <= clock_wall_ms())
        buf_addf(out, "valid_for is over: the run would be skipped\n");
    if (recipients > p->rule->max_recipients)
        buf_addf(out, "max_recipients is %" PRId64 ": the run would be held (smschain release)\n",
                 p->rule->max_recipients);
    warn_of_holds(p, recipients, out);
    if (!p->ledger.known)
        buf_addf(out, "extract has not seen this rule yet: is it running with this configuration?\n");
    else if (*p->ledger.held_why)
        buf_addf(out, "the rule is held (smschain accept %s): %s\n", p->rule->name, p->ledger.held_why);
    else if (!p->ledger.once_per_known)
        buf_addf(out, "once_per is not the accepted one: the run would be held (smschain accept %s)\n",
                 p->rule->name);
    if (p->ledger.paused)
        buf_addf(out, "the rule, or everything, is stopped: the run waits for smschain start\n");
    if (p->conf->main.extract.deliver_only_to.count > 0)
        buf_addf(out, "extract.deliver_only_to is set: all other numbers are not_listed\n");
    for (size_t i = 0; i < p->planned->gateway_count; i++)
        if (p->planned->gateways[i].unpriced > 0)
            buf_addf(out,
                     "gateway %s has no price for %" PRId64 " segments: they are not in the cost (prices)\n",
                     p->planned->gateways[i].name, p->planned->gateways[i].unpriced);
}

/* ---- preparing ---- */

/* The ledger in a session that writes its own temporary table and nothing else. */
static int open_ledger(struct planning *p)
{
    auto_result row = NULL;
    auto_params params = db_params_new();
    int code = ctl_sql(p->ctl, &sql_plan_buffers, NULL, NULL);

    if (code == 0)
        code = ctl_sql(p->ctl, &sql_plan_keys, NULL, NULL);
    if (code == 0)
        code = ctl_sql(p->ctl, &sql_plan_read_only, NULL, NULL);
    db_add_text(params, p->rule->name);
    db_add_text_array(params, (const char *const *)p->rule->once_per.items, p->rule->once_per.count);
    if (code == 0)
        code = ctl_sql(p->ctl, &sql_plan_rule, params, &row);
    if (code != 0 || db_rows(row) == 0)
        return code;
    p->ledger.known = true;
    p->ledger.held_why = xstrdup(db_text(row, 0, 0));
    p->ledger.once_per_known = db_bool(row, 0, 1);
    p->ledger.paused = db_bool(row, 0, 2);
    p->ledger.last_run = db_big(row, 0, 3);
    p->ledger.last_at_ms = db_time_ms(row, 0, 4);
    p->ledger.last_rows = db_big(row, 0, 5);
    p->ledger.last_new = db_big(row, 0, 6);
    p->ledger.runs = db_big(row, 0, 8);
    p->ledger.recipients = db_big(row, 0, 9);
    p->ledger.last = planned_decode(db_text(row, 0, 7), strlen(db_text(row, 0, 7)));
    return 0;
}

/* The rule, as extract has it: the operator's configuration lacks the sources' secrets. */
static int load(struct planning *p, const char *name)
{
    auto_buf report = {0};

    if (conf_load(p->ctl->conf_dir, "extract", &p->conf, &report) < 0) {
        fputs(report.data ? report.data : "smschain: the configuration cannot be read\n", stderr);
        return EXIT_CONF;
    }
    const struct conf_rule *rule = conf_rule(p->conf, name);
    if (!rule)
        return ctl_fail(EXIT_REFUSED, "no rule %s in %s/rules", name, p->ctl->conf_dir);
    if (ctl_has_sql(rule, "plan") != 0)
        return EXIT_REFUSED;
    p->rule = rule;
    p->tmpl = conf_template(p->conf, p->rule->template_name);
    if (plan_make(p->conf, &p->plan, &report) < 0) {
        fputs(report.data, stderr);
        return EXIT_CONF;
    }
    judge_init(&p->judge, p->plan);
    p->planned = planned_new();
    p->params = db_params_new();
    p->samples = xcalloc(p->samples_wanted + 1, sizeof(*p->samples));
    reading_init(&p->reading, p->rule, p->conf->main.country_code, &p->conf->main.extract.deliver_only_to);
    p->reading.valid_until_ms = p->at_ms + p->rule->valid_for_ms;
    p->reading.run_id = 1; /* a record has one; nothing is made of it */
    for (size_t i = 0; i < COUNT_OF(p->groups); i++)
        group_init(&p->groups[i], (size_t)p->conf->main.extract.group_rows);
    return 0;
}

static void planning_deinit(struct planning *p)
{
    source_close(p->source);
    if (p->rule) {
        reading_deinit(&p->reading);
        for (size_t i = 0; i < COUNT_OF(p->groups); i++)
            group_deinit(&p->groups[i]);
    }
    for (size_t i = 0; i < p->sample_count; i++) {
        free(p->samples[i].text);
        free(p->samples[i].gateway);
    }
    free(p->samples);
    for (size_t i = 0; i < p->invalid_reasons; i++)
        free(p->invalid_by[i].reason);
    for (size_t i = 0; i < p->suppressed_reasons; i++)
        free(p->suppressed_by[i].reason);
    buf_deinit(&p->body);
    buf_deinit(&p->record);
    db_params_free(p->params);
    planned_free(p->planned);
    planned_free(p->ledger.last);
    free(p->ledger.held_why);
    judge_deinit(&p->judge);
    plan_free(p->plan);
    conf_free(p->conf);
}

static int make_plan(struct planning *p, const char *name)
{
    int code = load(p, name);

    if (code == 0)
        code = ctl_db(p->ctl);
    if (code == 0)
        code = open_ledger(p);
    if (code == 0)
        code = planning_read(p);
    if (code != 0)
        return code;
    (p->json ? planning_json : planning_print)(p);
    auto_buf warnings = {0};
    planning_warnings(p, &warnings);
    return warnings.len > 0 || p->planned->errors > 0 || planning_stale(p) > 0 ? EXIT_ATTENTION : EXIT_DONE;
}

int cmd_plan(struct ctl *c)
{
    const char *sample = NULL, *at = NULL;
    int64_t samples = SAMPLES;
    struct planning p = {.ctl = c, .json = ctl_take_flag(c, "--json"), .at_ms = clock_wall_ms()};

    if (!ctl_take_value(c, "--sample", &sample) || !ctl_take_value(c, "--at", &at) ||
        !ctl_no_options_left(c) || c->argc != 2)
        return ctl_usage("plan");
    if (at && !clock_parse_iso(at, &p.at_ms))
        return ctl_fail(EXIT_USAGE, "--at wants a moment like 2026-01-31T08:15:00Z");
    if (sample && (!ctl_parse_big(sample, &samples) || samples > PLANNING_SAMPLES_MAX))
        return ctl_fail(EXIT_USAGE, "--sample wants a number up to %d", PLANNING_SAMPLES_MAX);
    p.samples_wanted = (size_t)samples;
    p.progress = isatty(STDERR_FILENO) == 1;
    int code = make_plan(&p, c->argv[1]);
    planning_deinit(&p);
    return code;
}

/* Why a number got it or not: see why.h. */
#include "lib/why.h"
#include "why_messages.sql.h"
#include "why_runs.sql.h"
#include "why_skips.sql.h"
#include "why_suppressed.sql.h"
#include <stdio.h>

enum skip {
    K_RUN,
    K_RULE,
    K_SCHEDULED,
    K_KIND,
    K_REASON,
    K_FIRST_RUN,
    K_SMS_ID,
    K_STATE,
    K_SAME
}; /* why_skips.sql */
enum run {
    R_ID,
    R_RULE,
    R_SCHEDULED,
    R_STATE,
    R_WHY,
    R_COMPLETE,
    R_MESSAGE,
    R_SKIPS,
    R_KNOWN
}; /* why_runs.sql */

void why_deinit(struct why *w)
{
    for (size_t i = 0; i < w->message_count; i++)
        story_free(w->messages[i]);
    for (size_t i = 0; i < w->skip_count; i++)
        free(w->skips[i].because);
    for (size_t i = 0; i < w->run_count; i++)
        free(w->runs[i].because);
    free(w->messages);
    free(w->skips);
    free(w->runs);
    free(w->suppressions);
    db_result_free(w->message_rows);
    db_result_free(w->skip_rows);
    db_result_free(w->run_rows);
    db_result_free(w->suppression_rows);
}

char *why_place(const struct conf *c, const char *rule)
{
    const struct conf_rule *r = conf_rule(c, rule);
    if (strcmp(rule, INBOUND_RULE) == 0)
        return xasprintf("%s/smschain.yaml: inbound", c->dir);
    if (r != NULL && r->tasks)
        return xstrdup(r->file);
    if (strncmp(rule, CALLER_RULE_PREFIX, strlen(CALLER_RULE_PREFIX)) == 0) {
        const char *caller = rule + strlen(CALLER_RULE_PREFIX);
        if (strcmp(caller, CALLER_OPERATOR) == 0)
            return xstrdup("smschain send");
        return conf_caller(c, caller) != NULL ? xasprintf("%s/callers/%s.yaml", c->dir, caller)
                                              : xasprintf("caller %s, no longer configured", caller);
    }
    return r != NULL ? xasprintf("%s:%d", r->file, r->sql_line)
                     : xasprintf("rule %s, no longer configured", rule);
}

static char *duplicate_of(const struct db_result *s, int i)
{
    if (db_is_null(s, i, K_SMS_ID))
        return xasprintf("duplicate of run %s, whose message is no longer kept", db_text(s, i, K_FIRST_RUN));
    return xasprintf(
        "duplicate of run %s: message %s is %s%s", db_text(s, i, K_FIRST_RUN), db_text(s, i, K_SMS_ID),
        state_word((enum state)db_big(s, i, K_STATE)),
        db_bool(s, i, K_SAME) ? "" : ", and went to another number (once_per does not hold the number)");
}

char *why_invalid(const char *reason)
{
    static const struct {
        const char *reason, *words;
    } known[] = {
        {"not_listed", "extract.deliver_only_to did not list it"},
        {"missing_key", "a column of once_per was NULL"},
        {"row_too_long", "the row was longer than 64 KiB"},
        {"template_not_allowed", "it names a template that its rule does not list (templates)"},
        {"text_not_allowed", "it has a text of its own, and its rule has no text_template"},
        {"params_reserved", "one of its params is named task_id, ext_id, number or text"},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(reason, known[i].reason) == 0)
            return xasprintf("invalid: %s", known[i].words);
    return xasprintf("invalid: what stood in the number's column is no number (%s)", reason);
}

static char *skip_because(const struct db_result *s, int i)
{
    const char *kind = db_text(s, i, K_KIND), *reason = db_text(s, i, K_REASON);
    if (strcmp(kind, "duplicate") == 0)
        return duplicate_of(s, i);
    if (strcmp(kind, "suppressed") == 0)
        return xasprintf("suppressed then: %s", reason);
    return why_invalid(reason);
}

static char *run_because(const struct why *w, int i)
{
    const struct db_result *r = w->run_rows;
    const char *state = db_text(r, i, R_STATE), *why = db_text(r, i, R_WHY);
    if (!db_is_null(r, i, R_MESSAGE))
        return xasprintf("message %s", db_text(r, i, R_MESSAGE));
    if (db_big(r, i, R_SKIPS) > 0)
        return xstrdup("a row of it was skipped, see above");
    if (strcmp(state, "new") == 0 || strcmp(state, "reading") == 0)
        return xstrdup("not known yet: the run is being read");
    if (!db_bool(r, i, R_COMPLETE))
        return xasprintf("the run is %s and was not read to its end: %s", state,
                         *why != '\0' ? why : "no reason is known");
    if (!db_bool(r, i, R_KNOWN))
        return xstrdup("no message; skipped rows of so old a run cannot be found by number");
    auto_free char *place = why_place(w->conf, db_text(r, i, R_RULE));
    return xasprintf("not in the result of %s", place);
}

static void read_number(struct why *w)
{
    const char *country = w->conf->main.country_code;
    enum number_fault fault =
        number_normalise(w->text, country != NULL && *country != '\0' ? country : NULL, &w->number);
    snprintf(w->masked, sizeof(w->masked), "%s", "-");
    if (fault == NUMBER_OK) {
        number_mask(w->number, w->masked);
        return;
    }
    w->number = 0;
    w->no_number = number_fault_word(fault);
}

static int read_suppressions(struct db *d, struct why *w)
{
    auto_params p = db_params_new();
    db_add_big(p, w->number);
    int rc = db_run(d, &sql_why_suppressed, p, &w->suppression_rows);
    if (rc != 0)
        return rc;
    w->suppression_count = (size_t)db_rows(w->suppression_rows);
    w->suppressions = xcalloc(w->suppression_count + 1, sizeof(*w->suppressions));
    for (int i = 0; i < db_rows(w->suppression_rows); i++)
        w->suppressions[i] =
            (struct why_suppression){db_text(w->suppression_rows, i, 0), db_text(w->suppression_rows, i, 1),
                                     db_time_ms(w->suppression_rows, i, 2)};
    return 0;
}

static int read_messages(struct db *d, struct why *w)
{
    auto_params p = db_params_new();
    db_add_big(p, w->number);
    db_add_text(p, w->rule);
    db_add_big(p, w->limit);
    int rc = db_run(d, &sql_why_messages, p, &w->message_rows);
    if (rc != 0)
        return rc;
    w->messages = xcalloc((size_t)db_rows(w->message_rows) + 1, sizeof(struct story *));
    for (int i = 0; i < db_rows(w->message_rows); i++) {
        rc = story_read(d, db_big(w->message_rows, i, 0), &w->messages[w->message_count]);
        if (rc != 0)
            return rc;
        w->message_count += w->messages[w->message_count] != NULL; /* its day may just have been dropped */
    }
    return 0;
}

/* Rows are found by the number, and by what stood in its place: as it was given. */
static void add_names(struct db_params *p, const struct why *w, const char *digits)
{
    const char *const names[] = {w->text, digits};
    db_add_text_array(p, names, w->number > 0 ? 2 : 1);
}

static int read_skips(struct db *d, struct why *w, const char *digits)
{
    auto_params p = db_params_new();
    add_names(p, w, digits);
    db_add_big(p, w->number);
    db_add_text(p, w->rule);
    db_add_big(p, w->limit);
    int rc = db_run(d, &sql_why_skips, p, &w->skip_rows);
    const struct db_result *s = w->skip_rows;
    if (rc != 0)
        return rc;
    w->skip_count = (size_t)db_rows(s);
    w->skips = xcalloc(w->skip_count + 1, sizeof(*w->skips));
    for (int i = 0; i < db_rows(s); i++)
        w->skips[i] = (struct why_skip){.run_id = db_big(s, i, K_RUN),
                                        .scheduled_at = db_time_ms(s, i, K_SCHEDULED),
                                        .rule = db_text(s, i, K_RULE),
                                        .kind = db_text(s, i, K_KIND),
                                        .reason = db_text(s, i, K_REASON),
                                        .because = skip_because(s, i)};
    return 0;
}

static int read_runs(struct db *d, struct why *w, const char *digits)
{
    auto_params p = db_params_new();
    add_names(p, w, digits);
    db_add_big(p, w->number);
    db_add_text(p, w->rule);
    db_add_big(p, w->since_ms);
    db_add_big(p, w->limit);
    int rc = db_run(d, &sql_why_runs, p, &w->run_rows);
    const struct db_result *r = w->run_rows;
    if (rc != 0)
        return rc;
    w->run_count = (size_t)db_rows(r);
    w->runs = xcalloc(w->run_count + 1, sizeof(*w->runs));
    for (int i = 0; i < db_rows(r); i++)
        w->runs[i] = (struct why_run){.run_id = db_big(r, i, R_ID),
                                      .scheduled_at = db_time_ms(r, i, R_SCHEDULED),
                                      .rule = db_text(r, i, R_RULE),
                                      .state = db_text(r, i, R_STATE),
                                      .because = run_because(w, i)};
    return 0;
}

int why_read(struct db *d, struct why *w)
{
    char digits[NUMBER_SIZE];
    int rc;
    w->since_ms = w->since_ms > 0 ? w->since_ms : WHY_SINCE_MS;
    w->limit = w->limit > 0 ? w->limit : WHY_LIMIT;
    read_number(w);
    snprintf(digits, sizeof(digits), "%lld", (long long)w->number);
    if ((rc = read_suppressions(d, w)) != 0 || (rc = read_messages(d, w)) != 0 ||
        (rc = read_skips(d, w, digits)) != 0)
        return rc;
    return read_runs(d, w, digits);
}

/* smschain test: a row of a rule's own SQL as a message to phones of one's own. Ledger, claim, gateway and
 * report are those of every message; the run is one of origin 'test', so the rule's keys and balance know
 * nothing of it. */
#include "ctl/testing.h"
#include "extract/key.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/number.h"
#include "lib/suggest.h"
#include "test_enter.sql.h"
#include "test_run.sql.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#define RECORD_HEAD "{\"sms_id\":0" /* whose 0 enter_message replaces */

/* ---- the numbers ---- */

static bool is_listed(const struct testing *t, int64_t number)
{
    const struct str_list *only = &t->conf->main.extract.deliver_only_to;
    bool found = only->count == 0;

    for (size_t i = 0; i < only->count && !found; i++)
        found = strtoll(only->items[i], NULL, 10) == number;
    return found;
}

static int take_number(struct testing *t, const char *text)
{
    const char *country = t->conf->main.country_code;
    char shown[NUMBER_SIZE];
    int64_t number;
    enum number_fault fault = number_normalise(text, country && *country != '\0' ? country : NULL, &number);

    if (fault != NUMBER_OK)
        return ctl_fail(EXIT_REFUSED, "--to: number %zu is none: %s", t->number_count + 1,
                        number_fault_word(fault));
    for (size_t i = 0; i < t->number_count; i++)
        if (t->numbers[i] == number)
            return ctl_fail(EXIT_REFUSED, "--to: %s is there twice", number_mask(number, shown));
    if (!is_listed(t, number))
        return ctl_fail(EXIT_REFUSED, "extract.deliver_only_to is set and does not list %s",
                        number_mask(number, shown));
    if (t->number_count == TEST_NUMBERS_MAX)
        return ctl_fail(EXIT_REFUSED, "--to: more than %d numbers: that is no test any more",
                        TEST_NUMBERS_MAX);
    t->numbers[t->number_count++] = number;
    return 0;
}

static int take_numbers(struct testing *t, const char *to)
{
    auto_free char *all = xstrdup(to);
    char *rest = all, *one;
    int code = 0;

    while (code == 0 && (one = strsep(&rest, ",")))
        code = take_number(t, one);
    return code;
}

/* ---- what is sent ---- */

static struct row_record record_of(struct testing *t, int64_t number)
{
    return (struct row_record){.number = number,
                               .run = t->run_id,
                               .rule = t->rule->name,
                               .tmpl = t->rule->template_name,
                               .lane = (char *)(uintptr_t) "instant",
                               .valid_until = clock_wall_ms() + t->rule->valid_for_ms,
                               .row = t->row};
}

/* Nothing is entered unless every one of them can be rendered; the first one's text is what a person sees. */
static int judge_all(struct testing *t)
{
    char shown[NUMBER_SIZE];

    for (size_t i = t->number_count; i-- > 0;) {
        const struct row_record row = record_of(t, t->numbers[i]);
        if (!judge_row(&t->judge, &row, clock_wall_ms(), &t->first))
            return ctl_fail(EXIT_REFUSED, "%s: %s (%s)", number_mask(t->numbers[i], shown), t->first.error,
                            t->first.reason);
    }
    return 0;
}

/* Without --once no two are the same message; with it a word names the test, and the same word sends nothing
 * again. */
static void make_keys(const struct testing *t, uint8_t keys[][KEY_SIZE])
{
    auto_free char *name = xasprintf("test:%s", t->rule->name);
    struct key_maker *maker = key_maker_new(name);
    char digits[NUMBER_SIZE];

    for (size_t i = 0; i < t->number_count; i++) {
        const char *values[] = {number_format(t->numbers[i], digits), t->once};
        if (t->once)
            key_make(maker, values, COUNT_OF(values), keys[i]);
        else if (getrandom(keys[i], KEY_SIZE, 0) != KEY_SIZE)
            abort();
    }
    key_maker_free(maker);
}

static int find_run(struct testing *t)
{
    auto_free char *name = xasprintf("test:%s", t->rule->name);
    auto_params p = db_params_new();
    auto_result run = NULL;

    db_add_text(p, name);
    int code = ctl_sql(t->ctl, &sql_test_run, p, &run);
    if (code == 0)
        t->run_id = db_big(run, 0, 0);
    return code;
}

static int enter(struct testing *t)
{
    uint8_t keys[TEST_NUMBERS_MAX][KEY_SIZE];
    struct buf bodies[TEST_NUMBERS_MAX] = {0};
    auto_buf head = {0}, tail = {0};
    const char *records[TEST_NUMBERS_MAX];
    char queue[MQ_QUEUE_SIZE];
    auto_params p = db_params_new();
    auto_result made = NULL;

    make_keys(t, keys);
    for (size_t i = 0; i < t->number_count; i++) {
        const struct row_record row = record_of(t, t->numbers[i]);
        chunk_add_row(&bodies[i], &row);
        assert(memcmp(bodies[i].data, RECORD_HEAD, strlen(RECORD_HEAD)) == 0);
        records[i] = bodies[i].data + strlen(RECORD_HEAD);
    }
    chunk_begin(&head, RECORD_ROWS);
    chunk_end(&tail);
    db_add_big(p, t->run_id);
    db_add_uuid_array(p, (const uint8_t(*)[16])keys, t->number_count);
    db_add_big_array(p, t->numbers, t->number_count);
    db_add_text_array(p, records, t->number_count);
    db_add_big(p, t->rule->valid_for_ms);
    db_add_text(p, mq_queue_render("instant", queue));
    db_add_text(p, head.data);
    db_add_text(p, tail.data);
    FAULT("ctl.test_entering");
    int code = ctl_sql(t->ctl, &sql_test_enter, p, &made);
    FAULT("ctl.test_entered");
    for (int i = 0; code == 0 && i < db_rows(made); i++)
        t->sms_ids[i] = db_big(made, i, 1);
    for (size_t i = 0; i < t->number_count; i++)
        buf_deinit(&bodies[i]);
    return code;
}

/* ---- the command ---- */

static int find_rule(struct testing *t, const char *name)
{
    struct suggest s = {.word = name, .len = strlen(name)};

    t->rule = conf_rule(t->conf, name);
    if (t->rule)
        return ctl_has_sql(t->rule, "test");
    for (size_t i = 0; i < t->conf->rule_count; i++)
        suggest_offer(&s, t->conf->rules[i].name);
    if (s.best)
        return ctl_fail(EXIT_REFUSED, "no rule %s in %s/rules, did you mean %s?", name, t->ctl->conf_dir,
                        s.best);
    return ctl_fail(EXIT_REFUSED, "no rule %s in %s/rules", name, t->ctl->conf_dir);
}

static int prepare(struct testing *t, const char *rule, const char *to)
{
    auto_buf report = {0};

    if (conf_load(t->ctl->conf_dir, "extract", &t->conf, &report) < 0) {
        fputs(report.data ? report.data : "", stderr);
        return EXIT_CONF;
    }
    int code = find_rule(t, rule);
    if (code == 0)
        code = take_numbers(t, to);
    if (code == 0 && plan_make(t->conf, &t->plan, &report) < 0) {
        fputs(report.data ? report.data : "", stderr);
        code = EXIT_CONF;
    }
    if (code != 0)
        return code;
    judge_init(&t->judge, t->plan);
    return test_read_row(t);
}

static int send(struct testing *t)
{
    int code = judge_all(t);

    if (code != 0)
        return code;
    test_print_text(t);
    if (!ctl_confirmed(t->yes, "Send this to %zu number%s?", t->number_count,
                       t->number_count == 1 ? "" : "s"))
        return EXIT_REFUSED;
    code = ctl_db(t->ctl);
    if (code == 0)
        code = find_run(t);
    if (code == 0)
        code = enter(t);
    return code == 0 ? test_follow(t) : code;
}

int cmd_test(struct ctl *c)
{
    struct testing t = {
        .ctl = c, .yes = ctl_take_flag(c, "--yes"), .json = ctl_take_flag(c, "--json"), .row_wanted = 1};
    const char *to = NULL, *row = NULL, *wait = NULL;

    if (!ctl_take_value(c, "--to", &to) || !ctl_take_value(c, "--row", &row) ||
        !ctl_take_value(c, "--wait", &wait) || !ctl_take_value(c, "--once", &t.once) ||
        !ctl_no_options_left(c) || c->argc != 2 || !to ||
        (row && (!ctl_parse_big(row, &t.row_wanted) || t.row_wanted > TEST_ROWS_MAX)) ||
        (wait && !ctl_parse_duration(wait, &t.wait_ms)))
        return ctl_usage("test");
    int code = prepare(&t, c->argv[1], to);
    if (code == 0)
        code = send(&t);
    if (t.plan)
        judge_deinit(&t.judge);
    plan_free(t.plan);
    test_row_deinit(&t.row);
    conf_free(t.conf);
    return code;
}

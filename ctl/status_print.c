/* How a status is shown: a table for a person, one JSON object for a program. */
#include "ctl/ctl.h"
#include "lib/clock.h"
#include "lib/state.h"
#include <stdio.h>

static const enum state states[] = {STATE_SUBMITTED,  STATE_IN_DOUBT,  STATE_ACCEPTED,     STATE_STALE,
                                    STATE_SUPPRESSED, STATE_CANCELLED, STATE_RENDER_ERROR, STATE_UNKNOWN,
                                    STATE_EXPIRED,    STATE_REJECTED,  STATE_UNDELIVERED,  STATE_DELIVERED};
static const char *const count_words[] = {
    [COUNT_IN_DOUBT] = "in_doubt",     [COUNT_HELD] = "held_runs",
    [COUNT_FAILED] = "failed_runs",    [COUNT_PARKED] = "parked",
    [COUNT_GIVEN_UP] = "given_up",     [COUNT_QUARANTINE] = "quarantined_today",
    [COUNT_OUTBOX_DUE] = "outbox_due", [COUNT_OUTBOX_LATER] = "outbox_later",
    [COUNT_HELD_RULES] = "held_rules", [COUNT_DEAD] = "dead",
    [COUNT_TESTS] = "tests_today",     [COUNT_PARTIAL] = "partial_today"};

/* Messages that nothing was told of yet. */
static int64_t queued(const struct status *s, int run)
{
    int64_t told = 0;
    for (size_t i = 0; i < COUNT_OF(states); i++)
        told += status_state_count(s, db_big(s->runs, run, RUN_ID), states[i]);
    return db_big(s->runs, run, RUN_NEW) - told;
}

static void print_run(const struct status *s, int i)
{
    const struct db_result *r = s->runs;
    char when[CLOCK_ISO_SIZE];
    printf("%6s %-24s %.19s %-9s %9s %8s %9s %7s %10s", db_text(r, i, RUN_ID), db_text(r, i, RUN_RULE),
           clock_iso(db_time_ms(r, i, RUN_SCHEDULED), when), db_text(r, i, RUN_STATE),
           db_text(r, i, RUN_ROWS), db_text(r, i, RUN_NEW), db_text(r, i, RUN_DUPLICATE),
           db_text(r, i, RUN_INVALID), db_text(r, i, RUN_SUPPRESSED));
    if (queued(s, i) > 0)
        printf("  queued %lld", (long long)queued(s, i));
    for (size_t k = 0; k < COUNT_OF(states); k++) {
        int64_t n = status_state_count(s, db_big(r, i, RUN_ID), states[k]);
        if (n != 0)
            printf("  %s %lld", state_word(states[k]), (long long)n);
    }
    int64_t partial = status_state_count(s, db_big(r, i, RUN_ID), STATUS_PARTIAL);
    if (partial != 0)
        printf("  (%lld of these in part)", (long long)partial);
    if (!db_is_null(r, i, RUN_TASK))
        printf("  task %s", db_text(r, i, RUN_TASK));
    if (*db_text(r, i, RUN_WHY) != '\0' && strcmp(db_text(r, i, RUN_STATE), "held") != 0)
        printf("  (%s)", db_text(r, i, RUN_WHY));
    putchar('\n');
}

void status_print_runs(const struct status *s)
{
    printf("%6s %-24s %-19s %-9s %9s %8s %9s %7s %10s\n", "run", "rule", "scheduled (UTC)", "state", "rows",
           "new", "duplicate", "invalid", "suppressed");
    for (int i = 0; i < db_rows(s->runs); i++)
        print_run(s, i);
}

static const char *moment(const struct db_result *r, int row, int column, char out[CLOCK_ISO_SIZE])
{
    return db_is_null(r, row, column) ? "never" : clock_iso(db_time_ms(r, row, column), out);
}

/* Of the last two days, where gateways have them. */
static void print_heartbeats(const struct db_result *r)
{
    char sent[CLOCK_ISO_SIZE], delivered[CLOCK_ISO_SIZE];
    if (db_rows(r) > 0)
        printf("\nheartbeats\n");
    for (int i = 0; i < db_rows(r); i++)
        printf("  %-24s last sent %.19s  last delivered %.19s  sent %s of %s  delivered %s\n",
               db_text(r, i, 0), moment(r, i, 4, sent), moment(r, i, 5, delivered), db_text(r, i, 2),
               db_text(r, i, 1), db_text(r, i, 3));
}

void status_print(const struct status *s)
{
    status_print_runs(s);
    status_print_held(s);
    status_print_waves(s);
    status_print_tasks(s);
    printf("\nservices\n");
    for (int i = 0; i < db_rows(s->services); i++)
        printf("  %-9s %s:%s %-10s %ss ago  %s\n", db_text(s->services, i, 0), db_text(s->services, i, 1),
               db_text(s->services, i, 2), db_text(s->services, i, 3), db_text(s->services, i, 5),
               db_text(s->services, i, 4));
    if (db_rows(s->services) == 0)
        printf("  none in the last minute\n");
    printf("\nqueues\n");
    if (s->broker_trouble != NULL)
        printf("  broker not reachable: %s\n", s->broker_trouble);
    for (size_t i = 0; s->broker_trouble == NULL && i < s->queue_count; i++)
        if (s->queues[i].ready < 0)
            printf("  %-40s missing: run smschain migrate\n", s->queues[i].name);
        else if (s->queues[i].ready > 0)
            printf("  %-40s %lld\n", s->queues[i].name, (long long)s->queues[i].ready);
    print_heartbeats(s->heartbeats);
    printf("\ncounts\n ");
    for (size_t i = 0; i < COUNT_OF(count_words); i++)
        printf(" %s %s ", count_words[i], db_text(s->counts, 0, (int)i));
    putchar('\n');
    for (int i = 0; i < db_rows(s->pauses); i++)
        printf("PAUSED: %s %s since %s by %s %s\n", db_text(s->pauses, i, 1), db_text(s->pauses, i, 2),
               db_text(s->pauses, i, 5), db_text(s->pauses, i, 4), db_text(s->pauses, i, 3));
}

static void json_text(struct buf *b, const char *name, const char *text)
{
    buf_addf(b, "\"%s\":", name);
    buf_add_json_str(b, text, strlen(text));
}

static void json_run(const struct status *s, int i, struct buf *b)
{
    static const struct {
        const char *name;
        enum status_run_column column;
    } numbers[] = {{"run", RUN_ID},
                   {"rows", RUN_ROWS},
                   {"gone", RUN_GONE},
                   {"new", RUN_NEW},
                   {"duplicate", RUN_DUPLICATE},
                   {"invalid", RUN_INVALID},
                   {"suppressed", RUN_SUPPRESSED}};
    char when[CLOCK_ISO_SIZE];
    buf_add_char(b, '{');
    json_text(b, "rule", db_text(s->runs, i, RUN_RULE));
    buf_addf(b, ",\"scheduled_at\":\"%s\",", clock_iso(db_time_ms(s->runs, i, RUN_SCHEDULED), when));
    json_text(b, "state", db_text(s->runs, i, RUN_STATE));
    buf_add_char(b, ',');
    json_text(b, "why", db_text(s->runs, i, RUN_WHY));
    for (size_t k = 0; k < COUNT_OF(numbers); k++)
        buf_addf(b, ",\"%s\":%s", numbers[k].name, db_text(s->runs, i, (int)numbers[k].column));
    status_json_run_more(s, i, b);
    buf_addf(b, ",\"pass_complete\":%s,\"messages\":{\"queued\":%lld",
             db_bool(s->runs, i, RUN_PASS_COMPLETE) ? "true" : "false", (long long)queued(s, i));
    for (size_t k = 0; k < COUNT_OF(states); k++)
        buf_addf(b, ",\"%s\":%lld", state_word(states[k]),
                 (long long)status_state_count(s, db_big(s->runs, i, RUN_ID), states[k]));
    buf_addf(b, "},\"partial\":%lld}",
             (long long)status_state_count(s, db_big(s->runs, i, RUN_ID), STATUS_PARTIAL));
}

static void json_services(const struct status *s, struct buf *b)
{
    static const char *const names[] = {"service", "host", "pid", "part"};
    for (int i = 0; i < db_rows(s->services); i++) {
        buf_add_str(b, i > 0 ? ",{" : "{");
        for (int k = 0; k < (int)COUNT_OF(names); k++) {
            json_text(b, names[k], db_text(s->services, i, k));
            buf_add_char(b, ',');
        }
        buf_addf(b, "\"age_s\":%s,\"figures\":%s}", db_text(s->services, i, 5), db_text(s->services, i, 4));
    }
}

static void json_moment(struct buf *b, const char *name, const struct db_result *r, int row, int column)
{
    char iso[CLOCK_ISO_SIZE];
    if (db_is_null(r, row, column))
        buf_addf(b, "\"%s\":null", name);
    else
        buf_addf(b, "\"%s\":\"%s\"", name, clock_iso(db_time_ms(r, row, column), iso));
}

static void json_heartbeats(const struct db_result *r, struct buf *b)
{
    for (int i = 0; i < db_rows(r); i++) {
        buf_add_str(b, i > 0 ? ",{" : "{");
        json_text(b, "gateway", db_text(r, i, 0));
        buf_addf(b, ",\"entered\":%s,\"sent\":%s,\"delivered\":%s,", db_text(r, i, 1), db_text(r, i, 2),
                 db_text(r, i, 3));
        json_moment(b, "last_sent_at", r, i, 4);
        buf_add_char(b, ',');
        json_moment(b, "last_delivered_at", r, i, 5);
        buf_add_char(b, '}');
    }
}

static void json_pauses(const struct status *s, struct buf *b)
{
    for (int i = 0; i < db_rows(s->pauses); i++) {
        buf_add_str(b, i > 0 ? ",{" : "{");
        json_text(b, "scope", db_text(s->pauses, i, 1));
        buf_add_char(b, ',');
        json_text(b, "key", db_text(s->pauses, i, 2));
        buf_add_char(b, ',');
        json_text(b, "reason", db_text(s->pauses, i, 3));
        buf_add_char(b, '}');
    }
}

void status_json(const struct status *s)
{
    auto_buf b = {0};
    char now[CLOCK_ISO_SIZE];
    buf_addf(&b, "{\"at\":\"%s\",\"runs\":[", clock_iso(clock_wall_ms(), now));
    for (int i = 0; i < db_rows(s->runs); i++) {
        if (i > 0)
            buf_add_char(&b, ',');
        json_run(s, i, &b);
    }
    buf_add_str(&b, "],\"tasks\":[");
    status_json_tasks(s, &b);
    buf_add_str(&b, "],\"services\":[");
    json_services(s, &b);
    buf_add_str(&b, "],\"queues\":{");
    for (size_t i = 0; s->broker_trouble == NULL && i < s->queue_count; i++)
        buf_addf(&b, "%s\"%s\":%lld", i > 0 ? "," : "", s->queues[i].name, (long long)s->queues[i].ready);
    buf_add_str(&b, "},");
    json_text(&b, "broker_trouble", s->broker_trouble != NULL ? s->broker_trouble : "");
    buf_add_str(&b, ",\"counts\":{");
    for (size_t i = 0; i < COUNT_OF(count_words); i++)
        buf_addf(&b, "%s\"%s\":%s", i > 0 ? "," : "", count_words[i], db_text(s->counts, 0, (int)i));
    buf_add_str(&b, "},\"heartbeats\":[");
    json_heartbeats(s->heartbeats, &b);
    buf_add_str(&b, "],\"pauses\":[");
    json_pauses(s, &b);
    buf_add_str(&b, "]}\n");
    fwrite(b.data, 1, b.len, stdout);
}

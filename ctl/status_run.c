/* What a status says of single runs: why one is held, what it would send and cost, how its first wave stands.
 */
#include "ctl/ctl.h"
#include "ctl/show_planned.h"
#include "lib/state.h"
#include <inttypes.h>
#include <stdio.h>

static struct planned *planned_of(const struct status *s, int i)
{
    const char *json = db_text(s->runs, i, RUN_PLANNED);

    return *json ? planned_decode(json, strlen(json)) : NULL;
}

static void print_planned(const struct status *s, int i, const char *would)
{
    struct planned *f = planned_of(s, i);

    if (f) {
        printf("    %s ", would);
        show_planned_line(f);
        putchar('\n');
    }
    planned_free(f);
}

static bool is_held(const struct status *s, int i)
{
    return strcmp(db_text(s->runs, i, RUN_STATE), "held") == 0;
}

/* Several reasons and what to do, "; " between them: a line each. */
static void print_reasons(const char *why)
{
    for (const char *end; (end = strstr(why, "; ")) != NULL; why = end + 2)
        printf("    %.*s\n", (int)(end - why), why);
    printf("    %s\n", why);
}

static const char *planned_words(const char *held_by)
{
    if (strstr(held_by, "max_recipients"))
        return "what was read of it would send";
    return strstr(held_by, "wave") ? "all of it:" : "it would send";
}

void status_print_held(const struct status *s)
{
    bool first = true;

    for (int i = 0; i < db_rows(s->runs); i++) {
        const char *id = db_text(s->runs, i, RUN_ID), *rule = db_text(s->runs, i, RUN_RULE);
        char at[SHOW_TIME_SIZE];
        if (!is_held(s, i))
            continue;
        printf("%s  run %s of %s, scheduled %s UTC\n", first ? "\nheld\n" : "", id, rule,
               show_time(db_time_ms(s->runs, i, RUN_SCHEDULED), at));
        first = false;
        print_reasons(db_text(s->runs, i, RUN_WHY));
        print_planned(s, i, planned_words(db_text(s->runs, i, RUN_HELD_BY)));
        if (strcmp(db_text(s->runs, i, RUN_HELD_BY), "[]") == 0)
            printf("    smschain accept %s, or smschain cancel %s\n", rule, id);
    }
}

static int64_t count_states(const struct status *s, int64_t run, const enum state *states, size_t count)
{
    int64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += status_state_count(s, run, (int)states[i]);
    return sum;
}

static void print_wave(const struct status *s, int i)
{
    static const enum state final[] = {STATE_UNKNOWN, STATE_EXPIRED, STATE_REJECTED, STATE_UNDELIVERED,
                                       STATE_DELIVERED},
                            bad[] = {STATE_EXPIRED, STATE_REJECTED, STATE_UNDELIVERED};
    int64_t run = db_big(s->runs, i, RUN_ID), first = db_big(s->runs, i, RUN_WAVE_FIRST);
    char n[SHOW_GROUPED_SIZE], m[SHOW_GROUPED_SIZE], at[SHOW_TIME_SIZE];

    printf("  run %" PRId64 " of %s: the first wave is %s of %s messages; ", run,
           db_text(s->runs, i, RUN_RULE), show_grouped(first, n),
           show_grouped(db_big(s->runs, i, RUN_NEW), m));
    printf("%s with a final status", show_grouped(count_states(s, run, final, COUNT_OF(final)), n));
    printf(", %s of them undelivered, rejected or expired; ",
           show_grouped(count_states(s, run, bad, COUNT_OF(bad)), n));
    if (db_is_null(s->runs, i, RUN_WAVE_DUE))
        printf("not all of it has been sent yet\n");
    else
        printf("the rest is decided about at %s UTC\n", show_time(db_time_ms(s->runs, i, RUN_WAVE_DUE), at));
}

void status_print_waves(const struct status *s)
{
    bool first = true;

    for (int i = 0; i < db_rows(s->runs); i++) {
        if (db_big(s->runs, i, RUN_WAVE) > 1 || !db_bool(s->runs, i, RUN_PUBLISH))
            continue;
        if (first)
            printf("\nwaves\n");
        first = false;
        print_wave(s, i);
    }
}

void status_print_one(const struct status *s)
{
    struct planned *f = planned_of(s, 0);
    char at[SHOW_TIME_SIZE];

    status_print_runs(s);
    status_print_held(s);
    status_print_waves(s);
    if (*db_text(s->runs, 0, RUN_RELEASED_BY))
        printf("\nreleased by %s at %s UTC\n", db_text(s->runs, 0, RUN_RELEASED_BY),
               show_time(db_time_ms(s->runs, 0, RUN_RELEASED_AT), at));
    if (f) {
        printf("\nmessages and cost, as judged when it was read\n  ");
        show_planned_line(f);
        putchar('\n');
        show_planned_gateways(f, "  ");
        if (f->errors > 0)
            printf("render errors\n");
        show_planned_errors(f, "  ");
    }
    planned_free(f);
}

void status_json_run_more(const struct status *s, int i, struct buf *b)
{
    const char *planned = db_text(s->runs, i, RUN_PLANNED);

    if (!db_is_null(s->runs, i, RUN_TASK))
        show_json_text(b, "task", db_text(s->runs, i, RUN_TASK));
    buf_addf(b, ",\"held_by\":%s", db_text(s->runs, i, RUN_HELD_BY)); /* an array of words */
    show_json_text(b, "released_by", db_text(s->runs, i, RUN_RELEASED_BY));
    show_json_time(b, "released_at", db_time_ms(s->runs, i, RUN_RELEASED_AT));
    if (db_big(s->runs, i, RUN_WAVE) == 1) {
        show_json_big(b, "first_wave", db_big(s->runs, i, RUN_WAVE_FIRST));
        show_json_time(b, "wave_decided_at", db_time_ms(s->runs, i, RUN_WAVE_DUE));
    }
    if (*planned)
        buf_addf(b, ",\"planned\":%s", planned);
}

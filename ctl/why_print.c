/* Why, shown: for a person, and as one JSON object for a program. */
#include "ctl/why.h"
#include "lib/state.h"
#include <stdio.h>

/* What a gateway has written may hold the number: masked, and nothing that steers a terminal. */
static char *masked(const char *s)
{
    auto_buf b = {0};
    if (strncmp(s, "msg_id ", 7) == 0)
        return xstrdup(s);
    show_masked(s, strlen(s), &b);
    return buf_take(&b, NULL);
}

static void print_suppressed(const struct why *w)
{
    char since[SHOW_TIME_SIZE];
    for (int i = 0; i < db_rows(w->suppressed); i++) {
        printf("suppressed  %s since %s ", db_text(w->suppressed, i, 1),
               show_time(db_time_ms(w->suppressed, i, 3), since));
        show_cut(db_text(w->suppressed, i, 2), 48);
        putchar('\n');
    }
    if (db_rows(w->suppressed) == 0)
        printf("suppressed  no\n");
}

static void print_segments(const struct db_result *s)
{
    for (int i = 0; i < db_rows(s); i++) {
        char at[SHOW_TIME_SIZE];
        auto_free char *reason = masked(db_text(s, i, G_REASON));
        printf("    segment %s of %d  %-12s", db_text(s, i, G_SEGMENT), db_rows(s),
               state_word((enum state)db_big(s, i, G_STATE)));
        if (!db_is_null(s, i, G_CHANGED))
            printf(" %s  %s%s%s", show_time(db_time_ms(s, i, G_CHANGED), at), db_text(s, i, G_GATEWAY),
                   *reason != '\0' ? ": " : "", reason);
        putchar('\n');
    }
}

static void print_story(const struct db_result *s, bool parts)
{
    for (int i = 0; i < db_rows(s); i++) {
        char at[SHOW_TIME_SIZE];
        auto_free char *detail = masked(db_text(s, i, S_DETAIL)), *what = why_story_what(s, i);
        printf("    %s  ", show_time(db_time_ms(s, i, S_AT), at));
        int used = 25 + printf("%s %s", what, db_text(s, i, S_GATEWAY));
        if (parts)
            used += printf(" (segment %s, attempt %s)", db_text(s, i, S_SEGMENT), db_text(s, i, S_ATTEMPT));
        else if (db_big(s, i, S_ATTEMPT) > 1)
            used += printf(" (attempt %s)", db_text(s, i, S_ATTEMPT));
        if (*detail != '\0') {
            printf(": ");
            show_cut(detail, MAX_OF(SHOW_COLUMNS - used - 2, 10));
        }
        putchar('\n');
    }
}

static void print_messages(const struct why *w)
{
    const struct db_result *m = w->messages;
    printf("\nmessages, the newest first\n");
    for (int i = 0; i < db_rows(m); i++) {
        char at[SHOW_TIME_SIZE];
        auto_free char *because = why_message_because(w, i), *place = why_place(w, db_text(m, i, M_RULE));
        printf("%s  %-12s sms_id %s, run %s, rule ", show_time(db_time_ms(m, i, M_CREATED), at),
               state_word((enum state)db_big(m, i, M_STATE)), db_text(m, i, M_SMS_ID), db_text(m, i, M_RUN));
        show_cut(db_text(m, i, M_RULE), 24);
        printf("\n    %s\n", place);
        if (*because != '\0')
            printf("    because %s\n", because);
        if (w->segments[i] != NULL)
            print_segments(w->segments[i]);
        print_story(w->stories[i], w->segments[i] != NULL);
    }
    if (db_rows(m) == 0)
        printf("none\n");
}

static void print_skips(const struct why *w)
{
    const struct db_result *s = w->skips;
    printf("\nrows that became no message, the newest first\n");
    for (int i = 0; i < db_rows(s); i++) {
        char at[SHOW_TIME_SIZE];
        auto_free char *because = why_skip_because(w, i), *place = why_place(w, db_text(s, i, K_RULE));
        printf("%s  run %s, %s\n    %s\n", show_time(db_time_ms(s, i, K_SCHEDULED), at), db_text(s, i, K_RUN),
               because, place);
    }
    if (db_rows(s) == 0)
        printf("none\n");
}

static void print_runs(const struct why *w)
{
    const struct db_result *r = w->runs;
    printf("\n%s%s\n", *w->rule != '\0' ? "runs of rule " : "the last run of each rule", w->rule);
    for (int i = 0; i < db_rows(r); i++) {
        char at[SHOW_TIME_SIZE];
        auto_free char *because = why_run_because(w, i);
        printf("%s  run %s, %s\n    %s\n", show_time(db_time_ms(r, i, R_SCHEDULED), at), db_text(r, i, R_ID),
               db_text(r, i, R_RULE), because);
    }
    if (db_rows(r) == 0)
        printf("none in this time; --since 30d looks further back\n");
}

void why_print(const struct why *w)
{
    if (w->no_number != NULL)
        printf("number      none (%s): rows where exactly this stood are looked for\n", w->no_number);
    else
        printf("number      %s (times in UTC)\n", w->number);
    print_suppressed(w);
    print_messages(w);
    print_skips(w);
    print_runs(w);
}

/* ---- for a program ---- */

static void next_object(struct buf *b, int i)
{
    buf_add_str(b, i > 0 ? ",{" : "{");
}

static void json_segments(const struct db_result *s, struct buf *b)
{
    buf_add_str(b, ",\"segments\":[");
    for (int i = 0; s != NULL && i < db_rows(s); i++) {
        auto_free char *reason = masked(db_text(s, i, G_REASON));
        next_object(b, i);
        show_json_big(b, "segment", db_big(s, i, G_SEGMENT));
        show_json_text(b, "state", state_word((enum state)db_big(s, i, G_STATE)));
        show_json_big(b, "attempt", db_big(s, i, G_ATTEMPT));
        show_json_text(b, "gateway", db_text(s, i, G_GATEWAY));
        show_json_text(b, "reason", reason);
        show_json_time(b, "changed_at", db_time_ms(s, i, G_CHANGED));
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}

static void json_message(const struct why *w, int i, struct buf *b)
{
    const struct db_result *m = w->messages, *s = w->stories[i];
    auto_free char *because = why_message_because(w, i), *place = why_place(w, db_text(m, i, M_RULE));
    next_object(b, i);
    show_json_big(b, "sms_id", db_big(m, i, M_SMS_ID));
    show_json_text(b, "state", state_word((enum state)db_big(m, i, M_STATE)));
    show_json_big(b, "run", db_big(m, i, M_RUN));
    show_json_text(b, "rule", db_text(m, i, M_RULE));
    show_json_text(b, "place", place);
    show_json_time(b, "scheduled_at", db_time_ms(m, i, M_SCHEDULED));
    show_json_time(b, "created_at", db_time_ms(m, i, M_CREATED));
    show_json_time(b, "valid_until", db_time_ms(m, i, M_VALID_UNTIL));
    show_json_time(b, "changed_at", db_time_ms(m, i, M_CHANGED));
    show_json_text(b, "gateway", db_text(m, i, M_GATEWAY));
    show_json_text(b, "reason", db_text(m, i, M_REASON));
    show_json_text(b, "because", because);
    json_segments(w->segments[i], b);
    buf_add_str(b, ",\"story\":[");
    for (int k = 0; k < db_rows(s); k++) {
        auto_free char *detail = masked(db_text(s, k, S_DETAIL)), *what = why_story_what(s, k);
        next_object(b, k);
        show_json_time(b, "at", db_time_ms(s, k, S_AT));
        show_json_text(b, "what", what);
        if (w->segments[i] != NULL)
            show_json_big(b, "segment", db_big(s, k, S_SEGMENT));
        show_json_big(b, "attempt", db_big(s, k, S_ATTEMPT));
        show_json_text(b, "gateway", db_text(s, k, S_GATEWAY));
        show_json_text(b, "detail", detail);
        buf_add_char(b, '}');
    }
    buf_add_str(b, "]}");
}

static void json_skip(const struct why *w, int i, struct buf *b)
{
    const struct db_result *s = w->skips;
    auto_free char *because = why_skip_because(w, i), *place = why_place(w, db_text(s, i, K_RULE));
    next_object(b, i);
    show_json_big(b, "run", db_big(s, i, K_RUN));
    show_json_text(b, "rule", db_text(s, i, K_RULE));
    show_json_text(b, "place", place);
    show_json_time(b, "scheduled_at", db_time_ms(s, i, K_SCHEDULED));
    show_json_text(b, "kind", db_text(s, i, K_KIND));
    show_json_text(b, "reason", db_text(s, i, K_REASON));
    show_json_text(b, "because", because);
    buf_add_char(b, '}');
}

static void json_run(const struct why *w, int i, struct buf *b)
{
    const struct db_result *r = w->runs;
    auto_free char *because = why_run_because(w, i);
    next_object(b, i);
    show_json_big(b, "run", db_big(r, i, R_ID));
    show_json_text(b, "rule", db_text(r, i, R_RULE));
    show_json_time(b, "scheduled_at", db_time_ms(r, i, R_SCHEDULED));
    show_json_text(b, "state", db_text(r, i, R_STATE));
    show_json_text(b, "because", because);
    buf_add_char(b, '}');
}

void why_json(const struct why *w)
{
    auto_buf b = {0};
    buf_add_char(&b, '{');
    show_json_text(&b, "number", w->number);
    buf_add_str(&b, ",\"suppressed\":[");
    for (int i = 0; i < db_rows(w->suppressed); i++) {
        next_object(&b, i);
        show_json_text(&b, "scope", db_text(w->suppressed, i, 1));
        show_json_text(&b, "reason", db_text(w->suppressed, i, 2));
        show_json_time(&b, "since", db_time_ms(w->suppressed, i, 3));
        buf_add_char(&b, '}');
    }
    buf_add_str(&b, "],\"messages\":[");
    for (int i = 0; i < db_rows(w->messages); i++)
        json_message(w, i, &b);
    buf_add_str(&b, "],\"skipped\":[");
    for (int i = 0; i < db_rows(w->skips); i++)
        json_skip(w, i, &b);
    buf_add_str(&b, "],\"runs\":[");
    for (int i = 0; i < db_rows(w->runs); i++)
        json_run(w, i, &b);
    buf_add_str(&b, "]}\n");
    fwrite(b.data, 1, b.len, stdout);
}

/* Why, shown: for a person, and as one JSON object for a program. */
#include "ctl/why.h"
#include <stdio.h>

static void print_suppressed(const struct why *w)
{
    char since[SHOW_TIME_SIZE];
    for (size_t i = 0; i < w->suppression_count; i++) {
        printf("suppressed  %s since %s ", w->suppressions[i].scope,
               show_time(w->suppressions[i].since, since));
        show_cut(w->suppressions[i].reason, 48);
        putchar('\n');
    }
    if (w->suppression_count == 0)
        printf("suppressed  no\n");
}

static void print_segments(const struct story *s)
{
    for (int i = 0; s->in_parts != NULL && i < s->parts; i++) {
        const struct story_segment *p = &s->in_parts[i];
        char at[SHOW_TIME_SIZE];
        auto_buf reason = {0};
        show_masked(p->reason, strlen(p->reason), &reason);
        printf("    segment %d of %d  %-12s", p->segment, s->parts, state_word(p->state));
        if (p->changed_at != 0)
            printf(" %s  %s%s%s", show_time(p->changed_at, at), p->gateway, reason.len > 0 ? ": " : "",
                   reason.len > 0 ? reason.data : "");
        putchar('\n');
    }
}

static void print_told(const struct story *s)
{
    for (size_t i = 0; i < s->told_count; i++) {
        const struct story_told *t = &s->told[i];
        char at[SHOW_TIME_SIZE];
        auto_free char *detail = story_detail(t), *what = story_what(t);
        printf("    %s  ", show_time(t->at, at));
        int used = 25 + printf("%s %s", what, t->gateway);
        if (s->in_parts != NULL)
            used += printf(" (segment %d, attempt %d)", t->segment, t->attempt);
        else if (t->attempt > 1)
            used += printf(" (attempt %d)", t->attempt);
        if (*detail != '\0') {
            printf(": ");
            show_cut(detail, MAX_OF(SHOW_COLUMNS - used - 2, 10));
        }
        putchar('\n');
    }
}

void why_print_message(const struct conf *conf, const struct story *s)
{
    char at[SHOW_TIME_SIZE];
    auto_free char *because = story_because(s), *place = why_place(conf, s->rule);
    printf("%s  %-12s sms_id %lld, run %lld, rule ", show_time(s->created_at, at), state_word(s->state),
           (long long)s->sms_id, (long long)s->run_id);
    show_cut(s->rule, 24);
    printf("\n    %s\n", place);
    if (*s->ext_id != '\0') {
        printf("    ext_id ");
        show_cut(s->ext_id, SHOW_COLUMNS - 12);
        putchar('\n');
    }
    if (*s->task_id != '\0')
        printf("    task %s\n", s->task_id);
    if (*because != '\0')
        printf("    because %s\n", because);
    print_segments(s);
    print_told(s);
}

void why_print_messages(const struct why *w)
{
    printf("\nmessages, the newest first\n");
    for (size_t i = 0; i < w->message_count; i++)
        why_print_message(w->conf, w->messages[i]);
    if (w->message_count == 0)
        printf("none\n");
}

static void print_skips(const struct why *w)
{
    printf("\nrows that became no message, the newest first\n");
    for (size_t i = 0; i < w->skip_count; i++) {
        char at[SHOW_TIME_SIZE];
        auto_free char *place = why_place(w->conf, w->skips[i].rule);
        printf("%s  run %lld, %s\n    %s\n", show_time(w->skips[i].scheduled_at, at),
               (long long)w->skips[i].run_id, w->skips[i].because, place);
    }
    if (w->skip_count == 0)
        printf("none\n");
}

static void print_runs(const struct why *w)
{
    printf("\n%s%s\n", *w->rule != '\0' ? "runs of rule " : "the last run of each rule", w->rule);
    for (size_t i = 0; i < w->run_count; i++) {
        char at[SHOW_TIME_SIZE];
        printf("%s  run %lld, %s\n    %s\n", show_time(w->runs[i].scheduled_at, at),
               (long long)w->runs[i].run_id, w->runs[i].rule, w->runs[i].because);
    }
    if (w->run_count == 0)
        printf("none in this time; --since 30d looks further back\n");
}

void why_print(const struct why *w, const char *number)
{
    if (w->no_number != NULL)
        printf("number      none (%s): rows where exactly this stood are looked for\n", w->no_number);
    else
        printf("number      %s (times in UTC)\n", number);
    print_suppressed(w);
    why_print_messages(w);
    print_skips(w);
    print_runs(w);
}

/* ---- for a program ---- */

static void next_object(struct buf *b, size_t i)
{
    buf_add_str(b, i > 0 ? ",{" : "{");
}

void why_json_message(const struct conf *conf, const struct story *s, struct buf *b)
{
    auto_free char *because = story_because(s), *place = why_place(conf, s->rule);
    show_json_big(b, "sms_id", s->sms_id);
    if (*s->ext_id != '\0')
        show_json_text(b, "ext_id", s->ext_id);
    if (*s->task_id != '\0')
        show_json_text(b, "task", s->task_id);
    show_json_text(b, "state", state_word(s->state));
    show_json_big(b, "run", s->run_id);
    show_json_text(b, "rule", s->rule);
    show_json_text(b, "place", place);
    show_json_time(b, "scheduled_at", s->scheduled_at);
    show_json_time(b, "created_at", s->created_at);
    show_json_time(b, "valid_until", s->valid_until);
    show_json_time(b, "changed_at", s->changed_at);
    show_json_text(b, "gateway", s->gateway);
    show_json_text(b, "reason", s->reason);
    show_json_text(b, "because", because);
    buf_add_char(b, ',');
    story_add_json(s, b);
    buf_add_char(b, '}');
}

static void json_skip(const struct why *w, const struct why_skip *s, struct buf *b)
{
    auto_free char *place = why_place(w->conf, s->rule);
    show_json_big(b, "run", s->run_id);
    show_json_text(b, "rule", s->rule);
    show_json_text(b, "place", place);
    show_json_time(b, "scheduled_at", s->scheduled_at);
    show_json_text(b, "kind", s->kind);
    show_json_text(b, "reason", s->reason);
    show_json_text(b, "because", s->because);
    buf_add_char(b, '}');
}

static void json_run(const struct why_run *r, struct buf *b)
{
    show_json_big(b, "run", r->run_id);
    show_json_text(b, "rule", r->rule);
    show_json_time(b, "scheduled_at", r->scheduled_at);
    show_json_text(b, "state", r->state);
    show_json_text(b, "because", r->because);
    buf_add_char(b, '}');
}

void why_json_messages(const struct why *w, struct buf *b)
{
    buf_add_str(b, ",\"messages\":[");
    for (size_t i = 0; i < w->message_count; i++) {
        next_object(b, i);
        why_json_message(w->conf, w->messages[i], b);
    }
    buf_add_char(b, ']');
}

void why_json(const struct why *w, const char *number)
{
    auto_buf b = {0};
    buf_add_char(&b, '{');
    show_json_text(&b, "number", number);
    buf_add_str(&b, ",\"suppressed\":[");
    for (size_t i = 0; i < w->suppression_count; i++) {
        next_object(&b, i);
        show_json_text(&b, "scope", w->suppressions[i].scope);
        show_json_text(&b, "reason", w->suppressions[i].reason);
        show_json_time(&b, "since", w->suppressions[i].since);
        buf_add_char(&b, '}');
    }
    buf_add_char(&b, ']');
    why_json_messages(w, &b);
    buf_add_str(&b, ",\"skipped\":[");
    for (size_t i = 0; i < w->skip_count; i++) {
        next_object(&b, i);
        json_skip(w, &w->skips[i], &b);
    }
    buf_add_str(&b, "],\"runs\":[");
    for (size_t i = 0; i < w->run_count; i++) {
        next_object(&b, i);
        json_run(&w->runs[i], &b);
    }
    buf_add_str(&b, "]}\n");
    fwrite(b.data, 1, b.len, stdout);
}

/* What is sent as a test, and what became of it. */
#include "ctl/testing.h"
#include "lib/clock.h"
#include "lib/number.h"
#include "test_state.sql.h"
#include <inttypes.h>
#include <stdio.h>

#define LOOK_EVERY_MS 200

enum { SMS_ID, NUMBER, STATE, GATEWAY, REASON, SEGMENTS, ERROR };

void test_print_text(const struct testing *t)
{
    const struct judgement *j = &t->first;

    if (t->json)
        return;
    printf("rule %s, row %" PRId64 ", template %s (version %s)\n\n", t->rule->name, t->row_wanted,
           j->tmpl->name, j->tmpl->version);
    auto_buf shown = {0};
    for (size_t i = 0; i < j->len; i++) {
        unsigned char c = (unsigned char)j->text[i];
        buf_add_char(&shown, (c < 0x20 && c != '\n') || c == 0x7f ? '?' : (char)c);
    }
    fwrite(shown.data, 1, shown.len, stdout);
    printf("\n\n%s, %zu segment%s, by %s%s%s\n", text_encoding_word(j->shape.encoding), j->shape.segments,
           j->shape.segments == 1 ? "" : "s", j->gateways[0], j->sender ? ", from " : "",
           j->sender ? j->sender : "");
}

static void print_message(const struct db_result *r, int i)
{
    char number[NUMBER_SIZE];

    printf("%s  %s  %s", db_text(r, i, SMS_ID), number_mask(db_big(r, i, NUMBER), number),
           state_word((enum state)db_big(r, i, STATE)));
    if (*db_text(r, i, GATEWAY) != '\0')
        printf("  by %s", db_text(r, i, GATEWAY));
    if (*db_text(r, i, REASON) != '\0')
        printf("  reason %s", db_text(r, i, REASON));
    if (*db_text(r, i, ERROR) != '\0')
        printf("  (%s)", db_text(r, i, ERROR));
    putchar('\n');
}

static void print_suppressed(const struct testing *t)
{
    char number[NUMBER_SIZE];

    for (size_t i = 0; i < t->number_count; i++)
        if (t->sms_ids[i] == 0)
            printf("%s  not entered: the number is suppressed (smschain suppress list)\n",
                   number_mask(t->numbers[i], number));
}

static void json_messages(const struct testing *t, const struct db_result *r, struct buf *b)
{
    char number[NUMBER_SIZE];
    bool any = false;

    for (int i = 0; i < db_rows(r); i++) {
        buf_add_str(b, any ? ",{" : "{");
        any = true;
        show_json_big(b, "sms_id", db_big(r, i, SMS_ID));
        show_json_text(b, "number", number_mask(db_big(r, i, NUMBER), number));
        show_json_text(b, "state", state_word((enum state)db_big(r, i, STATE)));
        show_json_text(b, "gateway", db_text(r, i, GATEWAY));
        show_json_text(b, "reason", db_text(r, i, REASON));
        show_json_text(b, "error", db_text(r, i, ERROR));
        buf_add_char(b, '}');
    }
    for (size_t i = 0; i < t->number_count; i++) {
        if (t->sms_ids[i] != 0)
            continue;
        buf_add_str(b, any ? ",{" : "{");
        any = true;
        show_json_text(b, "number", number_mask(t->numbers[i], number));
        show_json_text(b, "state", "suppressed");
        buf_add_char(b, '}');
    }
}

static void json_all(const struct testing *t, const struct db_result *r)
{
    const struct judgement *j = &t->first;
    auto_buf b = {0};

    buf_add_char(&b, '{');
    show_json_text(&b, "rule", t->rule->name);
    show_json_big(&b, "run", t->run_id);
    show_json_text(&b, "template", j->tmpl->name);
    show_json_text(&b, "version", j->tmpl->version);
    show_json_text(&b, "text", j->text);
    show_json_text(&b, "encoding", text_encoding_word(j->shape.encoding));
    show_json_big(&b, "segments", (int64_t)j->shape.segments);
    buf_add_str(&b, ",\"messages\":[");
    json_messages(t, r, &b);
    buf_add_str(&b, "]}\n");
    fwrite(b.data, 1, b.len, stdout);
}

static bool is_open(const struct db_result *r, int i)
{
    return db_big(r, i, STATE) < STATE_STALE; /* queued, submitted, in doubt, accepted */
}

static int look(const struct testing *t, struct db_result **ret)
{
    auto_params p = db_params_new();
    int64_t ids[TEST_NUMBERS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < t->number_count; i++)
        if (t->sms_ids[i] != 0)
            ids[count++] = t->sms_ids[i];
    db_add_big_array(p, ids, count);
    return ctl_sql(t->ctl, &sql_test_state, p, ret);
}

/* 3 while something may still come, 1 if a message did not arrive, 0 if all did. */
static int verdict(const struct testing *t, const struct db_result *r)
{
    bool bad = false, open = false;

    for (int i = 0; i < db_rows(r); i++) {
        open |= is_open(r, i);
        bad |= !is_open(r, i) && db_big(r, i, STATE) != STATE_DELIVERED;
    }
    for (size_t i = 0; i < t->number_count; i++)
        bad |= t->sms_ids[i] == 0;
    if (bad)
        return EXIT_REFUSED;
    return open && t->wait_ms > 0 ? EXIT_ATTENTION : EXIT_DONE;
}

int test_follow(const struct testing *t)
{
    int64_t until = clock_mono_ms() + t->wait_ms;

    for (;;) {
        auto_result r = NULL;
        bool open = false;
        int code = look(t, &r);
        if (code != 0)
            return code;
        for (int i = 0; i < db_rows(r); i++)
            open |= is_open(r, i);
        if (open && clock_mono_ms() < until) {
            usleep(LOOK_EVERY_MS * 1000);
            continue;
        }
        if (t->json) {
            json_all(t, r);
            return verdict(t, r);
        }
        for (int i = 0; i < db_rows(r); i++)
            print_message(r, i);
        print_suppressed(t);
        if (open)
            printf("%s: smschain test … --wait 5m waits, smschain why NUMBER tells later\n",
                   t->wait_ms > 0 ? "not all have come to their end yet" : "entered");
        return verdict(t, r);
    }
}

/* smschain message: one message's story, now or when it has come to its end. Reads only. */
#include "ctl/why.h"
#include "lib/clock.h"
#include <inttypes.h>
#include <stdio.h>

#define LOOK_EVERY_MS 200

static bool is_open(const struct story *s)
{
    return s->state < STATE_STALE; /* queued, submitted, in doubt, accepted */
}

static int read_story(struct ctl *c, int64_t sms_id, struct story **ret)
{
    int code = ctl_db_code(c, story_read(c->db, sms_id, ret), "message");

    if (code == 0 && *ret == NULL)
        code = ctl_fail(EXIT_REFUSED, "no message %" PRId64 " (they are kept for database.claims_keep_days)",
                        sms_id);
    return code;
}

static void show(const struct ctl *c, const struct story *s, bool json)
{
    auto_buf b = {0};

    if (!json) {
        printf("number      %s (times in UTC)\n", s->number);
        why_print_message(c->conf, s);
        return;
    }
    buf_add_char(&b, '{');
    show_json_text(&b, "number", s->number);
    why_json_message(c->conf, s, &b);
    printf("%s\n", b.data);
}

static int verdict(const struct story *s, bool waited)
{
    if (!waited)
        return EXIT_DONE;
    if (is_open(s))
        return EXIT_ATTENTION;
    return s->state == STATE_DELIVERED ? EXIT_DONE : EXIT_REFUSED;
}

int cmd_message(struct ctl *c)
{
    const char *wait = NULL;
    int64_t sms_id, wait_ms = 0;
    bool json = ctl_take_flag(c, "--json");

    if (!ctl_take_value(c, "--wait", &wait) || !ctl_no_options_left(c) || c->argc != 2)
        return ctl_usage("message");
    if (!ctl_parse_big(c->argv[1], &sms_id))
        return ctl_fail(EXIT_USAGE, "'%s' is no sms_id: expected a number", c->argv[1]);
    if (wait && !ctl_parse_duration(wait, &wait_ms))
        return ctl_fail(EXIT_USAGE, "--wait '%s': expected a duration such as 10s", wait);
    int code = ctl_db(c);
    int64_t until = clock_mono_ms() + wait_ms;
    while (code == 0) {
        auto_story s = NULL;
        code = read_story(c, sms_id, &s);
        if (code != 0)
            break;
        if (is_open(s) && clock_mono_ms() < until) {
            usleep(LOOK_EVERY_MS * 1000);
            continue;
        }
        show(c, s, json);
        return verdict(s, wait != NULL);
    }
    return code;
}

/* One message's story in words, and as JSON: see story.h. */
#include "lib/clock.h"
#include "lib/show.h"
#include "lib/story.h"

/* A message that nobody has claimed, or whose attempt was not sent: what does it wait for? */
static char *waits_for(const struct story *s)
{
    char at[SHOW_TIME_SIZE];
    if (*s->controls != '\0')
        return xstrdup(s->controls);
    if (strcmp(s->run_state, "held") == 0)
        return xasprintf("its run is held: %s", s->run_why);
    if (!s->run_publishes)
        return xasprintf("its run is %s and may not publish yet%s%s", s->run_state,
                         *s->run_why != '\0' ? ": " : "", s->run_why);
    if (s->waits_for_wave)
        return xasprintf("it waits for the first wave of its run: smschain status --run %lld",
                         (long long)s->run_id);
    if (s->outbox_due != 0)
        return xasprintf("it waits in the outbox until %s", show_time(s->outbox_due, at));
    if (s->valid_until < clock_wall_ms())
        return xasprintf("it was valid until %s and ends as stale when its turn comes",
                         show_time(s->valid_until, at));
    return xstrdup("it is on its way; if its queue was lost: smschain requeue --message SMS_ID");
}

static char *in_doubt(const struct story *s)
{
    if (s->parts > 1)
        return xasprintf(
            "segments of it may have been sent (%s); reports or a person settle them: smschain resolve "
            "lists them",
            s->reason);
    return xasprintf(
        "it may have been sent (%s); a report or a person settles it: smschain resolve %lld.1.%d STATE",
        s->reason, (long long)s->sms_id, s->attempt);
}

char *story_because(const struct story *s)
{
    char at[SHOW_TIME_SIZE];
    switch (s->state) {
    case STATE_QUEUED:
    case STATE_SUBMITTED:
        return waits_for(s);
    case STATE_IN_DOUBT:
        return in_doubt(s);
    case STATE_STALE:
        return xasprintf("it was valid until %s, and its turn came later", show_time(s->valid_until, at));
    case STATE_SUPPRESSED:
        return xstrdup("the number was suppressed when its turn came");
    case STATE_CANCELLED:
        return xstrdup(*s->controls != '\0' ? s->controls : "its run was cancelled");
    case STATE_UNKNOWN:
        return xstrdup("the gateway accepted it and has reported nothing");
    case STATE_RENDER_ERROR:
    case STATE_REJECTED:
    case STATE_UNDELIVERED:
    case STATE_EXPIRED:
        if (strncmp(s->reason, "partial:", 8) == 0)
            return xasprintf("a segment of it has failed (%s), and others have arrived or may arrive",
                             s->reason + 8);
        return xstrdup(s->reason);
    case STATE_ACCEPTED:
    case STATE_DELIVERED:
        break;
    }
    return xstrdup("");
}

char *story_what(const struct story_told *t)
{
    static const char *const claims[] = {"claimed as stale", "claimed as suppressed", "claimed as cancelled"};
    const char *state = t->has_state ? state_word(t->state) : NULL;

    if (t->step == STORY_CLAIM)
        return xstrdup(t->claim == 0 ? "claimed" : claims[t->claim == 40 ? 0 : t->claim == 41 ? 1 : 2]);
    if (t->step == STORY_ACCEPTED)
        return xstrdup("accepted");
    return xasprintf("%s%s%s", t->step == STORY_REPORT ? "report" : "outcome", state != NULL ? " " : "",
                     state != NULL ? state : "");
}

static const char *settled_words(int settled)
{
    switch (settled) {
    case 1:
        return "its dispatcher ended before sending it";
    case 2:
        return "not sent";
    case 3:
        return "refused for now, to be tried again";
    case 4:
        return "not accepted, as the gateway says on being asked";
    default:
        return "";
    }
}

/* What a gateway has written may hold the number: masked, and nothing that steers a terminal. */
static void add_word(struct buf *b, const char *before, const char *word)
{
    if (*word == '\0')
        return;
    if (b->len > 0)
        buf_add_str(b, ", ");
    buf_add_str(b, before);
    show_masked(word, strlen(word), b);
}

char *story_detail(const struct story_told *t)
{
    char at[SHOW_TIME_SIZE];
    auto_buf b = {0};
    if (t->step == STORY_CLAIM)
        return xstrdup(settled_words(t->settled));
    if (t->step == STORY_ACCEPTED)
        return xasprintf("msg_id %s", t->msg_id);
    add_word(&b, "", t->reason);
    add_word(&b, "", t->error);
    if (t->gateway_at != 0)
        buf_addf(&b, "%sat the gateway %s", b.len > 0 ? ", " : "", show_time(t->gateway_at, at));
    add_word(&b, "told by ", t->origin);
    return buf_take(&b, NULL);
}

static void next_object(struct buf *b, size_t i)
{
    buf_add_str(b, i > 0 ? ",{" : "{");
}

static void add_segments(const struct story *s, struct buf *b)
{
    for (int i = 0; s->in_parts != NULL && i < s->parts; i++) {
        const struct story_segment *p = &s->in_parts[i];
        auto_buf reason = {0};
        show_masked(p->reason, strlen(p->reason), &reason);
        next_object(b, (size_t)i);
        show_json_big(b, "segment", p->segment);
        show_json_text(b, "state", state_word(p->state));
        show_json_big(b, "attempt", p->attempt);
        show_json_text(b, "gateway", p->gateway);
        show_json_text(b, "reason", reason.data != NULL ? reason.data : "");
        show_json_time(b, "changed_at", p->changed_at);
        buf_add_char(b, '}');
    }
}

void story_add_json(const struct story *s, struct buf *b)
{
    buf_add_str(b, "\"segments\":[");
    add_segments(s, b);
    buf_add_str(b, "],\"story\":[");
    for (size_t i = 0; i < s->told_count; i++) {
        const struct story_told *t = &s->told[i];
        auto_free char *detail = story_detail(t), *what = story_what(t);
        next_object(b, i);
        show_json_time(b, "at", t->at);
        show_json_text(b, "what", what);
        if (s->in_parts != NULL)
            show_json_big(b, "segment", t->segment);
        show_json_big(b, "attempt", t->attempt);
        show_json_text(b, "gateway", t->gateway);
        show_json_text(b, "detail", detail);
        if (t->gateway_at != 0)
            show_json_time(b, "gateway_at", t->gateway_at);
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}

/* Why: the reasons in words, with the rule's file and line and the next step where there is one. */
#include "ctl/why.h"
#include "lib/clock.h"
#include "lib/state.h"

char *why_place(const struct why *w, const char *rule)
{
    const struct conf_rule *r = conf_rule(w->ctl->conf, rule);
    if (strcmp(rule, INBOUND_RULE) == 0)
        return xasprintf("%s/smschain.yaml: inbound", w->ctl->conf_dir);
    return r != NULL ? xasprintf("%s:%d", r->file, r->sql_line)
                     : xasprintf("rule %s, no longer configured", rule);
}

/* A message that nobody has claimed, or whose attempt was not sent: what does it wait for? */
static char *waits_for(const struct why *w, int i)
{
    const struct db_result *m = w->messages;
    char at[SHOW_TIME_SIZE];
    if (*db_text(m, i, M_CONTROLS) != '\0')
        return xstrdup(db_text(m, i, M_CONTROLS));
    if (strcmp(db_text(m, i, M_RUN_STATE), "held") == 0)
        return xasprintf("its run is held: %s", db_text(m, i, M_RUN_WHY));
    if (!db_bool(m, i, M_PUBLISH))
        return xasprintf("its run is %s and may not publish yet%s%s", db_text(m, i, M_RUN_STATE),
                         *db_text(m, i, M_RUN_WHY) != '\0' ? ": " : "", db_text(m, i, M_RUN_WHY));
    if (db_bool(m, i, M_WAITS_FOR_WAVE))
        return xasprintf("it waits for the first wave of its run: smschain status --run %s",
                         db_text(m, i, M_RUN));
    if (!db_is_null(m, i, M_OUTBOX_DUE))
        return xasprintf("it waits in the outbox until %s", show_time(db_time_ms(m, i, M_OUTBOX_DUE), at));
    if (db_time_ms(m, i, M_VALID_UNTIL) < clock_wall_ms())
        return xasprintf("it was valid until %s and ends as stale when its turn comes",
                         show_time(db_time_ms(m, i, M_VALID_UNTIL), at));
    return xstrdup("it is on its way; if its queue was lost: smschain requeue --message SMS_ID");
}

char *why_message_because(const struct why *w, int i)
{
    const struct db_result *m = w->messages;
    const char *reason = db_text(m, i, M_REASON);
    char at[SHOW_TIME_SIZE];
    switch ((enum state)db_big(m, i, M_STATE)) {
    case STATE_QUEUED:
    case STATE_SUBMITTED:
        return waits_for(w, i);
    case STATE_IN_DOUBT:
        if (db_big(m, i, M_PARTS) > 1)
            return xasprintf(
                "segments of it may have been sent (%s); reports or a person settle them: smschain resolve "
                "lists them",
                reason);
        return xasprintf(
            "it may have been sent (%s); a report or a person settles it: smschain resolve %s.1.%s STATE",
            reason, db_text(m, i, M_SMS_ID), db_text(m, i, M_ATTEMPT));
    case STATE_STALE:
        return xasprintf("it was valid until %s, and its turn came later",
                         show_time(db_time_ms(m, i, M_VALID_UNTIL), at));
    case STATE_SUPPRESSED:
        return xstrdup("the number was suppressed when its turn came");
    case STATE_CANCELLED:
        return xstrdup(*db_text(m, i, M_CONTROLS) != '\0' ? db_text(m, i, M_CONTROLS)
                                                          : "its run was cancelled");
    case STATE_UNKNOWN:
        return xstrdup("the gateway accepted it and has reported nothing");
    case STATE_RENDER_ERROR:
    case STATE_REJECTED:
    case STATE_UNDELIVERED:
    case STATE_EXPIRED:
        if (strncmp(reason, "partial:", 8) == 0)
            return xasprintf("a segment of it has failed (%s), and others have arrived or may arrive",
                             reason + 8);
        return xstrdup(reason);
    case STATE_ACCEPTED:
    case STATE_DELIVERED:
        break;
    }
    return xstrdup("");
}

char *why_story_what(const struct db_result *s, int i)
{
    return xasprintf("%s%s%s", db_text(s, i, S_WHAT), db_is_null(s, i, S_STATE) ? "" : " ",
                     db_is_null(s, i, S_STATE) ? "" : state_word((enum state)db_big(s, i, S_STATE)));
}

static char *duplicate_of(const struct why *w, int i)
{
    const struct db_result *s = w->skips;
    if (db_is_null(s, i, K_SMS_ID))
        return xasprintf("duplicate of run %s, whose message is no longer kept", db_text(s, i, K_FIRST_RUN));
    return xasprintf(
        "duplicate of run %s: message %s is %s%s", db_text(s, i, K_FIRST_RUN), db_text(s, i, K_SMS_ID),
        state_word((enum state)db_big(s, i, K_STATE)),
        db_bool(s, i, K_SAME) ? "" : ", and went to another number (once_per does not hold the number)");
}

char *why_skip_because(const struct why *w, int i)
{
    const struct db_result *s = w->skips;
    const char *kind = db_text(s, i, K_KIND), *reason = db_text(s, i, K_REASON);
    if (strcmp(kind, "duplicate") == 0)
        return duplicate_of(w, i);
    if (strcmp(kind, "suppressed") == 0)
        return xasprintf("suppressed then: %s", reason);
    if (strcmp(reason, "not_listed") == 0)
        return xstrdup("invalid: extract.deliver_only_to did not list it");
    if (strcmp(reason, "missing_key") == 0)
        return xstrdup("invalid: a column of once_per was NULL");
    if (strcmp(reason, "row_too_long") == 0)
        return xstrdup("invalid: the row was longer than 64 KiB");
    return xasprintf("invalid: what stood in the number's column is no number (%s)", reason);
}

char *why_run_because(const struct why *w, int i)
{
    const struct db_result *r = w->runs;
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
    auto_free char *place = why_place(w, db_text(r, i, R_RULE));
    return xasprintf("not in the result of %s", place);
}

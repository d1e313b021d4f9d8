/* Told states: the gateway's own list first (report: states:), else our words as they are. */
#include "dispatch/adapter_report.h"
#include "lib/seq_id.h"

#include <stdio.h>

#define ERROR_MAX    500 /* bytes of the error text that are kept */
#define FIELD_MAX    255 /* bytes of an id, a sender, a recipient */
#define TEXT_MAX     65536
#define NUMBER_WIDTH 15 /* digits (ITU-T E.164) */

/* The wire's records own their strings and are not const; nothing here changes them. */
static char *as_member(const char *s)
{
    return s == NULL || *s == '\0' ? NULL : (char *)(uintptr_t)s;
}

/* ---- what nobody can understand ---- */

static void quarantine(const struct adapter_told *t, const char *reason, struct adapter_record *r)
{
    r->is_inbound = false;
    r->step = (struct step_record){.step = STEP_QUARANTINE,
                                   .at = t->at,
                                   .gateway = t->gateway->name,
                                   .reason = as_member(reason),
                                   .error = r->why,
                                   .raw = as_member(t->raw)};
}

static bool fits(const char *s, size_t max)
{
    return s == NULL || strlen(s) <= max;
}

static bool given(const char *s)
{
    return s != NULL && *s != '\0';
}

/* ---- reports ---- */

/* False: no such word. *ret_state NULL: an event that changes no state. */
static bool state_of(const struct conf_gateway *g, const char *status, const char **ret_state)
{
    static const char *const ours[] = {"delivered", "undelivered", "rejected", "expired", "unknown"};
    for (size_t i = 0; i < g->report.status_count; i++) {
        const struct conf_status *s = &g->report.statuses[i];
        if (strcmp(s->word, status) != 0)
            continue;
        *ret_state = s->state == STATE_ACCEPTED ? NULL : state_word(s->state);
        return true;
    }
    *ret_state = NULL;
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        if (strcmp(ours[i], status) == 0)
            *ret_state = ours[i];
    return *ret_state != NULL || strcmp(status, "progress") == 0;
}

/* Digits, with or without a plus. 0: none given. -1: no such number. */
static int64_t number_of(const char *s)
{
    int64_t n = 0;
    if (!given(s))
        return 0;
    if (*s == '+')
        s++;
    size_t digits = strspn(s, "0123456789");
    if (digits == 0 || digits > NUMBER_WIDTH || s[digits] != '\0')
        return -1;
    for (; *s != '\0'; s++)
        n = n * 10 + (*s - '0');
    return n > 0 ? n : -1;
}

/* NULL, or the reason why the report cannot be understood; r->why then says it in words. */
static const char *report_fault(const struct adapter_told *t, const struct adapter_line *l,
                                struct adapter_record *r, const char **ret_state)
{
    struct seq_id seq;
    bool ours = given(l->seq_id) && seq_id_parse(l->seq_id, &seq);
    if (!given(l->status)) {
        snprintf(r->why, sizeof(r->why), "the report has no status");
        return "no_status";
    }
    if (!state_of(t->gateway, l->status, ret_state)) {
        snprintf(r->why, sizeof(r->why),
                 "status '%.60s' is neither listed in %.120s under report: states: nor a word of ours",
                 l->status, t->gateway->file);
        return "unlisted_status";
    }
    if (!given(l->msg_id) && !ours) {
        snprintf(r->why, sizeof(r->why), "the report has neither an id nor a seq_id of ours");
        return "no_msg_id";
    }
    if (!fits(l->msg_id, FIELD_MAX)) {
        snprintf(r->why, sizeof(r->why), "the id is longer than %d bytes", FIELD_MAX);
        return "bad_msg_id";
    }
    if (number_of(l->number) < 0) {
        snprintf(r->why, sizeof(r->why), "the number is none: expected digits, with or without a plus");
        return "bad_number";
    }
    return NULL;
}

/* The longest head that does not cut a UTF-8 character. */
static char *head_of(const char *s, size_t max)
{
    size_t len = strlen(s);
    if (len > max)
        for (len = max; len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80;)
            len--;
    return xstrndup(s, len);
}

static void make_report(const struct adapter_told *t, const struct adapter_line *l, struct adapter_record *r)
{
    const char *state = NULL;
    const char *reason = report_fault(t, l, r, &state);
    struct seq_id seq;
    if (reason != NULL) {
        quarantine(t, reason, r);
        return;
    }
    r->error = given(l->error) ? head_of(l->error, ERROR_MAX) : NULL;
    r->step = (struct step_record){.step = STEP_STATUS,
                                   .at = t->at,
                                   .gateway = t->gateway->name,
                                   .number = number_of(l->number),
                                   .msg_id = as_member(l->msg_id),
                                   .state = as_member(state),
                                   .reason = as_member(l->status),
                                   .error = r->error,
                                   .gateway_at = l->at};
    if (given(l->seq_id) && seq_id_parse(l->seq_id, &seq))
        r->step.seq_id = as_member(l->seq_id);
}

/* ---- messages from phones ---- */

static const char *inbound_fault(const struct adapter_line *l, struct adapter_record *r)
{
    if (!given(l->from)) {
        snprintf(r->why, sizeof(r->why), "the message has no sender");
        return "no_number";
    }
    if (!fits(l->text, TEXT_MAX)) {
        snprintf(r->why, sizeof(r->why), "the text is longer than %d bytes", TEXT_MAX);
        return "text_too_long";
    }
    if (!fits(l->from, FIELD_MAX) || !fits(l->to, FIELD_MAX) || !fits(l->msg_id, FIELD_MAX)) {
        snprintf(r->why, sizeof(r->why), "sender, recipient or id is longer than %d bytes", FIELD_MAX);
        return "field_too_long";
    }
    return NULL;
}

static void make_inbound(const struct adapter_told *t, const struct adapter_line *l, struct adapter_record *r)
{
    const char *reason = inbound_fault(l, r);
    if (reason != NULL) {
        quarantine(t, reason, r);
        return;
    }
    r->is_inbound = true;
    r->inbound = (struct inbound_record){.at = t->at,
                                         .gateway = t->gateway->name,
                                         .from = as_member(l->from),
                                         .to = as_member(l->to),
                                         .text = (char *)(uintptr_t)l->text, /* "" is a text, too */
                                         .msg_id = as_member(l->msg_id),
                                         .gateway_at = l->at};
}

void adapter_record_make(const struct adapter_told *t, const struct adapter_line *l, const char *line_why,
                         struct adapter_record *ret)
{
    *ret = (struct adapter_record){0};
    if (line_why != NULL) {
        snprintf(ret->why, sizeof(ret->why), "%s", line_why);
        quarantine(t, "bad_line", ret);
    } else if (l->kind == ADAPTER_REPORT) {
        make_report(t, l, ret);
    } else {
        make_inbound(t, l, ret);
    }
}

void adapter_record_deinit(struct adapter_record *r)
{
    free(r->error);
    *r = (struct adapter_record){0};
}

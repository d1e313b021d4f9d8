/* One record's fields -> a step 102. */
#include "callback/report.h"
#include "callback/msg_id.h"
#include "lib/seq_id.h"

/* The longest head of s of at most `max` bytes that does not cut a UTF-8 character. */
static char *head_of(const char *s, size_t max)
{
    size_t len = strlen(s);
    if (len > max) {
        len = max;
        while (len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80)
            len--;
    }
    return xstrndup(s, len);
}

static const struct conf_status *status_of(const struct conf_gateway *g, const char *word)
{
    for (size_t i = 0; i < g->report.status_count; i++) {
        if (strcmp(g->report.statuses[i].word, word) == 0)
            return &g->report.statuses[i];
    }
    return NULL;
}

/* What keeps this record from being understood, or NULL. *ret_reason is from a small set. */
static char *fault_of(const struct conf_gateway *g, const struct format_record *r, const char **ret_reason)
{
    const char *status = r->field[ROLE_STATUS], *msg_id = r->field[ROLE_MSG_ID];
    const char *reference = r->field[ROLE_REFERENCE], *number = r->field[ROLE_NUMBER];
    char id[MSG_ID_SIZE];
    struct seq_id seq;
    *ret_reason = "no_status";
    if (!format_given(status))
        return xasprintf("the record has no status (%s says where it stands)", g->file);
    *ret_reason = "unlisted_status";
    if (!status_of(g, status))
        return xasprintf("status '%.60s' is not listed in %s under report: states:", status, g->file);
    bool ours = format_given(reference) && seq_id_parse(reference, &seq);
    *ret_reason = "no_msg_id";
    if (!format_given(msg_id) && !ours)
        return xasprintf("the record has neither an id nor a reference of ours (%s)", g->file);
    *ret_reason = "bad_msg_id";
    if (format_given(msg_id) && !msg_id_compared(msg_id, MSG_ID_AS_GIVEN, id))
        return xasprintf("the id is longer than %d bytes (%s says where it stands)", MSG_ID_MAX, g->file);
    *ret_reason = "bad_number";
    if (format_given(number) && format_number(number) < 0)
        return xasprintf("the number is none (%s says which field holds it)", g->file);
    return NULL;
}

static char *copy_given(const char *s)
{
    return format_given(s) ? xstrdup(s) : NULL;
}

static void take(struct parsing *p, const struct format_record *f)
{
    const struct conf_gateway *g = p->gateway;
    const char *reason, *number = f->field[ROLE_NUMBER];
    auto_free char *fault = fault_of(g, f, &reason);
    if (fault) {
        format_refuse(p, reason, fault, f->raw, f->raw_len);
        return;
    }
    const struct conf_status *status = status_of(g, f->field[ROLE_STATUS]);
    const char *error_text = f->field[ROLE_ERROR];
    auto_free char *error = format_given(error_text) ? head_of(error_text, REPORT_ERROR_MAX) : NULL;
    auto_free char *msg_id = copy_given(f->field[ROLE_MSG_ID]);
    auto_free char *reference = copy_given(f->field[ROLE_REFERENCE]);
    auto_free char *state = status->state == STATE_ACCEPTED ? NULL : xstrdup(state_word(status->state));
    struct seq_id seq;
    struct step_record r = {.step = STEP_STATUS,
                            .at = p->at,
                            .gateway = g->name,
                            .number = format_given(number) ? format_number(number) : 0,
                            .msg_id = msg_id,
                            .error = error,
                            .reason = status->word,
                            .state = state};
    if (reference && seq_id_parse(reference, &seq))
        r.seq_id = reference;
    bool time_read = format_record_time(p, f, &r.gateway_at);
    chunk_add_step(&p->parsed->records, &r);
    format_end_line(p);
    p->parsed->understood++;
    if (!time_read) { /* the status is too good to be lost over it; a person is told beside */
        auto_free char *why =
            xasprintf("the status is applied, but its time does not fit report.time_format of %s", g->file);
        format_refuse(p, "bad_time", why, f->raw, f->raw_len);
    }
}

int report_parse(const struct format *f, const struct posted *request, struct parsed *ret)
{
    return format_parse(f, request, take, ret);
}

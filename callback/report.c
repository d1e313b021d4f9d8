/* What both formats share: where in the request the report stands, and how one record's fields become a step.
 */
#include "callback/report.h"
#include "callback/msg_id.h"
#include "lib/seq_id.h"
#include "lib/zone.h"

#include <ctype.h>

#define NUMBER_DIGITS_MAX 15 /* ITU-T E.164 */

struct report_format {
    const struct conf_gateway *gateway; /* borrowed: lives as long as the configuration */
    struct zone *zone;
    bool json;
};

struct report_format *report_format_new(const struct conf_gateway *g, char **ret_why)
{
    const char *zone = g->report.time_zone && *g->report.time_zone ? g->report.time_zone : "UTC";
    struct report_format *f = xcalloc(1, sizeof(*f));
    *f = (struct report_format){.gateway = g, .zone = zone_open(zone)};
    f->json = g->report.format && strcmp(g->report.format, "json") == 0;
    if (f->zone)
        return f;
    *ret_why = xasprintf("%s: report.time_zone: there is no time zone '%s'", g->file, zone);
    report_format_free(f);
    return NULL;
}

void report_format_free(struct report_format *f)
{
    if (!f)
        return;
    zone_close(f->zone);
    free(f);
}

const struct conf_gateway *report_gateway(const struct report_format *f)
{
    return f->gateway;
}

/* ---- one record ---- */

int64_t report_number(const char *text)
{
    int64_t n = 0;
    size_t digits = 0;
    while (isspace((unsigned char)*text))
        text++;
    if (*text == '\0')
        return 0;
    if (*text == '+')
        text++;
    else if (text[0] == '0' && text[1] == '0')
        text += 2;
    for (; *text >= '0' && *text <= '9'; text++, digits++) {
        if (digits == NUMBER_DIGITS_MAX)
            return -1;
        n = n * 10 + (*text - '0');
    }
    while (isspace((unsigned char)*text))
        text++;
    return *text == '\0' && digits > 0 && n > 0 ? n : -1;
}

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

static void end_line(struct report_parser *p)
{
    buf_add_char(&p->report->records, '\n');
}

/* A journal's line holds no U+0000, which neither the wire nor the tables can keep. */
static char *without_nul(const char *raw, size_t len)
{
    auto_buf b = {0};
    for (size_t i = 0; i < len; i++) {
        if (raw[i])
            buf_add_char(&b, raw[i]);
        else
            buf_add_str(&b, "\xef\xbf\xbd");
    }
    return buf_take(&b, NULL);
}

static void add_quarantine(struct report_parser *p, const char *reason, const char *error, const char *raw,
                           size_t raw_len)
{
    auto_free char *text = raw_len > 0 ? without_nul(raw, raw_len) : xstrdup("(empty)");
    auto_free char *why = xstrdup(error), *word = xstrdup(reason);
    struct step_record r = {.step = STEP_QUARANTINE,
                            .at = p->at,
                            .gateway = p->format->gateway->name,
                            .reason = word,
                            .error = why,
                            .raw = text};
    chunk_add_step(&p->report->records, &r);
    end_line(p);
}

void report_refuse(struct report_parser *p, const char *reason, const char *error, const char *raw,
                   size_t raw_len)
{
    add_quarantine(p, reason, error, raw, raw_len);
    p->report->refused++;
}

static const struct conf_status *status_of(const struct conf_gateway *g, const char *word)
{
    for (size_t i = 0; i < g->report.status_count; i++) {
        if (strcmp(g->report.statuses[i].word, word) == 0)
            return &g->report.statuses[i];
    }
    return NULL;
}

static bool given(const char *s)
{
    return s && *s;
}

/* What keeps this record from being understood, or NULL. *ret_reason is from a small set. */
static char *fault_of(const struct conf_gateway *g, const struct report_fields *f, const char **ret_reason)
{
    char id[MSG_ID_SIZE];
    struct seq_id seq;
    *ret_reason = "no_status";
    if (!given(f->status))
        return xasprintf("the record has no status (%s says where it stands)", g->file);
    *ret_reason = "unlisted_status";
    if (!status_of(g, f->status))
        return xasprintf("status '%.60s' is not listed in %s under report: states:", f->status, g->file);
    bool ours = given(f->reference) && seq_id_parse(f->reference, &seq);
    *ret_reason = "no_msg_id";
    if (!given(f->msg_id) && !ours)
        return xasprintf("the record has neither an id nor a reference of ours (%s)", g->file);
    *ret_reason = "bad_msg_id";
    if (given(f->msg_id) && !msg_id_compared(f->msg_id, MSG_ID_AS_GIVEN, id))
        return xasprintf("the id is longer than %d bytes (%s says where it stands)", MSG_ID_MAX, g->file);
    *ret_reason = "bad_number";
    if (given(f->number) && report_number(f->number) < 0)
        return xasprintf("the number is none (%s says which field holds it)", g->file);
    return NULL;
}

void report_add(struct report_parser *p, const struct report_fields *f, const char *raw, size_t raw_len)
{
    const struct conf_gateway *g = p->format->gateway;
    const char *reason;
    auto_free char *fault = fault_of(g, f, &reason);
    if (fault) {
        report_refuse(p, reason, fault, raw, raw_len);
        return;
    }
    const struct conf_status *status = status_of(g, f->status);
    auto_free char *error = given(f->error) ? head_of(f->error, REPORT_ERROR_MAX) : NULL;
    auto_free char *msg_id = given(f->msg_id) ? xstrdup(f->msg_id) : NULL;
    auto_free char *reference = given(f->reference) ? xstrdup(f->reference) : NULL;
    auto_free char *state = status->state == STATE_ACCEPTED ? NULL : xstrdup(state_word(status->state));
    struct seq_id seq;
    struct step_record r = {.step = STEP_STATUS,
                            .at = p->at,
                            .gateway = g->name,
                            .msg_id = msg_id,
                            .error = error,
                            .reason = status->word,
                            .state = state};
    r.number = given(f->number) ? report_number(f->number) : 0;
    if (reference && seq_id_parse(reference, &seq))
        r.seq_id = reference;
    bool time_read =
        !given(f->time) || report_time(f->time, g->report.time_format, p->format->zone, p->at, &r.gateway_at);
    chunk_add_step(&p->report->records, &r);
    end_line(p);
    p->report->understood++;
    if (!time_read) { /* the status is too good to be lost over it; a person is told beside */
        auto_free char *why =
            xasprintf("the status is applied, but its time does not fit report.time_format of %s", g->file);
        report_refuse(p, "bad_time", why, raw, raw_len);
    }
}

/* ---- the request ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 section 2.1, and '+' for a space as forms write it. A percent sign that begins no escape is kept.
 */
static void decode_into(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int high = s[i] == '%' && i + 2 < len ? hex_digit(s[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s[i + 2]) : -1;
        if (low >= 0) {
            buf_add_char(out, (char)(high * 16 + low));
            i += 2;
        } else {
            buf_add_char(out, s[i] == '+' ? ' ' : s[i]);
        }
    }
}

/* Finds name=value in "a=b&name=value&…"; the value is decoded into out. */
static bool parameter_of(const char *text, size_t len, const char *name, struct buf *out)
{
    const char *end = text + len;
    for (const char *pair = text; pair < end;) {
        const char *next = memchr(pair, '&', (size_t)(end - pair));
        const char *stop = next ? next : end;
        const char *equals = memchr(pair, '=', (size_t)(stop - pair));
        auto_buf key = {0};
        decode_into(&key, pair, (size_t)((equals ? equals : stop) - pair));
        if (equals && key.len == strlen(name) && memcmp(key.data, name, key.len) == 0) {
            decode_into(out, equals + 1, (size_t)(stop - equals - 1));
            return true;
        }
        pair = stop + 1;
    }
    return false;
}

/* The text of the report: in the parameter that is configured, in the query or in a form; else the raw body;
 * else, without a parameter configured, the raw query. */
static void text_of(const struct report_parser *p, const struct report_request *r, struct buf *out)
{
    const char *name = p->format->gateway->report.parameter;
    if (given(name)) {
        if (r->query_len > 0 && parameter_of(r->query, r->query_len, name, out))
            return;
        if (r->form && parameter_of(r->body, r->body_len, name, out))
            return;
    }
    if (r->body_len > 0)
        buf_add(out, r->body, r->body_len);
    else if (!given(name) && r->query_len > 0)
        decode_into(out, r->query, r->query_len);
}

int report_parse(const struct report_format *f, const struct report_request *r, struct report *ret)
{
    *ret = (struct report){0};
    struct report_parser p = {.format = f, .report = ret, .at = r->at};
    auto_buf text = {0};
    text_of(&p, r, &text);
    const char *start = text.data ? text.data : "";
    size_t len = text.len;
    if (len >= 3 && memcmp(start, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
        start += 3;
        len -= 3;
    }
    const char *wrong = f->json ? report_parse_json(&p, start, len) : report_parse_list(&p, start, len);
    if (!wrong && ret->understood + ret->refused == 0)
        wrong = "there is no record in it";
    if (!wrong)
        return 0;
    buf_clear(&ret->records);
    ret->understood = ret->refused = 0;
    auto_free char *error = xasprintf("%s (report: in %s)", wrong, f->gateway->file);
    if (r->body_len > 0)
        add_quarantine(&p, "unreadable", error, r->body, r->body_len);
    else
        add_quarantine(&p, "unreadable", error, r->query ? r->query : "", r->query_len);
    return REPORT_UNREADABLE;
}

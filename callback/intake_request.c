/* One request: what may be refused from its head alone is refused at once (intake_head.c); its body is parsed
 * and handed to the journal, and it is answered when the journal has it on disk. */
#include "callback/intake_internal.h"
#include "lib/clock.h"
#include "lib/fault.h"

static void answer_kept(struct request *r, int result)
{
    r->intake->keeps = result == 0 || result == -EMSGSIZE;
    if (result == 0) {
        r->kept = r->readable;
        if (r->readable)
            intake_reply(r);
        else
            intake_unreadable(r);
        return;
    }
    r->intake->not_kept++;
    if (result == -EMSGSIZE)
        intake_refuse(r, 413, "it is too large");
    else
        intake_refuse(r, 503, "it cannot be kept now, post it again later");
}

/* From the journal's thread (or from ours, where it refuses at once). */
static void journal_says(void *arg, int result)
{
    struct request *r = arg;
    FAULT("intake.journalled");
    if (result == 0)
        drain_wake(r->intake->o.drain);
    answer_kept(r, result);
}

static struct posted posted_of(const struct request *r)
{
    const char *type = httpd_header(r->http, "Content-Type");
    const char *query = auth_covers_query(r->posts->auth) ? httpd_query(r->http) : NULL;
    struct posted p = {.query = query,
                       .query_len = query ? strlen(query) : 0,
                       .form = type && strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0,
                       .at = clock_wall_ms()};
    p.body = httpd_body(r->http, &p.body_len);
    return p;
}

void intake_whole(void *arg, struct httpd_request *http)
{
    struct request *r = httpd_own(http);
    struct posted posted = posted_of(r);
    struct parsed parsed;
    auto_buf record = {0};
    if (intake_signature_refused(r, posted.at))
        return;
    int result = r->section->parse(r->posts->format, &posted, &parsed);
    drain_record_begin(&record, r->gateway->conf->name);
    buf_add(&record, parsed.records.data, parsed.records.len);
    bool overflowed = record.overflowed || parsed.records.overflowed;
    buf_deinit(&parsed.records);
    FAULT("intake.parsed");
    if (overflowed) {
        intake_refuse(r, 413, "it is too large");
        return;
    }
    r->readable = result == 0;
    r->understood = parsed.understood;
    r->intake->unreadable += result != 0;
    r->intake->reports += (int64_t)parsed.understood;
    r->intake->refused += (int64_t)parsed.refused;
    journal_append_async(drain_own(r->intake->o.drain), record.data, record.len, journal_says, r);
}

bool intake_head(void *arg, struct httpd_request *http)
{
    struct intake *i = arg;
    struct request *r = xcalloc(1, sizeof(*r));
    r->intake = i;
    r->http = http;
    r->gateways = gateways_now_get(i->o.gateways);
    httpd_set_own(http, r);
    return intake_head_refused(r);
}

void intake_server_refuses(void *arg, struct httpd_request *http, unsigned status, const char *error)
{
    struct request *r = httpd_own(http);
    if (r) {
        intake_refuse(r, status, error);
        return;
    }
    /* Its head is not clear, so neither is whose it is. */
    struct request nobody = {.intake = arg, .http = http};
    intake_refuse(&nobody, status, error);
}

void intake_ended(void *arg, struct httpd_request *http)
{
    struct request *r = httpd_own(http);
    if (!r)
        return;
    if (r->kept && httpd_was_sent(http))
        FAULT("intake.answered");
    gateways_unref(r->gateways);
    free(r->token);
    free(r);
}

/* One request: what may be refused from its head alone is refused at once (intake_head.c); its body is
 * gathered up to the cap; then it is parsed, handed to the journal, and the connection is suspended until the
 * journal has it on disk. */
#include "callback/intake_internal.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/log.h"

/* ---- what is posted ---- */

/* From the journal's thread (or from ours, where it refuses at once). */
static void journal_says(void *arg, int result)
{
    struct request *r = arg;
    struct intake *i = r->intake;
    FAULT("intake.journalled");
    r->kept = result;
    r->journal_said = true;
    watch_kept(&i->watch, r->watched, false);
    if (result == 0)
        drain_wake(i->o.drain);
    MHD_resume_connection(r->connection); /* from here on the server's thread may free r */
    i->in_journal--;                      /* and from here on the server may be stopped */
}

static enum MHD_Result keep_records(struct request *r)
{
    bool query = r->query && auth_covers_query(r->posts->auth);
    struct posted posted = {.query = query ? r->query : NULL,
                            .query_len = query ? strlen(r->query) : 0,
                            .body = r->body.data ? r->body.data : "",
                            .body_len = r->body.len,
                            .form = r->form,
                            .at = clock_wall_ms()};
    struct parsed parsed;
    auto_buf record = {0};
    enum MHD_Result refused;
    if (intake_signature_refused(r, posted.at, &refused))
        return refused;
    int result = r->section->parse(r->posts->format, &posted, &parsed);
    drain_record_begin(&record, r->gateway->conf->name);
    buf_add(&record, parsed.records.data, parsed.records.len);
    bool overflowed = record.overflowed || parsed.records.overflowed;
    buf_deinit(&parsed.records);
    FAULT("intake.parsed");
    if (overflowed)
        return intake_refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "it is too large");
    r->status = result == 0 ? MHD_HTTP_OK : MHD_HTTP_BAD_REQUEST;
    r->understood = parsed.understood;
    r->intake->unreadable += result != 0;
    r->intake->reports += (int64_t)parsed.understood;
    r->intake->refused += (int64_t)parsed.refused;
    r->in_journal = true;
    r->intake->in_journal++;
    watch_kept(&r->intake->watch, r->watched, true);
    MHD_suspend_connection(r->connection); /* first: the journal may answer before we are back */
    journal_append_async(drain_own(r->intake->o.drain), record.data, record.len, journal_says, r);
    return MHD_YES;
}

static enum MHD_Result answer_kept(struct request *r)
{
    r->intake->keeps = r->kept == 0 || r->kept == -EMSGSIZE;
    if (r->kept != 0) {
        r->intake->not_kept++;
        return r->kept == -EMSGSIZE ? intake_refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "it is too large")
                                    : intake_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE,
                                                    "it cannot be kept now, post it again later");
    }
    return r->status == MHD_HTTP_OK ? intake_reply(r) : intake_unreadable(r);
}

/* ---- for MHD ---- */

void *intake_request_begins(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct intake *i = arg;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct request *r = xcalloc(1, sizeof(*r));
    const char *query = strchr(uri, '?');
    r->intake = i;
    r->connection = connection;
    r->watched = info ? info->socket_context : NULL;
    r->query = query ? xstrdup(query + 1) : NULL;
    if (r->watched)
        watch_request(&i->watch, r->watched);
    i->open_requests++;
    return r;
}

enum MHD_Result intake_answer(void *arg, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **context)
{
    struct request *r = *context;
    enum MHD_Result result = MHD_NO;
    if (!r || !r->watched)
        return MHD_NO;
    if (!r->seen) {
        r->seen = true;
        return intake_head_refused(r, url, method, &result) ? result : MHD_YES;
    }
    if (*upload_size > 0) {
        buf_add(&r->body, upload, *upload_size);
        *upload_size = 0; /* taken, also where it is over the cap: the answer comes at the end */
        return MHD_YES;
    }
    if (r->in_journal)
        return r->journal_said ? answer_kept(r) : MHD_YES;
    if (r->body.overflowed || (int64_t)r->body.len > intake_body_max(r))
        return intake_refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "it is longer than callback.body_bytes");
    return keep_records(r);
}

void intake_request_ends(void *arg, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why)
{
    struct request *r = *context;
    if (!r)
        return;
    if (why == MHD_REQUEST_TERMINATED_COMPLETED_OK && r->journal_said && r->kept == 0 &&
        r->status == MHD_HTTP_OK)
        FAULT("intake.answered");
    if (r->watched)
        watch_rest(&r->intake->watch, r->watched);
    r->intake->open_requests--;
    if (r->counted)
        limit_give(r->intake->limit, &r->address);
    gateways_unref(r->gateways);
    buf_deinit(&r->body);
    free(r->token);
    free(r->query);
    free(r);
    *context = NULL;
}

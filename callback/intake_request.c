/* One request: what may be refused from its head alone is refused at once; its body is gathered up to the
 * cap; then it is parsed, handed to the journal, and the connection is suspended until the journal has it on
 * disk. */
#include "callback/intake_internal.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/log.h"

#include <strings.h>

#define NAME_MAX_BYTES 128

struct request {
    struct intake *intake;
    struct watched *watched;
    char *query; /* as it came; NULL: none */
    struct buf body;
    const struct intake_section *section;
    const struct gateway *gateway;
    const struct conf_posts *posts; /* of that section and gateway */
    struct gateways *gateways;      /* the set `gateway` is of */
    struct MHD_Connection *connection;
    unsigned status; /* of a report that was handed to the journal */
    int kept;        /* the journal's answer */
    bool seen, in_journal, journal_said;
};

/* ---- answers ---- */

static enum MHD_Result answer(struct request *r, unsigned status, const char *text, bool close_after)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
    if (close_after)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, POST");
    enum MHD_Result result = MHD_queue_response(r->connection, status, response);
    MHD_destroy_response(response);
    r->status = status;
    if (result == MHD_YES)
        r->intake->answered[MIN_OF(status / 100, 5u)]++;
    return result;
}

static enum MHD_Result refuse(struct request *r, unsigned status, const char *text)
{
    return answer(r, status, text,
                  true); /* whatever follows on this connection is not to be trusted, or not wanted */
}

/* ---- the head ---- */

struct headers {
    unsigned lengths, encodings;
    int64_t length;
    bool form;
};

static enum MHD_Result look_at_header(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct headers *h = arg;
    if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        h->lengths++;
        h->length = value ? strtoll(value, NULL, 10) : 0;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        h->encodings++;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_TYPE) == 0) {
        h->form = value && strncasecmp(value, "application/x-www-form-urlencoded", 33) == 0;
    }
    return MHD_YES;
}

static struct headers headers_of(struct MHD_Connection *connection)
{
    struct headers h = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, look_at_header, &h);
    return h;
}

/* Takes as long for a wrong token as for the right one. */
static bool same_token(const char *given, const char *token)
{
    size_t given_len = strlen(given), len = strlen(token);
    volatile unsigned char differ = (unsigned char)(given_len != len);
    for (size_t i = 0; i < given_len; i++)
        differ |= (unsigned char)(given[i] ^ token[len > 0 ? i % len : 0]);
    return differ == 0;
}

/* "/report/<gateway>/<token>": finds section and gateway. 0, or the status to refuse with. */
static unsigned find_gateway(struct request *r, const char *url)
{
    char name[NAME_MAX_BYTES];
    const char *at = url + strlen(r->section->path), *slash = strchr(at, '/');
    if (!slash || (size_t)(slash - at) >= sizeof(name))
        return MHD_HTTP_NOT_FOUND;
    memcpy(name, at, (size_t)(slash - at));
    name[slash - at] = '\0';
    r->gateways = gateways_now_get(r->intake->o.gateways);
    r->gateway = gateways_find(r->gateways, name);
    r->posts = r->gateway ? r->section->posts(r->gateway) : NULL;
    if (!r->posts)
        return MHD_HTTP_NOT_FOUND;
    return same_token(slash + 1, r->posts->auth.token) ? 0 : MHD_HTTP_UNAUTHORIZED;
}

static const struct intake_section *section_of(const char *url)
{
    for (const struct intake_section *s = intake_sections; s->path; s++) {
        if (strncmp(url, s->path, strlen(s->path)) == 0)
            return s;
    }
    return NULL;
}

static enum MHD_Result answer_health(struct request *r, const char *url)
{
    if (strcmp(url, "/livez") == 0)
        return answer(r, MHD_HTTP_OK, "ok\n", false);
    auto_buf why = {0};
    if (r->intake->o.ready(r->intake->o.ready_arg, &why))
        return answer(r, MHD_HTTP_OK, "ok\n", false);
    return answer(r, MHD_HTTP_SERVICE_UNAVAILABLE, why.data ? why.data : "not ready\n", false);
}

static int64_t body_max(const struct request *r)
{
    return gateways_conf(r->gateways)->main.callback.body_bytes;
}

/* All that the head of a request decides. True: it was answered with *ret. */
static bool answered_by_head(struct request *r, const char *url, const char *method, enum MHD_Result *ret)
{
    struct headers h = headers_of(r->connection);
    if (h.lengths > 1 || h.encodings > 0) {
        *ret = refuse(r, MHD_HTTP_BAD_REQUEST, "one Content-Length and no Transfer-Encoding\n");
        return true;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
        *ret = refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or POST\n");
        return true;
    }
    r->section = section_of(url);
    if (!r->section) {
        bool health = strcmp(url, "/livez") == 0 || strcmp(url, "/readyz") == 0;
        *ret = health ? answer_health(r, url) : refuse(r, MHD_HTTP_NOT_FOUND, "not found\n");
        return true;
    }
    unsigned status = find_gateway(r, url);
    if (status != 0) {
        *ret = refuse(r, status, status == MHD_HTTP_NOT_FOUND ? "not found\n" : "wrong token\n");
        return true;
    }
    if (h.length > body_max(r)) {
        *ret = refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "too large\n");
        return true;
    }
    r->body.max = (size_t)body_max(r) + 1;
    return false;
}

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
    struct headers h = headers_of(r->connection);
    struct posted request = {.query = r->query,
                             .query_len = r->query ? strlen(r->query) : 0,
                             .body = r->body.data ? r->body.data : "",
                             .body_len = r->body.len,
                             .form = h.form,
                             .at = clock_wall_ms()};
    struct parsed parsed;
    auto_buf record = {0};
    int result = r->section->parse(r->gateway, &request, &parsed);
    drain_record_begin(&record, r->gateway->conf->name);
    buf_add(&record, parsed.records.data, parsed.records.len);
    bool overflowed = record.overflowed || parsed.records.overflowed;
    buf_deinit(&parsed.records);
    FAULT("intake.parsed");
    r->status = result == 0 ? MHD_HTTP_OK : MHD_HTTP_BAD_REQUEST;
    r->intake->unreadable += result != 0;
    r->intake->reports += (int64_t)parsed.understood;
    r->intake->refused += (int64_t)parsed.refused;
    if (overflowed)
        return refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "too large\n");
    r->in_journal = true;
    r->intake->in_journal++;
    watch_kept(&r->intake->watch, r->watched, true);
    MHD_suspend_connection(r->connection); /* first: the journal may answer before we are back */
    journal_append_async(r->intake->o.journal, record.data, record.len, journal_says, r);
    return MHD_YES;
}

static enum MHD_Result answer_kept(struct request *r)
{
    r->intake->keeps = r->kept == 0 || r->kept == -EMSGSIZE;
    if (r->kept != 0) {
        r->intake->not_kept++;
        return answer(r, r->kept == -EMSGSIZE ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_SERVICE_UNAVAILABLE,
                      "not kept\n", true);
    }
    if (r->status != MHD_HTTP_OK)
        return answer(r, r->status, "the report cannot be read; it is kept for a person\n", false);
    return answer(r, MHD_HTTP_OK, r->posts->reply, false);
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
        return answered_by_head(r, url, method, &result) ? result : MHD_YES;
    }
    if (*upload_size > 0) {
        buf_add(&r->body, upload, *upload_size);
        *upload_size = 0; /* taken, also where it is over the cap: the answer comes at the end */
        return MHD_YES;
    }
    if (r->in_journal)
        return r->journal_said ? answer_kept(r) : MHD_YES;
    if (r->body.overflowed || (int64_t)r->body.len > body_max(r))
        return refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "too large\n");
    return keep_records(r);
}

void intake_request_ends(void *arg, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why)
{
    struct request *r = *context;
    if (!r)
        return;
    if (why == MHD_REQUEST_TERMINATED_COMPLETED_OK && r->in_journal && r->status == MHD_HTTP_OK)
        FAULT("intake.answered");
    if (r->watched)
        watch_rest(&r->intake->watch, r->watched);
    r->intake->open_requests--;
    gateways_unref(r->gateways);
    buf_deinit(&r->body);
    free(r->query);
    free(r);
    *context = NULL;
}

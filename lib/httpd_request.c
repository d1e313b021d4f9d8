/* One request, from its first line to the end of its answer: the head is looked at, the body gathered up to
 * its cap, whoever serves it is asked, and where no answer is there yet the connection is suspended until it
 * is. */
#include "lib/httpd_internal.h"

#include <strings.h>

void *httpd_request_begins(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct httpd *h = arg;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct httpd_request *r = xcalloc(1, sizeof(*r));
    r->h = h;
    r->connection = connection;
    r->c = info ? info->socket_context : NULL;
    r->uri = xstrdup(uri);
    r->query = strchr(r->uri, '?');
    if (r->query)
        *r->query++ = '\0';
    r->unclear = strstr(r->uri, "%00") != NULL;
    r->holders = 1;
    if (r->c) {
        r->peer = r->c->peer;
        httpd_watch_request(&h->watch, r->c);
    }
    h->open++;
    return r;
}

/* True: answered. */
static bool head_is_answered(struct httpd_request *r)
{
    const struct httpd_options *o = &r->h->o;
    bool too_long = false;
    if (httpd_head_refused(r, &too_long))
        return true;
    bool last = r->last;
    r->last = r->last ||
              MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (o->head && o->head(o->arg, r))
        return true;
    if (too_long) {
        auto_free char *error =
            xasprintf("it is longer than %sbody_bytes (%lld bytes)", r->h->section, (long long)o->body_bytes);
        httpd_refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, error);
        return true;
    }
    r->last = last;
    return false;
}

/* The body is there. */
static enum MHD_Result ask(struct httpd_request *r)
{
    struct httpd *h = r->h;
    h->owed++;
    if (h->closed) { /* the server is being freed: nobody answers any more */
        h->owed--;
        return MHD_NO;
    }
    httpd_watch_waits(&h->watch, r->c, true);
    h->o.whole(h->o.arg, r);
    if (r->asked != HTTPD_ANSWERED) {
        enum httpd_asked still = HTTPD_ASKING;
        MHD_suspend_connection(r->connection); /* first: from the next line on it may be resumed */
        if (atomic_compare_exchange_strong(&r->asked, &still, HTTPD_WAITING))
            return MHD_YES;
        MHD_resume_connection(r->connection); /* answered in between, by one who did not see it suspended */
        h->owed--;
        return MHD_YES;
    }
    h->owed--;
    return httpd_queue(r);
}

enum MHD_Result httpd_request_comes(void *arg, struct MHD_Connection *connection, const char *url,
                                    const char *method, const char *version, const char *upload,
                                    size_t *upload_size, void **context)
{
    struct httpd_request *r = *context;
    if (!r || !r->c)
        return MHD_NO;
    if (!r->seen) {
        r->seen = true;
        r->path = xstrdup(url);
        /* A longer one is no method that anybody knows: cut, it is still none. */
        strncpy(r->method, method, sizeof(r->method) - 1);
        return head_is_answered(r) ? httpd_queue(r) : MHD_YES;
    }
    if (*upload_size > 0) {
        buf_add(&r->body, upload, *upload_size);
        *upload_size = 0; /* taken, also where it is over the cap: the answer comes at the end */
        return MHD_YES;
    }
    if (r->asked == HTTPD_ANSWERED)
        return r->queued ? MHD_YES : httpd_queue(r);
    if (r->body.overflowed || (int64_t)r->body.len > r->h->o.body_bytes) {
        r->last = true;
        httpd_refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "it is too long");
        return httpd_queue(r);
    }
    return ask(r);
}

void httpd_request_release(struct httpd_request *r)
{
    struct httpd *h = r->h;
    if (--r->holders > 0)
        return;
    if (h->o.ended)
        h->o.ended(h->o.arg, r);
    httpd_stream_free(r->stream);
    buf_deinit(&r->body);
    free(r->path);
    free(r->uri);
    free(r);
    h->open--;
}

void httpd_request_ends(void *arg, struct MHD_Connection *connection, void **context,
                        enum MHD_RequestTerminationCode why)
{
    struct httpd_request *r = *context;
    if (!r)
        return;
    r->sent = why == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (r->c)
        httpd_watch_rest(&r->h->watch, r->c);
    if (r->counted)
        httpd_limit_give(r->h->limit, &r->counted_as);
    if (r->response) /* the client went away before it could be handed over */
        MHD_destroy_response(r->response);
    r->response = NULL;
    if (r->stream)
        httpd_stream_gone(r->stream);
    *context = NULL;
    httpd_request_release(r);
}

/* ---- what it says ---- */

const char *httpd_method(const struct httpd_request *r)
{
    return r->method;
}

const char *httpd_path(const struct httpd_request *r)
{
    return r->path;
}

const char *httpd_query(const struct httpd_request *r)
{
    return r->query;
}

const char *httpd_header(const struct httpd_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const char *httpd_argument(const struct httpd_request *r, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (MHD_lookup_connection_value_n(r->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value,
                                      &len) != MHD_YES)
        return NULL;
    return value && strlen(value) == len ? value : NULL;
}

const char *httpd_cookie(const struct httpd_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_COOKIE_KIND, name);
}

struct joined {
    const char *name;
    struct buf *into;
};

static enum MHD_Result join(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
    const struct joined *j = arg;
    if (value && strcasecmp(key, j->name) == 0) {
        if (j->into->len > 0)
            buf_add_char(j->into, ',');
        buf_add_str(j->into, value);
    }
    return MHD_YES;
}

void httpd_header_joined(const struct httpd_request *r, const char *name, struct buf *ret)
{
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, join, &(struct joined){name, ret});
}

const void *httpd_body(const struct httpd_request *r, size_t *ret_len)
{
    *ret_len = r->body.len;
    return r->body.data ? r->body.data : "";
}

const struct address *httpd_peer(const struct httpd_request *r)
{
    return &r->peer;
}

void httpd_set_own(struct httpd_request *r, void *own)
{
    r->own = own;
}

void *httpd_own(const struct httpd_request *r)
{
    return r->own;
}

unsigned httpd_status(const struct httpd_request *r)
{
    return r->status;
}

bool httpd_was_sent(const struct httpd_request *r)
{
    return r->sent;
}

bool httpd_count_request(struct httpd_request *r, const struct address *from)
{
    int64_t most = r->h->o.connections_per_address;
    if (r->c->counted || most == 0)
        return true;
    if (!httpd_limit_has_room(r->h->limit, from, most)) {
        r->h->over_limit++;
        return false;
    }
    httpd_limit_take(r->h->limit, from);
    r->counted_as = *from;
    r->counted = true;
    return true;
}

/* Answers. The response is made by whoever answers, on whatever thread; only the server's own thread hands it
 * to libmicrohttpd, which it is woken for where the connection waits. */
#include "lib/httpd_internal.h"
#include "lib/log.h"

/* After it the connection ends: because the answer says so, because where the request ended is not certain,
 * because there is a body that nobody has read, or because the server stops. */
static bool closes(const struct httpd_request *r, const struct httpd_answer *a)
{
    return a->close || r->last || r->h->ending;
}

struct MHD_Response *httpd_response_fields(struct httpd_request *r, struct MHD_Response *made,
                                           const struct httpd_answer *a)
{
    if (!made) {
        log_error("an answer cannot be made", L_INT("status", a->status), L_INT("bytes", a->len));
        abort(); /* out of memory */
    }
    if (a->type)
        MHD_add_response_header(made, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
    for (size_t i = 0; i < a->field_count; i++) {
        /* Refused only for a line break in it: better without that field than two answers in one. */
        if (MHD_add_response_header(made, a->fields[i].name, a->fields[i].value) != MHD_YES)
            log_error("a field of an answer cannot be sent", L_STR("field", a->fields[i].name));
    }
    if (closes(r, a))
        MHD_add_response_header(made, MHD_HTTP_HEADER_CONNECTION, "close");
    return made;
}

void httpd_give(struct httpd_request *r, unsigned status, struct MHD_Response *response)
{
    struct httpd *h = r->h;
    struct MHD_Connection *connection = r->connection;
    r->status = status;
    r->response = response;
    httpd_watch_waits(&h->watch, r->c, false);
    /* From here on the server's thread may go on with r and free it, unless it is suspended. */
    if (atomic_exchange(&r->asked, HTTPD_ANSWERED) == HTTPD_WAITING) {
        MHD_resume_connection(connection); /* and from here on in any case */
        h->owed--;                         /* and from here on the server may be stopped */
    }
}

void httpd_answer(struct httpd_request *r, const struct httpd_answer *a)
{
    bool bare = a->status == MHD_HTTP_NO_CONTENT || a->status == MHD_HTTP_RESET_CONTENT;
    struct httpd_answer head = *a;
    if (bare)
        head.type = NULL;
    struct MHD_Response *made = MHD_create_response_from_buffer(
        bare ? 0 : a->len, (void *)(uintptr_t)(a->body ? a->body : ""), MHD_RESPMEM_MUST_COPY);
    httpd_give(r, a->status, httpd_response_fields(r, made, &head));
}

enum MHD_Result httpd_queue(struct httpd_request *r)
{
    enum MHD_Result result = MHD_queue_response(r->connection, r->status, r->response);
    MHD_destroy_response(r->response);
    r->response = NULL;
    r->queued = true;
    if (result == MHD_YES)
        r->h->answered[MIN_OF(r->status / 100, 5u)]++;
    return result;
}

void httpd_refuse(struct httpd_request *r, unsigned status, const char *error)
{
    if (r->h->o.refuse) {
        r->h->o.refuse(r->h->o.arg, r, status, error);
        return;
    }
    auto_free char *text = xasprintf("%s\n", error);
    httpd_answer(r, &(struct httpd_answer){.status = status,
                                           .type = "text/plain; charset=utf-8",
                                           .body = text,
                                           .len = strlen(text),
                                           .close = true});
}

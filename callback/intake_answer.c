/* What is answered, in the words and with the status that the gateway wants. */
#include "callback/intake_internal.h"
#include "lib/clock.h"
#include "lib/log.h"

#define SAY_EVERY_MS 60000

static enum MHD_Result answer(struct request *r, unsigned status, const char *text, const char *type,
                              bool close_after)
{
    bool bare = status == MHD_HTTP_NO_CONTENT || status == MHD_HTTP_RESET_CONTENT;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        bare ? 0 : strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    if (!bare)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (close_after)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, POST");
    if (status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"smschain\"");
    if (status == MHD_HTTP_TOO_MANY_REQUESTS)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    enum MHD_Result result = MHD_queue_response(r->connection, status, response);
    MHD_destroy_response(response);
    if (result == MHD_YES)
        r->intake->answered[MIN_OF(status / 100, 5u)]++;
    return result;
}

enum MHD_Result intake_say(struct request *r, unsigned status, const char *text)
{
    return answer(r, status, text, "text/plain; charset=utf-8", false);
}

enum MHD_Result intake_reply(struct request *r)
{
    auto_free char *text = posts_reply(r->posts, r->understood);
    return answer(r, (unsigned)r->posts->conf->reply_status, text, r->posts->conf->reply_type, r->last);
}

enum MHD_Result intake_unreadable(struct request *r)
{
    unsigned status = (unsigned)r->posts->conf->unreadable_status;
    auto_free char *text = posts_refusal(r->posts, status, "it cannot be read; it is kept for a person");
    return answer(r, status, text, r->posts->conf->reply_type, true);
}

/* One line a minute says that there are refusals: whoever floods us does not fill the log. */
static void say_refused(struct request *r, unsigned status, const char *error)
{
    struct intake *i = r->intake;
    int64_t now_ms = clock_mono_ms();
    char address[ADDRESS_TEXT_SIZE];
    if (i->said_ms != 0 && now_ms - i->said_ms < SAY_EVERY_MS) {
        i->said_more++;
        return;
    }
    log_warn("a post is refused", L_STR("gateway", r->gateway ? r->gateway->conf->name : ""),
             L_INT("status", status), L_STR("error", error),
             L_STR("address", address_text(&r->address, address)), L_INT("others_since", i->said_more));
    i->said_ms = now_ms;
    i->said_more = 0;
}

enum MHD_Result intake_refuse(struct request *r, unsigned status, const char *error)
{
    auto_free char *text = r->posts ? posts_refusal(r->posts, status, error) : xasprintf("%s\n", error);
    if (r->gateway)
        say_refused(r, status, error);
    return answer(r, status, text, r->posts ? r->posts->conf->reply_type : "text/plain; charset=utf-8", true);
}

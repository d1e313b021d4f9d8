/* What is answered, in the words and with the status that the gateway wants. */
#include "callback/intake_internal.h"
#include "lib/clock.h"
#include "lib/log.h"

#define SAY_EVERY_MS 60000

/* What must stand beside a refusal. */
static const struct httpd_field *field_of(unsigned status)
{
    static const struct httpd_field allow = {"Allow", "GET, POST"},
                                    authenticate = {"WWW-Authenticate", "Basic realm=\"smschain\""},
                                    retry = {"Retry-After", "1"};
    return status == 405 ? &allow : status == 401 ? &authenticate : status == 429 ? &retry : NULL;
}

static void answer(struct request *r, unsigned status, const char *text, const char *type, bool close_after)
{
    const struct httpd_field *field = field_of(status);
    httpd_answer(r->http, &(struct httpd_answer){.status = status,
                                                 .type = type,
                                                 .fields = field,
                                                 .field_count = field ? 1 : 0,
                                                 .body = text,
                                                 .len = strlen(text),
                                                 .close = close_after});
}

void intake_say(struct request *r, unsigned status, const char *text)
{
    answer(r, status, text, "text/plain; charset=utf-8", false);
}

void intake_reply(struct request *r)
{
    auto_free char *text = posts_reply(r->posts, r->understood);
    answer(r, (unsigned)r->posts->conf->reply_status, text, r->posts->conf->reply_type, false);
}

void intake_unreadable(struct request *r)
{
    unsigned status = (unsigned)r->posts->conf->unreadable_status;
    auto_free char *text = posts_refusal(r->posts, status, "it cannot be read; it is kept for a person");
    answer(r, status, text, r->posts->conf->reply_type, true);
}

/* One line a minute says that there are refusals: whoever floods us does not fill the log. */
static void say_refused(struct request *r, unsigned status, const char *error)
{
    struct intake *i = r->intake;
    int64_t now_ms = clock_mono_ms(), others = -1;
    char address[ADDRESS_TEXT_SIZE];
    pthread_mutex_lock(&i->said);
    if (i->said_ms != 0 && now_ms - i->said_ms < SAY_EVERY_MS) {
        i->said_more++;
    } else {
        others = i->said_more;
        i->said_ms = now_ms;
        i->said_more = 0;
    }
    pthread_mutex_unlock(&i->said);
    if (others >= 0)
        log_warn("a post is refused", L_STR("gateway", r->gateway ? r->gateway->conf->name : ""),
                 L_INT("status", status), L_STR("error", error),
                 L_STR("address", address_text(&r->address, address)), L_INT("others_since", others));
}

void intake_refuse(struct request *r, unsigned status, const char *error)
{
    auto_free char *text = r->posts ? posts_refusal(r->posts, status, error) : xasprintf("%s\n", error);
    if (r->gateway)
        say_refused(r, status, error);
    answer(r, status, text, r->posts ? r->posts->conf->reply_type : "text/plain; charset=utf-8", true);
}

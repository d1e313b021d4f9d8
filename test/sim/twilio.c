/* A gateway like Twilio: a form posted to /2010-04-01/Accounts/ACCOUNT/Messages.json with basic auth, one
 * message a request, answered 201 with a `sid`; its reports are forms posted to the request's StatusCallback.
 */
#include "test/sim/sim.h"
#include <openssl/evp.h>
#include <stdio.h>

#define JSON_TYPE "application/json"
#define ACCOUNTS  "/Accounts/"
#define BASIC_MAX 512 /* characters of user and password */

static const struct answer
    throttled = {429, JSON_TYPE, "{\"code\":20429,\"message\":\"Too Many Requests\",\"status\":429}"},
    unknown_user = {401, JSON_TYPE, "{\"code\":20003,\"message\":\"Authenticate\",\"status\":401}"},
    bad_request = {400, JSON_TYPE,
                   "{\"code\":21602,\"message\":\"Message body is required.\",\"status\":400}"},
    bad_number = {400, JSON_TYPE,
                  "{\"code\":21211,\"message\":\"The 'To' number is not a valid phone "
                  "number.\",\"status\":400}"};

/* The account stands in the path and, with its token, in the header. */
static bool authenticated(const struct gateway *g, const struct http_request *r)
{
    const char *account = strstr(r->path, ACCOUNTS);
    unsigned char wanted[BASIC_MAX * 2];
    if (account == NULL || r->authorization == NULL || strncmp(r->authorization, "Basic ", 6) != 0)
        return false;
    account += strlen(ACCOUNTS);
    auto_free char *plain = xasprintf("%.*s:%s", (int)strcspn(account, "/"), account, g->knobs.password);
    if (strlen(plain) > BASIC_MAX)
        return false;
    EVP_EncodeBlock(wanted, (const unsigned char *)plain, (int)strlen(plain));
    bool right = *g->knobs.password == '\0' || strcmp(r->authorization + 6, (const char *)wanted) == 0;
    return right && (*g->knobs.user == '\0' || strncmp(plain, g->knobs.user, strlen(g->knobs.user)) == 0);
}

static void accept_one(struct gateway *g, struct conn *c, struct accepted *one, const char *from)
{
    struct buf body = {0};
    one->id = gateway_new_id(g);
    one->early = share_hits(&g->knobs.early);
    gateway_accept(g, c, one);
    buf_addf(&body, "{\"sid\":\"SM%032llx\",\"status\":\"queued\",\"to\":\"+%s\",\"from\":",
             (unsigned long long)one->id, one->number);
    buf_add_json_str(&body, from, strlen(from));
    buf_add_str(&body, ",\"body\":");
    buf_add_json_str(&body, one->text, strlen(one->text));
    buf_add_str(&body, ",\"error_code\":null,\"error_message\":null,\"num_segments\":\"1\"}");
    gateway_answer(g, c, 201, &body, JSON_TYPE);
    buf_deinit(&body);
}

void twilio_send(struct gateway *g, struct conn *c, struct http_request *r)
{
    struct form f;
    if (gateway_before(g, c, &throttled) == DONE_WITH)
        return;
    if (!authenticated(g, r)) {
        g->counters.unauthorised++;
        gateway_refuse(g, c, &unknown_user);
        return;
    }
    bool readable = form_read(r, &f);
    char reference[REFERENCE_SIZE] = "";
    const char *from = form_value(&f, "From");
    struct accepted one = {.number = number_read(form_value(&f, "To")),
                           .text = form_value(&f, "Body"),
                           .reference = reference,
                           .report_url = form_value(&f, "StatusCallback"),
                           .kind = REPORT_TWILIO};
    if (one.report_url != NULL)
        url_parameter(one.report_url, "ref", reference, sizeof(reference));
    if (!readable || from == NULL || one.text == NULL || *one.text == '\0') {
        g->counters.bad_requests++;
        gateway_refuse(g, c, &bad_request);
    } else if (one.number == NULL || gateway_refuses(g, one.number)) {
        g->counters.refused++;
        gateway_refuse(g, c, &bad_number);
    } else {
        accept_one(g, c, &one, from);
    }
}

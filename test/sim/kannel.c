/* Kannel's smsbox: GET /cgi-bin/sendsms?username=…&to=…&text=…&dlr-mask=…&dlr-url=…, one message a request.
 * Its answer has no id; the address for reports comes with the request, so our reference stands in that. */
#include "test/sim/sim.h"

#define TEXT_TYPE  "text/html"
#define DLR_PARAM  "ref"
#define CODING_UCS 2

static const struct answer throttled = {503, TEXT_TYPE, "4: Temporal failure, try again later."},
                           unknown_user = {403, TEXT_TYPE, "Authorization failed for sendsms"},
                           no_receiver = {400, TEXT_TYPE, "Missing or bad receiver number, rejected"},
                           bad_text = {400, TEXT_TYPE, "Text does not fit its coding, rejected"},
                           refused = {404, TEXT_TYPE, "Receiver is not routable, rejected"};

/* Would it reach the phone as it is? What is neither Latin nor Greek must be announced as UCS-2; the bytes
 * tell, since €, the one exception, begins with 0xe2. */
static bool fits_coding(const char *text, const char *coding)
{
    if (coding != NULL && atoi(coding) == CODING_UCS)
        return true;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++)
        if ((*at >= 0xd0 && *at != 0xe2) || (at[0] == 0xe2 && memcmp(at, "€", 3) != 0))
            return false;
    return true;
}

static void accept_one(struct gateway *g, struct conn *c, struct accepted *one)
{
    struct buf body = {0};
    one->id = gateway_new_id(g);
    one->early = share_hits(&g->knobs.early);
    gateway_accept(g, c, one);
    buf_add_str(&body, one->id % 4 == 3 ? "3: Queued for later delivery" : "0: Accepted for delivery");
    gateway_answer(g, c, 202, &body, TEXT_TYPE);
    buf_deinit(&body);
}

void kannel_send(struct gateway *g, struct conn *c, struct http_request *r)
{
    struct form f;
    if (gateway_before(g, c, &throttled) == DONE_WITH)
        return;
    bool readable = form_read(r, &f);
    if (!gateway_knows(g, form_value(&f, "username"), form_value(&f, "password"))) {
        g->counters.unauthorised++;
        gateway_refuse(g, c, &unknown_user);
        return;
    }
    char reference[REFERENCE_SIZE] = "";
    const char *mask = form_value(&f, "dlr-mask");
    struct accepted one = {.number = number_read(form_value(&f, "to")),
                           .text = form_value(&f, "text"),
                           .reference = reference,
                           .report_url = form_value(&f, "dlr-url"),
                           .report_mask = mask != NULL ? atoi(mask) : 0,
                           .kind = REPORT_KANNEL};
    if (one.report_url != NULL)
        url_parameter(one.report_url, DLR_PARAM, reference, sizeof(reference));
    if (!readable || one.number == NULL) {
        g->counters.bad_requests++;
        gateway_refuse(g, c, &no_receiver);
    } else if (one.text == NULL || *one.text == '\0' || !fits_coding(one.text, form_value(&f, "coding"))) {
        g->counters.bad_requests++;
        gateway_refuse(g, c, &bad_text);
    } else if (gateway_refuses(g, one.number)) {
        g->counters.refused++;
        gateway_refuse(g, c, &refused);
    } else {
        accept_one(g, c, &one);
    }
}

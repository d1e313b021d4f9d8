/* Accepted, refused, retry, not sent, in doubt: from what is known of one exchange. */
#include "dispatch/classify.h"

const char *outcome_word(enum outcome o)
{
    static const char *const words[] = {[OUTCOME_ACCEPTED] = "accepted",
                                        [OUTCOME_REFUSED] = "refused",
                                        [OUTCOME_RETRY] = "retry",
                                        [OUTCOME_NOT_SENT] = "not_sent",
                                        [OUTCOME_IN_DOUBT] = "in_doubt"};
    return words[o];
}

/* Why no connection came to be: libcurl never was about to send. */
static struct classified not_sent(const struct exchange *e)
{
    switch (e->end) {
    case HTTP_STOPPED: /* before the first byte, since the claim was too old */
        return (struct classified){.outcome = OUTCOME_NOT_SENT, .reason = "claim_too_old"};
    case HTTP_BAD_REQUEST:
        /* Made of this message's values, so no other try would end otherwise. */
        return (struct classified){.outcome = OUTCOME_REFUSED, .reason = "bad_request"};
    case HTTP_TIMEOUT:
        return (struct classified){
            .outcome = OUTCOME_NOT_SENT, .reason = "connect_timeout", .unreachable = true};
    case HTTP_NAME_NOT_FOUND:
    case HTTP_PROXY_REFUSED:
    case HTTP_TLS_FAILED:
        return (struct classified){
            .outcome = OUTCOME_NOT_SENT, .reason = http_end_word(e->end), .unreachable = true};
    case HTTP_ANSWERED:
    case HTTP_NOT_CONNECTED:
    case HTTP_LOST:
    case HTTP_ANSWER_TOO_BIG:
        break;
    }
    return (struct classified){.outcome = OUTCOME_NOT_SENT, .reason = "not_connected", .unreachable = true};
}

/* The first byte may have left, and no whole answer came. */
static const char *doubt_reason(const struct exchange *e)
{
    if (e->sends > 1)
        return "connection_lost"; /* libcurl wanted to repeat it: the connection had died under the request */
    if (e->end == HTTP_ANSWER_TOO_BIG)
        return "answer_too_big";
    if (e->end == HTTP_TIMEOUT)
        return "answer_timeout";
    return "connection_lost";
}

struct classified classify(const struct exchange *e)
{
    if (e->sends == 0)
        return not_sent(e);
    if (e->sends > 1 || e->end != HTTP_ANSWERED)
        return (struct classified){.outcome = OUTCOME_IN_DOUBT, .reason = doubt_reason(e)};
    switch (e->matched) {
    case ANSWER_ACCEPTED:
        if (e->msg_id_missing)
            return (struct classified){.outcome = OUTCOME_IN_DOUBT, .reason = "no_msg_id"};
        if (e->refused_unreadable)
            return (struct classified){.outcome = OUTCOME_IN_DOUBT, .reason = "refused_numbers_unreadable"};
        return (struct classified){.outcome = OUTCOME_ACCEPTED};
    case ANSWER_REFUSED:
        return (struct classified){.outcome = OUTCOME_REFUSED};
    case ANSWER_THROTTLED:
        return (struct classified){.outcome = OUTCOME_RETRY, .throttled = true};
    case ANSWER_RETRY:
        return (struct classified){.outcome = OUTCOME_RETRY};
    case ANSWER_RESULTS: /* taken apart by the driver; of the request as a whole it says nothing */
        break;
    }
    return (struct classified){.outcome = OUTCOME_IN_DOUBT, .reason = "answer_unknown"};
}

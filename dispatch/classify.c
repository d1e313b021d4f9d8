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
    const char *reason = "not_connected";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
    switch (e->result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        reason = "name_not_found";
        break;
    case CURLE_OPERATION_TIMEDOUT:
        reason = "connect_timeout";
        break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        reason = "tls_failed";
        break;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        /* Made of this message's values, so no other try would end otherwise. */
        return (struct classified){.outcome = OUTCOME_REFUSED, .reason = "bad_request"};
    default:
        break;
    }
#pragma GCC diagnostic pop
    return (struct classified){.outcome = OUTCOME_NOT_SENT, .reason = reason, .unreachable = true};
}

/* The first byte may have left, and no whole answer came. */
static const char *doubt_reason(const struct exchange *e)
{
    if (e->first_bytes > 1)
        return "connection_lost"; /* libcurl wanted to repeat it: the connection had died under the request */
    if (e->answer_too_big)
        return "answer_too_big";
    if (e->result == CURLE_OPERATION_TIMEDOUT)
        return "answer_timeout";
    return "connection_lost";
}

struct classified classify(const struct exchange *e)
{
    if (e->too_old && e->first_bytes == 0)
        return (struct classified){.outcome = OUTCOME_NOT_SENT, .reason = "claim_too_old"};
    if (e->first_bytes == 0)
        return not_sent(e);
    if (e->first_bytes > 1 || e->result != CURLE_OK)
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
    }
    return (struct classified){.outcome = OUTCOME_IN_DOUBT, .reason = "answer_unknown"};
}

/* The declared keys of what callback asks a gateway by itself: look-ups of single messages, and reports that it
 * fetches. */
#include "lib/conf_tables.h"

/* A row a key, not a line a field. */
/* clang-format off */
static const struct conf_word methods[] = {{"GET", 0}, {"POST", 1}, {0}};
static const struct conf_word lookup_words[] = {{"later", LOOKUP_LATER},
                                                {"accepted", LOOKUP_ACCEPTED},
                                                {"not_accepted", LOOKUP_NOT_ACCEPTED},
                                                {"delivered", LOOKUP_DELIVERED},
                                                {"undelivered", LOOKUP_UNDELIVERED},
                                                {"rejected", LOOKUP_REJECTED},
                                                {"expired", LOOKUP_EXPIRED},
                                                {0}};

#define A(field) offsetof(struct conf_lookup_answer, field)
static const struct conf_key lookup_answer_keys[] = {
    {.name = "status", .type = CONF_STR, .at = A(status), .form = conf_form_status,
     .help = "The HTTP status: `200`, `200-299`, `4xx`; without it any."},
    {.name = "match", .type = CONF_STR, .at = A(match), .form = conf_form_regex,
     .help = "A POSIX extended regular expression that the body must match; without it any body."},
    {.name = "pointer", .type = CONF_STR, .at = A(pointer), .form = conf_form_pointer,
     .help = "A JSON pointer into the body, whose value must be `equals`."},
    {.name = "equals", .type = CONF_STR, .at = A(equals),
     .help = "That value, as text."},
    {.name = "is", .type = CONF_WORD_ENUM, .at = A(is), .words = lookup_words, .required = true,
     .help = "`delivered undelivered rejected expired` · `accepted`: it has it, the end is open · `later`: nothing can "
             "be said yet · `not_accepted`: this answer **proves** that it never took it and never will; then the "
             "message is sent again. If it only does not find it, say `later`."},
    {.name = "msg_id", .type = CONF_STR, .at = A(msg_id), .form = conf_form_taken,
     .help = "Where the gateway's id stands, if it tells it: `body`, `match`, `match:2`, or a JSON pointer."},
    {.name = "reason", .type = CONF_STR, .at = A(reason), .form = conf_form_reason,
     .help = "Where the reason stands: the same, or `status`, the HTTP status; without it the word of `is`."},
    {0},
};
static const struct conf_table lookup_answer_table = {
    .size = sizeof(struct conf_lookup_answer), .line_at = A(line), .keys = lookup_answer_keys};

#define L(field) offsetof(struct conf_lookup, field)
#define P(field) offsetof(struct conf_poll, field)
CONF_HTTP_TABLES(lookup, struct conf_lookup, call.http);
CONF_HTTP_TABLES(poll, struct conf_poll, call.http);

#define CALL_KEYS(AT, URL_HELP)                                                                                \
    {.name = "method", .type = CONF_WORD, .at = AT(call.method), .words = methods, .fallback = "GET",          \
     .help = "The HTTP method."},                                                                              \
    {.name = "url", .type = CONF_STR, .at = AT(call.url), .line_at = AT(call.url_line), .form = conf_form_url, \
     .help = URL_HELP},                                                                                        \
    {.name = "headers", .type = CONF_MAP, .at = AT(call.headers), .max = 32, .secret = true,                   \
     .form = conf_form_one_line, .help = "Headers; each value is a template."},                                \
    {.name = "body", .type = CONF_STR, .at = AT(call.body), .line_at = AT(call.body_line), .max = 65536,       \
     .help = "The body, a template."},                                                                         \
    {.name = "timeout", .type = CONF_DURATION, .at = AT(call.timeout_ms), .fallback = "10s", .min = 100,       \
     .max = 20000, .help = "No answer by then: asked again later."}

static const struct conf_key lookup_keys[] = {
    CALL_KEYS(L, "The address, a template over `seq_id`, `number`, `msg_id` (empty while it is not known) and `time` "
                 "(RFC 3339, UTC: when it was claimed). Without it nothing is looked up."),
    CONF_HTTP_ROWS(lookup, "callback"),
    {.name = "answer", .type = CONF_TABLES, .at = L(answers), .count_at = L(answer_count), .table = &lookup_answer_table,
     .max = 64,
     .help = "How to read the answer: the first line that fits decides. If none fits, it is asked again later."},
    {.name = "rate", .type = CONF_INT, .at = L(rate), .fallback = "5", .min = 1, .max = 1000,
     .unit = "questions a second", .help = "At most so many."},
    {.name = "wait", .type = CONF_DURATION, .at = L(wait_ms), .fallback = "1m", .max = DAY_MS,
     .help = "The first question comes so long after the message became in doubt: most reports are quicker."},
    {.name = "retry_base", .type = CONF_DURATION, .at = L(retry_base_ms), .fallback = "1m", .min = 100, .max = DAY_MS,
     .help = "The first back-off of a message; it doubles with each question."},
    {.name = "retry_max", .type = CONF_DURATION, .at = L(retry_max_ms), .fallback = "1h", .min = 100, .max = DAY_MS,
     .help = "The longest back-off."},
    {.name = "give_up", .type = CONF_DURATION, .at = L(give_up_ms), .fallback = "24h", .min = 1000, .max = 30 * DAY_MS,
     .help = "So long after that it is asked no more: it stays in doubt, for a person (`smschain resolve`)."},
    {.name = "after", .type = CONF_DURATION, .at = L(after_ms), .fallback = "0s", .max = 30 * DAY_MS,
     .help = "Messages that are accepted and without a report for so long are asked for too. `0s`: they are not."},
    {.name = "proof_after", .type = CONF_DURATION, .at = L(proof_after_ms), .fallback = "15m", .min = 1000,
     .max = 30 * DAY_MS,
     .help = "`not_accepted` counts only so long after the message became in doubt: longer than a request can be on its "
             "way, in a network or within the gateway. Until then it is asked again."},
    {0},
};
const struct conf_table conf_lookup_table = {.size = sizeof(struct conf_lookup), .keys = lookup_keys};

static const struct conf_key poll_keys[] = {
    CALL_KEYS(P, "The address, a template over `cursor`. Without it nothing is fetched."),
    CONF_HTTP_ROWS(poll, "callback"),
    {.name = "interval", .type = CONF_DURATION, .at = P(interval_ms), .fallback = "30s", .min = 100, .max = DAY_MS,
     .help = "So often, and at once again while there is more."},
    {.name = "start", .type = CONF_STR, .at = P(start), .max = 1024, .form = conf_form_one_line,
     .help = "The cursor of the first time."},
    {.name = "next", .type = CONF_STR, .at = P(next), .form = conf_form_pointer,
     .help = "A JSON pointer into the answer to the next cursor; where nothing stands there, the cursor stays."},
    {.name = "next_match", .type = CONF_STR, .at = P(next_match), .form = conf_form_regex,
     .help = "Instead of it, for answers that are not JSON: an expression whose first group is the next cursor."},
    {.name = "more", .type = CONF_STR, .at = P(more), .form = conf_form_pointer,
     .help = "A JSON pointer: there is more if something stands there but `false`, `0`, `null`, `[]` or an empty text."},
    {.name = "more_match", .type = CONF_STR, .at = P(more_match), .form = conf_form_regex,
     .help = "Instead of it: there is more if the body matches."},
    {0},
};
const struct conf_table conf_poll_table = {.size = sizeof(struct conf_poll), .keys = poll_keys};
/* clang-format on */

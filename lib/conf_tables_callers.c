/* The declared keys of callers: who may ask for messages on demand, and for which. */
#include "lib/conf_tables.h"

/* A row a key, not a line a field. */
/* clang-format off */
#define C(field) offsetof(struct conf_caller, field)
const struct conf_key conf_caller_keys[] = {
    {.name = "key_hashes", .type = CONF_STR_LIST, .at = C(key_hashes), .max = 4, .form = conf_form_sha256,
     .help = "SHA-256 of its API keys, as `smschain key NAME` prints them; two while one is changed for the other."},
    {.name = "broker_user", .type = CONF_STR, .at = C(broker_user), .max = 255, .form = conf_form_not_empty,
     .help = "The broker's user whose messages in `sms.request` are this caller's; the broker vouches for it."},
    {.name = "rate", .type = CONF_INT, .at = C(rate), .fallback = "100", .min = 1, .max = 100000,
     .unit = "messages a second",
     .help = "What it may ask for over HTTP, in each process that takes requests; above it the answer is 429. What comes "
             "by the queue `sms.request` has no rate, so that no caller waits behind another there: `daily_cap` bounds it."},
    {.name = "daily_cap", .type = CONF_INT, .at = C(daily_cap), .required = true, .min = 1, .max = 100000000,
     .unit = "messages",
     .help = "Messages a UTC day, exact over all processes: a mistake in a loop ends there."},
    {.name = "templates", .type = CONF_STR_LIST, .at = C(templates), .max = 1000, .form = conf_form_not_empty,
     .help = "Files' names in `templates/` that it may use."},
    {.name = "text_template", .type = CONF_STR, .at = C(text_template), .form = conf_form_not_empty,
     .help = "The template that its own texts go through, as the column `text`: with its class, footer and text rules. "
             "Without it it may not bring texts of its own."},
    {.name = "lanes", .type = CONF_STR_LIST, .at = C(lanes), .fallback = "[instant]", .min = 1, .max = 2,
     .form = conf_form_lane,
     .help = "The lanes that it may use: `instant`, `bulk`. A request that names none goes by `instant`."},
    {.name = "sender", .type = CONF_STR, .at = C(sender), .max = 32, .form = conf_form_one_line,
     .help = "Whom its messages are from; without it the gateway's."},
    {.name = "valid_for", .type = CONF_DURATION, .at = C(valid_for_ms), .fallback = "10m", .min = 1000,
     .max = 30 * DAY_MS,
     .help = "Later than so long after `send_at`, or after it was asked for, a message is not sent any more, where the "
             "request does not say."},
    {.name = "valid_for_max", .type = CONF_DURATION, .at = C(valid_for_max_ms), .fallback = "24h", .min = 1000,
     .max = 30 * DAY_MS,
     .help = "The longest that a request may say."},
    {.name = "send_at_max", .type = CONF_DURATION, .at = C(send_at_max_ms), .fallback = "0s", .max = 30 * DAY_MS,
     .help = "How far ahead a request's `send_at` may be; `0s`: everything leaves at once."},
    {.name = "require_idempotency_key", .type = CONF_BOOL, .at = C(require_idempotency_key), .fallback = "false",
     .help = "Refuse HTTP requests without `Idempotency-Key`: whoever asks again without one, since no answer came, may "
             "make a second message. The queue always asks for one."},
    {.name = "route", .type = CONF_TABLES, .at = C(routes), .count_at = C(route_count), .table = &conf_route_table,
     .required = true, .min = 1, .max = 32,
     .help = "The gateways, in order, as a rule has them. A request may name some of them, in the order that it wants."},
    {0},
};

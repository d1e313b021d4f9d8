/* The declared keys of rules and gateways: what is sent, and how. */
#include "lib/conf_tables.h"

/* A row a key, not a line a field. */
/* clang-format off */
static const struct conf_word missed_words[] = {
    {"run_once", CONF_MISSED_RUN_ONCE}, {"skip", CONF_MISSED_SKIP}, {0}};
static const struct conf_word start_words[] = {{"when_read", false}, {"at_once", true}, {0}};
static const struct conf_word lanes[] = {{"bulk", 0}, {"instant", 1}, {0}};
static const struct conf_word gateway_drivers[] = {
    {"http", 0},
    {"smpp", 0},
    {"adapter", 0},
    {0},
};
static const struct conf_word answer_kinds[] = {{"accepted", ANSWER_ACCEPTED},
                                                {"refused", ANSWER_REFUSED},
                                                {"throttled", ANSWER_THROTTLED},
                                                {"retry", ANSWER_RETRY},
                                                {"results", ANSWER_RESULTS},
                                                {0}};

#define E(field) offsetof(struct conf_route, field)
static const struct conf_key route_keys[] = {
    {.name = "gateway", .type = CONF_STR, .at = E(gateway), .required = true, .form = conf_form_not_empty,
     .help = "A file's name in `gateways/`."},
    {.name = "prefixes", .type = CONF_STR_LIST, .at = E(prefixes), .max = 1000, .form = conf_form_digits,
     .help = "Beginnings of numbers in international form without the plus, which it takes; the longest that "
             "fits wins. Without it: all."},
    {.name = "weight", .type = CONF_INT, .at = E(weight), .fallback = "1", .min = 1, .max = 1000,
     .help = "Its share among those that fit equally."},
    {0},
};
const struct conf_table conf_route_table = {
    .size = sizeof(struct conf_route), .line_at = E(line), .keys = route_keys};

#define R(field) offsetof(struct conf_rule, field)
#define W(field) offsetof(struct conf_waves, field)
static const struct conf_key waves_keys[] = {
    {.name = "first", .type = CONF_STR, .at = W(first), .form = conf_form_share_or_number,
     .help = "How much goes out first: a share such as `1%`, or a number of messages. At least one message, and one by "
             "each gateway that has any. Without it everything leaves at once."},
    {.name = "wait", .type = CONF_DURATION, .at = W(wait_ms), .fallback = "30m", .min = 1000, .max = 7 * DAY_MS,
     .help = "So long after the last message of the first wave was sent the rest is decided about."},
    {.name = "max_undelivered", .type = CONF_STR, .at = W(max_undelivered), .fallback = "5%", .form = conf_form_share,
     .help = "The rest leaves if at most this share of the first wave's messages with a final status is undelivered, "
             "rejected or expired, and at least half have one; else the run is held."},
    {0},
};
static const struct conf_table waves_table = {.size = sizeof(struct conf_waves), .keys = waves_keys};

const struct conf_key conf_rule_keys[] = {
    {.name = "schedule", .kind = CONF_OF_SQL, .type = CONF_STR, .at = R(schedule), .form = conf_form_cron,
     .help = "When it fires: a cron expression of five fields, or `@daily` and the like. Either this, `at` or `tasks`."},
    {.name = "at", .kind = CONF_OF_SQL, .type = CONF_STR, .at = R(at), .form = conf_form_at,
     .help = "The one moment at which it fires: RFC 3339, or `YYYY-MM-DD HH:MM[:SS]` in `time_zone`."},
    {.name = "time_zone", .kind = CONF_OF_SQL, .type = CONF_STR, .at = R(time_zone), .fallback = "UTC", .form = conf_form_zone,
     .help = "Whose clock `schedule` and `at` mean."},
    {.name = "missed", .kind = CONF_OF_SQL, .type = CONF_WORD_ENUM, .at = R(missed), .words = missed_words, .fallback = "run_once",
     .help = "What becomes of a firing that came while nothing ran: the newest is run late, or none is."},
    {.name = "source", .kind = CONF_OF_SQL, .type = CONF_STR, .at = R(source), .required = true, .form = conf_form_not_empty,
     .help = "A file's name in `sources/`."},
    {.name = "sql", .kind = CONF_OF_SQL, .type = CONF_STR, .at = R(sql), .line_at = R(sql_line), .required = true,
     .form = conf_form_not_empty, .max = 65536,
     .help = "One SELECT; every row is a recipient, every column a name that the template may use."},
    {.name = "tasks", .type = CONF_BOOL, .at = R(tasks), .fallback = "false",
     .help = "Its rows come from the table `task_row`, where other systems insert them: each of their tasks is a run "
             "(docs/tasks.md). Then it has no schedule, source or SQL, and each row is one and the same by task_id and ext_id."},
    {.name = "template", .type = CONF_STR, .at = R(template_name), .required = true, .form = conf_form_not_empty,
     .help = "A file's name in `templates/`. With `tasks`: of rows that name none."},
    {.name = "templates", .kind = CONF_OF_TASKS, .type = CONF_STR_LIST, .at = R(templates), .max = 200, .form = conf_form_not_empty,
     .help = "Further templates that a row may name. All of a rule's are of class marketing, or none is."},
    {.name = "text_template", .kind = CONF_OF_TASKS, .type = CONF_STR, .at = R(text_template),
     .help = "The template that rows with a text of their own are made by: `{{ text }}`, with its class, footer and forbidden "
             "words. Without it such rows are invalid."},
    {.name = "number_column", .kind = CONF_OF_SQL, .type = CONF_STR, .at = R(number_column), .fallback = "number",
     .form = conf_form_not_empty,
     .help = "The column with the telephone number."},
    {.name = "once_per", .kind = CONF_OF_SQL, .type = CONF_STR_LIST, .at = R(once_per), .required = true, .min = 1, .max = 16,
     .form = conf_form_not_empty,
     .help = "The columns that make a row one and the same: for equal values only one message is ever made by "
             "this rule. Changing it holds the next run until `smschain accept RULE`."},
    {.name = "lane", .type = CONF_WORD, .at = R(lane), .words = lanes, .fallback = "bulk",
     .help = "`instant` is for what a person waits for; it never waits behind bulk."},
    {.name = "max_recipients", .type = CONF_INT, .at = R(max_recipients), .required = true, .min = 1,
     .max = 100000000, .unit = "messages",
     .help = "A run that would make more is held until a person has looked at it."},
    {.name = "start", .type = CONF_WORD_BOOL, .at = R(start_at_once), .words = start_words, .fallback = "when_read",
     .help = "When its messages leave: after the SQL has ended below `max_recipients`, or while it is being read."},
    {.name = "hold_if_recipients_differ", .type = CONF_STR, .at = R(hold_if_recipients_differ), .form = conf_form_share,
     .help = "A run whose new messages are more or fewer than the mean of the rule's last five runs by more than this "
             "share (`30%`) is held. Of fewer than five runs the mean of those; without any it is not compared."},
    {.name = "hold_render_errors", .type = CONF_STR, .at = R(hold_render_errors), .form = conf_form_share,
     .help = "A run is held if more than this share (`5%`, `0%`) of its messages cannot be rendered."},
    {.name = "approve", .type = CONF_BOOL, .at = R(approve), .fallback = "false",
     .help = "Every run that has messages is held until a person has looked at it and said `smschain release RUN`."},
    {.name = "waves", .type = CONF_SECTION, .at = R(waves), .table = &waves_table,
     .help = "A part goes out first, and the rest only if that part arrives."},
    {.name = "valid_for", .type = CONF_DURATION, .at = R(valid_for_ms), .fallback = "24h", .min = 1000,
     .max = 30 * DAY_MS,
     .help = "Later than so long after it was made, a message is not sent any more (`stale`)."},
    {.name = "sender", .type = CONF_STR, .at = R(sender), .max = 32,
     .help = "Whom the message is from; without it the gateway's."},
    {.name = "route", .type = CONF_TABLES, .at = R(routes), .count_at = R(route_count), .table = &conf_route_table,
     .required = true, .min = 1, .max = 32,
     .help = "The gateways, in order: those that fit the number; the first by weight, the others when it cannot "
             "be reached."},
    {0},
};

#define A(field) offsetof(struct conf_answer, field)
static const struct conf_key answer_keys[] = {
    {.name = "status", .type = CONF_STR, .at = A(status), .form = conf_form_status,
     .help = "The HTTP status: `200`, `200-299`, `4xx`; without it any."},
    {.name = "match", .type = CONF_STR, .at = A(match), .form = conf_form_regex,
     .help = "A POSIX extended regular expression that the body must match; without it any body."},
    {.name = "pointer", .type = CONF_STR, .at = A(pointer), .form = conf_form_pointer,
     .help = "A JSON pointer into the body (`/data/code`), whose value must be `equals`."},
    {.name = "equals", .type = CONF_STR, .at = A(equals),
     .help = "That value, as text."},
    {.name = "is", .type = CONF_WORD_ENUM, .at = A(is), .words = answer_kinds, .required = true,
     .help = "`accepted` · `refused`: for good, certainly not taken · `throttled`: too fast, certainly not "
             "taken, tried again after Retry-After or the back-off · `retry`: certainly not taken, tried again · "
             "`results`: it tells of each message, as the section `results` says."},
    {.name = "msg_id", .type = CONF_STR, .at = A(msg_id), .form = conf_form_taken,
     .help = "Where the gateway's id stands: `body`, `match` (the expression's first group), `match:2`, or a "
             "JSON pointer. Required for `accepted`."},
    {.name = "reason", .type = CONF_STR, .at = A(reason), .form = conf_form_reason,
     .help = "Where the reason of a refusal stands: the same, or `status`, the HTTP status, which is also the "
             "default."},
    {.name = "refused_numbers", .type = CONF_STR, .at = A(refused_numbers), .form = conf_form_taken,
     .help = "Where numbers stand that an accepted request refuses singly; they may be separated by anything but "
             "digits and +."},
    {0},
};
static const struct conf_table answer_table = {
    .size = sizeof(struct conf_answer), .line_at = A(line), .keys = answer_keys};

#define G(field) offsetof(struct conf_gateway, field)
static const struct conf_key results_keys[] = {
    {.name = "records", .type = CONF_STR, .at = G(results.records), .form = conf_form_pointer,
     .help = "Pointer to the array of records; without it the body itself."},
    {.name = "number", .type = CONF_STR, .at = G(results.number), .form = conf_form_pointer,
     .help = "Pointer within a record to the number, with or without a plus."},
    {.name = "reference", .type = CONF_STR, .at = G(results.reference), .form = conf_form_pointer,
     .help = "To the `seq_id` that the request carried. With both, both must fit."},
    {.name = "answer", .type = CONF_TABLES, .at = G(results.answers), .count_at = G(results.answer_count),
     .table = &answer_table, .min = 1, .max = 64,
     .help = "How to read a record: lines as in `answer`, over the record's text; pointers begin at the record. If none "
             "fits, its message is in doubt; so is a message that no record names, or more than one."},
    {0},
};
static const struct conf_table results_table = {.keys = results_keys};

CONF_HTTP_TABLES(gateway, struct conf_gateway, http);

#define P(field) offsetof(struct conf_price, field)
static const struct conf_key price_keys[] = {
    {.name = "prefix", .type = CONF_STR, .at = P(prefix), .form = conf_form_digits_or_none,
     .help = "Beginning of the number in international form without the plus; the longest that fits counts. Without "
             "it: all others."},
    {.name = "price", .type = CONF_STR, .at = P(price), .required = true, .form = conf_form_price,
     .help = "Of one segment: a decimal number such as `0.0425`, at most 1000, with at most 6 places."},
    {.name = "currency", .type = CONF_STR, .at = P(currency), .required = true, .form = conf_form_currency,
     .help = "Three capital letters, as `EUR`. Amounts of several currencies are never added up."},
    {0},
};
static const struct conf_table price_table = {
    .size = sizeof(struct conf_price), .line_at = P(line), .keys = price_keys};


const struct conf_key conf_gateway_keys[] = {
    {.name = "driver", .type = CONF_WORD, .at = G(driver), .words = gateway_drivers, .fallback = "http",
     .help = "How it is spoken to: by HTTP requests, over lasting links by SMPP 3.4, or through a process of your own "
             "(docs/adapters.md). The sections `auth`, `tls`, `proxy`, `sign`, `request`, `answer` and `results` are of "
             "http, `smpp` is of smpp, `adapter` is of adapter."},
    {.name = "rate", .type = CONF_INT, .at = G(rate), .required = true, .min = 1, .max = 100000,
     .unit = "messages a second",
     .help = "Messages a second over all its dispatchers, as the contract says."},
    {.name = "window", .type = CONF_INT, .at = G(window), .required = true, .min = 1, .max = 10000,
     .unit = "messages",
     .help = "Messages without an answer over all its dispatchers. A crash leaves at most two windows in doubt."},
    {.name = "instant_share", .type = CONF_STR, .at = G(instant_share), .fallback = "10%", .form = conf_form_kept_share,
     .help = "So much of window and rate is kept for the instant lane, from `0%` to `90%`: bulk never takes it. The instant lane "
             "goes first in any case; while it would take all, bulk keeps a tenth."},
    {.name = "dispatchers", .type = CONF_INT, .at = G(dispatchers), .fallback = "1", .min = 1, .max = 64,
     .help = "How many processes may send at a time, each with its share of rate and window; others stand by."},
    {.name = "connect_timeout", .type = CONF_DURATION, .at = G(connect_timeout_ms), .fallback = "5s", .min = 10,
     .max = 120000,
     .help = "No connection by then: certainly not sent."},
    {.name = "answer_timeout", .type = CONF_DURATION, .at = G(answer_timeout_ms), .fallback = "30s", .min = 10,
     .max = 600000,
     .help = "No answer by then: in doubt, and never sent again by itself. Rather long than short."},
    {.name = "max_attempts", .type = CONF_INT, .at = G(max_attempts), .fallback = "5", .min = 1, .max = 1000,
     .help = "After so many attempts that certainly were not accepted, the message is rejected "
             "(`retries_exhausted`)."},
    {.name = "retry_base", .type = CONF_DURATION, .at = G(retry_base_ms), .fallback = "1s", .min = 1, .max = DAY_MS,
     .help = "The first back-off; it doubles with each attempt."},
    {.name = "retry_max", .type = CONF_DURATION, .at = G(retry_max_ms), .fallback = "10m", .min = 1, .max = DAY_MS,
     .help = "The longest back-off."},
    {.name = "breaker_failures", .type = CONF_INT, .at = G(breaker_failures), .fallback = "5", .min = 1,
     .max = 1000,
     .help = "So many failed connections in a row open the breaker: messages go to the route's next gateway."},
    {.name = "breaker_pause", .type = CONF_DURATION, .at = G(breaker_pause_ms), .fallback = "10s", .min = 10,
     .max = DAY_MS,
     .help = "So long after that one connection is tried again."},
    {.name = "sender", .type = CONF_STR, .at = G(sender), .max = 32,
     .help = "Whom messages are from, where the rule does not say."},
    {.name = "heartbeat_interval", .type = CONF_DURATION, .at = G(heartbeat_ms), .fallback = "0s", .max = 30 * DAY_MS,
     .help = "When nothing was submitted for so long, one message is sent to `heartbeat_number`: for links that look alive "
             "and are not. It belongs to no rule; `smschain status` shows it. At least `1s`; `0s`: none."},
    {.name = "heartbeat_number", .type = CONF_STR, .at = G(heartbeat_number), .form = conf_form_number,
     .help = "A phone of your own, in international form; there is no default."},
    {.name = "heartbeat_text", .type = CONF_STR, .at = G(heartbeat_text), .fallback = "smschain heartbeat",
     .form = conf_form_not_empty,
     .help = "Its text: one segment of GSM 7-bit."},
    CONF_HTTP_ROWS_OF(gateway, "dispatch", "http"),
    {.name = "sign", .type = CONF_SECTION, .table = &conf_sign_table, .at = G(sign), .owner = "dispatch", .driver = "http",
     .help = "Where requests are signed: then their templates know `signature`."},
    {.name = "request", .type = CONF_SECTION, .table = &conf_submit_table, .at = G(request), .required = true,
     .owner = "dispatch", .driver = "http",
     .help = "The request: templates over `number` (digits without a plus), `numbers` (a list), `text`, `sender`, "
             "`seq_id`, `encoding` (`gsm7` or `ucs2`), `segments`, `request_id` (the seq_id of its first message: "
             "never the same twice), `timestamp` (seconds since 1970), `nonce`, `parameters`, `messages` and "
             "`signature`."},
    {.name = "answer", .type = CONF_TABLES, .at = G(answers), .count_at = G(answer_count), .table = &answer_table,
     .required = true, .min = 1, .max = 64, .driver = "http",
     .help = "How to read the answer: the first line that fits decides. If none fits, the attempt is in doubt."},
    {.name = "results", .type = CONF_SECTION, .table = &results_table, .driver = "http",
     .help = "Where an answer tells of each message of the request by itself (`is: results`)."},
    {.name = "smpp", .type = CONF_SECTION, .table = &conf_smpp_table, .required = true, .owner = "dispatch",
     .driver = "smpp",
     .help = "The links: where to, who we are, how texts are written."},
    {.name = "adapter", .type = CONF_SECTION, .table = &conf_adapter_table, .at = G(adapter), .required = true,
     .owner = "dispatch", .driver = "adapter",
     .help = "The process that speaks to it, and the link to that process."},
    {.name = "report", .type = CONF_SECTION, .table = &conf_report_table,
     .help = "Its delivery reports."},
    {.name = "inbound", .type = CONF_SECTION, .table = &conf_inbound_table,
     .help = "Messages from phones that it takes for us. One message is told twice where sender, recipient, text and "
             "`msg_id` are equal, or `time` where it gives no id."},
    {.name = "lookup", .type = CONF_SECTION, .at = G(lookup), .table = &conf_lookup_table, .owner = "callback",
     .help = "How it is asked what became of an attempt."},
    {.name = "poll", .type = CONF_SECTION, .at = G(poll), .table = &conf_poll_table, .owner = "callback",
     .help = "Where its reports are fetched, if it does not post them; they are read as section `report` says."},
    {.name = "prices", .type = CONF_TABLES, .at = G(prices), .count_at = G(price_count), .table = &price_table, .max = 10000,
     .help = "What it charges: `smschain plan` tells a run's cost by it beforehand. Nothing is sent by price."},
    {.name = "poll_inbound", .type = CONF_SECTION, .at = G(poll_inbound), .table = &conf_poll_table, .owner = "callback",
     .help = "The same for messages from phones, read as section `inbound` says."},
    {0},
};

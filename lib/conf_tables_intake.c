/* The declared keys of what a gateway posts to us (sections report, inbound): who may, how it is read, what is
 * answered. */
#include "lib/conf_tables.h"

const char *const conf_role_words[ROLE_COUNT] = {"msg_id", "number",    "status", "time",
                                                 "error",  "reference", "to",     "text"};

/* A row a key, not a line a field. */
/* clang-format off */
static const struct conf_word formats[] = {{"list", 0}, {"json", 1}, {"form", 2}, {"xml", 3}, {0}};
static const struct conf_word id_forms[] = {{"as_given", 0}, {"hex", 1}, {"decimal", 2}, {0}};
static const struct conf_word answer_id_forms[] = {{"", 0}, {"as_given", 0}, {"hex", 1}, {"decimal", 2}, {0}};

static const struct conf_word encodings[] = {{"hex", 0}, {"base64", 1}, {0}};

#define A(field) offsetof(struct conf_auth, field)
static const struct conf_key hmac_keys[] = {
    {.name = "secret", .type = CONF_STR, .at = A(hmac.secret), .secret = true, .form = conf_form_secret,
     .help = "The key of HMAC-SHA256."},
    {.name = "secret_2", .type = CONF_STR, .at = A(hmac.secret_2), .secret = true, .form = conf_form_secret,
     .help = "A second one that is right as well, while it is changed."},
    {.name = "header", .type = CONF_STR, .at = A(hmac.header), .fallback = "X-Signature", .max = 64,
     .form = conf_form_header,
     .help = "The header with the signature; `sha256=` before it is passed over."},
    {.name = "timestamp_header", .type = CONF_STR, .at = A(hmac.timestamp_header), .fallback = "X-Timestamp",
     .max = 64, .form = conf_form_header,
     .help = "The header with the moment of signing, in seconds or milliseconds since 1970 or as RFC 3339; "
             "`\"\"`: none, and what was caught once can be posted again for ever."},
    {.name = "signs", .type = CONF_STR, .at = A(hmac.signs), .fallback = "{timestamp}.{body}", .max = 200,
     .form = conf_form_signs,
     .help = "What is signed, with `{timestamp}`, `{body}` and `{query}` as they came. A query that is not signed "
             "is not read."},
    {.name = "encoding", .type = CONF_WORD, .at = A(hmac.encoding), .words = encodings, .fallback = "hex",
     .help = "How the signature is written."},
    {.name = "tolerance", .type = CONF_DURATION, .at = A(hmac.tolerance_ms), .fallback = "5m", .min = 1000,
     .max = DAY_MS,
     .help = "How far the timestamp may be from our clock."},
    {0},
};
static const struct conf_table hmac_table = {.keys = hmac_keys};

static const struct conf_key auth_keys[] = {
    {.name = "token_2", .type = CONF_STR, .at = A(token_2), .secret = true, .form = conf_form_token,
     .help = "A second token that is right as well, while it is changed."},
    {.name = "token_header", .type = CONF_STR, .at = A(token_header), .max = 64, .form = conf_form_header,
     .help = "The token stands in this header (`Authorization`: after `Bearer`), not in the address, which ends "
             "with the gateway's name."},
    {.name = "user", .type = CONF_STR, .at = A(user), .max = 128, .form = conf_form_user,
     .help = "Basic authentication (RFC 7617) is asked for, with this user."},
    {.name = "password", .type = CONF_STR, .at = A(password), .secret = true, .form = conf_form_secret,
     .help = "Its password."},
    {.name = "password_2", .type = CONF_STR, .at = A(password_2), .secret = true, .form = conf_form_secret,
     .help = "A second one that is right as well, while it is changed."},
    {.name = "hmac", .type = CONF_SECTION, .table = &hmac_table,
     .help = "What is posted is signed with HMAC-SHA256 over the raw body."},
    {.name = "addresses", .type = CONF_STR_LIST, .at = A(addresses), .max = 256, .form = conf_form_network,
     .help = "Networks that it may post from, such as `192.0.2.0/24` or `2001:db8::/32`; without it: any. Behind a "
             "proxy see `callback.trusted_proxies`."},
    {0},
};
static const struct conf_table auth_table = {.keys = auth_keys};

#define G(field) offsetof(struct conf_gateway, field)

/* Where a field stands: list has `fields` instead. */
#define POSTS_ROLE(section, word, role, what)                                                                  \
    {.name = word, .type = CONF_STR, .at = G(section.posts.format.at[role]), .max = 256,                              \
     .help = "json, xml: pointer within a record to " what "; form: the parameter."}

/* The keys that every section has that takes what a gateway posts; it adds POSTS_ROLEs of its own. */
#define POSTS_KEYS(section)                                                                                     \
    {.name = "token", .type = CONF_STR, .at = G(section.posts.auth.token), .secret = true, .owner = "callback", \
     .form = conf_form_token,                                                                                   \
     .help = "What it posts comes to `/" #section "/<gateway>/<token>`; or see `auth.token_header`."},         \
    {.name = "auth", .type = CONF_SECTION, .at = G(section.posts.auth), .table = &auth_table,                   \
     .owner = "callback",                                                                                       \
     .help = "More about who may post. All that is asked for must be right; something must be asked for."},     \
    {.name = "format", .type = CONF_WORD, .at = G(section.posts.format.kind), .words = formats, .fallback = "json",   \
     .help = "`list`: records of fields with separators · `json` · `form`: parameters of the query or of a "    \
             "form, one record a call, or several as repeated keys · `xml`: paths such as `/id` and `/@status`."},                                          \
    {.name = "fields", .type = CONF_STR_LIST, .at = G(section.posts.format.fields), .max = 16,                        \
     .form = conf_form_field,                                                                                   \
     .help = "list: what stands in a record, in order, by the names of the keys below; `-` for what is "        \
             "skipped."},                                                                                       \
    {.name = "record_separator", .type = CONF_STR, .at = G(section.posts.format.record_separator), .fallback = ";",   \
     .max = 8, .form = conf_form_not_empty,                                                                     \
     .help = "list: between records."},                                                                         \
    {.name = "field_separator", .type = CONF_STR, .at = G(section.posts.format.field_separator), .fallback = ",",     \
     .max = 8, .form = conf_form_not_empty,                                                                     \
     .help = "list: between fields."},                                                                          \
    {.name = "parameter", .type = CONF_STR, .at = G(section.posts.format.parameter), .max = 64,                       \
     .help = "list, json, xml: the query parameter or form field that holds it. Without it, or in a request that "   \
             "has none: the body, else the whole query."},                                                      \
    {.name = "records", .type = CONF_STR, .at = G(section.posts.format.records), .form = conf_form_pointer,           \
     .help = "json: pointer to the array of records; without it the body itself, an object or an array. xml: path of " \
             "the elements that are records (`/reports/report`); without it the outermost."},      \
    {.name = "time_format", .type = CONF_STR, .at = G(section.posts.format.time_format), .fallback = "iso",           \
     .max = 64, .form = conf_form_time_format,                                                                  \
     .help = "`iso` (RFC 3339), `\"\"` (seconds since 1970), or a strptime format such as "                     \
             "`%Y-%m-%d %H:%M:%S`."},                                                                           \
    {.name = "time_zone", .type = CONF_STR, .at = G(section.posts.format.time_zone), .fallback = "UTC",               \
     .form = conf_form_zone,                                                                                    \
     .help = "Whose clock the gateway's time shows, where it does not say itself."},                            \
    {.name = "reply", .type = CONF_STR, .at = G(section.posts.reply), .fallback = "OK", .max = 1024,            \
     .help = "The body of our answer: a template over `count` (records that were taken) and `gateway`."},       \
    {.name = "reply_status", .type = CONF_INT, .at = G(section.posts.reply_status), .fallback = "200",          \
     .min = 200, .max = 299,                                                                                    \
     .help = "Its HTTP status."},                                                                               \
    {.name = "reply_type", .type = CONF_STR, .at = G(section.posts.reply_type),                                 \
     .fallback = "text/plain; charset=utf-8", .max = 128, .form = conf_form_one_line,                           \
     .help = "The content type of it and of refusals."},                                                        \
    {.name = "reply_error", .type = CONF_STR, .at = G(section.posts.reply_error),                               \
     .fallback = "{{ error }}\n", .max = 1024,                                                                  \
     .help = "The body of a refusal: a template over `status`, `error` (a sentence) and `gateway`."},           \
    {.name = "unreadable_status", .type = CONF_INT, .at = G(section.posts.unreadable_status),                   \
     .fallback = "400", .min = 200, .max = 499,                                                                 \
     .help = "The HTTP status where the whole cannot be read. It is kept all the same (`quarantine`), so 200 "  \
             "serves a gateway that would post it again for ever."},                                            \
    POSTS_ROLE(section, "msg_id", ROLE_MSG_ID, "the gateway's id"),                                            \
    POSTS_ROLE(section, "number", ROLE_NUMBER, "the phone's number"),                                          \
    POSTS_ROLE(section, "time", ROLE_TIME, "the gateway's time")

static const struct conf_key report_keys[] = {
    POSTS_KEYS(report),
    POSTS_ROLE(report, "status", ROLE_STATUS, "the status word"),
    POSTS_ROLE(report, "error", ROLE_ERROR, "the error text or code"),
    POSTS_ROLE(report, "reference", ROLE_REFERENCE, "the `seq_id` that the request carried"),
    {.name = "id", .type = CONF_WORD, .at = G(report.id), .words = id_forms, .fallback = "as_given",
     .help = "How ids are compared. `hex` and `decimal`: as numbers of any length, whatever case and zeros."},
    {.name = "answer_id", .type = CONF_WORD, .at = G(report.answer_id), .words = answer_id_forms,
     .help = "The same for the id in the answer, where it is written otherwise than in reports."},
    {.name = "states", .type = CONF_STATES, .at = G(report.statuses), .count_at = G(report.status_count),
     .max = 200,
     .help = "Their status word → our state (`delivered undelivered rejected expired unknown`), or `progress`: "
             "kept as an event, changes no state. A word that is not listed is kept for a person (`quarantine`)."},
    {0},
};
const struct conf_table conf_report_table = {.keys = report_keys};

static const struct conf_key inbound_keys[] = {
    POSTS_KEYS(inbound),
    POSTS_ROLE(inbound, "to", ROLE_TO, "our number or short code"),
    POSTS_ROLE(inbound, "text", ROLE_TEXT, "the text"),
    {.name = "forward_url", .type = CONF_STR, .at = G(inbound.forward_url), .owner = "callback", .form = conf_form_url,
     .help = "Where its messages are posted on to; without it as `inbound.forward` of smschain.yaml says, whose "
             "headers and credentials hold here too."},
    {0},
};
const struct conf_table conf_inbound_table = {.keys = inbound_keys};
/* clang-format on */

/* The declared keys of what a gateway posts to us (sections report, inbound): who may, how it is read, what is
 * answered. */
#include "lib/conf_tables.h"

const char *const conf_role_words[ROLE_COUNT] = {"msg_id", "number",    "status", "time",
                                                 "error",  "reference", "to",     "text"};

/* A row a key, not a line a field. */
/* clang-format off */
static const struct conf_word formats[] = {{"list", 0}, {"json", 1}, {"form", 2}, {0}};
static const struct conf_word id_forms[] = {{"as_given", 0}, {"hex", 1}, {"decimal", 2}, {0}};
static const struct conf_word answer_id_forms[] = {{"", 0}, {"as_given", 0}, {"hex", 1}, {"decimal", 2}, {0}};

#define G(field) offsetof(struct conf_gateway, field)

/* Where a field stands: list has `fields` instead. */
#define POSTS_ROLE(section, word, role, what)                                                                  \
    {.name = word, .type = CONF_STR, .at = G(section.posts.format.at[role]), .max = 256,                              \
     .help = "json: pointer within a record to " what "; form: the parameter."}

/* The keys that every section has that takes what a gateway posts; it adds POSTS_ROLEs of its own. */
#define POSTS_KEYS(section)                                                                                     \
    {.name = "token", .type = CONF_STR, .at = G(section.posts.auth.token), .secret = true, .owner = "callback", \
     .form = conf_form_token,                                                                                   \
     .help = "What it posts comes to `/" #section "/<gateway>/<token>`; without it nothing is taken."},         \
    {.name = "format", .type = CONF_WORD, .at = G(section.posts.format.kind), .words = formats, .fallback = "json",   \
     .help = "`list`: records of fields with separators · `json` · `form`: parameters of the query or of a "    \
             "form, one record a call, or several as repeated keys."},                                          \
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
     .help = "list, json: the query parameter or form field that holds it. Without it, or in a request that "   \
             "has none: the body, else the whole query."},                                                      \
    {.name = "records", .type = CONF_STR, .at = G(section.posts.format.records), .form = conf_form_pointer,           \
     .help = "json: pointer to the array of records; without it the body itself, an object or an array."},      \
    {.name = "time_format", .type = CONF_STR, .at = G(section.posts.format.time_format), .fallback = "iso",           \
     .max = 64, .form = conf_form_time_format,                                                                  \
     .help = "`iso` (RFC 3339), `\"\"` (seconds since 1970), or a strptime format such as "                     \
             "`%Y-%m-%d %H:%M:%S`."},                                                                           \
    {.name = "time_zone", .type = CONF_STR, .at = G(section.posts.format.time_zone), .fallback = "UTC",               \
     .form = conf_form_zone,                                                                                    \
     .help = "Whose clock the gateway's time shows, where it does not say itself."},                            \
    {.name = "reply", .type = CONF_STR, .at = G(section.posts.reply), .fallback = "OK", .max = 1024,            \
     .help = "The body of our answer."},                                                                        \
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
/* clang-format on */

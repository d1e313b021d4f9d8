/* Configuration: YAML files in one folder, checked against the tables in conf_tables.c (one row a key: type, unit,
 * default, bounds, secret or not, help). All errors of all files come out in one go, each with file:line:column, the
 * line itself, what was expected and what may have been meant. docs/reference.md is printed from the same tables.
 *
 *   conf/smschain.yaml          database, broker, the services
 *   conf/sources/NAME.yaml      business databases
 *   conf/rules/NAME.yaml        the file's name is the rule's permanent id
 *   conf/templates/NAME.liquid  front matter between two lines `---`, then the text
 *   conf/gateways/NAME.yaml
 *   conf/callers/NAME.yaml      who may ask for messages on demand
 *
 * ${NAME} in a value is taken from the environment; any key marked secret may be given as KEY_file: PATH instead.
 * A loaded configuration is never changed: SIGHUP loads another and swaps it only if all of it is good. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/digest.h"
#include "lib/record.h"
#include "lib/log.h"
#include "lib/state.h"

struct conf_map { /* a YAML mapping of words to words, in file order */
    struct conf_pair {
        char *key, *value;
        int line;
    } *pairs;
    size_t count;
};

struct conf_service { /* what each of extract, dispatch, callback, operator has; render has no database */
    char *database_user, *database_password;
    char *broker_user, *broker_password;
    char *metrics_listen; /* "" : none */
};

struct conf_http { /* keys auth, tls, proxy: how a server over HTTP is reached, and who we are there */
    struct {
        char *type; /* "none" "basic" "bearer" */
        char *user, *password, *token;
    } auth;
    struct {
        char *ca_file;  /* the only authorities that count; "" : the system's */
        char *certificate_file, *key_file, *key_password; /* ours, PEM; "" : none */
        char *version;  /* "auto": 1.2 and above, but just 1.2 with a certificate of ours; "1.2"; "1.3" */
    } tls;
    struct {
        char *url;      /* "http://HOST:PORT" or "https://…"; "" : none, whatever the environment says */
        char *user, *password;
        bool tunnel;    /* CONNECT also for http:// addresses */
    } proxy;
};

/* Languages of STOP and START words. */
enum inbound_language {
    INBOUND_EN, INBOUND_DE, INBOUND_FR, INBOUND_ES, INBOUND_IT, INBOUND_PT, INBOUND_NL, INBOUND_PL, INBOUND_RU,
    INBOUND_TR, INBOUND_ZH, INBOUND_OTHER,
    INBOUND_LANGUAGES
};
struct conf_inbound { /* messages from phones: section "inbound" */
    struct str_list stop[INBOUND_LANGUAGES], start[INBOUND_LANGUAGES]; /* words; see lib/keyword.h */
    char *stop_template, *start_template; /* what answers them; "" : nothing does */
    struct str_list reply_route; /* gateways in order; empty: the one that the message came by */
    char *reply_sender;          /* "" : the gateway's */
    int64_t reply_valid_ms;
    int64_t replies_per_day;     /* to one number */
    int64_t parts_timeout_ms;    /* a message in several parts is waited for so long */
    bool queue;                  /* publish to sms.inbound */
    struct {
        char *url;               /* "" : none */
        struct conf_map headers;
        int64_t timeout_ms, horizon_ms;
        struct conf_http http;
    } forward;
};
#define INBOUND_RULE "inbound-reply" /* the built-in rule that answers belong to */

struct conf_dashboard { /* section "dashboard": the page */
    struct conf_service service;
    char *listen, *tls_certificate, *tls_key; /* "127.0.0.1:8086" */
    struct str_list trusted_proxies; /* networks whose user_header and role_header are believed */
    char *user_header, *role_header; /* role_header "" : proxies say nothing about who looks */
    char *viewer_token, *operator_token; /* "" : nobody has that role by a token */
    bool open_on_loopback;           /* false */
    int64_t workers;                 /* 4 */
    int64_t connections;             /* 500 */
};

struct conf_main {
    char *state_dir;   /* slots/, journal/, history: on a local disk, one a machine */
    char *log_format;  /* "logfmt" or "json" */
    char *log_level;   /* "debug" "info" "warn" "error" */
    char *country_code; /* calling code of numbers in national form, "" none */
    struct {
        char *conninfo; /* host, port, dbname, sslmode …: no user, no password */
        char *admin_user, *admin_password; /* smschain migrate */
        int64_t partitions_ahead_days;     /* 7 */
        int64_t claims_keep_days;          /* 90: an older sms_id is never sent */
    } database;
    struct {
        char *host, *vhost;
        int64_t port;
        int64_t heartbeat_ms;
        bool tls;
        char *ca_file;
        char *management_url; /* smschain migrate makes the services' users here; "" : it prints the commands */
        char *admin_user, *admin_password;
        int64_t update_shards; /* 1 */
    } broker;
    struct {
        struct conf_service service;
        int64_t max_parallel_runs; /* 4 */
        int64_t group_rows;        /* 500: rows a transaction and a chunk */
        int64_t outbox_poll_ms;    /* 100 */
        int64_t outbox_keep_ms;    /* 7 d: published bodies are kept so long */
        int64_t missed_look_back_ms; /* 24 h: how old a missed firing may be to be run */
        int64_t task_keep_ms;      /* 30 d: rows of tasks that are done are kept so long */
        struct str_list deliver_only_to; /* staging: every other number is skipped with reason not_listed; digits, no plus */
        char *door_caller;         /* whose requests those in sms.request without a user are; "" : nobody's */
        int64_t request_keep_ms;   /* 30 d: so long a request's answer is given again */
        struct {
            char *listen;            /* "" : no API */
            char *tls_certificate, *tls_key; /* PEM files; "" : plain HTTP */
            struct str_list trusted_proxies;
            char *forwarded_header;  /* "X-Forwarded-For" or "Forwarded" */
            int64_t connections, connections_per_address;
            int64_t body_bytes;      /* 1 MiB */
            int64_t request_ms;      /* 10 s */
        } api; /* section "extract.api" */
    } extract;
    struct {
        struct conf_service service;
        int64_t prefetch; /* chunks */
    } render;
    struct {
        struct conf_service service;
        int64_t claim_horizon_ms; /* 1 h: an open claim without outcome becomes in doubt */
        int64_t claim_group;      /* 500 */
    } dispatch;
    struct {
        struct conf_service service;
        char *listen;            /* "127.0.0.1:8085" */
        char *tls_certificate, *tls_key; /* PEM files; "" : plain HTTP */
        struct str_list trusted_proxies; /* networks whose forwarded_header is believed */
        char *forwarded_header;  /* "X-Forwarded-For" or "Forwarded" */
        int64_t connections, connections_per_address;
        int64_t body_bytes;      /* 1 MiB */
        int64_t request_ms;      /* 10 s: whole request */
        int64_t flush_interval_ms; /* 60 s */
        int64_t flush_records;   /* 50,000 */
        int64_t flush_bytes;     /* 16 MiB */
        int64_t park_horizon_ms; /* 72 h */
        int64_t report_horizon_ms; /* 72 h: accepted without a report becomes unknown */
    } callback;
    struct {
        struct conf_service service;
    } operator_; /* section "operator": the command smschain */
    struct conf_dashboard dashboard;
    struct conf_inbound inbound;
};

struct conf_source {
    char *name, *file;
    char *driver;     /* "postgresql", "odbc" */
    char *conninfo;   /* postgresql; secret */
    char *connection; /* odbc; secret */
    struct str_list setup;        /* odbc: statements after connecting */
    int64_t memory_limit_bytes;   /* odbc: 512 MiB */
    int64_t statement_timeout_ms; /* 5 min */
};

struct conf_route {
    char *gateway;
    struct str_list prefixes; /* E.164 without plus; empty: any */
    int64_t weight;           /* 1 */
    int line;
};

struct conf_request { /* templates: lib/request.h has the names that they know */
    char *method, *url, *body;
    struct conf_map headers, parameters;
    int url_line, body_line;
    /* Of a gateway's submit request only: */
    int64_t numbers_max;  /* 1: how many numbers of equal text and sender share a request */
    int64_t messages_max; /* 1: how many messages, each with its own text */
    char *message, *message_separator; /* a template made for each of them, joined: the name `messages` */
    int message_line;
};

#define CONF_SIGN_KEYED 16
struct conf_sign { /* the name `signature` in a request's templates */
    int algorithm; /* enum digest_algorithm; | CONF_SIGN_KEYED: HMAC */
    enum digest_form form;
    char *key, *text; /* text: a template, "" : requests are not signed */
    int text_line;
};

enum conf_missed { CONF_MISSED_RUN_ONCE, CONF_MISSED_SKIP };
struct conf_rule {
    char *name, *file;
    char *schedule;     /* cron; "" if at is given */
    char *at;           /* RFC 3339, or "YYYY-MM-DD HH:MM[:SS]" in time_zone; "" */
    char *time_zone;    /* "UTC" */
    enum conf_missed missed;
    char *source, *sql;
    int sql_line;       /* line of the SQL's first line in file */
    char *template_name; /* key "template" */
    char *number_column; /* "number" */
    struct str_list once_per; /* columns; required */
    char *lane;         /* "bulk" */
    int64_t max_recipients; /* required */
    bool start_at_once; /* start: at_once | when_read */
    int64_t valid_for_ms; /* 24 h */
    /* holds (extract/holds.h); shares as written, "30%" (conf_share) */
    char *hold_if_recipients_differ, *hold_render_errors; /* "" : never */
    bool approve;
    struct conf_waves {
        char *first;          /* a share, or how many messages; "" : no waves */
        int64_t wait_ms;      /* 30 min */
        char *max_undelivered; /* a share */
    } waves;
    char *sender;       /* "" : the gateway's */
    struct conf_route *routes; /* key "route", in order */
    size_t route_count;
    bool tasks;         /* its rows are inserted by other systems (docs/tasks.md): no schedule, source, SQL; once_per is
                           task_id, ext_id */
    struct str_list templates; /* that a task's row may name, beside template_name */
    char *text_template;       /* that makes a row's own text; "" : rows have none */
};

/* Who may ask for a message now. Its messages are of the built-in rule CALLER_RULE_PREFIX and its name. */
struct conf_caller {
    char *name, *file;
    struct str_list key_hashes; /* SHA-256 of its API keys, 64 hexadecimal digits */
    char *broker_user;          /* whose messages in sms.request are this caller's; "" : nobody's */
    int64_t rate;               /* messages a second, each process by itself */
    int64_t daily_cap;          /* messages a UTC day, over all processes */
    struct str_list templates;
    char *text_template;        /* renders free text, its column `text`; "" : no free text */
    struct str_list lanes;
    char *sender;               /* "" : the gateway's */
    int64_t valid_for_ms, valid_for_max_ms, send_at_max_ms;
    bool require_idempotency_key;
    struct conf_route *routes;
    size_t route_count;
};
#define CALLER_RULE_PREFIX "api:"
#define CALLER_OPERATOR    "operator" /* the built-in caller of `smschain send` */

struct conf_template {
    char *name, *file;
    char *class;        /* "marketing" "service" "code" */
    char *text;         /* the one line break at the end of the file taken off */
    int text_line;      /* of its first line */
    char *whole;        /* the file as it is, head and all */
    char *version;      /* SHA-256 over name, zero byte and the whole file, first 16 hex digits */
    char *time_zone;    /* for date; "UTC" */
    char *currency_decimal, *currency_group;
    /* text rules (render/textrules.h) */
    int64_t max_segments; /* 255 */
    bool gsm_only, smart;
    struct str_list forbidden, required; /* words or phrases */
    char *footer;       /* "" : none */
    char *sender;       /* "" : the rule's, or the gateway's */
};

enum answer_kind { ANSWER_ACCEPTED = 1, ANSWER_REFUSED, ANSWER_THROTTLED, ANSWER_RETRY, ANSWER_RESULTS };
struct conf_answer { /* one line of `answer:`; the first that fits decides; none fits: in doubt */
    char *status;   /* "200", "200-299", "4xx"; "" any */
    char *match;    /* POSIX extended regular expression over the body; "" any */
    char *pointer;  /* JSON pointer (RFC 6901) whose value must be `equals`; "" none */
    char *equals;
    enum answer_kind is;
    char *msg_id;   /* "body", "match" (group 1), "match:N" (group N), or a JSON pointer */
    char *reason;   /* the same, or "status"; "" : the HTTP status */
    char *refused_numbers; /* the same as msg_id: numbers refused singly, separated by anything but digits and +; "" none */
    int line;
};

struct conf_status { /* one line of report.status */
    char *word;
    enum state state; /* final ones, or STATE_ACCEPTED: "progress", an event only */
    int line;
};

/* What stands in a record that a gateway posts. A report has the first six, an inbound message the others and msg_id,
 * number (the phone's) and time. */
enum conf_role {
    ROLE_MSG_ID, ROLE_NUMBER, ROLE_STATUS, ROLE_TIME, ROLE_ERROR, ROLE_REFERENCE, ROLE_TO, ROLE_TEXT
};
#define ROLE_COUNT 8
extern const char *const conf_role_words[ROLE_COUNT];

/* How a request is cut into records, and where the fields of each stand; the same keys in all sections that read what
 * a gateway posts (reader: callback/format.h). */
struct conf_format {
    char *kind;                 /* key "format": "list" "json" "form" "xml" */
    struct str_list fields;     /* list: roles in order, - (skipped) */
    char *record_separator, *field_separator;
    char *parameter;            /* list: query parameter or form field that holds it; "", or a request without it: the raw
                                   body, else the raw query */
    char *records;              /* json: pointer to the array; "" : the body itself, an object or an array */
    char *at[ROLE_COUNT];       /* json: pointers within a record; form: parameters' names; "" : none */
    char *time_format;          /* strptime; "" : seconds since 1970; "iso": RFC 3339 */
    char *time_zone;
};
struct conf_auth { /* who may post; of two secrets either is right */
    char *token, *token_2; /* in the address: /report/<gateway>/<token> */
    char *token_header;    /* …or in this header */
    char *user, *password, *password_2; /* basic */
    struct {
        char *secret, *secret_2;
        char *header;           /* of the signature */
        char *timestamp_header; /* "" : none */
        char *signs;            /* what is signed: "{timestamp}.{body}" */
        char *encoding;         /* "hex" or "base64" */
        int64_t tolerance_ms;
    } hmac;
    struct str_list addresses; /* networks; empty: any */
};
struct conf_posts { /* what sections report and inbound share (rows: POSTS_KEYS in conf_tables_intake.c) */
    struct conf_auth auth;
    struct conf_format format;
    char *reply; /* a template over count, gateway; "OK" */
    int64_t reply_status;      /* 200 */
    char *reply_type;
    char *reply_error;         /* a template over status, error, gateway */
    int64_t unreadable_status; /* 400 */
};

/* A request that callback makes by itself: a look-up, a poll. url, body and headers are templates. */
struct conf_call {
    char *method, *url, *body;
    struct conf_map headers;
    int url_line, body_line;
    int64_t timeout_ms;
    struct conf_http http;
};

enum lookup_is {
    LOOKUP_LATER = 1, LOOKUP_ACCEPTED, LOOKUP_NOT_ACCEPTED, LOOKUP_DELIVERED, LOOKUP_UNDELIVERED, LOOKUP_REJECTED, LOOKUP_EXPIRED
};
struct conf_lookup_answer { /* one line of lookup.answer; the first that fits decides; none fits: later */
    char *status, *match, *pointer, *equals; /* as in struct conf_answer; the same below */
    enum lookup_is is;
    char *msg_id, *reason;
    int line;
};
struct conf_lookup { /* "what became of it?", for attempts in doubt and for accepted ones without a report */
    struct conf_call call; /* url "": none; over seq_id, number, msg_id, time */
    struct conf_lookup_answer *answers;
    size_t answer_count;
    int64_t rate;           /* questions a second */
    int64_t wait_ms;        /* the first one so long after it became in doubt */
    int64_t retry_base_ms, retry_max_ms, give_up_ms;
    int64_t after_ms;       /* accepted, and no report for so long: asked too; 0: not */
    int64_t proof_after_ms; /* not_accepted counts so long after it became in doubt */
};
struct conf_poll { /* reports, or inbound messages, that are fetched; read by the format of section report, or inbound */
    struct conf_call call; /* url "": none; over cursor */
    char *start;           /* the first cursor */
    char *next, *next_match, *more, *more_match; /* JSON pointers, or regular expressions; "" none */
    int64_t interval_ms;
};

struct conf_smpp { /* driver smpp */
    struct str_list address; /* HOST:PORT, tried in turn */
    char *system_id, *password, *system_type;
    bool separate;          /* a transmitter and a receiver instead of a transceiver */
    int64_t binds;          /* links, or pairs of them */
    bool tls;
    struct conf_http http;  /* only its tls */
    int64_t source_ton, source_npi; /* -1: by the sender */
    int64_t dest_ton, dest_npi;
    char *service_type;
    int alphabet, long_way; /* enum smpp_alphabet, enum smpp_long (dispatch/smpp_text.h) */
    int64_t segments_max;
    int64_t registered_delivery;
    bool validity, receipt_any_class;
    int64_t enquire_link_ms, dead_after_ms, bind_timeout_ms, reconnect_base_ms, reconnect_max_ms;
};

struct conf_price { /* of one segment to numbers that begin so; the longest prefix counts */
    char *prefix;   /* E.164 without plus; "" : any */
    char *price;    /* "0.0425": at most 6 places */
    char *currency; /* "EUR" */
    int line;
};
#define CONF_PRICE_MAX 1000000000 /* micro-units */
bool conf_duration(const char *text, int64_t *ret_ms); /* "90s", as in the files; false: none */
char *conf_duration_text(int64_t ms, char out[32]);    /* returns out */
bool conf_share(const char *text, int64_t *ret);       /* "2.5%" in millionths; false: no share */
bool conf_price_micro(const char *text, int64_t *ret); /* in millionths, exact; false: no such number */

struct conf_adapter { /* driver adapter: an external process behind a Unix socket */
    char *socket;              /* its path */
    char *user;                /* the account it must run under; "" : ours */
    int64_t ping_interval_ms;  /* quiet for so long: a ping */
    int64_t ping_timeout_ms;   /* nothing after it for so long: the link is dead */
    int64_t reconnect_base_ms, reconnect_max_ms;
};

struct conf_gateway {
    char *name, *file;
    char *driver;          /* "http" "smpp" "adapter" */
    int64_t rate;          /* messages a second over all its dispatchers */
    int64_t window;        /* unanswered messages over all its dispatchers */
    char *instant_share;   /* of window and rate, kept for the instant lane: "10%" (conf_share) */
    int64_t dispatchers;   /* 1 */
    int64_t connect_timeout_ms, answer_timeout_ms;
    int64_t max_attempts;  /* 5 */
    int64_t retry_base_ms, retry_max_ms;
    int64_t breaker_failures, breaker_pause_ms; /* so many connection failures in a row open it for so long */
    char *sender;
    int64_t heartbeat_ms;  /* nothing submitted for so long: a message of ours to heartbeat_number; 0: none */
    char *heartbeat_number, *heartbeat_text;
    struct conf_http http;
    struct conf_sign sign;
    struct conf_smpp smpp;       /* driver smpp */
    struct conf_adapter adapter; /* driver adapter */
    struct conf_request request; /* driver http */
    struct conf_answer *answers;
    size_t answer_count;
    struct conf_results { /* an answer that is `results`: a record for each message */
        char *records; /* JSON pointer to the array; "" : the body itself */
        char *number, *reference; /* pointers within a record: whose it is; "" : not said */
        struct conf_answer *answers; /* lines over a record */
        size_t answer_count;
    } results;
    struct {
        struct conf_posts posts;
        char *id;            /* "as_given" "hex" "decimal": how ids are compared */
        char *answer_id;     /* the same for the id in the submit's answer, where it differs; "" : as id */
        struct conf_status *statuses; /* key "states": their word -> our state */
        size_t status_count;
    } report;
    struct {
        struct conf_posts posts;
        char *forward_url;   /* "" : as smschain.yaml says */
    } inbound;
    struct conf_lookup lookup;
    struct conf_poll poll, poll_inbound;
    struct conf_price *prices;
    size_t price_count;
};

struct conf {
    char *dir;
    struct conf_main main;
    struct conf_source *sources;
    size_t source_count;
    struct conf_rule *rules;
    size_t rule_count;
    struct conf_template *templates;
    size_t template_count;
    struct conf_gateway *gateways;
    size_t gateway_count;
    struct conf_caller *callers;
    size_t caller_count;
    struct str_list secrets; /* values from the environment that conf_print must not show, wherever they stand */
};

/* Loads and checks all files, also across files (a rule's source, template, gateways exist; templates and cron
 * expressions compile where a checker is set). 0: *ret (conf_free). -EINVAL: report holds every error, one paragraph
 * each. Secrets are read only by those who need them: `section` names the service ("extract", … , "operator",
 * "" all): missing variables of other services are not an error (their values are then the defaults), and neither are
 * those of admin_user and admin_password, which only `smschain migrate` needs (section ""). */
int must_check conf_load(const char *dir, const char *section, struct conf **ret, struct buf *report);
void conf_free(struct conf *c);
const struct conf_rule *conf_rule(const struct conf *c, const char *name); /* NULL: none; the same below */
const struct conf_template *conf_template(const struct conf *c, const char *name);
const struct conf_gateway *conf_gateway(const struct conf *c, const char *name);
const struct conf_source *conf_source(const struct conf *c, const char *name);
const struct conf_caller *conf_caller(const struct conf *c, const char *name);
/* Is this key of the two files (a section, a list with all that is below it) the same? */
bool conf_gateway_key_same(const struct conf_gateway *a, const struct conf_gateway *b, const char *key);

/* Checks that need more than the table: set by programs that link the checker (all of them do for `smschain check`).
 * Each returns true, or false with a message for a person and, in *ret_line, the line (from 1) within the value. */
#define CONF_TEXT_PROBLEMS 8
struct conf_text_problem {
    const char *key;  /* of the head; NULL: the place is line and column */
    int line, column;
    char message[400];
};
struct conf_checkers {
    bool (*cron)(const char *expression, char *message, size_t size);
    bool (*source_driver)(const char *driver, char *message, size_t size); /* is it built in? */
    /* Text rules that no text of the template can keep: returns how many problems. */
    size_t (*text_rules)(const struct conf_template *t, struct conf_text_problem ret[CONF_TEXT_PROBLEMS]);
};
void conf_set_checkers(const struct conf_checkers *c);

void conf_print(const struct conf *c, struct buf *out);     /* effective values, secrets as *** (smschain config) */
void conf_print_reference(struct buf *out);                 /* docs/reference.md */

void conf_set_log(const struct conf *c, const char *service); /* log_format and log_level, from now on */

/* What every service's main does with its arguments: --conf DIR (default /etc/smschain), --help, --version.
 * Returns the directory, or NULL after having printed; then exit with *ret_exit. */
const char *conf_arguments(int argc, char **argv, const char *service, const char *purpose, int *ret_exit);

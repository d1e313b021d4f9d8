/* The declared keys of smschain.yaml, sources and templates: one row a key. Checking, defaults, `smschain
 * config` and docs/reference.md all come from these rows and those of conf_tables_send.c. */
#include "lib/conf_tables.h"

/* A row a key, not a line a field. */
/* clang-format off */
#define M(field) offsetof(struct conf_main, field)

static const struct conf_word log_formats[] = {{"logfmt", 0}, {"json", 1}, {0}};
static const struct conf_word log_levels[] = {{"debug", 0}, {"info", 1}, {"warn", 2}, {"error", 3}, {0}};
static const struct conf_word source_drivers[] = {{"postgresql", 0}, {"odbc", 1}, {0}};
static const struct conf_word classes[] = {{"marketing", 0}, {"service", 1}, {"code", 2}, {0}};

static const struct conf_key log_keys[] = {
    {.name = "format", .type = CONF_WORD, .at = M(log_format), .words = log_formats, .fallback = "logfmt",
     .help = "How a log line is written, to standard error."},
    {.name = "level", .type = CONF_WORD, .at = M(log_level), .words = log_levels, .fallback = "info",
     .help = "The least important kind of line that is written."},
    {0},
};
static const struct conf_table log_table = {.keys = log_keys};

static const struct conf_key database_keys[] = {
    {.name = "conninfo", .type = CONF_STR, .at = M(database.conninfo), .required = true, .form = conf_form_conninfo,
     .help = "The pipeline's own database, as libpq keywords (`host=… port=… dbname=… sslmode=…`), without user "
             "and password: every service has its own."},
    {.name = "admin_user", .type = CONF_STR, .at = M(database.admin_user), .fallback = "postgres", .owner = "admin",
     .help = "Who `smschain migrate` connects as: owns the tables, may make roles."},
    {.name = "admin_password", .type = CONF_STR, .at = M(database.admin_password), .secret = true, .owner = "admin",
     .help = "Its password. Only `smschain migrate` needs it."},
    {.name = "partitions_ahead_days", .type = CONF_INT, .at = M(database.partitions_ahead_days), .fallback = "7",
     .min = 2, .max = 60, .unit = "days",
     .help = "How many days' partitions are made ahead."},
    {.name = "claims_keep_days", .type = CONF_INT, .at = M(database.claims_keep_days), .fallback = "90", .min = 2,
     .max = 3650, .unit = "days",
     .help = "How long claims are kept. A message older than this is never sent: nothing could show that it was "
             "not sent before."},
    {0},
};
static const struct conf_table database_table = {.keys = database_keys};

static const struct conf_key broker_keys[] = {
    {.name = "host", .type = CONF_STR, .at = M(broker.host), .required = true, .form = conf_form_not_empty,
     .help = "RabbitMQ's host name or address."},
    {.name = "port", .type = CONF_INT, .at = M(broker.port), .fallback = "5672", .min = 1, .max = 65535,
     .help = "Its AMQP port; 5671 is usual with TLS."},
    {.name = "vhost", .type = CONF_STR, .at = M(broker.vhost), .fallback = "/", .form = conf_form_not_empty,
     .help = "Its virtual host."},
    {.name = "heartbeat", .type = CONF_DURATION, .at = M(broker.heartbeat_ms), .fallback = "30s", .min = 2000,
     .max = 600000,
     .help = "A peer that is silent for twice as long is gone. Whole seconds."},
    {.name = "tls", .type = CONF_BOOL, .at = M(broker.tls), .fallback = "false",
     .help = "Speak TLS; the server's certificate and name are checked."},
    {.name = "ca_file", .type = CONF_STR, .at = M(broker.ca_file),
     .help = "Certificates to trust, as PEM; without it the system's."},
    {.name = "management_url", .type = CONF_STR, .at = M(broker.management_url), .form = conf_form_url,
     .help = "The management API's address, by which `smschain migrate` makes the services' users and their "
             "permissions. Without it migrate prints the `rabbitmqctl` lines instead."},
    {.name = "admin_user", .type = CONF_STR, .at = M(broker.admin_user), .fallback = "guest", .owner = "admin",
     .help = "Who `smschain migrate` declares exchange and queues as."},
    {.name = "admin_password", .type = CONF_STR, .at = M(broker.admin_password), .secret = true, .owner = "admin",
     .help = "Its password. Only `smschain migrate` needs it."},
    {.name = "update_shards", .type = CONF_INT, .at = M(broker.update_shards), .fallback = "1", .min = 1, .max = 64,
     .help = "How many update queues (`sms.update.0` …) share the gateways. Change it only while they are empty."},
    {0},
};
static const struct conf_table broker_table = {.keys = broker_keys};

/* Every service has a login of its own at the broker, and, but for render, at the database. */
#define BROKER_LOGIN(part, word)                                                                                 \
    {.name = "broker_user", .type = CONF_STR, .at = M(part.service.broker_user), .fallback = "smschain_" word,   \
     .form = conf_form_not_empty,                                                                                \
     .help = "Its user at the broker."},                                                                         \
    {.name = "broker_password", .type = CONF_STR, .at = M(part.service.broker_password), .secret = true,         \
     .help = "That user's password."}
#define DATABASE_LOGIN(part, word)                                                                               \
    {.name = "database_user", .type = CONF_STR, .at = M(part.service.database_user),                             \
     .fallback = "smschain_" word, .form = conf_form_not_empty,                                                  \
     .help = "Its user at the database; has only the rights that it needs."},                                    \
    {.name = "database_password", .type = CONF_STR, .at = M(part.service.database_password), .secret = true,     \
     .help = "That user's password; without it libpq's other ways (a password file, `peer`)."}

#define METRICS_LISTEN(part)                                                                                     \
    {.name = "metrics_listen", .type = CONF_STR, .at = M(part.service.metrics_listen),                           \
     .form = conf_form_listen_or_none,                                                                           \
     .help = "Address and port of `/metrics` (for Prometheus), `/livez` and `/readyz?verbose`, plain HTTP: for your own " \
             "network only. Port 0: a free one, which the log names. `\"\"`: none."}

static const struct conf_key extract_keys[] = {
    DATABASE_LOGIN(extract, "extract"),
    BROKER_LOGIN(extract, "extract"),
    METRICS_LISTEN(extract),
    {.name = "max_parallel_runs", .type = CONF_INT, .at = M(extract.max_parallel_runs), .fallback = "4", .min = 1,
     .max = 64, .unit = "runs",
     .help = "How many runs one process reads at a time."},
    {.name = "group_rows", .type = CONF_INT, .at = M(extract.group_rows), .fallback = "500", .min = 1, .max = 5000,
     .unit = "rows",
     .help = "Rows that are entered by one transaction and travel in one chunk."},
    {.name = "outbox_poll", .type = CONF_DURATION, .at = M(extract.outbox_poll_ms), .fallback = "100ms", .min = 10,
     .max = 60000,
     .help = "How often the outbox is looked at while it is empty."},
    {.name = "outbox_keep", .type = CONF_DURATION, .at = M(extract.outbox_keep_ms), .fallback = "7d", .min = 60000,
     .max = 90 * DAY_MS,
     .help = "How long published bodies are kept."},
    {.name = "task_keep", .type = CONF_DURATION, .at = M(extract.task_keep_ms), .fallback = "30d", .min = 60000,
     .max = 3650 * DAY_MS,
     .help = "How long the rows of a task are kept after its run has ended. Its messages do not need them."},
    {.name = "missed_look_back", .type = CONF_DURATION, .at = M(extract.missed_look_back_ms), .fallback = "24h",
     .min = 60000, .max = 30 * DAY_MS,
     .help = "How old a missed firing may be to be run still."},
    {.name = "deliver_only_to", .type = CONF_STR_LIST, .at = M(extract.deliver_only_to), .max = 10000,
     .form = conf_form_number,
     .help = "For staging: where this list is not empty, every other number is skipped (reason `not_listed`). "
             "Numbers in international form."},
    {.name = "door_caller", .type = CONF_STR, .at = M(extract.door_caller),
     .help = "A file's name in `callers/`: whose requests those in `sms.request` are that carry no user; without it they "
             "are refused."},
    {.name = "request_keep", .type = CONF_DURATION, .at = M(extract.request_keep_ms), .fallback = "30d",
     .min = DAY_MS, .max = 400 * DAY_MS,
     .help = "So long a request on demand is remembered: the same idempotency key with the same request gets the same "
             "answer, with another one it is refused. Later it is refused in any case: a key never sends twice."},
    {.name = "api", .type = CONF_SECTION, .table = &conf_api_table, .owner = "extract",
     .help = "The HTTP API by which other systems ask for messages."},
    {0},
};
static const struct conf_table extract_table = {.keys = extract_keys};

static const struct conf_key render_keys[] = {
    BROKER_LOGIN(render, "render"),
    METRICS_LISTEN(render),
    {.name = "prefetch", .type = CONF_INT, .at = M(render.prefetch), .fallback = "16", .min = 1, .max = 1000,
     .unit = "chunks",
     .help = "Chunks taken from a queue and not acknowledged yet."},
    {0},
};
static const struct conf_table render_table = {.keys = render_keys};

static const struct conf_key dispatch_keys[] = {
    DATABASE_LOGIN(dispatch, "dispatch"),
    BROKER_LOGIN(dispatch, "dispatch"),
    METRICS_LISTEN(dispatch),
    {.name = "claim_horizon", .type = CONF_DURATION, .at = M(dispatch.claim_horizon_ms), .fallback = "1h",
     .min = 1000, .max = 7 * DAY_MS,
     .help = "A claim that has no outcome after so long becomes in doubt. Longer than twice the slowest "
             "gateway's `connect_timeout` and `answer_timeout`."},
    {.name = "claim_group", .type = CONF_INT, .at = M(dispatch.claim_group), .fallback = "500", .min = 1,
     .max = 5000, .unit = "messages",
     .help = "Messages claimed by one statement, at most."},
    {0},
};
static const struct conf_table dispatch_table = {.keys = dispatch_keys};

static const struct conf_word forwarded_headers[] = {{"X-Forwarded-For", 0}, {"Forwarded", 1}, {0}};
static const struct conf_key callback_keys[] = {
    DATABASE_LOGIN(callback, "callback"),
    BROKER_LOGIN(callback, "callback"),
    METRICS_LISTEN(callback),
    {.name = "listen", .type = CONF_STR, .at = M(callback.listen), .fallback = "127.0.0.1:8085",
     .form = conf_form_listen,
     .help = "Address and port that gateways post to."},
    {.name = "tls_certificate", .type = CONF_STR, .at = M(callback.tls_certificate), .form = conf_form_absolute_or_none,
     .help = "PEM file with the certificate and those it stands on: then `listen` speaks TLS. Without it plain HTTP, "
             "for a TLS proxy in front."},
    {.name = "tls_key", .type = CONF_STR, .at = M(callback.tls_key), .form = conf_form_absolute_or_none,
     .help = "PEM file with its key. Both are read again at SIGHUP."},
    {.name = "trusted_proxies", .type = CONF_STR_LIST, .at = M(callback.trusted_proxies), .max = 64,
     .form = conf_form_network,
     .help = "Networks of your own proxies, whose word about the address before them is believed; the last hop that "
             "is none of them is the one that posts."},
    {.name = "forwarded_header", .type = CONF_WORD, .at = M(callback.forwarded_header), .words = forwarded_headers,
     .fallback = "X-Forwarded-For",
     .help = "Where they write it. One header only: the other one may be the client's own invention."},
    {.name = "connections", .type = CONF_INT, .at = M(callback.connections), .fallback = "1000", .min = 1,
     .max = 65535,
     .help = "Connections at a time."},
    {.name = "connections_per_address", .type = CONF_INT, .at = M(callback.connections_per_address),
     .fallback = "200", .min = 1, .max = 65535,
     .help = "Connections at a time from one address (IPv6: one /64); behind a trusted proxy requests at a time, "
             "above them 429."},
    {.name = "body_bytes", .type = CONF_SIZE, .at = M(callback.body_bytes), .fallback = "1MiB", .min = 1024,
     .max = 64 << 20,
     .help = "The longest body that is taken."},
    {.name = "request_timeout", .type = CONF_DURATION, .at = M(callback.request_ms), .fallback = "10s", .min = 100,
     .max = 600000,
     .help = "How long a whole request may take; slow readers and writers are cut off."},
    {.name = "flush_interval", .type = CONF_DURATION, .at = M(callback.flush_interval_ms), .fallback = "60s",
     .min = 100, .max = 600000,
     .help = "The batching consumer flushes when the oldest step has waited so long. Steps of the instant lane "
             "wait 1 s at most."},
    {.name = "flush_records", .type = CONF_INT, .at = M(callback.flush_records), .fallback = "50000", .min = 1,
     .max = 1000000, .unit = "steps",
     .help = "It flushes earlier when so many wait."},
    {.name = "flush_bytes", .type = CONF_SIZE, .at = M(callback.flush_bytes), .fallback = "16MiB", .min = 65536,
     .max = 256 << 20,
     .help = "It flushes earlier when so much waits."},
    {.name = "park_horizon", .type = CONF_DURATION, .at = M(callback.park_horizon_ms), .fallback = "72h",
     .min = 1000, .max = 30 * DAY_MS,
     .help = "A step whose predecessor does not come for so long is shown to a person."},
    {.name = "report_horizon", .type = CONF_DURATION, .at = M(callback.report_horizon_ms), .fallback = "72h",
     .min = 1000, .max = 30 * DAY_MS,
     .help = "An accepted message without a report for so long becomes `unknown`; a later report still replaces "
             "that."},
    {0},
};
static const struct conf_table callback_table = {.keys = callback_keys};

static const struct conf_key operator_keys[] = {
    DATABASE_LOGIN(operator_, "operator"),
    BROKER_LOGIN(operator_, "operator"),
    {0},
};
static const struct conf_table operator_table = {.keys = operator_keys};

static const struct conf_key dashboard_keys[] = {
    DATABASE_LOGIN(dashboard, "dashboard"),
    BROKER_LOGIN(dashboard, "dashboard"),
    {.name = "listen", .type = CONF_STR, .at = M(dashboard.listen), .fallback = "127.0.0.1:8086",
     .form = conf_form_listen,
     .help = "Address and port of the page."},
    {.name = "tls_certificate", .type = CONF_STR, .at = M(dashboard.tls_certificate), .form = conf_form_absolute_or_none,
     .help = "PEM file with the certificate and those it stands on: then `listen` speaks TLS. Without it plain HTTP, "
             "for a TLS proxy in front."},
    {.name = "tls_key", .type = CONF_STR, .at = M(dashboard.tls_key), .form = conf_form_absolute_or_none,
     .help = "PEM file with its key. Both are read again at SIGHUP."},
    METRICS_LISTEN(dashboard),
    {.name = "trusted_proxies", .type = CONF_STR_LIST, .at = M(dashboard.trusted_proxies), .max = 64,
     .form = conf_form_network,
     .help = "Networks of your own proxies, which let in only those who may look, and say who it is in `role_header` and "
             "`user_header` (they must overwrite what a client has written there)."},
    {.name = "role_header", .type = CONF_STR, .at = M(dashboard.role_header), .form = conf_form_header,
     .help = "Where a trusted proxy writes the role: `viewer` or `operator`. Without it proxies say nothing about who "
             "looks, and tokens count."},
    {.name = "user_header", .type = CONF_STR, .at = M(dashboard.user_header), .form = conf_form_header,
     .help = "Where it writes the user's name."},
    {.name = "viewer_token", .type = CONF_STR, .at = M(dashboard.viewer_token), .secret = true,
     .form = conf_form_long_token,
     .help = "Whoever has this token may look; numbers are masked. Without it nobody may by a token. Best in a file: "
             "`viewer_token_file`."},
    {.name = "operator_token", .type = CONF_STR, .at = M(dashboard.operator_token), .secret = true,
     .form = conf_form_long_token,
     .help = "Whoever has this one may also see whole numbers and texts, and is asked for a reason, which is kept."},
    {.name = "open_on_loopback", .type = CONF_BOOL, .at = M(dashboard.open_on_loopback), .fallback = "false",
     .help = "Everybody on the machine itself is an operator, without a token. For trying it out."},
    {.name = "workers", .type = CONF_INT, .at = M(dashboard.workers), .fallback = "4", .min = 1, .max = 64,
     .unit = "threads",
     .help = "How many pages are made at a time, each with a connection to the database."},
    {.name = "connections", .type = CONF_INT, .at = M(dashboard.connections), .fallback = "500", .min = 8, .max = 65535,
     .help = "Connections at a time; a page that somebody looks at holds one."},
    {0},
};
static const struct conf_table dashboard_table = {.keys = dashboard_keys};

const struct conf_key conf_main_keys[] = {
    {.name = "state_dir", .type = CONF_STR, .at = M(state_dir), .fallback = "/var/lib/smschain",
     .form = conf_form_absolute,
     .help = "What must outlive a process: slots, journal, the database's history. On a local disk, one a "
             "machine."},
    {.name = "country_code", .type = CONF_STR, .at = M(country_code), .form = conf_form_country,
     .help = "Calling code of numbers in national form (`\"49\"`); without it such numbers are invalid."},
    {.name = "log", .type = CONF_SECTION, .table = &log_table,
     .help = "Log lines."},
    {.name = "database", .type = CONF_SECTION, .table = &database_table,
     .help = "PostgreSQL, the pipeline's own."},
    {.name = "broker", .type = CONF_SECTION, .table = &broker_table,
     .help = "RabbitMQ."},
    {.name = "extract", .type = CONF_SECTION, .table = &extract_table, .owner = "extract",
     .help = "The service that reads sources and enters messages."},
    {.name = "render", .type = CONF_SECTION, .table = &render_table, .owner = "render",
     .help = "The service that makes texts. It has no database."},
    {.name = "dispatch", .type = CONF_SECTION, .table = &dispatch_table, .owner = "dispatch",
     .help = "The service that sends."},
    {.name = "callback", .type = CONF_SECTION, .table = &callback_table, .owner = "callback",
     .help = "The service that takes reports and keeps the tables."},
    {.name = "inbound", .type = CONF_SECTION, .table = &conf_main_inbound_table, .owner = "callback",
     .help = "Messages from phones to us. How a gateway delivers them stands in its file."},
    {.name = "operator", .type = CONF_SECTION, .table = &operator_table, .owner = "operator",
     .help = "The command `smschain`."},
    {.name = "dashboard", .type = CONF_SECTION, .table = &dashboard_table, .owner = "dashboard",
     .help = "The service that shows the page."},
    {0},
};

#define S(field) offsetof(struct conf_source, field)
const struct conf_key conf_source_keys[] = {
    {.name = "driver", .type = CONF_WORD, .at = S(driver), .words = source_drivers, .fallback = "postgresql",
     .help = "The kind of database: `postgresql`, or `odbc` for any other that has an ODBC driver (built with meson's "
             "feature `odbc`)."},
    {.name = "conninfo", .type = CONF_STR, .at = S(conninfo), .secret = true, .owner = "extract",
     .form = conf_form_not_empty,
     .help = "`postgresql` needs it: how to connect, as libpq keywords, with a user who may only read."},
    {.name = "connection", .type = CONF_STR, .at = S(connection), .secret = true, .owner = "extract",
     .form = conf_form_not_empty,
     .help = "`odbc` needs it: how to connect, as ODBC keywords (`DSN=…;UID=…;PWD=…` or `DRIVER=…;…`), with a user who "
             "may only read."},
    {.name = "setup", .type = CONF_STR_LIST, .at = S(setup), .owner = "extract", .form = conf_form_not_empty, .max = 32,
     .help = "`odbc`: statements for the session, after connecting and before the rule's SQL."},
    {.name = "memory_limit", .type = CONF_SIZE, .at = S(memory_limit_bytes), .fallback = "512MiB", .min = 16 << 20,
     .max = (int64_t)64 << 30,
     .help = "`odbc`: how much memory reading one result may take. Some drivers keep the whole result in memory; above "
             "this the run fails."},
    {.name = "statement_timeout", .type = CONF_DURATION, .at = S(statement_timeout_ms), .fallback = "5m",
     .min = 100, .max = DAY_MS,
     .help = "A rule's SQL that takes longer is cancelled, and its run fails."},
    {0},
};

#define T(field) offsetof(struct conf_template, field)
const struct conf_key conf_template_keys[] = {
    {.name = "class", .type = CONF_WORD, .at = T(class), .words = classes, .required = true,
     .help = "What a STOP blocks: `marketing` only; `code` is for one-time codes."},
    {.name = "time_zone", .type = CONF_STR, .at = T(time_zone), .fallback = "UTC", .form = conf_form_zone,
     .help = "Whose clock the filter `date` shows."},
    {.name = "currency_decimal", .type = CONF_STR, .at = T(currency_decimal), .fallback = ".", .max = 4,
     .help = "What the filter `money` writes before the cents."},
    {.name = "currency_group", .type = CONF_STR, .at = T(currency_group), .fallback = ",", .max = 4,
     .help = "What it writes between thousands; `\"\"`: nothing."},
    {.name = "max_segments", .type = CONF_INT, .at = T(max_segments), .fallback = "255", .min = 1, .max = 255,
     .unit = "segments",
     .help = "A text with more is an error of its row; it is never cut."},
    {.name = "smart", .type = CONF_BOOL, .at = T(smart), .fallback = "false",
     .help = "Replace typographic characters by their equals in GSM 7-bit, where that makes the whole text GSM 7-bit."},
    {.name = "gsm_only", .type = CONF_BOOL, .at = T(gsm_only), .fallback = "false",
     .help = "A text that would have to be UCS-2 is an error of its row."},
    {.name = "forbidden", .type = CONF_STR_LIST, .at = T(forbidden), .max = 200, .form = conf_form_not_empty,
     .help = "Words and phrases that no text may have; whole words, whatever their case and what stands between them."},
    {.name = "required", .type = CONF_STR_LIST, .at = T(required), .max = 200, .form = conf_form_not_empty,
     .help = "Words and phrases that every text must have, compared in the same way."},
    {.name = "footer", .type = CONF_STR, .at = T(footer), .max = 1000,
     .help = "The end of every text: put behind it, after a space if neither brings white space, unless the text ends "
             "with it already."},
    {.name = "sender", .type = CONF_STR, .at = T(sender), .max = 32, .form = conf_form_one_line,
     .help = "Who texts of this template are from. A rule that uses it may not name another; without it the rule's or "
             "the gateway's."},
    {0},
};

const struct conf_table conf_tables[CONF_KINDS] = {
    [CONF_KIND_MAIN] = {.title = "smschain.yaml", .about = "Database, broker, the services.",
                        .size = sizeof(struct conf_main), .keys = conf_main_keys},
    [CONF_KIND_SOURCE] = {.title = "sources/NAME.yaml", .about = "A business database that rules read from.",
                          .size = sizeof(struct conf_source), .keys = conf_source_keys},
    [CONF_KIND_TEMPLATE] = {.title = "templates/NAME.liquid",
                            .about = "Between two lines `---` these keys, then the text in Liquid's syntax.",
                            .size = sizeof(struct conf_template), .keys = conf_template_keys},
    [CONF_KIND_GATEWAY] = {.title = "gateways/NAME.yaml",
                           .about = "An SMS gateway: how to send, how to read its answers and its reports.",
                           .size = sizeof(struct conf_gateway), .keys = conf_gateway_keys},
    [CONF_KIND_RULE] = {.title = "rules/NAME.yaml",
                        .about = "What to say to whom, when. The file's name is the rule's permanent id.",
                        .size = sizeof(struct conf_rule), .keys = conf_rule_keys},
    [CONF_KIND_CALLER] = {.title = "callers/NAME.yaml",
                          .about = "Who may ask for messages on demand, and for which. The file's name is the caller's "
                                   "permanent id: its messages are of the built-in rule `api:NAME`.",
                          .size = sizeof(struct conf_caller), .keys = conf_caller_keys},
};

/* What the subcommands share: options, connections, words for failures. */
#include "ctl/ctl.h"
#include "lib/record.h"
#include <stdarg.h>
#include <stdio.h>

const struct ctl_command *ctl_command_named(const char *name)
{
    for (const struct ctl_command *k = ctl_commands; k->name != NULL; k++)
        if (strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

int ctl_fail(int code, const char *format, ...)
{
    va_list ap;
    fputs("smschain: ", stderr);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    return code;
}

int ctl_usage(const char *command)
{
    fprintf(stderr, "Try smschain %s --help\n", command);
    return EXIT_USAGE;
}

static void take_out(struct ctl *c, int at, int count)
{
    for (int i = at; i + count <= c->argc; i++)
        c->argv[i] = c->argv[i + count]; /* the last one taken is argv's NULL */
    c->argc -= count;
}

bool ctl_take_flag(struct ctl *c, const char *name)
{
    for (int i = 1; i < c->argc; i++) {
        if (strcmp(c->argv[i], name) == 0) {
            take_out(c, i, 1);
            return true;
        }
    }
    return false;
}

bool ctl_take_value(struct ctl *c, const char *name, const char **ret)
{
    *ret = NULL;
    for (int i = 1; i < c->argc; i++) {
        if (strcmp(c->argv[i], name) != 0)
            continue;
        if (i + 1 >= c->argc) {
            ctl_fail(EXIT_USAGE, "%s wants a value", name);
            return false;
        }
        *ret = c->argv[i + 1];
        take_out(c, i, 2);
        return true;
    }
    return true;
}

bool ctl_no_options_left(const struct ctl *c)
{
    for (int i = 1; i < c->argc; i++) {
        if (strncmp(c->argv[i], "--", 2) == 0) {
            ctl_fail(EXIT_USAGE, "no option %s", c->argv[i]);
            return false;
        }
    }
    return true;
}

bool ctl_parse_big(const char *s, int64_t *ret)
{
    char *end;
    errno = 0;
    long long n = strtoll(s, &end, 10);
    if (errno != 0 || *s < '0' || *s > '9' || *end != '\0')
        return false;
    *ret = n;
    return true;
}

bool ctl_parse_duration(const char *s, int64_t *ret_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    size_t len = strlen(s);
    for (size_t i = 0; len > 1 && i < COUNT_OF(units); i++) {
        auto_free char *digits = xstrndup(s, len - 1);
        if (s[len - 1] == units[i].unit && len < 10 && ctl_parse_big(digits, ret_ms)) {
            *ret_ms *= units[i].ms;
            return true;
        }
    }
    return false;
}

bool ctl_parse_ids(struct ctl *c, int first, int64_t **ret, size_t *ret_count)
{
    *ret_count = 0;
    *ret = xcalloc((size_t)MAX_OF(c->argc - first, 0) + 1, sizeof(**ret));
    for (int i = first; i < c->argc; i++) {
        if (!ctl_parse_big(c->argv[i], &(*ret)[*ret_count])) {
            ctl_fail(EXIT_USAGE, "'%s' is no number of a row", c->argv[i]);
            return false;
        }
        (*ret_count)++;
    }
    return true;
}

bool ctl_confirmed(bool yes, const char *question, ...)
{
    char answer[8] = "";
    va_list ap;
    if (yes)
        return true;
    if (isatty(STDIN_FILENO)) {
        va_start(ap, question);
        vprintf(question, ap);
        va_end(ap);
        fputs(" [yes/no] ", stdout);
        fflush(stdout);
        if (fgets(answer, sizeof(answer), stdin) != NULL && strcmp(answer, "yes\n") == 0)
            return true;
        ctl_fail(EXIT_REFUSED, "not confirmed; nothing was done");
    } else {
        ctl_fail(EXIT_REFUSED,
                 "not confirmed, and there is no terminal to ask on: --yes says yes; nothing was done");
    }
    return false;
}

bool ctl_is_caller_rule(const struct ctl *c, const char *rule)
{
    const char *caller = rule + strlen(CALLER_RULE_PREFIX);
    if (strncmp(rule, CALLER_RULE_PREFIX, strlen(CALLER_RULE_PREFIX)) != 0)
        return false;
    return strcmp(caller, CALLER_OPERATOR) == 0 || conf_caller(c->conf, caller) != NULL;
}

bool ctl_is_working_queue(const struct ctl *c, const char *queue)
{
    static const char *const lanes[] = {"instant", "bulk"};
    char name[MQ_QUEUE_SIZE];
    for (size_t l = 0; l < COUNT_OF(lanes); l++) {
        if (strcmp(mq_queue_render(lanes[l], name), queue) == 0)
            return true;
        for (size_t g = 0; g < c->conf->gateway_count; g++)
            if (strcmp(mq_queue_dispatch(c->conf->gateways[g].name, lanes[l], name), queue) == 0)
                return true;
    }
    if (strcmp(queue, MQ_QUEUE_REQUEST) == 0)
        return true;
    for (unsigned s = 0; s < (unsigned)c->conf->main.broker.update_shards; s++)
        if (strcmp(mq_queue_update(s, name), queue) == 0)
            return true;
    return false;
}

int ctl_conf(struct ctl *c, const char *section)
{
    auto_buf report = {0};
    int r = conf_load(c->conf_dir, section, &c->conf, &report);
    if (r == 0)
        return 0;
    if (report.len > 0)
        fputs(report.data, stderr);
    else
        ctl_fail(EXIT_CONF, "configuration in %s: %s", c->conf_dir, strerror(-r));
    return EXIT_CONF;
}

static int connect_as(struct ctl *c, const char *user, const char *password)
{
    c->db = db_new(&(struct db_options){.conninfo = c->conf->main.database.conninfo,
                                        .user = user,
                                        .password = password,
                                        .name = "smschain command"});
    int r = db_ready(c->db);
    if (r == 0)
        return 0;
    return ctl_fail(EXIT_UNREACHABLE, "database: %s", db_error(c->db));
}

int ctl_has_sql(const struct conf_rule *rule, const char *command)
{
    if (!rule->tasks)
        return 0;
    return ctl_fail(EXIT_REFUSED,
                    "rule %s (%s) has 'tasks: true': its rows are inserted by other systems and it has no SQL to %s; "
                    "each of their tasks is a run of its own (smschain status)",
                    rule->name, rule->file, command);
}

int ctl_db(struct ctl *c)
{
    int code = ctl_conf(c, "operator");
    if (code != 0)
        return code;
    const struct conf_service *s = &c->conf->main.operator_.service;
    return connect_as(c, s->database_user, s->database_password);
}

int ctl_admin_db(struct ctl *c)
{
    return connect_as(c, c->conf->main.database.admin_user, c->conf->main.database.admin_password);
}

static int said(struct ctl *c, int r, const char *what)
{
    if (r == 0)
        return 0;
    return ctl_fail(r < 0 || r == DB_FULL ? EXIT_UNREACHABLE : EXIT_REFUSED, "database, %s: %s", what,
                    db_error(c->db));
}

int ctl_sql(struct ctl *c, const struct db_sql *sql, const struct db_params *p, struct db_result **ret)
{
    return said(c, db_run(c->db, sql, p, ret), sql->name);
}

int ctl_db_code(struct ctl *c, int rc, const char *doing)
{
    return said(c, rc, doing);
}

int ctl_begin(struct ctl *c)
{
    return said(c, db_begin(c->db), "begin");
}

int ctl_commit(struct ctl *c)
{
    return said(c, db_commit(c->db), "commit");
}

struct mq_options ctl_mq_options(const struct ctl *c, const char *user, const char *password)
{
    return (struct mq_options){
        .host = c->conf->main.broker.host,
        .vhost = c->conf->main.broker.vhost,
        .user = user,
        .password = password,
        .port = (int)c->conf->main.broker.port,
        .name = "smschain command",
        .heartbeat_s = (int)MAX_OF(c->conf->main.broker.heartbeat_ms / 1000, 1),
        .tls = c->conf->main.broker.tls,
        .ca_file = c->conf->main.broker.ca_file != NULL && *c->conf->main.broker.ca_file != '\0'
                       ? c->conf->main.broker.ca_file
                       : NULL,
    };
}

int ctl_publish(const struct ctl *c, const char *queue, const struct buf *body)
{
    const struct conf_service *s = &c->conf->main.operator_.service;
    struct mq_options o = ctl_mq_options(c, s->broker_user, s->broker_password);
    struct mq_publisher *p = mq_publisher_new(&o, NULL);
    struct mq_outcome outcome = {0};
    int r = mq_publish(p, &(struct mq_message){.queue = queue, .body = body->data, .len = body->len});
    if (r == 0)
        r = mq_publisher_flush(p, 15000);
    bool told = r == 0 && mq_publisher_next(p, &outcome);
    mq_publisher_free(p);
    if (!told)
        return ctl_fail(EXIT_UNREACHABLE,
                        "broker %s:%d: no confirm within 15 s; it may or may not have arrived, say it again",
                        o.host, o.port);
    if (!outcome.confirmed)
        return ctl_fail(EXIT_REFUSED, "broker: there is no queue %s; has smschain migrate run?", queue);
    return 0;
}

/* The table of subcommands and what they share: options, connections, words for failures. */
#include "ctl/ctl.h"
#include "lib/record.h"
#include <stdarg.h>
#include <stdio.h>

#define CODES_DB "Exit codes: 0 done, 1 refused, 2 usage, 4 database not reachable, 5 bad configuration.\n"

const struct ctl_command ctl_commands[] = {
    {"migrate", cmd_migrate, "make or bring up to date the tables, roles, queues and users",
     " [--database | --broker]\n"
     "Applies the migrations that are missing, makes the day partitions ahead, gives the services' roles "
     "their\n"
     "passwords, declares exchange and queues, makes the broker's users. Running it again changes nothing.\n"
     "  --database   only that\n"
     "  --broker     only that\n"
     "Needs the administrators' secrets: database.admin_user, broker.admin_user.\n"
     "Exit codes: 0 done, 1 refused (an applied migration was changed), 2 usage, 4 not reachable, 5 bad "
     "configuration.\n"},
    {"check", cmd_check, "read the whole configuration and say all its errors",
     " [--section NAME]\n"
     "Reads every file, also across files. With --section only the secrets of that service must be there\n"
     "(extract, render, dispatch, callback, operator).\n"
     "Exit codes: 0 all good, 2 usage, 5 errors (on standard error).\n"},
    {"config", cmd_config, "print the effective configuration, secrets hidden",
     " [--reference]\n"
     "  --reference  print docs/reference.md instead: every key, its type, default and help\n"
     "Exit codes: 0 done, 2 usage, 5 bad configuration.\n"},
    {"run", cmd_run, "fire a rule now",
     " RULE\n"
     "Enters a run of that rule for this moment; extract takes it up within a second. Prints the run's id.\n"
     "Exit codes: 0 entered, 1 no such rule, or extract has not seen it yet, 2 usage,\n"
     "3 entered but held (smschain accept RULE), 4 database not reachable, 5 bad configuration.\n"},
    {"status", cmd_status, "where everything stands",
     " [--json] [--watch]\n"
     "Runs of the last day with their balance and the states of their messages, services, queues, and what "
     "waits\n"
     "for a person.\n"
     "  --json    one object\n"
     "  --watch   every second until Ctrl-C\n"
     "Exit codes: 0 all is well, 2 usage, 3 something waits for a person (in doubt, held, failed, paused, "
     "given up),\n"
     "4 database not reachable, 5 bad configuration.\n"},
    {"stop", cmd_stop, "pause everything, a rule or a gateway",
     " all | RULE | --gateway GATEWAY [--reason TEXT]\n"
     "Nothing new is claimed for it from the next claim on; what is on its way goes on. Nothing is lost: its "
     "messages\n"
     "wait, and go stale after the rule's valid_for.\n" CODES_DB},
    {"start", cmd_start, "end such a pause", " all | RULE | --gateway GATEWAY\n" CODES_DB},
    {"release", cmd_release, "let a held run go on",
     " RUN\n"
     "RUN is the number that status shows. For runs over max_recipients this is a person's yes to all of "
     "them.\n"
     "Exit codes: 0 released, 1 no such run or it is not held, 2 usage, 4 database not reachable, 5 bad "
     "configuration.\n"},
    {"cancel", cmd_cancel, "see to it that a run's or one message's sending ends",
     " RUN | --message SMS_ID [--reason TEXT]\n"
     "What has been claimed already goes out; everything else of it ends as cancelled. Cannot be taken "
     "back.\n" CODES_DB},
    {"accept", cmd_accept,
     "accept a rule whose runs are held since it is new over a known SQL text or keys differently",
     " RULE\n"
     "Stores the rule's once_per as it is configured now and lets its held runs go.\n"
     "Exit codes: 0 accepted, 1 no such rule, or nothing to accept, 2 usage, 4 database not reachable,\n"
     "5 bad configuration.\n"},
    {"resolve", cmd_resolve, "list what is in doubt, or settle one message by what a person knows",
     " [--json]\n"
     "       smschain resolve SEQ_ID delivered | undelivered | rejected | unknown [--note TEXT]\n"
     "Without arguments: every message in doubt. With them: its final state is told to the chain, in the "
     "name of a\n"
     "person. It is never sent again, whatever is said here.\n"
     "Exit codes: 0 nothing is in doubt, or settled (it shows within flush_interval), 1 not in doubt, 2 "
     "usage,\n"
     "3 the list is not empty, 4 database or broker not reachable, 5 bad configuration.\n"},
    {"suppress", cmd_suppress, "add or remove a number that gets nothing",
     " add NUMBER [--scope all | marketing] [--reason TEXT]\n"
     "       smschain suppress remove NUMBER [--scope all | marketing]\n"
     "Scope all (default) blocks everything, marketing only templates of that class. Counts from the next "
     "claim on,\n"
     "also for messages that are on their way already.\n" CODES_DB},
    {"accept-database", cmd_accept_database, "go on after the database was restored or failed over",
     " --since TIME [--yes]\n"
     "TIME (2026-01-31T08:15:00Z): the moment from which on the database may have lost what it knew. Every "
     "message\n"
     "without an outcome is put in doubt (never sent again by the machine), every rule is held until it is "
     "accepted,\n"
     "firings since then are skipped, new sms_ids begin above any that may have been lost. Then the services go "
     "on.\n"
     "  --yes   do not ask\n"
     "Exit codes: 0 done, nothing waits, 1 not confirmed, 2 usage, 3 done, rules are held or messages in "
     "doubt,\n"
     "4 database not reachable, 5 bad configuration.\n"},
    {0},
};

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

/* The command `smschain`: what its subcommands share. Each is one function in a file of its own; it prints
 * what it did for a person (or JSON) on standard output, why it could not on standard error, and returns an
 * exit code. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/conf.h"
#include "lib/db.h"
#include "lib/mq.h"
#include "lib/show.h"

enum exit_code { /* docs/operations.md, "exit codes" */
                 EXIT_DONE = 0,
                 EXIT_REFUSED = 1, /* a clear no: no such rule, nothing to release, a changed migration … */
                 EXIT_USAGE = 2,
                 EXIT_ATTENTION =
                     3, /* done, but something waits for a person: in doubt, held, paused, given up */
                 EXIT_UNREACHABLE = 4, /* the database or the broker could not be reached; nothing is known to
                                          have been done */
                 EXIT_CONF = 5,        /* the configuration cannot be loaded */
};

struct ctl {
    const char *conf_dir;
    struct conf *conf; /* ctl_conf */
    struct db *db;     /* ctl_db, ctl_admin_db */
    int argc;          /* of the subcommand; argv[0] is its name */
    char **argv;
};

struct ctl_command {
    const char *name;
    int (*run)(struct ctl *c);
    const char *summary; /* one line */
    const char *usage;   /* the whole of `smschain NAME --help` after the first line */
};
extern const struct ctl_command ctl_commands[];
const struct ctl_command *ctl_command_named(const char *name); /* NULL: none */

int cmd_migrate(struct ctl *c);
int cmd_check(struct ctl *c);
int cmd_config(struct ctl *c);
int cmd_run(struct ctl *c);
int cmd_status(struct ctl *c);
int cmd_stop(struct ctl *c);
int cmd_start(struct ctl *c);
int cmd_release(struct ctl *c);
int cmd_cancel(struct ctl *c);
int cmd_accept(struct ctl *c);
int cmd_resolve(struct ctl *c);
int cmd_suppress(struct ctl *c);
int cmd_accept_database(struct ctl *c);
int cmd_dead(struct ctl *c);
int cmd_quarantine(struct ctl *c);
int cmd_requeue(struct ctl *c);
int cmd_why(struct ctl *c);
int cmd_try(struct ctl *c);
int cmd_plan(struct ctl *c);
int cmd_preview(struct ctl *c);
int cmd_diff_template(struct ctl *c);
int cmd_test(struct ctl *c);
int cmd_send(struct ctl *c);
int cmd_message(struct ctl *c);
int cmd_key(struct ctl *c);

/* Loads the configuration with the secrets of `section` ("operator", "" all). 0, or an exit code. */
int must_check ctl_conf(struct ctl *c, const char *section);
/* Has the rule SQL, which `command` would read or fire? 0, or EXIT_REFUSED after having said that it has tasks. */
int must_check ctl_has_sql(const struct conf_rule *rule, const char *command);
/* Connects as the operator, or as the administrator (migrate). 0, or an exit code after having said why. */
int must_check ctl_db(struct ctl *c);
int must_check ctl_admin_db(struct ctl *c);
/* One statement. 0, or an exit code after having said why. */
int must_check ctl_sql(struct ctl *c, const struct db_sql *sql, const struct db_params *p,
                       struct db_result **ret);
/* The exit code of what lib has asked the database, after having said why it could not. */
int must_check ctl_db_code(struct ctl *c, int rc, const char *doing);
int must_check ctl_begin(struct ctl *c);
int must_check ctl_commit(struct ctl *c);

struct mq_options ctl_mq_options(const struct ctl *c, const char *user, const char *password);
/* Publishes one body to an update queue and waits for the confirm. 0, or an exit code. */
int must_check ctl_publish(const struct ctl *c, const char *queue, const struct buf *body);

int printf_like(2, 3)
    ctl_fail(int code, const char *format, ...); /* says it on standard error, gives code back */
int ctl_usage(const char *command);              /* "try smschain COMMAND --help"; EXIT_USAGE */
/* Options of a subcommand: --NAME or --NAME VALUE, taken out of argv (order kept for the rest). */
bool ctl_take_flag(struct ctl *c, const char *name);
bool ctl_take_value(struct ctl *c, const char *name,
                    const char **ret);           /* false: usage error said; *ret NULL: not given */
bool ctl_no_options_left(const struct ctl *c);   /* false: said */
bool ctl_parse_big(const char *s, int64_t *ret); /* whole, positive */

bool ctl_parse_duration(const char *s, int64_t *ret_ms); /* 90s, 15m, 2h, 3d */
/* Words that are left in argv from `first` on, as numbers of rows. False: one is none (said). */
bool ctl_parse_ids(struct ctl *c, int first, int64_t **ret, size_t *ret_count);
/* Asks on a terminal; elsewhere it takes --yes. False: not confirmed (said). */
bool printf_like(2, 3) ctl_confirmed(bool yes, const char *question, ...);
/* Is this the built-in rule of a caller, "api:NAME", which has no file in rules/? */
bool ctl_is_caller_rule(const struct ctl *c, const char *rule);
/* May a body be given to that queue? One of render, dispatch, update or request by the configuration. */
bool ctl_is_working_queue(const struct ctl *c, const char *queue);

/* ---- show.c: foreign words and texts on a terminal (and lib/show.h) ---- */
#define SHOW_COLUMNS 100
/* At most so many characters of s, control characters as '?'; what was cut ends with an ellipsis. Gives their
 * count. */
int show_cut(const char *s, int columns);
/* A text as its lines, each behind `indent`; what steers a terminal as '?'. */
void show_text(const char *text, size_t len, const char *indent);
/* "“ (U+201C)", or only "U+00A0" where nobody would see it. Returns out. */
#define SHOW_CHARACTER_SIZE 24
char *show_character(uint32_t c, char out[SHOW_CHARACTER_SIZE]);
/* dead's part: takes what stands in sms.dead into the table. 0, or an exit code. */
int must_check dead_take(struct ctl *c);

/* suppress's part: whole files. */
int must_check suppress_import(struct ctl *c, const char *file, bool skip_bad, const char *scope,
                               const char *reason);
int must_check suppress_export(struct ctl *c, const char *file);
bool suppress_scope(const char *scope); /* is it one? */

/* migrate's parts */
int must_check broker_admin(const struct ctl *c); /* virtual host, exchange, queues, users, rights */
int must_check roles_admin(struct ctl *c);        /* the services' logins */
char *scram_verifier(const char *password);       /* NULL: not plain ASCII */

/* ---- status: what was read (status.c) and how it is shown (status_print.c) ---- */
struct status {
    struct db_result *runs, *states, *services, *counts, *heartbeats,
        *pauses, *tasks; /* columns: the .sql files of the same names */
    struct status_queue {
        char name[MQ_QUEUE_SIZE];
        int64_t ready; /* -1: there is no such queue */
    } * queues;
    size_t queue_count;
    char *broker_trouble; /* NULL: the broker answered */
};
enum status_run_column {
    RUN_ID,
    RUN_RULE,
    RUN_SCHEDULED,
    RUN_STATE,
    RUN_WHY,
    RUN_ROWS,
    RUN_GONE,
    RUN_NEW,
    RUN_DUPLICATE,
    RUN_INVALID,
    RUN_SUPPRESSED,
    RUN_PASS_COMPLETE,
    RUN_HELD_BY,
    RUN_PLANNED,
    RUN_RELEASED_BY,
    RUN_RELEASED_AT,
    RUN_WAVE,
    RUN_WAVE_FIRST,
    RUN_WAVE_DUE,
    RUN_PUBLISH,
    RUN_TASK
};
enum status_task_column { TASK_ID, TASK_RULE, TASK_NAME, TASK_STATE, TASK_DUE, TASK_WHY }; /* status_tasks.sql */
enum status_count_column {
    COUNT_IN_DOUBT,
    COUNT_HELD,
    COUNT_FAILED,
    COUNT_PARKED,
    COUNT_GIVEN_UP,
    COUNT_QUARANTINE,
    COUNT_OUTBOX_DUE,
    COUNT_OUTBOX_LATER,
    COUNT_HELD_RULES,
    COUNT_DEAD,
    COUNT_TESTS,
    COUNT_PARTIAL
};
#define STATUS_PARTIAL (-1) /* in place of a state: messages in parts that have failed in part */
int64_t status_state_count(const struct status *s, int64_t run_id,
                           int state); /* messages of that run in that state */
void status_print(const struct status *s);
void status_json(const struct status *s);
void status_print_runs(const struct status *s);
void status_print_held(const struct status *s); /* status_run.c; the same below */
void status_print_waves(const struct status *s);
void status_print_one(const struct status *s); /* of `status --run` */
void status_json_run_more(const struct status *s, int i, struct buf *b);
void status_print_tasks(const struct status *s); /* status_task.c; the same below */
void status_json_tasks(const struct status *s, struct buf *b);

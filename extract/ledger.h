/* The ledger: what a run does in the pipeline's database, on a connection of its own. One statement enters a
 * group (group_enter.sql), sent without waiting: the next group is read while the server is at work.
 *
 * Calls give 0, one of the answers below, or < 0: the database is away, or cannot do it now (ledger_why). */
#pragma once
#include "extract/balance.h"
#include "extract/group.h"
#include "extract/holds.h"
#include "lib/base.h"
#include "lib/conf.h"
#include "lib/db.h"
#include "render/planned.h"

enum {
    LEDGER_NOT_OURS = 1, /* the run is somebody else's, or not to be read any more */
    LEDGER_REFUSED =
        2, /* the database refuses for good (ledger_why): a right is missing, or a mistake of ours */
};

struct ledger;
/* quiet_ms: how long the run may have nothing to say while it waits for its source. Beyond that, and
 * DB_HELD_IDLE_MS, the server takes the process for stopped and gives the run's lock to others. */
struct ledger *ledger_new(const struct conf_main *conf, int64_t run_id, int64_t quiet_ms);
void ledger_free(struct ledger *l); /* closes the connection, which gives up the lock */
struct db *ledger_db(struct ledger *l);
const char *ledger_why(const struct ledger *l);

/* Connects, and takes the run's lock for as long as the connection lives. LEDGER_NOT_OURS: another has it. */
int must_check ledger_lock(struct ledger *l);

struct run_row {
    char state[16], why[256];
    char rule[128], held_why[400];
    int64_t scheduled_ms;
    int pass;
    bool once_per_known; /* the configured once_per is the accepted one */
    bool cancelled, paused;
    bool of_task;
    unsigned released; /* holds that a person has said yes to */
};
int must_check ledger_look(struct ledger *l, const struct str_list *once_per, struct run_row *ret);

struct pass_options {
    const struct conf_rule *rule;
    const struct conf_template *template;
    int64_t valid_until_ms;
    int64_t max_recipients; /* INT64_MAX: a person has released the run */
    unsigned released;
};
/* Strings are used until the pass ends. */
int must_check ledger_begin(struct ledger *l, const struct pass_options *options);

/* Sends the group; it is kept until ledger_wait has given 0. */
int must_check ledger_send(struct ledger *l, const struct group *g);
struct group_outcome {
    bool held; /* over max_recipients: nothing more is to be read */
    bool cancelled, paused;
    int64_t rows_new;
    const char *no; /* places of rows that are no messages of this run, "3,17"; until the next wait */
};
int must_check ledger_wait(struct ledger *l, struct group_outcome *ret);

/* The pass has seen all rows: balance, what it sends and costs, and what holds it, in one transaction with
 * the run's new state. *ret_held: why it is held, until the ledger's next call; NULL: it is not. */
int must_check ledger_end(struct ledger *l, const struct planned *planned, struct balance *ret,
                          const char **ret_held);
/* Reading was stopped (group_outcome.held): what is known of the run by then, for a person. */
int must_check ledger_note(struct ledger *l, const struct planned *planned);
int must_check ledger_close(struct ledger *l, const char *state, const char *why);

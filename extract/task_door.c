/* Signs by sms.request: see task_door.h. */
#include "extract/task_door.h"
#include "extract/history_guard.h"
#include "extract/task.h"
#include "lib/fault.h"

struct task_door {
    struct db *db;
    struct history_guard *history;
};

struct task_door *task_door_new(const struct conf_main *conf, struct history_guard *history)
{
    struct task_door *t = xmalloc(sizeof(*t));

    *t = (struct task_door){
        .history = history,
        .db = db_new(&(struct db_options){.conninfo = conf->database.conninfo,
                                          .user = conf->extract.service.database_user,
                                          .password = conf->extract.service.database_password,
                                          .name = "smschain-extract task signs",
                                          .idle_in_transaction_timeout_ms = DB_HELD_IDLE_MS}),
    };
    return t;
}

void task_door_free(struct task_door *t)
{
    if (!t)
        return;
    db_free(t->db);
    free(t);
}

int task_door_sign(void *arg, const char *task_id, char **ret_why)
{
    struct task_door *t = arg;
    int r = db_ready(t->db);

    if (r == 0 && !history_guard_fine(t->history, t->db))
        return -EAGAIN; /* what a lost history has acked nobody would bring again */
    if (r == 0)
        r = task_sign(t->db, task_id);
    if (r == 0) {
        FAULT("extract.task_signed");
        return 0;
    }
    if (r == TASK_UNKNOWN || r == DB_BAD_DATA) {
        *ret_why = xstrdup(
            "task: there is none of that id; it is inserted, and committed, before its sign is given");
        return 1;
    }
    return r < 0 ? r : -EAGAIN;
}

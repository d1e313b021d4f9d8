/* Tasks: lists that other systems insert into `task` and `task_row`, each read as one run of a rule with
 * `tasks: true` (docs/tasks.md). A task is signed when its rows are complete; the sign is kept in its row, so
 * that none is lost however it was given, and whichever extract comes first enters the run. */
#pragma once
#include "lib/base.h"
#include "lib/conf.h"
#include "lib/db.h"

/* A sign that came by sms.request, or as a bare NOTIFY. 0: it is kept, and committed unless the caller has
 * begun a transaction; given again it changes nothing. It waits for nobody, also where rows are still being
 * inserted. Else TASK_UNKNOWN: there is no such task (yet); or db_run's answer. */
enum { TASK_UNKNOWN = 100 };
int must_check task_sign(struct db *d, const char *task_id);

/* ---- the scheduler's part; one thread, its connection ---- */
struct tasks {
    const struct conf *conf;
    const char **rules; /* with `tasks: true` */
    size_t rule_count;
    uint64_t generation; /* of the connection that listens */
    int64_t look_at;     /* mono ms */
    bool rules_told;     /* tasks that waited for one of these rules know that it is here */
};
void tasks_init(struct tasks *t, const struct conf *conf);
void tasks_reload(struct tasks *t, const struct conf *conf); /* the old one may be gone after that */
void tasks_deinit(struct tasks *t);
/* Hears signs, and enters the runs of tasks that are due. */
int must_check tasks_turn(struct tasks *t, struct db *d, int64_t now_mono_ms);

/* Ending sessions that stand in the middle of a statement: see lock.h. */
#include "lib/lock.h"
#include "lib/log.h"

#include "lock_stuck.sql.h"

int lock_end_stuck(struct db *d, enum lock_class class, int id)
{
    auto_params p = db_params_new();
    auto_result ended = NULL;

    db_add_int(p, (int32_t) class);
    db_add_int(p, id);
    db_add_int(p, DB_HELD_IDLE_MS);
    int r = db_run(d, &sql_lock_stuck, p, &ended);
    if (r == 0 && db_big(ended, 0, 0) > 0)
        log_warn("a session that held a lock and stood in the middle of a statement was ended",
                 L_INT("class", class), L_INT("id", id));
    return r;
}

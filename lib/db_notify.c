/* PostgreSQL: hearing what sessions say to each other by NOTIFY. */
#include "lib/db_internal.h"

int db_listen(struct db *d, const char *channel)
{
    auto_buf sql = {0};

    buf_add_str(&sql, "LISTEN \"");
    for (const char *s = channel; *s; s++) {
        if (*s == '"')
            buf_add_char(&sql, '"');
        buf_add_char(&sql, *s);
    }
    buf_add_char(&sql, '"');
    return db_script(d, sql.data);
}

bool db_notified(struct db *d, char **ret_payload)
{
    PGnotify *said;

    if (!d->conn || d->mode != DB_IDLE)
        return false;
    /* What has come so far; a connection that broke is found out by the next call that says so. */
    if (!PQconsumeInput(d->conn))
        return false;
    said = PQnotifies(d->conn);
    if (!said)
        return false;
    *ret_payload = xstrdup(said->extra ? said->extra : "");
    PQfreeNotify(said);
    return true;
}

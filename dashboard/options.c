/* Connections as the configuration says. */
#include "dashboard/options.h"

/* Far above what a page may take: it ends what nobody has thought of before it is in everybody's way. */
#define STATEMENT_TIMEOUT_MS 10000

struct db_options dashboard_db_options(const struct conf_main *m, const char *name)
{
    return (struct db_options){.conninfo = m->database.conninfo,
                               .user = m->dashboard.service.database_user,
                               .password = m->dashboard.service.database_password,
                               .name = name,
                               .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
                               .idle_in_transaction_timeout_ms = DB_HELD_IDLE_MS,
                               .read_only = true};
}

struct mq_options dashboard_mq_options(const struct conf_main *m)
{
    return (struct mq_options){.host = m->broker.host,
                               .vhost = m->broker.vhost,
                               .user = m->dashboard.service.broker_user,
                               .password = m->dashboard.service.broker_password,
                               .port = (int)m->broker.port,
                               .name = "dashboard",
                               .heartbeat_s = (int)MAX_OF(m->broker.heartbeat_ms / 1000, 1),
                               .tls = m->broker.tls,
                               .ca_file = m->broker.ca_file && *m->broker.ca_file ? m->broker.ca_file : NULL};
}

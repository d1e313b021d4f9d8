/* Connections as the configuration says. */
#include "callback/options.h"

#define STATEMENT_TIMEOUT_MS (5 * 60 * 1000)

struct mq_options callback_mq_options(const struct conf_main *m, const char *name)
{
    return (struct mq_options){.host = m->broker.host,
                               .vhost = m->broker.vhost,
                               .user = m->callback.service.broker_user,
                               .password = m->callback.service.broker_password,
                               .port = (int)m->broker.port,
                               .name = name,
                               .heartbeat_s = (int)MAX_OF(m->broker.heartbeat_ms / 1000, 1),
                               .tls = m->broker.tls,
                               .ca_file = m->broker.ca_file && *m->broker.ca_file ? m->broker.ca_file : NULL};
}

struct db_options callback_db_options(const struct conf_main *m, const char *name)
{
    return (struct db_options){.conninfo = m->database.conninfo,
                               .user = m->callback.service.database_user,
                               .password = m->callback.service.database_password,
                               .name = name,
                               .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
                               .idle_in_transaction_timeout_ms = DB_HELD_IDLE_MS};
}

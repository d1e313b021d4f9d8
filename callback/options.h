/* Connections as the configuration says. */
#pragma once
#include "lib/conf.h"
#include "lib/db.h"
#include "lib/mq.h"

/* The strings are the configuration's. */
struct mq_options callback_mq_options(const struct conf_main *m, const char *name);
struct db_options callback_db_options(const struct conf_main *m, const char *name);

/* Connections as the configuration says. */
#pragma once
#include "lib/conf.h"
#include "lib/db.h"
#include "lib/mq.h"

struct db_options dashboard_db_options(const struct conf_main *m, const char *name);
struct mq_options dashboard_mq_options(const struct conf_main *m);

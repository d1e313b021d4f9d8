/* The rows of rules: what the database remembers of a rule, so that a changed once_per, a new id over a known
 * SQL text or a changed schedule do not send what nobody meant (rule_sync.sql). */
#pragma once
#include "extract/firing.h"
#include "lib/base.h"
#include "lib/conf.h"
#include "lib/db.h"

/* All rules of the configuration meet their rows, and its templates are kept. A hold is said in the log once, when it begins. */
int must_check rule_sync_all(struct db *d, const struct conf *c, int64_t now_ms);

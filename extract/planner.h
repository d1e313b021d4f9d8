/* What a run sends and costs, added up while it is read: its rows are judged by render's own judge, those
 * that the ledger has taken for messages of this run. One a pass; its size does not grow with the rows. */
#pragma once
#include "extract/group.h"
#include "render/planned.h"

struct planner;
/* NULL: a template does not compile (why). conf lives longer. */
struct planner *planner_new(const struct conf *conf, const struct conf_rule *rule, struct buf *why);
void planner_free(struct planner *p);

/* A group of rows that the ledger has answered for; no: places (from 1, ascending, "3,17,18") of rows that
 * are no messages of this run. False: they cannot be read back, a mistake of ours (why). */
bool must_check planner_add(struct planner *p, const struct group *g, const char *no, struct buf *why);
const struct planned *planner_planned(const struct planner *p);

/* One row of a task, as a source's row: which columns the template finds, which template makes it, or why it
 * can be no message. Columns are task_id, ext_id and number, text where the row has one, then its own params,
 * none of which may have such a name. Pure. */
#pragma once
#include "extract/source.h"
#include "lib/base.h"
#include "lib/conf.h"

struct task_row { /* as it stands in the table */
    const char *task_id, *ext_id, *number;
    const char *template, *text; /* NULL: none; never both */
    const char *params;          /* a JSON object of strings and nulls; NULL: empty */
};
struct task_reader;
struct task_reader *task_reader_new(const struct conf_rule *rule);
void task_reader_free(struct task_reader *r);
/* *ret: until the next call, and as long as row's strings. */
void task_reader_take(struct task_reader *r, const struct task_row *row, struct source_row *ret);

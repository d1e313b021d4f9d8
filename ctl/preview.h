/* smschain preview: what its parts share. One row, from words of the command line, from JSON, or from a
 * rule's source. */
#pragma once
#include "ctl/ctl.h"
#include "render/planned.h"

struct preview {
    struct ctl *ctl;
    struct conf *conf;
    const struct conf_rule *rule; /* NULL: the row came without one */
    const char *tmpl;
    struct row_cell *cells; /* names and values are ours */
    size_t cell_count;
    int64_t number; /* 0: none */
    bool json;
};
void preview_add_cell(struct preview *p, const char *name, const char *value); /* NULL: NULL */
/* The cells of a JSON object. 0, or an exit code after having said why. */
int must_check preview_row(struct preview *p, const char *json);
/* The first row of p->rule's source whose once_per begins with these values. 0, or an exit code. */
int must_check preview_find(struct preview *p, const char *key);

void preview_print(const struct preview *p, const struct plan *plan, const struct judgement *j);

/* What a status says of tasks that are signed and no run yet: why one waits, when another is due. */
#include "ctl/ctl.h"
#include <stdio.h>

void status_print_tasks(const struct status *s)
{
    const struct db_result *t = s->tasks;

    if (db_rows(t) > 0)
        printf("\ntasks\n");
    for (int i = 0; i < db_rows(t); i++) {
        char at[SHOW_TIME_SIZE];
        printf("  %s of %s, due %s UTC", db_text(t, i, TASK_ID), db_text(t, i, TASK_RULE),
               show_time(db_time_ms(t, i, TASK_DUE), at));
        if (*db_text(t, i, TASK_NAME)) {
            printf(", ");
            show_cut(db_text(t, i, TASK_NAME), 40);
        }
        if (*db_text(t, i, TASK_WHY))
            printf("\n    waits: %s", db_text(t, i, TASK_WHY));
        putchar('\n');
    }
}

void status_json_tasks(const struct status *s, struct buf *b)
{
    const struct db_result *t = s->tasks;

    for (int i = 0; i < db_rows(t); i++) {
        buf_add_str(b, i > 0 ? ",{" : "{");
        show_json_text(b, "task", db_text(t, i, TASK_ID));
        show_json_text(b, "rule", db_text(t, i, TASK_RULE));
        show_json_text(b, "name", db_text(t, i, TASK_NAME));
        show_json_text(b, "state", db_text(t, i, TASK_STATE));
        show_json_time(b, "due_at", db_time_ms(t, i, TASK_DUE));
        show_json_text(b, "why", db_text(t, i, TASK_WHY));
        buf_add_char(b, '}');
    }
}

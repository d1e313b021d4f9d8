/* Tables of cases in test/unit/data: one case a line, cells apart by '|', lines that begin with # are
 * comments. A failing case names file and line, and all cases run before the test fails. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* needs the ones above, so it stays apart from them */

#define TABLE_CELLS_MAX 12

struct table {
    FILE *file;
    const char *name;
    char text[8192];
    char *cell[TABLE_CELLS_MAX];
    int cells, line, cases, failures;
};

static inline void table_open(struct table *t, const char *name, int cells)
{
    *t = (struct table){.name = name, .cells = cells, .file = fopen(name, "re")};
    if (!t->file)
        fail_msg("%s cannot be opened", name);
}

static inline bool table_next(struct table *t)
{
    while (fgets(t->text, sizeof(t->text), t->file)) {
        char *rest = t->text;
        t->line++;
        t->text[strcspn(t->text, "\n")] = '\0';
        if (t->text[0] == '#' || t->text[0] == '\0')
            continue;
        for (int i = 0; i < t->cells; i++) {
            if (!rest)
                fail_msg("%s:%d: fewer than %d cells", t->name, t->line, t->cells);
            t->cell[i] = i == t->cells - 1 ? rest : strsep(&rest, "|");
        }
        t->cases++;
        return true;
    }
    return false;
}

static inline void table_check(struct table *t, const char *got, const char *wanted)
{
    if (strcmp(got, wanted) == 0)
        return;
    t->failures++;
    print_error("%s:%d: got '%s', wanted '%s'\n", t->name, t->line, got, wanted);
}

static inline void table_close(struct table *t)
{
    fclose(t->file);
    assert_true(t->cases > 0);
    assert_int_equal(t->failures, 0);
}

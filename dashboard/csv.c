/* CSV: see csv.h. */
#include "dashboard/csv.h"

/* What spreadsheets take for a formula at a cell's beginning, also behind spaces. */
static bool is_formula(const char *cell)
{
    if (*cell == '\t' || *cell == '\r' || *cell == '\n')
        return true;
    cell += strspn(cell, " ");
    return *cell != '\0' && strchr("=+-@", *cell) != NULL;
}

static void add_cell(struct buf *b, const char *cell)
{
    bool formula = is_formula(cell), quoted = formula || strpbrk(cell, ",\"\r\n") != NULL;
    buf_add_str(b, quoted ? "\"" : "");
    buf_add_str(b, formula ? "'" : "");
    for (; *cell != '\0'; cell++) {
        if (*cell == '"')
            buf_add_char(b, '"');
        buf_add_char(b, *cell);
    }
    buf_add_str(b, quoted ? "\"" : "");
}

void csv_add_line(struct buf *b, const char *const *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        add_cell(b, cells[i]);
    }
    buf_add_str(b, "\r\n");
}

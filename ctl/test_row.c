/* One row of a rule's SQL, read as extract reads it: by the source's driver, in its read-only transaction. */
#include "ctl/testing.h"
#include "extract/source.h"
#include <inttypes.h>

void test_row_deinit(struct row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        free(row->cells[i].name);
        free(row->cells[i].value);
    }
    free(row->cells);
    *row = (struct row){0};
}

static void copy_row(const struct source_row *from, struct row *ret)
{
    *ret = (struct row){.cells = xcalloc(from->count + 1, sizeof(*ret->cells)), .count = from->count};
    for (size_t i = 0; i < from->count; i++) {
        ret->cells[i].name = xstrdup(from->names[i]);
        ret->cells[i].value = from->values[i] ? xstrdup(from->values[i]) : NULL;
    }
}

static int trouble(const struct testing *t, const struct source *s, int answer)
{
    if (answer < 0)
        return ctl_fail(EXIT_UNREACHABLE, "source %s: %s", t->rule->source, source_why(s));
    return ctl_fail(EXIT_REFUSED, "%s:%d: %s", t->rule->file, t->rule->sql_line + source_line(s),
                    source_why(s));
}

static int no_row(const struct testing *t, int64_t rows)
{
    if (rows == 0)
        return ctl_fail(EXIT_REFUSED,
                        "%s:%d: the SQL gives no row now, so there is nothing to test with; smschain preview "
                        "takes values of your own",
                        t->rule->file, t->rule->sql_line);
    return ctl_fail(EXIT_REFUSED, "%s:%d: the SQL gives %" PRId64 " rows now, there is no row %" PRId64,
                    t->rule->file, t->rule->sql_line, rows, t->row_wanted);
}

int test_read_row(struct testing *t)
{
    const struct conf_source *conf = conf_source(t->conf, t->rule->source);
    struct source *s = source_open(conf, "smschain test");
    struct source_row row = {0};
    int64_t rows = 0;
    int code;

    if (!s)
        return ctl_fail(EXIT_CONF, "source %s: this build has no driver %s", conf->name, conf->driver);
    int r = source_begin(s, t->rule->sql);
    while (r == 0 && rows < t->row_wanted) {
        r = source_next(s, &row);
        rows += r == 0;
    }
    if (r == 0) {
        copy_row(&row, &t->row);
        code = 0;
    } else {
        code = r == SOURCE_END ? no_row(t, rows) : trouble(t, s, r);
    }
    source_close(s);
    return code;
}

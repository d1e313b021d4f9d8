/* A row of a rule, found by what makes it one and the same: the first values of its once_per columns. */
#include "ctl/preview.h"
#include "extract/source.h"
#include "lib/number.h"

/* Does the row's value stand at the beginning of *key, up to a comma or the end? Moves *key behind it. */
static bool takes(const char **key, const char *value)
{
    size_t len = value ? strlen(value) : 0;

    if (!value || strncmp(*key, value, len) != 0 || ((*key)[len] != ',' && (*key)[len] != '\0'))
        return false;
    *key += len + ((*key)[len] == ',');
    return true;
}

static const char *value_of(const struct source_row *row, const char *name, bool *ret_there)
{
    for (size_t i = 0; i < row->count; i++) {
        if (strcmp(row->names[i], name) != 0)
            continue;
        *ret_there = true;
        return row->values[i];
    }
    *ret_there = false;
    return NULL;
}

static bool fits(const struct preview *p, const struct source_row *row, const char *key)
{
    const struct str_list *once = &p->rule->once_per;
    bool there;

    for (size_t i = 0; i < once->count && *key != '\0'; i++)
        if (!takes(&key, value_of(row, once->items[i], &there)))
            return false;
    return *key == '\0';
}

static int columns_there(const struct preview *p, const struct source_row *row)
{
    bool there;

    for (size_t i = 0; i < p->rule->once_per.count; i++) {
        (void)value_of(row, p->rule->once_per.items[i], &there);
        if (!there)
            return ctl_fail(EXIT_REFUSED, "%s:%d: the SQL gives no column %s, which once_per names",
                            p->rule->file, p->rule->sql_line, p->rule->once_per.items[i]);
    }
    (void)value_of(row, p->rule->number_column, &there);
    return there ? 0
                 : ctl_fail(EXIT_REFUSED, "%s:%d: the SQL gives no column %s, which number_column names",
                            p->rule->file, p->rule->sql_line, p->rule->number_column);
}

static int take_row(struct preview *p, const struct source_row *row)
{
    bool there;
    const char *written = value_of(row, p->rule->number_column, &there);
    enum number_fault fault = number_normalise(written, p->conf->main.country_code, &p->number);

    if (fault != NUMBER_OK)
        return ctl_fail(EXIT_REFUSED, "that row makes no message: its number is invalid (%s)",
                        number_fault_word(fault));
    for (size_t i = 0; i < row->count; i++)
        preview_add_cell(p, row->names[i], row->values[i]);
    return 0;
}

static int look(struct preview *p, struct source *s, const char *key)
{
    struct source_row row;
    bool known = false;
    int x, code = 0;

    for (x = source_begin(s, p->rule->sql); x == 0 && (x = source_next(s, &row)) == 0;) {
        if (!known)
            code = columns_there(p, &row);
        known = true;
        if (code != 0)
            return code;
        if (fits(p, &row, key))
            return take_row(p, &row);
    }
    if (x == SOURCE_END)
        return ctl_fail(EXIT_REFUSED,
                        "%s: no row's once_per begins with '%s'; its columns' values, separated by commas",
                        p->rule->file, key);
    if (x < 0)
        return ctl_fail(EXIT_UNREACHABLE, "source %s (%s) is away: %s", p->rule->source,
                        conf_source(p->conf, p->rule->source)->file, source_why(s));
    return ctl_fail(EXIT_REFUSED, "%s:%d: %s", p->rule->file, p->rule->sql_line + source_line(s),
                    source_why(s));
}

int preview_find(struct preview *p, const char *key)
{
    const struct conf_source *conf = conf_source(p->conf, p->rule->source);
    struct source *s = source_open(conf, "smschain preview");

    if (!s)
        return ctl_fail(EXIT_CONF, "%s: this build has no driver '%s'", conf->file, conf->driver);
    int code = look(p, s, key);
    source_close(s);
    return code;
}

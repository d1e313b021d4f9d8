/* Reports as lists: "id,number,status,time;id,number,status,time;". The order of the fields and both
 * separators are the gateway's; separators and line breaks around a record are tolerated. */
#include "callback/report.h"

#include <ctype.h>

#define FIELDS_MAX 32

/* What ends a record: the separator configured, and a line break. "" : the text is one record. */
static const char *record_end(const char *s, const char *end, const char *separator)
{
    size_t n = separator ? strlen(separator) : 0;
    for (; s < end; s++) {
        if (*s == '\n' || *s == '\r')
            return s;
        if (n > 0 && (size_t)(end - s) >= n && memcmp(s, separator, n) == 0)
            return s;
    }
    return end;
}

static void trim(char *s, char **ret)
{
    while (isspace((unsigned char)*s))
        s++;
    size_t len = strlen(s);
    while (len > 0 && isspace((unsigned char)s[len - 1]))
        s[--len] = '\0';
    *ret = s;
}

/* Cuts `record` in place. The last field takes the rest where it is the error text, which may hold anything.
 */
static size_t cut_fields(char *record, const char *separator, size_t wanted, bool last_takes_rest,
                         char **fields)
{
    size_t count = 0, n = strlen(separator);
    for (char *s = record; s;) {
        char *next = n > 0 ? strstr(s, separator) : NULL;
        if (last_takes_rest && count + 1 == wanted)
            next = NULL;
        if (count == FIELDS_MAX)
            return count + 1;
        if (next)
            *next = '\0';
        trim(s, &fields[count++]);
        s = next ? next + n : NULL;
    }
    if (count == wanted + 1 && *fields[wanted] == '\0')
        count--; /* a separator at the record's end */
    return count;
}

static bool put_field(struct report_fields *f, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **to;
    } known[] = {{"msg_id", &f->msg_id}, {"number", &f->number}, {"status", &f->status},
                 {"time", &f->time},     {"error", &f->error},   {"reference", &f->reference}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(known[i].name, name) == 0) {
            *known[i].to = value;
            return true;
        }
    }
    return false; /* "-": skipped */
}

/* False: it has not the shape of a record. */
static bool add_record(struct report_parser *p, const char *raw, size_t len)
{
    const struct conf_gateway *g = report_gateway(p->format);
    const struct str_list *names = &g->report.fields;
    const char *separator = g->report.field_separator ? g->report.field_separator : ",";
    char *fields[FIELDS_MAX + 1] = {0};
    struct report_fields f = {0};
    auto_free char *record = xstrndup(raw, len);
    bool rest = names->count > 0 && strcmp(names->items[names->count - 1], "error") == 0;
    size_t count = cut_fields(record, separator, names->count, rest, fields);
    bool error_left_out = rest && count + 1 == names->count;
    if (strlen(record) != len && memchr(raw, '\0', len)) {
        auto_free char *why = xasprintf("the record holds a byte 0 (%s)", g->file);
        report_refuse(p, "bad_bytes", why, raw, len);
        return false;
    }
    if (count != names->count && !error_left_out) {
        auto_free char *why = xasprintf("%zu fields where %s lists %zu", count, g->file, names->count);
        report_refuse(p, "field_count", why, raw, len);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        put_field(&f, names->items[i], fields[i]);
    report_add(p, &f, raw, len);
    return true;
}

static bool blank(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isspace((unsigned char)s[i]))
            return false;
    }
    return true;
}

const char *report_parse_list(struct report_parser *p, const char *text, size_t len)
{
    const struct conf_gateway *g = report_gateway(p->format);
    const char *separator = g->report.record_separator;
    const char *end = text + len;
    size_t records = 0, shaped = 0;
    if (g->report.fields.count > FIELDS_MAX)
        return "more fields are configured than can be read";
    for (const char *s = text; s < end;) {
        const char *stop = record_end(s, end, separator);
        if (!blank(s, (size_t)(stop - s))) {
            records++;
            shaped += add_record(p, s, (size_t)(stop - s));
        }
        if (stop == end)
            break;
        s = *stop == '\n' || *stop == '\r' ? stop + 1 : stop + strlen(separator);
    }
    /* Where not one record has the shape it is no such list: the whole stays together for a person. */
    return records > 0 && shaped == 0 ? "not one record of it has the fields that are listed" : NULL;
}

/* Records as lists: "id,number,status,time;id,number,status,time;". The order of the fields and both
 * separators are the gateway's; separators and line breaks around a record are tolerated. */
#include "callback/format.h"

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

/* Cuts `record` in place. The last field takes the rest where it is a free text, which may hold anything. */
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

static void put_field(struct format_record *r, const char *name, const char *value)
{
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        if (strcmp(conf_role_words[i], name) == 0)
            r->field[i] = value;
    } /* "-": skipped */
}

static bool last_is_free_text(const struct str_list *names)
{
    const char *last = names->count > 0 ? names->items[names->count - 1] : "";
    return strcmp(last, conf_role_words[ROLE_ERROR]) == 0 || strcmp(last, conf_role_words[ROLE_TEXT]) == 0;
}

static void add_record(struct reading *r, const char *raw, size_t len)
{
    const struct str_list *names = &r->conf->fields;
    const char *separator = r->conf->field_separator ? r->conf->field_separator : ",";
    char *fields[FIELDS_MAX + 1] = {0};
    struct format_record found = {.raw = raw, .raw_len = len};
    auto_free char *record = xstrndup(raw, len);
    bool rest = last_is_free_text(names);
    size_t count = cut_fields(record, separator, names->count, rest, fields);
    bool last_left_out = rest && count + 1 == names->count;
    if (memchr(raw, '\0', len)) {
        auto_free char *why = xasprintf("the record holds a byte 0 (%s)", r->file);
        reading_refuse(r, "bad_bytes", why, raw, len);
        return;
    }
    if (count != names->count && !last_left_out) {
        auto_free char *why = xasprintf("%zu fields where %s lists %zu", count, r->file, names->count);
        reading_refuse(r, "field_count", why, raw, len);
        return;
    }
    for (size_t i = 0; i < count; i++)
        put_field(&found, names->items[i], fields[i]);
    reading_take(r, &found);
}

static bool blank(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isspace((unsigned char)s[i]))
            return false;
    }
    return true;
}

const char *format_read_list(struct reading *r, const char *text, size_t len)
{
    const char *separator = r->conf->record_separator;
    const char *end = text + len;
    size_t records = 0;
    if (r->conf->fields.count > FIELDS_MAX)
        return "more fields are configured than can be read";
    for (const char *s = text; s < end;) {
        const char *stop = record_end(s, end, separator);
        if (!blank(s, (size_t)(stop - s))) {
            records++;
            add_record(r, s, (size_t)(stop - s));
        }
        if (stop == end)
            break;
        s = *stop == '\n' || *stop == '\r' ? stop + 1 : stop + strlen(separator);
    }
    /* Where not one record has the shape it is no such list: the whole stays together for a person. */
    return records > 0 && r->shaped == 0 ? "not one record of it has the fields that are listed" : NULL;
}

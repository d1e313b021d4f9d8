/* Records as JSON: an object, an array of objects, or either behind a pointer (RFC 6901). Numbers are read as
 * the digits that were written: an id of 20 digits is no int64_t, and 1.10 may be an id, too. */
#include "callback/format.h"

#include <ctype.h>
#include <json-c/json.h>

#define DEPTH_MAX 16

static void json_put(struct json_object **o)
{
    json_object_put(*o);
}
#define auto_json cleanup_with(json_put) struct json_object *

static void free_tokener(struct json_tokener **t)
{
    json_tokener_free(*t);
}

static bool begins_number(char c)
{
    return c == '-' || (c >= '0' && c <= '9');
}

static bool in_number(char c)
{
    return begins_number(c) || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Puts every number into quotes, so that the reader keeps its digits. Strings are passed over as they are. */
static void quote_numbers(const char *s, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len;) {
        size_t from = i;
        if (s[i] == '"') {
            for (i++; i < len && s[i] != '"'; i++)
                i += s[i] == '\\' && i + 1 < len;
            i += i < len;
            buf_add(out, s + from, i - from);
        } else if (begins_number(s[i])) {
            while (i < len && in_number(s[i]))
                i++;
            buf_add_char(out, '"');
            buf_add(out, s + from, i - from);
            buf_add_char(out, '"');
        } else {
            while (i < len && s[i] != '"' && !begins_number(s[i]))
                i++;
            buf_add(out, s + from, i - from);
        }
    }
}

static const char *parse(const char *text, size_t len, struct json_object **ret)
{
    cleanup_with(free_tokener) struct json_tokener *t = json_tokener_new_ex(DEPTH_MAX);
    auto_buf quoted = {0};
    quote_numbers(text, len, &quoted);
    if (!t || quoted.overflowed || quoted.len == 0 || quoted.len > INT32_MAX)
        return "it is empty or too large";
    json_tokener_set_flags(t, JSON_TOKENER_VALIDATE_UTF8);
    auto_json value = json_tokener_parse_ex(t, quoted.data, (int)quoted.len);
    if (json_tokener_get_error(t) != json_tokener_success || !value)
        return "it is not JSON";
    for (size_t at = json_tokener_get_parse_end(t); at < quoted.len; at++) {
        if (!isspace((unsigned char)quoted.data[at]))
            return "something follows the JSON value";
    }
    *ret = json_object_get(value);
    return NULL;
}

static struct json_object *at_pointer(struct json_object *o, const char *pointer)
{
    struct json_object *found = NULL;
    if (!pointer || !*pointer)
        return NULL;
    return json_pointer_get(o, pointer, &found) == 0 ? found : NULL;
}

/* A value as text; NULL: absent, null, or no single value. */
static const char *text_at(struct json_object *o, const char *pointer)
{
    struct json_object *value = at_pointer(o, pointer);
    switch (value ? json_object_get_type(value) : json_type_null) {
    case json_type_string:
        return json_object_get_string(value);
    case json_type_boolean:
    case json_type_int:
    case json_type_double:
    case json_type_object: /* an error may be an object: its JSON is the text */
    case json_type_array:
        return json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
    case json_type_null:
        break;
    }
    return NULL;
}

static void add_record(struct reading *r, struct json_object *o)
{
    if (json_object_get_type(o) != json_type_object) {
        const char *raw = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
        auto_free char *why = xasprintf("a record is not an object (%s says where they stand)", r->file);
        reading_refuse(r, "not_an_object", why, raw, strlen(raw));
        return;
    }
    struct format_record found = {0};
    for (size_t i = 0; i < ROLE_COUNT; i++)
        found.field[i] = text_at(o, r->conf->at[i]);
    found.raw = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    found.raw_len = strlen(found.raw);
    reading_take(r, &found);
}

const char *format_read_json(struct reading *r, const char *text, size_t len)
{
    const char *pointer = r->conf->records;
    struct json_object *root = NULL;
    const char *wrong = parse(text, len, &root);
    if (wrong)
        return wrong;
    auto_json whole = root;
    struct json_object *records = pointer && *pointer ? at_pointer(whole, pointer) : whole;
    if (!records)
        return "there is nothing at the pointer `records`";
    if (json_object_get_type(records) == json_type_object) {
        add_record(r, records);
        return NULL;
    }
    if (json_object_get_type(records) != json_type_array)
        return "it is neither an object nor an array";
    size_t count = json_object_array_length(records);
    for (size_t i = 0; i < count; i++)
        add_record(r, json_object_array_get_idx(records, i));
    return count > 0 && r->shaped == 0 ? "not one of its elements is an object" : NULL;
}

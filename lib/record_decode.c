/* The codec of the wire, second half: reading, through json-c (strict, UTF-8 checked, bounded depth) into an
 * arena that the chunk owns. */
#include "lib/record_table.h"
#include "lib/seq_id.h"
#include "lib/state.h"

#include <json-c/json.h>

#define BODY_DEPTH_MAX 16

/* ---- the memory of a read chunk ---- */

struct arena {
    struct arena_block {
        struct arena_block *older;
        size_t used, size;
        max_align_t bytes[];
    } * newest;
};

static void *arena_take(struct arena *a, size_t bytes, size_t align)
{
    struct arena_block *block = a->newest;
    size_t at = block ? (block->used + align - 1) / align * align : 0;
    if (!block || at > block->size || bytes > block->size - at) {
        size_t size = MAX_OF(bytes, (size_t)16384);
        block = xmalloc(sizeof(*block) + size);
        *block = (struct arena_block){.older = a->newest, .size = size};
        a->newest = block;
        at = 0;
    }
    block->used = at + bytes;
    return (char *)block->bytes + at;
}

static void *arena_array(struct arena *a, size_t count, size_t bytes)
{
    return memset(arena_take(a, count * bytes, _Alignof(max_align_t)), 0, count * bytes);
}

static char *arena_str(struct arena *a, const char *s, size_t len)
{
    char *copy = arena_take(a, len + 1, 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

void chunk_free(struct chunk *c)
{
    if (!c)
        return;
    struct arena_block *block = c->arena ? c->arena->newest : NULL;
    while (block) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
    free(c->arena);
    free(c);
}

/* ---- reading. Each of these returns NULL, or what is wrong, as it follows a field's name ---- */

/* json-c turns an integer beyond its range into the end of the range: those two values may be anything. */
static bool int_in_range(struct json_object *from)
{
    return json_object_get_int64(from) != INT64_MIN && json_object_get_uint64(from) != UINT64_MAX;
}

static const char *read_int(struct json_object *from, int64_t *to)
{
    if (!json_object_is_type(from, json_type_int))
        return "is not an integer";
    if (!int_in_range(from) || json_object_get_uint64(from) > INT64_MAX)
        return "is out of range";
    *to = json_object_get_int64(from);
    return NULL;
}

static const char *read_str(struct arena *a, struct json_object *from, char **to)
{
    if (!json_object_is_type(from, json_type_string))
        return "is not a string";
    const char *s = json_object_get_string(from);
    size_t len = (size_t)json_object_get_string_len(from);
    if (memchr(s, '\0', len))
        return "holds U+0000"; /* cutting it off there would change the meaning silently */
    *to = arena_str(a, s, len);
    return NULL;
}

static const char *read_list(struct arena *a, struct json_object *from, struct str_list *to)
{
    if (!json_object_is_type(from, json_type_array))
        return "is not a list";
    size_t count = json_object_array_length(from);
    to->items = arena_array(a, count, sizeof(*to->items));
    for (to->count = 0; to->count < count; to->count++) {
        if (read_str(a, json_object_array_get_idx(from, to->count), &to->items[to->count]) != NULL)
            return "is not a list of strings";
    }
    return NULL;
}

/* A foreign writer may leave numbers and booleans as such: they become their text. */
static const char *read_cell(struct arena *a, struct json_object *from, char **to)
{
    const char *text;
    switch (json_object_get_type(from)) {
    case json_type_null:
        *to = NULL;
        return NULL;
    case json_type_string:
        return read_str(a, from, to);
    case json_type_int:
        if (!int_in_range(from))
            return "has a column that is out of range";
        /* fallthrough */
    case json_type_boolean:
    case json_type_double:
        text = json_object_to_json_string_ext(from, JSON_C_TO_STRING_PLAIN);
        *to = arena_str(a, text, strlen(text));
        return NULL;
    case json_type_object:
    case json_type_array:
        break;
    }
    return "has a column that is no single value";
}

static const char *read_row(struct arena *a, struct json_object *from, struct row *to)
{
    if (!json_object_is_type(from, json_type_object))
        return "is not an object";
    to->cells = arena_array(a, (size_t)json_object_object_length(from), sizeof(*to->cells));
    struct json_object_iter it;
    json_object_object_foreachC(from, it)
    {
        struct row_cell *cell = &to->cells[to->count++];
        cell->name = arena_str(a, it.key, strlen(it.key));
        const char *wrong = read_cell(a, it.val, &cell->value);
        if (wrong)
            return wrong;
    }
    return NULL;
}

static const char *read_field(struct arena *a, const struct field *f, struct json_object *from, void *to)
{
    switch ((enum field_type)f->type) {
    case TYPE_INT:
        return read_int(from, to);
    case TYPE_STR:
        return read_str(a, from, to);
    case TYPE_LIST:
        return read_list(a, from, to);
    case TYPE_ROW:
        return read_row(a, from, to);
    }
    return "is of no known type";
}

/* Fields arrive in the table's order from our own writer, so the search begins after the last one found. */
static size_t find_field(const struct record_type *type, const char *key, size_t hint)
{
    for (size_t i = 0; i < type->count; i++) {
        size_t at = hint + i < type->count ? hint + i : hint + i - type->count;
        if (strcmp(type->fields[at].name, key) == 0)
            return at;
    }
    return type->count;
}

static const char *need_seq_id(const struct step_record *s, const char **ret_field)
{
    struct seq_id id;
    *ret_field = "seq_id";
    if (!s->seq_id)
        return "is missing";
    return seq_id_parse(s->seq_id, &id) ? NULL : "is none of ours";
}

static const char *need_str(const char *s)
{
    return s ? NULL : "is missing";
}

/* What each step needs beyond the table. Returns what is wrong with *ret_field, or NULL. */
static const char *step_check(const struct step_record *s, const char **ret_field)
{
    const char *wrong = NULL;
    enum state state;
    if (s->step != STEP_SUBMITTED && s->step != STEP_ACCEPTED && s->step != STEP_STATUS &&
        s->step != STEP_OUTCOME && s->step != STEP_QUARANTINE) {
        *ret_field = "step";
        return "is none that is known";
    }
    bool by_seq_id = s->step == STEP_SUBMITTED || s->step == STEP_ACCEPTED || s->step == STEP_OUTCOME;
    if (by_seq_id && (wrong = need_seq_id(s, ret_field)))
        return wrong;
    *ret_field = "gateway";
    if (s->step != STEP_OUTCOME && (wrong = need_str(s->gateway)))
        return wrong;
    *ret_field = "number";
    if ((s->step == STEP_SUBMITTED || s->step == STEP_ACCEPTED) && s->number <= 0)
        return s->number == 0 ? "is missing" : "is negative";
    *ret_field = "msg_id";
    if ((s->step == STEP_ACCEPTED || (s->step == STEP_STATUS && !s->seq_id)) && (wrong = need_str(s->msg_id)))
        return wrong;
    *ret_field = "reason";
    if ((s->step == STEP_STATUS || s->step == STEP_QUARANTINE) && (wrong = need_str(s->reason)))
        return wrong;
    *ret_field = "raw";
    if (s->step == STEP_QUARANTINE && (wrong = need_str(s->raw)))
        return wrong;
    *ret_field = "error";
    if (s->step == STEP_QUARANTINE && (wrong = need_str(s->error)))
        return wrong;
    *ret_field = "state";
    return s->state && !state_parse(s->state, &state) ? "is none that is known" : NULL;
}

/* Reads one record into `to`. NULL, or what is wrong with *ret_field. */
static const char *read_record(struct chunk *c, struct json_object *from, void *to, const char **ret_field)
{
    const struct record_type *type = &record_types[c->kind];
    uint32_t seen = 0;
    size_t at = 0;
    *ret_field = "";
    if (!json_object_is_type(from, json_type_object))
        return "is not an object";
    struct json_object_iter it;
    json_object_object_foreachC(from, it)
    {
        size_t found = find_field(type, it.key, at);
        if (found == type->count || !it.val)
            continue; /* unknown fields are a newer writer's; null is as good as absent */
        *ret_field = type->fields[found].name;
        const char *wrong =
            read_field(c->arena, &type->fields[found], it.val, (char *)to + type->fields[found].offset);
        if (wrong)
            return wrong;
        seen |= UINT32_C(1) << found;
        at = found + 1;
    }
    for (size_t i = 0; i < type->count; i++) {
        if (type->fields[i].needed && !(seen & UINT32_C(1) << i)) {
            *ret_field = type->fields[i].name;
            return "is missing";
        }
    }
    return c->kind == RECORD_STEPS ? step_check(to, ret_field) : NULL;
}

static void add_bad(struct chunk *c, size_t capacity, struct json_object *record, size_t index,
                    const char *field, const char *wrong)
{
    if (!c->bad)
        c->bad = arena_array(c->arena, capacity, sizeof(*c->bad));
    auto_buf why = {0};
    if (*field)
        buf_addf(&why, "record %zu: '%s' %s", index + 1, field, wrong);
    else
        buf_addf(&why, "record %zu %s", index + 1, wrong);
    const char *json =
        json_object_to_json_string_ext(record, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    c->bad[c->bad_count++] = (struct chunk_bad){
        .json = arena_str(c->arena, json, strlen(json)),
        .why = arena_str(c->arena, why.data, why.len),
    };
}

static struct chunk *read_records(enum record_kind kind, struct json_object *records, size_t body_len)
{
    size_t count = json_object_array_length(records), bytes = record_types[kind].bytes;
    struct chunk *c = xcalloc(1, sizeof(*c));
    c->kind = kind;
    c->arena = xcalloc(1, sizeof(*c->arena));
    /* One block nearly always holds it all: no string is longer than it was in the body. */
    struct arena_block *block = xmalloc(sizeof(*block) + count * bytes + body_len);
    *block = (struct arena_block){.size = count * bytes + body_len};
    c->arena->newest = block;
    char *to = arena_array(c->arena, count, bytes);
    c->rows = (struct row_record *)(void *)to;
    for (size_t i = 0; i < count; i++) {
        struct json_object *record = json_object_array_get_idx(records, i);
        const char *field;
        const char *wrong = read_record(c, record, to, &field);
        if (wrong) {
            add_bad(c, count - i, record, i, field, wrong);
            memset(to, 0, bytes);
        } else {
            to += bytes;
            c->count++;
        }
    }
    return c;
}

static void put_json(struct json_object **o)
{
    json_object_put(*o);
}

/* The whole body as one JSON value. NULL: it is none, and *ret_why says so. */
static struct json_object *parse_body(const void *body, size_t len, char **ret_why)
{
    if (len > BUF_MAX_DEFAULT) {
        *ret_why = xasprintf("%zu bytes are too many", len);
        return NULL;
    }
    struct json_tokener *tokener = json_tokener_new_ex(BODY_DEPTH_MAX);
    if (!tokener)
        abort(); /* as xmalloc: no memory */
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *root = json_tokener_parse_ex(tokener, body, (int)len);
    enum json_tokener_error e = json_tokener_get_error(tokener);
    if (e != json_tokener_success || json_tokener_get_parse_end(tokener) != len) {
        *ret_why = xasprintf("not JSON at byte %zu: %s", json_tokener_get_parse_end(tokener),
                             e == json_tokener_continue ? "it ends too early" : json_tokener_error_desc(e));
        json_object_put(root);
        root = NULL;
    } else if (!json_object_is_type(root, json_type_object)) {
        *ret_why = xstrdup("not a JSON object");
        json_object_put(root);
        root = NULL;
    }
    json_tokener_free(tokener);
    return root;
}

static int read_version(struct json_object *root, char **ret_why)
{
    struct json_object *v;
    if (!json_object_object_get_ex(root, "v", &v) || !json_object_is_type(v, json_type_int)) {
        *ret_why = xstrdup("'v' is missing");
        return CHUNK_UNREADABLE;
    }
    int64_t version = json_object_get_int64(v);
    if (version == RECORD_VERSION)
        return 0;
    *ret_why = xasprintf("version %lld, this consumer reads %d", (long long)version, RECORD_VERSION);
    return version > RECORD_VERSION ? CHUNK_NEWER : CHUNK_UNREADABLE;
}

int chunk_decode(const void *body, size_t len, struct chunk **ret, char **ret_why)
{
    *ret = NULL;
    *ret_why = NULL;
    cleanup_with(put_json) struct json_object *root = parse_body(body, len, ret_why);
    if (!root)
        return CHUNK_UNREADABLE;
    int r = read_version(root, ret_why);
    if (r != 0)
        return r;
    struct json_object *word, *records;
    const char *kind =
        json_object_object_get_ex(root, "kind", &word) && json_object_is_type(word, json_type_string)
            ? json_object_get_string(word)
            : "";
    size_t k = 0;
    while (k < RECORD_KINDS && strcmp(record_types[k].kind, kind) != 0)
        k++;
    if (k == RECORD_KINDS) {
        *ret_why = xstrdup("'kind' is none that is known");
        return CHUNK_UNREADABLE;
    }
    if (!json_object_object_get_ex(root, "records", &records) ||
        !json_object_is_type(records, json_type_array)) {
        *ret_why = xstrdup("'records' is no list");
        return CHUNK_UNREADABLE;
    }
    *ret = read_records((enum record_kind)k, records, len);
    return 0;
}

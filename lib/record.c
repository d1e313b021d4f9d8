/* The codec of the wire, first half: the tables of fields, and writing, straight into a buffer. */
#include "lib/record_table.h"

#define FIELD_OF(record, kind, member, must)                                                                 \
    {.name = #member,                                                                                        \
     .prefix = "\"" #member "\":",                                                                           \
     .prefix_len = sizeof("\"" #member "\":") - 1,                                                           \
     .type = TYPE_##kind,                                                                                    \
     .needed = (must),                                                                                       \
     .offset = offsetof(struct record, member)},
#define ROW_MAY(kind, member)      FIELD_OF(row_record, kind, member, false)
#define ROW_MUST(kind, member)     FIELD_OF(row_record, kind, member, true)
#define TEXT_MAY(kind, member)     FIELD_OF(text_record, kind, member, false)
#define TEXT_MUST(kind, member)    FIELD_OF(text_record, kind, member, true)
#define STEP_MAY(kind, member)     FIELD_OF(step_record, kind, member, false)
#define STEP_MUST(kind, member)    FIELD_OF(step_record, kind, member, true)
#define INBOUND_MAY(kind, member)  FIELD_OF(inbound_record, kind, member, false)
#define INBOUND_MUST(kind, member) FIELD_OF(inbound_record, kind, member, true)

static const struct field row_fields[] = {RECORD_FIELDS_ROW(ROW_MAY, ROW_MUST)};
static const struct field text_fields[] = {RECORD_FIELDS_TEXT(TEXT_MAY, TEXT_MUST)};
static const struct field step_fields[] = {RECORD_FIELDS_STEP(STEP_MAY, STEP_MUST)};
static const struct field inbound_fields[] = {RECORD_FIELDS_INBOUND(INBOUND_MAY, INBOUND_MUST)};

const struct record_type record_types[RECORD_KINDS] = {
    [RECORD_ROWS] = {"rows", row_fields, COUNT_OF(row_fields), sizeof(struct row_record)},
    [RECORD_TEXTS] = {"texts", text_fields, COUNT_OF(text_fields), sizeof(struct text_record)},
    [RECORD_STEPS] = {"steps", step_fields, COUNT_OF(step_fields), sizeof(struct step_record)},
    [RECORD_INBOUND] = {"inbound", inbound_fields, COUNT_OF(inbound_fields), sizeof(struct inbound_record)},
};
_Static_assert(COUNT_OF(row_fields) <= 32 && COUNT_OF(text_fields) <= 32 && COUNT_OF(step_fields) <= 32 &&
                   COUNT_OF(inbound_fields) <= 32,
               "which fields were seen is kept in 32 bits");

static void add_list(struct buf *b, const struct str_list *list)
{
    buf_add_char(b, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        buf_add_json_str(b, list->items[i], strlen(list->items[i]));
    }
    buf_add_char(b, ']');
}

static void add_row(struct buf *b, const struct row *row)
{
    buf_add_char(b, '{');
    for (size_t i = 0; i < row->count; i++) {
        const struct row_cell *cell = &row->cells[i];
        if (i > 0)
            buf_add_char(b, ',');
        buf_add_json_str(b, cell->name, strlen(cell->name));
        buf_add_char(b, ':');
        if (cell->value)
            buf_add_json_str(b, cell->value, strlen(cell->value));
        else
            buf_add(b, "null", 4);
    }
    buf_add_char(b, '}');
}

/* A needed field is written even where its value is the absent one: it is there. */
static bool field_absent(const struct field *f, const void *value)
{
    switch ((enum field_type)f->type) {
    case TYPE_INT:
        return !f->needed && *(const int64_t *)value == 0;
    case TYPE_STR:
        return *(char *const *)value == NULL;
    case TYPE_LIST:
        return !f->needed && ((const struct str_list *)value)->count == 0;
    case TYPE_ROW:
        return !f->needed && ((const struct row *)value)->count == 0;
    }
    return true;
}

static void add_field(struct buf *b, const struct field *f, const void *value)
{
    const char *s;
    buf_add(b, f->prefix, f->prefix_len);
    switch ((enum field_type)f->type) {
    case TYPE_INT:
        buf_add_i64(b, *(const int64_t *)value);
        break;
    case TYPE_STR:
        s = *(char *const *)value;
        buf_add_json_str(b, s, strlen(s));
        break;
    case TYPE_LIST:
        add_list(b, value);
        break;
    case TYPE_ROW:
        add_row(b, value);
        break;
    }
}

/* Between two records of a chunk. A record alone, or the first one after chunk_begin's '[', has nothing
 * before it. */
static void add_comma(struct buf *b)
{
    if (b->len > 0 && b->data[b->len - 1] == '}')
        buf_add_char(b, ',');
}

static void add_record(struct buf *b, enum record_kind kind, const void *record)
{
    const struct record_type *type = &record_types[kind];
    bool first = true;
    add_comma(b);
    buf_add_char(b, '{');
    for (size_t i = 0; i < type->count; i++) {
        const struct field *f = &type->fields[i];
        const void *value = (const char *)record + f->offset;
        if (field_absent(f, value))
            continue;
        if (!first)
            buf_add_char(b, ',');
        first = false;
        add_field(b, f, value);
    }
    buf_add_char(b, '}');
}

void chunk_begin(struct buf *b, enum record_kind kind)
{
    buf_addf(b, "{\"v\":%d,\"kind\":\"%s\",\"records\":[", RECORD_VERSION, record_types[kind].kind);
}

void chunk_add_row(struct buf *b, const struct row_record *r)
{
    add_record(b, RECORD_ROWS, r);
}

void chunk_add_text(struct buf *b, const struct text_record *r)
{
    add_record(b, RECORD_TEXTS, r);
}

void chunk_add_step(struct buf *b, const struct step_record *r)
{
    add_record(b, RECORD_STEPS, r);
}

void chunk_add_inbound(struct buf *b, const struct inbound_record *r)
{
    add_record(b, RECORD_INBOUND, r);
}

void chunk_add_raw(struct buf *b, const char *record_json, size_t len)
{
    add_comma(b);
    buf_add(b, record_json, len);
}

void chunk_end(struct buf *b)
{
    buf_add(b, "]}", 2);
}

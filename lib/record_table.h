/* Inside of the codec: the table of fields that its two halves, writing (record.c) and reading
 * (record_decode.c), share. */
#pragma once
#include "lib/record.h"

enum field_type { TYPE_INT, TYPE_STR, TYPE_LIST, TYPE_ROW };

struct field {
    const char *name;
    const char *prefix; /* "name": with its quotes and colon */
    uint8_t prefix_len;
    uint8_t type;
    bool needed;
    uint16_t offset;
};

struct record_type {
    const char *kind;
    const struct field *fields;
    uint8_t count;
    size_t bytes;
};

#define RECORD_KINDS 4
extern const struct record_type record_types[RECORD_KINDS]; /* by enum record_kind */

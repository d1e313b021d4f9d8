/* A group of rows on its way into the ledger: keys, numbers and records of rows that may become messages, and
 * the rows that cannot. Pure: what a row is is decided here, what is new the database decides. */
#pragma once
#include "extract/key.h"
#include "extract/source.h"
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/conf.h"

#define GROUP_BYTES_MAX   (1u << 20)  /* of records: a group ends there even if it has few rows */
#define SKIP_NUMBER_BYTES 64          /* of what stands where a number should: more of it is left out */
#define ROW_BYTES_MAX     (64u << 10) /* of one record; a longer row is invalid, row_too_long */

/* How every record begins here: its sms_id comes from the database, which puts it in place of the 0
 * (group_enter.sql). */
#define GROUP_HEAD "{\"sms_id\":0"

/* What does not change from row to row of one run. */
struct reading {
    bool waves; /* the rule sends in waves: gateways are told beforehand */
    const struct conf_rule *rule;
    const char *country; /* of numbers in national form, "" none */
    const struct str_list *deliver_only_to;
    int64_t run_id, valid_until_ms;
    struct key_maker *keys;
    size_t number_at, *once_at; /* columns, found in the first row */
    bool columns_known;
    const char **once_values;
    struct row_cell *cells;
    size_t cells_max;
    int64_t *only_to; /* deliver_only_to as numbers */
    size_t only_count;
};
void reading_init(struct reading *r, const struct conf_rule *rule, const char *country,
                  const struct str_list *only_to);
void reading_deinit(struct reading *r);

struct group {
    size_t max, rows; /* rows: all of them */
    size_t count;     /* of rows that may become messages; arrays in step: */
    uint8_t (*keys)[KEY_SIZE];
    int64_t *numbers;
    int32_t *gateways; /* the place of its first gateway in the rule's route, from 1; 0: none, or the rule has
                          no waves */
    size_t *bodies_at; /* where each record begins in `bodies`, what follows GROUP_HEAD of it; each ends with
                          a NUL */
    struct buf bodies;
    size_t *exts_at; /* of tasks: where each ext_id begins in `exts`; each ends with a NUL */
    struct buf exts;
    size_t skipped;                  /* of rows that cannot; arrays in step: */
    char (*skip_keys)[KEY_HEX_SIZE]; /* "": the key's columns were missing */
    const char **skip_reasons;       /* constants */
    size_t *skip_numbers_at; /* where in `skip_numbers`: the number, or what stands in its place; "" none */
    struct buf skip_numbers; /* each ends with a NUL */
    struct buf record;       /* of one row, kept from row to row */
};
void group_init(struct group *g, size_t max_rows);
void group_deinit(struct group *g);
void group_clear(struct group *g);
bool group_is_full(const struct group *g);
enum { GROUP_NO_COLUMN = 1 }; /* *ret_missing: the column that the rule names and the SQL does not give */
int must_check group_add(struct group *g, struct reading *r, const struct source_row *row,
                         const char **ret_missing);

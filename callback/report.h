/* Delivery reports as a gateway writes them -> steps 102. Pure: the bytes of the request and the gateway's
 * configuration in, records or a reason out; no I/O, no log.
 *
 * A report holds one record or many. A record that cannot be understood (a status word that is not in the
 * gateway's file, a field missing) becomes a step 190 with the record's own bytes, and the others go on.
 * Where the whole cannot be read, one step 190 holds all of it: nothing that a gateway has told is lost. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/conf.h"
#include "lib/record.h"

#define REPORT_ERROR_MAX 500 /* bytes of the gateway's error text that are kept */

struct report_format; /* of one gateway, made from its configuration */
/* NULL: the configuration asks for what does not exist (a time zone); *ret_why says what, caller frees. */
struct report_format *report_format_new(const struct conf_gateway *g, char **ret_why);
void report_format_free(struct report_format *f);

struct report_request {
    const char *query; /* as it came, still percent-encoded; NULL: none */
    size_t query_len;
    const char *body;
    size_t body_len;
    bool form;  /* the body's type is application/x-www-form-urlencoded */
    int64_t at; /* when it was received, wall ms */
};

struct report {
    struct buf records; /* encoded steps, one a line (lib/record.h), ready for the journal */
    size_t understood;  /* steps 102 */
    size_t refused;     /* steps 190 for single records */
};
enum {
    REPORT_UNREADABLE = 1, /* not such a report; the one step 190 in it says why */
};
/* 0 or REPORT_UNREADABLE; *ret is filled in both cases (buf_deinit its records). */
int must_check report_parse(const struct report_format *f, const struct report_request *r,
                            struct report *ret);

/* ---- between report.c, report_list.c, report_json.c and report_time.c ---- */

struct report_fields { /* one record's fields as written, NUL-terminated; NULL or "": none */
    const char *msg_id, *number, *status, *time, *error, *reference;
};
struct report_parser {
    const struct report_format *format;
    struct report *report;
    int64_t at;
};
const struct conf_gateway *report_gateway(const struct report_format *f);
void report_add(struct report_parser *p, const struct report_fields *fields, const char *raw, size_t raw_len);
void report_refuse(struct report_parser *p, const char *reason, const char *error, const char *raw,
                   size_t raw_len);
/* NULL: all records were added (or refused singly). Else what is wrong with the whole; static. */
const char *report_parse_list(struct report_parser *p, const char *text, size_t len);
const char *report_parse_json(struct report_parser *p, const char *text, size_t len);

struct zone;
/* format: strptime's, "" seconds or milliseconds since 1970, "iso" RFC 3339. now_ms chooses where a reading
 * fits two moments (the hour that comes twice in autumn, a format without a year). False: it is no such time.
 */
bool report_time(const char *text, const char *format, const struct zone *zone, int64_t now_ms,
                 int64_t *ret_ms);
/* "+49…", "0049…", "49…" -> 49…; white space around it goes. 0: empty. -1: no such number. */
int64_t report_number(const char *text);

/* What a gateway posts -> records with named fields. Shared by reports and inbound messages: the keys are
 * those of struct conf_format, and the same in both sections. Pure: the bytes of the request and the
 * configuration in, encoded records for the journal out; no I/O, no log.
 *
 * A request holds one record or many. A record that cannot be understood becomes a step 190 with the record's
 * own bytes, and the others go on. Where the whole cannot be read, one step 190 holds all of it: nothing that
 * a gateway has told is lost. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/conf.h"
#include "lib/record.h"

struct format; /* one section (report, inbound) of one gateway, made ready */
/* NULL: the configuration asks for what does not exist (a time zone); *ret_why says what, caller frees.
 * `section`
 * ("report") is for messages and stays the caller's. */
struct format *format_new(const struct conf_gateway *g, const struct conf_format *c, const char *section,
                          char **ret_why);
void format_free(struct format *f);

struct posted {        /* one request */
    const char *query; /* as it came, still percent-encoded; NULL: none */
    size_t query_len;
    const char *body;
    size_t body_len;
    bool form;  /* the body's type is application/x-www-form-urlencoded */
    int64_t at; /* when it was received, wall ms */
};
struct parsed {
    struct buf records; /* encoded records, one a line (lib/record.h), ready for the journal; buf_deinit it */
    size_t understood;  /* records that were taken */
    size_t refused;     /* steps 190 for single records */
    bool empty;         /* it could be read and holds none: only who asked for it takes that for an answer */
};
struct format_record {
    const char *field[ROLE_COUNT]; /* as written, NUL-terminated; NULL or "": none */
    const char *raw;               /* the record's own bytes, for a person */
    size_t raw_len;
};
struct parsing { /* one call of format_parse */
    const struct format *format;
    const struct conf_gateway *gateway;
    struct parsed *parsed;
    int64_t at;
};
/* Takes one record: adds it to p->parsed->records with its line break (format_end_line) and counts it, or
 * refuses it. */
typedef void format_take(struct parsing *p, const struct format_record *r);
enum {
    FORMAT_UNREADABLE = 1, /* not such a body; the one step 190 in it says why */
};
/* 0 or FORMAT_UNREADABLE; *ret is filled in both cases. */
int must_check format_parse(const struct format *f, const struct posted *request, format_take *take,
                            struct parsed *ret);

/* ---- for those who take records ---- */

void format_end_line(struct parsing *p);
/* A step 190: `reason` is from a small set, `error` is for a person. */
void format_refuse(struct parsing *p, const char *reason, const char *error, const char *raw, size_t raw_len);
/* The record's field ROLE_TIME by the section's time_format and time_zone. 0 with *ret_ms 0: it has none.
 * False: it is no such time. */
bool format_record_time(const struct parsing *p, const struct format_record *r, int64_t *ret_ms);
/* "+49…", "0049…", "49…" -> 49…; white space around it goes. 0: empty. -1: no such number. */
int64_t format_number(const char *text);
static inline bool format_given(const char *s)
{
    return s && *s;
}

/* ---- between format.c and the file of each format ---- */

struct reading { /* what a format's reader needs */
    const struct conf_format *conf;
    const char *file; /* the gateway's, for messages */
    struct parsing *parsing;
    format_take *take;
    size_t shaped; /* records that had the shape of one */
};
void reading_take(struct reading *r, const struct format_record *record);
void reading_refuse(struct reading *r, const char *reason, const char *error, const char *raw,
                    size_t raw_len);
/* NULL: all records were taken or refused singly. Else what is wrong with the whole; static. */
const char *format_read_list(struct reading *r, const char *text, size_t len);
const char *format_read_json(struct reading *r, const char *text, size_t len);
const char *format_read_xml(struct reading *r, const char *text, size_t len);
const char *format_read_form(struct reading *r, const struct posted *request);

/* RFC 3986 section 2.1, and '+' for a space as forms write it. A percent sign that begins no escape is kept.
 */
void format_url_decode(struct buf *out, const char *s, size_t len);

struct zone;
/* format: strptime's, "" seconds or milliseconds since 1970, "iso" RFC 3339. now_ms chooses where a reading
 * fits two moments (the hour that comes twice in autumn, a format without a year). False: it is no such time.
 */
bool format_time(const char *text, const char *format, const struct zone *zone, int64_t now_ms,
                 int64_t *ret_ms);

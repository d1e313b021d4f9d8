/* The lines of the adapter protocol (docs/adapters.md): one JSON object each, both ways. Pure: text in,
 * values out, and back; no I/O, no log. Read strictly: what is not such a line is said with words, and never
 * taken for another value. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"

#define ADAPTER_VERSION    1
#define ADAPTER_LINE_MAX   ((size_t)262144)         /* bytes with the line feed, both ways */
#define ADAPTER_NUMBER_MAX ((INT64_C(1) << 53) - 1) /* of ids and tokens: exact in every JSON library */
#define ADAPTER_WHY_SIZE   200

enum adapter_kind {
    ADAPTER_HELLO = 1,
    ADAPTER_ACCEPTED,
    ADAPTER_REFUSED,
    ADAPTER_RETRY,
    ADAPTER_IN_DOUBT,
    ADAPTER_REPORT,
    ADAPTER_INBOUND,
    ADAPTER_PING,
    ADAPTER_PONG,
    ADAPTER_ERROR,
};

/* ---- from the adapter ---- */

struct json_object;
struct adapter_line {
    enum adapter_kind kind; /* 0: not known */
    int64_t id;             /* 0: not given; the same for the other numbers */
    int64_t token, version, at;
    int64_t retry_after_ms; /* -1: not given */
    bool throttled, elsewhere;
    const char *msg_id, *seq_id, *reason, *error, *status, *number, *from, *to, *text, *name; /* NULL: none */
    struct json_object *root; /* owns the strings */
};
enum {
    ADAPTER_UNREADABLE = 1, /* no JSON object, or one without a kind */
    ADAPTER_UNKNOWN = 2,    /* a kind that is not known */
    ADAPTER_BAD = 3,        /* a field of it is missing, or not what it must be; id and token are there if
                               they could be read */
};
/* A line without its line feed. Not 0: ret_why says what is wrong with it and holds nothing of its values.
 * *ret is to be freed in each case. */
int must_check adapter_line_read(const char *text, size_t len, struct adapter_line *ret,
                                 char ret_why[ADAPTER_WHY_SIZE]);
void adapter_line_free(struct adapter_line *l);

/* ---- to the adapter: each appends one line with its line feed ---- */

struct adapter_hello {
    const char *gateway;
    unsigned window;
    int64_t answer_timeout_ms, ping_interval_ms;
};
void adapter_add_hello(struct buf *b, const struct adapter_hello *h);
struct adapter_submit {
    int64_t id, number, segments, valid_until;
    const char *seq_id, *text, *sender, *encoding;
};
void adapter_add_submit(struct buf *b, const struct adapter_submit *s);
void adapter_add_kept(struct buf *b, int64_t token, bool kept);
void adapter_add_ping(struct buf *b, int64_t id);
void adapter_add_pong(struct buf *b, int64_t id); /* id 0: the ping had none */
/* id, token: of the line that is meant, 0: none of its own. */
void adapter_add_error(struct buf *b, const char *reason, const char *error, int64_t id, int64_t token);

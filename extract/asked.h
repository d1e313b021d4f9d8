/* Messages on demand: what every door (HTTP, the queue, `smschain send`) does with a request. One is read and checked
 * (asked_read: pure, by really rendering it), then entered (asked_submit: one writer a process, all that waits in one
 * transaction), and answered after the commit. The same idempotency key is entered once, whoever brings it how often.
 *
 *   parse -> caller -> rate (HTTP) -> asked_read -> problems: refused, but the same key asked before gets its old answer
 *                                         -> asked_submit -> the writer's thread calls back with the answer
 *
 * A request is a JSON object: recipient, template and params, or text; lane, route, valid_for, send_at, ext_id. */
#pragma once
#include "extract/confhold.h"
#include "extract/history_guard.h"
#include "extract/key.h"
#include "lib/buf.h"
#include "lib/db.h"

struct json_object;

#define ASKED_BODY_MAX (64u << 10) /* bytes of one request */
#define ASKED_KEY_MAX  255         /* bytes of an idempotency key */
#define ASKED_EXT_MAX  100         /* bytes of an ext_id */

/* ---- a configuration made ready: callers, compiled templates. Never changed, counted, read by all threads ---- */
struct asked_conf;
/* Holds `hold` by itself. NULL: why says what is wrong with the templates. */
struct asked_conf *asked_conf_new(struct confhold *hold, struct buf *why);
struct asked_conf *asked_conf_ref(struct asked_conf *c);
void asked_conf_unref(struct asked_conf *c); /* NULL is allowed */
const struct conf *asked_conf_conf(const struct asked_conf *c);
/* Whose API key this is; compared in constant time. NULL: nobody's. */
const struct conf_caller *asked_caller_by_key(const struct asked_conf *c, const char *api_key);
/* Whose requests come from this user of the broker; NULL or "" : extract.door_caller's. NULL: nobody's. */
const struct conf_caller *asked_caller_by_user(const struct asked_conf *c, const char *broker_user);

/* The configuration in force. SIGHUP sets another: requests that are being read keep theirs. Thread-safe. */
struct asked_current;
struct asked_current *asked_current_new(struct asked_conf *first); /* takes it */
void asked_current_free(struct asked_current *c);
void asked_current_set(struct asked_current *c, struct asked_conf *next);  /* takes it */
struct asked_conf *asked_current_take(struct asked_current *c);            /* yours to unref */

/* ---- how fast a caller may ask over HTTP, in this process; outlives a reload. Thread-safe ---- */
struct asked_rates;
struct asked_rates *asked_rates_new(void);
void asked_rates_free(struct asked_rates *r);
/* Takes n messages' worth of the caller's rate: 0, or so many ms until they may be asked for again. */
int64_t asked_rate_take(struct asked_rates *r, const struct conf_caller *caller, int64_t n, int64_t now_mono_ms);

/* ---- reading a request ---- */
struct asked_problem {
    unsigned status;  /* of HTTP: 422, 403 */
    const char *type; /* a constant: "unknown_member", "missing_parameter", "too_short" … */
    char *pointer;    /* RFC 6901, into the request: "/params/name"; "" the request itself */
    char *detail;     /* for a person; holds neither the recipient nor a parameter's value nor the text */
};
struct asked_problems {
    struct asked_problem *items;
    size_t count;
};
void asked_problems_deinit(struct asked_problems *p);

/* One JSON value, not null, strict, UTF-8, nested 16 deep at most, each name once in its object; *ret is yours
 * (json_object_put). -EINVAL: *ret_why says where. */
int must_check asked_parse(const void *body, size_t len, struct json_object **ret, char **ret_why);

/* A JSON string's text; NULL: it is no string, or holds U+0000, where a C string would end. */
const char *asked_string(struct json_object *value);

struct asked; /* one request, ready to be entered, or only to be looked up */
void asked_free(struct asked *a);
/* Reads and checks one. key: the idempotency key; NULL: none was given, a random one is made. Never fails: with problems
 * the result can be submitted all the same, and enters nothing; it is answered as the first request of that key
 * was, or ASKED_UNKNOWN. So whoever asks again gets the answer that he got, whatever has changed since. */
struct asked *asked_read(const struct asked_conf *c, const struct conf_caller *caller, struct json_object *request,
                         const char *key, int64_t now_ms, struct asked_problems *ret);

/* ---- entering ---- */
enum asked_outcome {
    ASKED_NEW,        /* entered: sms_id */
    ASKED_SAME,       /* the same request was entered by this key: its sms_id */
    ASKED_OTHER,      /* by this key another request was asked: refuse (422) */
    ASKED_USED,       /* by this key sms_id was entered so long ago that its request is not kept: refuse (422) */
    ASKED_SUPPRESSED, /* the number is suppressed, or was when this was asked first (422) */
    ASKED_CAPPED,     /* over daily_cap: retry_after_s to midnight UTC (429) */
    ASKED_HELD,       /* the caller is held, or its run of today cancelled, by a person: why (503) */
    ASKED_UNKNOWN,    /* it had problems, and its key was never asked before: the problems are the answer */
    ASKED_AWAY,       /* the database is away or its history not accepted: why; nothing is known to be entered (503) */
    ASKED_FAILED,     /* the database refuses this very request: why (500) */
};
struct asked_answer {
    enum asked_outcome outcome;
    int64_t sms_id;
    int64_t retry_after_s;
    char why[200];
};
const char *asked_outcome_word(enum asked_outcome o); /* "suppressed" */

struct asked_writer_options {
    const struct conf_main *main; /* copied */
    struct history_guard *history; /* NULL: not asked */
    void (*committed)(void *arg);  /* NULL: none; after a commit with messages that may leave at once */
    void *arg;
};
struct asked_writer;
struct asked_writer *asked_writer_start(const struct asked_writer_options *o);
/* What was taken is answered, after deadline_ms with ASKED_AWAY; nothing more is taken. Frees it. */
void asked_writer_stop(struct asked_writer *w, int64_t deadline_ms);
typedef void asked_answered(void *arg, const struct asked_answer *answer);
enum { ASKED_FULL = 1 }; /* too many wait: say 503, the request stays yours */
/* Takes a. `answered` is called once, from the writer's thread, after the commit: soon, and within ASKED_WAIT_MS and a
 * statement's time-out in any case. It must not wait. */
#define ASKED_WAIT_MS 5000
int must_check asked_submit(struct asked_writer *w, struct asked *a, asked_answered *answered, void *arg);

/* The writer's one statement, for who has a connection of his own (`smschain send`). No two of the same key (asked_same_key).
 * 0, or as db_run: then nothing is known of any of them. */
int must_check asked_enter(struct db *d, struct asked *const *asked, size_t count, struct asked_answer *ret);
bool asked_same_key(const struct asked *a, const struct asked *b);

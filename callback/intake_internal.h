/* Between the intake's parts: intake.c runs the server, intake_request.c answers requests, intake_watch.c
 * ends those that take too long. */
#pragma once
#include "callback/intake.h"
#include "callback/intake_limit.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

struct watched { /* one connection */
    struct watched *next, **at;
    struct MHD_Connection *connection;
    int fd;
    int64_t request_ms; /* since when a request is being read or answered; 0: between requests */
    int64_t rest_ms;    /* since when it is between requests */
    bool kept;          /* its report waits for the disk, which is not the client's fault */
    bool ended;
    struct address peer;
    bool counted; /* among its address's connections */
};
struct watch {
    pthread_mutex_t lock;
    struct watched *first;
    int64_t limit_ms;
    atomic_int_fast64_t ended, count;
};
void watch_init(struct watch *w, int64_t limit_ms);
void watch_deinit(struct watch *w);
struct watched *watch_add(struct watch *w, struct MHD_Connection *connection);
void watch_remove(struct watch *w, struct watched *c);
void watch_request(struct watch *w, struct watched *c); /* the first line of a request was read */
void watch_rest(struct watch *w, struct watched *c);    /* it is answered */
void watch_kept(struct watch *w, struct watched *c, bool kept);
/* Shuts down every connection whose request is older than the limit; call it about every second. */
void watch_check(struct watch *w);

/* What may be posted: one row of intake_sections each. */
struct intake_section {
    const char *path; /* "/report/": what the address begins with */
    const struct posts *(*posts)(const struct gateway *g);
    /* As format_parse. */
    int (*parse)(const struct format *f, const struct posted *request, struct parsed *ret);
};
extern const struct intake_section intake_sections[]; /* ends with path NULL */

struct intake {
    struct intake_options o;
    struct MHD_Daemon *daemon;
    int listen_fd, port;
    struct watch watch;
    pthread_t watch_thread;
    bool watch_runs;
    atomic_bool stopping, keeps;
    atomic_int_fast64_t open_requests, in_journal;
    atomic_int_fast64_t answered[6]; /* by the first digit of the status */
    atomic_int_fast64_t reports, unreadable, refused, not_kept, unauthorized, over_limit;
    struct limit *limit;        /* only the server's thread uses these two */
    int64_t said_ms, said_more; /* when a refusal was logged last, and how many were not since */
};

struct request {
    struct intake *intake;
    struct watched *watched;
    struct MHD_Connection *connection;
    char *query; /* as it came; NULL: none */
    char *token; /* what follows the gateway's name in the address; NULL: nothing */
    struct buf body;
    bool form;
    struct address address; /* who posts, behind trusted proxies */
    bool counted;           /* among its address's requests */
    const struct intake_section *section;
    const struct gateway *gateway;
    const struct posts *posts; /* of that section and gateway */
    struct gateways *gateways; /* the set they are of */
    unsigned status;           /* of what was handed to the journal */
    size_t understood;
    int kept; /* the journal's answer */
    bool last; /* where its end was is not certain: nothing more is read on this connection */
    bool seen, in_journal, journal_said;
};

/* intake_answer.c. Of a refusal `error` is a sentence without its full stop; the connection is closed after
 * it, since whatever follows on it is not to be trusted, or not wanted. */
enum MHD_Result intake_say(struct request *r, unsigned status, const char *text);
enum MHD_Result intake_reply(struct request *r);
enum MHD_Result intake_unreadable(struct request *r);
enum MHD_Result intake_refuse(struct request *r, unsigned status, const char *error);

/* intake_head.c: what may be refused before the body has come, and afterwards by its signature. True:
 * answered, with *ret. */
bool intake_head_refused(struct request *r, const char *url, const char *method, enum MHD_Result *ret);
bool intake_signature_refused(struct request *r, int64_t at, enum MHD_Result *ret);
int64_t intake_body_max(const struct request *r);

/* For MHD_start_daemon. */
enum MHD_Result intake_answer(void *arg, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **context);
void *intake_request_begins(void *arg, const char *uri, struct MHD_Connection *connection);
void intake_request_ends(void *arg, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why);

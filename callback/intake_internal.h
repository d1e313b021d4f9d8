/* Between the intake's parts: intake.c starts and ends it, intake_head.c decides who may post,
 * intake_request.c keeps what is posted, intake_answer.c says so. */
#pragma once
#include "callback/intake.h"
#include "lib/httpd.h"

#include <pthread.h>
#include <stdatomic.h>

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
    struct httpd *server;
    atomic_bool keeps;
    atomic_int_fast64_t reports, unreadable, refused, not_kept, unauthorized;
    pthread_mutex_t said;       /* of the next two */
    int64_t said_ms, said_more; /* when a refusal was logged last, and how many were not since */
};

struct request {
    struct intake *intake;
    struct httpd_request *http;
    char *token;            /* what follows the gateway's name in the address; NULL: nothing */
    struct address address; /* who posts, behind trusted proxies */
    const struct intake_section *section;
    const struct gateway *gateway;
    const struct posts *posts; /* of that section and gateway */
    struct gateways *gateways; /* the set they are of */
    bool readable;             /* what was handed to the journal */
    size_t understood;
    bool kept; /* the journal has it, and it is answered as such */
};

/* intake_answer.c. Of a refusal `error` is a sentence without its full stop; the connection is closed after
 * it, since whatever follows on it is not to be trusted, or not wanted. After any of them the request may be
 * gone. */
void intake_say(struct request *r, unsigned status, const char *text);
void intake_reply(struct request *r);
void intake_unreadable(struct request *r);
void intake_refuse(struct request *r, unsigned status, const char *error);

/* intake_head.c: what may be refused before the body has come, and afterwards by its signature. True:
 * answered. */
bool intake_head_refused(struct request *r);
bool intake_signature_refused(struct request *r, int64_t at);

/* intake_request.c: for httpd_options; arg is the intake. */
bool intake_head(void *arg, struct httpd_request *http);
void intake_whole(void *arg, struct httpd_request *http);
void intake_server_refuses(void *arg, struct httpd_request *http, unsigned status, const char *error);
void intake_ended(void *arg, struct httpd_request *http);

/* Between the files of the API: api.c listens and sends each request to its route, api_post.c takes messages,
 * api_message.c shows and cancels one, api_work.c has the threads that may wait, api_answer.c writes what is
 * answered. */
#pragma once
#include "extract/api.h"
#include "lib/httpd.h"
#include "lib/log.h"
#include "lib/seq_id.h"

#include <pthread.h>
#include <stdatomic.h>

#define API_BATCH_MAX    1000 /* messages a batch */
#define API_RETRY_S      "5"  /* when to come again where we cannot know */
#define API_STATEMENT_MS 10000

struct api_request;
struct api_work;
struct api_route {
    const char *method, *path; /* "/v1/messages/": an sms_id follows */
    bool has_body;
    void (*take)(struct api_request *r); /* on the server's thread; answers now or later */
};

struct api {
    struct api_options o;
    struct asked_conf *start; /* addresses and logins are those of its start */
    const struct conf_main *main;
    struct httpd *server;
    struct api_work *work;
    pthread_mutex_t lock; /* of the next five */
    struct network *trusted;
    size_t trusted_count;
    int64_t said_ms, said_more; /* when a wrong key was logged last, and how many were not since */
    struct log_trouble database_trouble;
    struct series *answered[6], *took, *unauthorized; /* answered: by the first digit of the status */
};

struct api_item { /* one message of a request */
    struct api_request *request;
    size_t index;
    struct asked_problems problems;
    struct asked_answer answer;
    bool full; /* too many wait */
};

struct api_request {
    struct api *api;
    struct httpd_request *http;
    struct asked_conf *conf; /* in force when it came */
    const struct conf_caller *caller;
    const struct api_route *route;
    int64_t since_ms;
    int64_t sms_id; /* of the address */
    struct api_item *items;
    size_t item_count;
    atomic_size_t open; /* items without an answer yet, and one while they are being handed over */
    void (*work)(struct api_request *r, struct db *d);
    bool reads_database;
    struct api_request *next; /* in the queue of api_work */
};

/* ---- api_answer.c: after any of these the request may be gone ---- */
void api_answer(struct api_request *r, unsigned status, struct buf *json);
/* RFC 9457. type: a word, "unknown_template"; pointer: NULL where it is about no member. */
void api_problem(struct api_request *r, unsigned status, const char *type, const char *pointer,
                 const char *detail);
/* The same for what comes without a request of ours: what the server itself refuses. `field`: NULL, or one
 * more. */
void api_problem_to(struct httpd_request *http, unsigned status, const char *type, const char *detail,
                    const struct httpd_field *field);
void api_answer_one(struct api_request *r);   /* its only item is answered */
void api_answer_batch(struct api_request *r); /* all of its items are */
void api_answer_retry(struct api_request *r, unsigned status, const char *type, int64_t after_s,
                      const char *detail);

/* ---- api_post.c ---- */
void api_post_one(struct api_request *r);
void api_post_batch(struct api_request *r);
void api_items_free(struct api_request *r);

/* ---- api_message.c ---- */
void api_get(struct api_request *r);
void api_delete(struct api_request *r);

/* ---- api_work.c: a few threads, each with a connection to the database, for what takes its time ---- */
struct api_work *api_work_start(struct api *a);
/* Says once that a statement has failed, and once that the next has not. Gives -EIO for a failure. */
int must_check api_work_said(struct api *a, struct db *d, int result);
void api_work_stop(struct api_work *w); /* nothing is asked of it any more; NULL is fine */
/* Calls work(r, d) on such a thread; where too many wait, or the database is away while it is to be read, the
 * request is answered so (503). */
void api_work_take(struct api_work *w, struct api_request *r, bool reads_database,
                   void (*work)(struct api_request *r, struct db *d));

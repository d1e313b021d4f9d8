/* Threads that make pages, each with its own connection to the database: the server's thread never waits for
 * one. What waits for a thread is bounded; above it the answer is 503 at once. */
#pragma once
#include "dashboard/access.h"
#include "dashboard/page.h"

struct workers;
struct job {
    struct httpd_request *request;
    const struct route *route;
    char *path, *id;
    struct query query, form;
    struct who who;
    struct job *next;
};
struct workers *workers_start(const struct conf_main *m, struct rates *rates, struct depths *depths);
/* Takes the job. False: too many wait, it is freed and not answered. */
bool workers_add(struct workers *w, struct job *j);
void workers_stop(struct workers *w); /* what waits is answered first */
void job_free(struct job *j);

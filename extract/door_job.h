/* One delivery of the door on its way: what it asks for, and what becomes of it. Pure, but for the memory. */
#pragma once
#include "extract/asked.h"
#include "lib/mq.h"

#include <sys/queue.h>

struct door_job {
    LIST_ENTRY(door_job) link; /* of all that the door has */
    struct door_job *next;     /* of those that are answered */
    struct door *door;
    struct mq_delivery delivery;
    char *key;                   /* idempotency key */
    char *caller;                /* NULL: not known */
    struct json_object *request; /* NULL: the body cannot be read, or is none */
    char *task_id;               /* it is a task's sign; NULL: it is none */
    struct asked_problems problems;
    struct asked *asked; /* read, not submitted yet */
    struct asked_answer answer;
};

enum { DOOR_REFUSED = 1 };
/* Whose it is, its key, its JSON. DOOR_REFUSED: *ret_why (yours) says why it is no request. our_user: who is
 * believed about the caller, since it is our own outbox that gives a refused request back. */
int must_check door_job_read(struct door_job *j, const struct asked_conf *c, const char *our_user,
                             char **ret_why);
/* Why the writer's answer is a refusal, with all the problems; yours. NULL: it is none. */
char *door_job_refusal(const struct door_job *j);
/* What goes into sms.dead: the body, with whose it was and its key, so that it can be given back; as it came,
 * where it could not be read. */
void door_job_dead_body(const struct door_job *j, struct buf *out);
void door_job_free(struct door_job *j); /* takes it out of its list */

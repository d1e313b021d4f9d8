/* The HTTP API by which other systems ask for messages: POST /v1/messages and /v1/messages/batch, GET and
 * DELETE /v1/messages/{sms_id} (docs/api.md, docs/openapi.yaml). It reads and answers; what is asked goes the
 * way of every door, extract/asked.h. */
#pragma once
#include "extract/asked.h"

struct api;
struct api_options {
    struct asked_current *current; /* whose keys are whose */
    struct asked_rates *rates;
    struct asked_writer *writer;
    struct history_guard *history;
};
/* 0: listens; *ret is NULL where extract.api.listen is empty. < 0: *ret_why says why not (caller frees). */
int must_check api_start(const struct api_options *o, struct api **ret, char **ret_why);
/* After another configuration is in force: trusted proxies, certificate. False: *ret_why says what is wrong
 * with the certificate, the one before stays. */
bool api_reload(struct api *a, char **ret_why);
/* Takes no new connection, answers what was asked: the writer must still be at work. NULL is fine, for the
 * next too. */
void api_stop(struct api *a, int64_t deadline_ms);
void api_free(struct api *a);

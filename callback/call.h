/* A request that callback makes by itself (a look-up, a poll): templates compiled once, built and sent many
 * times, one after the other. One thread a call. */
#pragma once
#include "lib/conf.h"
#include "lib/http.h"

#define CALL_ANSWER_MAX (4u << 20)

struct call_value {
    const char *name, *value; /* a name that a template may use */
};
struct call;
/* `section` ("lookup") is for messages. c outlives it. NULL: *ret_why says what is wrong, with the file's
 * line (caller frees). */
struct call *call_new(const struct conf_gateway *g, const struct conf_call *c, const char *section,
                      char **ret_why);
void call_free(struct call *c);
/* Sends it and waits for the answer. False: there is none that can be read; *ret_why (until the next call)
 * says why, without a secret or a value. go_on as in lib/http.h. */
bool call_ask(struct call *c, const struct call_value *values, size_t count, bool (*go_on)(void *arg),
              void *arg, struct http_result *ret, const char **ret_why);

/* An answer that tells of every message by itself (`is: results`): which record is whose, and what it says,
 * by the lines of `results.answer`. What no record names, or more than one, is in doubt. Pure. */
#pragma once
#include "dispatch/answer.h"
#include "dispatch/gateway.h"

struct results;
/* 0 with *ret NULL: the configuration has none. < 0: *ret_why says what is wrong (caller frees). */
int must_check results_compile(const struct conf_gateway *g, struct results **ret, char **ret_why);
void results_free(struct results *r);

/* An outcome for each of the request's items, in their order; free(). */
struct gateway_outcome *results_read(const struct results *r, int status, const char *body, size_t len,
                                     const struct gateway_request *q);

/* A gateway's submit request: lib/request.h over the values of its messages. Names in the templates: number,
 * numbers (a list), text, sender, seq_id, encoding, segments of the one message or of the first; request_id
 * (the seq_id of the first: it names this request and no other); messages: `message` made for each, joined.
 */
#pragma once
#include "lib/request.h"

struct submit_template;
/* < 0: *ret_why says what is wrong and where (caller frees). */
int must_check submit_compile(const struct conf_gateway *g, struct submit_template **ret, char **ret_why);
void submit_template_free(struct submit_template *t);
void submit_init(struct request *r, const struct submit_template *t);

struct submit_message {
    int64_t number;
    const char *text, *sender, *encoding, *seq_id;
    int64_t segments;
};
struct submit_values {
    const struct submit_message *messages;
    size_t count;      /* > 0 */
    int64_t now_ms;    /* wall */
    const char *nonce; /* NULL: a random one */
};
/* -EINVAL: these values make no request (r->error). */
int must_check submit_build(const struct submit_template *t, const struct submit_values *v,
                            struct request *r);

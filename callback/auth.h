/* Who posts: credentials against a gateway's configuration. Pure.
 * Everything that is configured must be right: token, basic, signature. Of each two values may be valid at a
 * time, so that a secret can be changed without a gap. Secrets are compared as digests in constant time. */
#pragma once
#include "lib/address.h"
#include "lib/conf.h"

struct auth_request {
    const char *token; /* what follows /report/<gateway>/ in the address; "" none */
    /* A header's value, of any case; NULL: it is not there. */
    const char *(*header)(const void *arg, const char *name);
    const void *arg;
    /* Once the body is there: */
    const char *query, *body; /* query as it came, NULL: none */
    size_t query_len, body_len;
    int64_t at; /* wall ms */
};

bool auth_configured(const struct conf_auth *a); /* it has some credential at all */
bool auth_signs(const struct conf_auth *a);      /* what it posts is signed */
/* Is the query covered by what is asked for? If not, a signed post's query is nobody's word. */
bool auth_covers_query(const struct conf_auth *a);
/* Token and basic; true where neither is asked for. */
bool auth_head(const struct conf_auth *a, const struct auth_request *r);
bool auth_has_head(const struct conf_auth *a); /* asks for token or basic */
/* The signature. NULL: it is right, or none is asked for. Else what is wrong, static. */
const char *auth_signature(const struct conf_auth *a, const struct auth_request *r);

/* One section of one gateway that takes what the gateway posts (report, inbound), made ready once: its
 * format, who may post, what is answered. */
#pragma once
#include "callback/auth.h"
#include "callback/format.h"

struct template;
struct posts {
    const struct conf_gateway *gateway; /* borrowed, as all of the configuration */
    const struct conf_posts *conf;
    const struct conf_auth *auth; /* its own, or where it has none the section report's */
    struct format *format;
    struct network *networks; /* auth.addresses; none: any */
    size_t network_count;
    struct template *reply, *reply_error;
};
/* NULL: the configuration asks for what does not exist; *ret_why says what, caller frees. */
struct posts *posts_new(const struct conf_gateway *g, const struct conf_posts *c, const char *section,
                        char **ret_why);
void posts_free(struct posts *p);
bool posts_open(const struct posts *p); /* somebody may post: else there is no such address */

/* The body of our answer, the caller's. */
char *posts_reply(const struct posts *p, size_t count);
char *posts_refusal(const struct posts *p, unsigned status, const char *error);

/* Networks from their words, checked where the configuration is read. */
struct network *networks_of(const struct str_list *words, size_t *ret_count);

/* The page's server: who asks for what, and may they. Files and the sign-in are answered at once, pages are
 * made by the workers, live ones go on by the sampler. */
#pragma once
#include "dashboard/live.h"
#include "dashboard/worker.h"

struct server_options {
    struct workers *workers;
    struct live *live;
};
struct server;
int must_check server_start(const struct server_options *o, struct server **ret, char **ret_why);
int server_port(const struct server *s);
int must_check server_reload(struct server *s, char **ret_why);
void server_stop(struct server *s,
                 int64_t deadline_ms); /* before the workers: what was read is answered by them */
void server_free(struct server *s);

/* How much of one address is going on at a time: connections, or behind a trusted proxy requests. Used by the
 * server's thread only. */
#pragma once
#include "lib/address.h"

struct httpd_limit;
struct httpd_limit *httpd_limit_new(void);
void httpd_limit_free(struct httpd_limit *l);
bool httpd_limit_has_room(struct httpd_limit *l, const struct address *a, int64_t most);
void httpd_limit_take(struct httpd_limit *l, const struct address *a);
void httpd_limit_give(struct httpd_limit *l, const struct address *a);

/* HOST:PORT -> socket addresses, without waiting for anybody: a name is looked up by the C library's own
 * threads. */
#pragma once
#include "lib/base.h"

struct addrinfo;
struct smpp_resolve;
struct smpp_resolve *smpp_resolve_begin(const char *host_port);
void smpp_resolve_free(struct smpp_resolve *r); /* and what it has found */

#define SMPP_RESOLVE_LOOK_MS 20 /* how often to ask */
enum { SMPP_RESOLVE_WAITS = 1 };
/* 0: *ret is a list of them. < 0: *ret_why says why there is none (constant). */
int must_check smpp_resolve_turn(struct smpp_resolve *r, const struct addrinfo **ret, const char **ret_why);
/* "smpp.example.com" of "smpp.example.com:2775", "2001:db8::1" of "[2001:db8::1]:2775". */
void smpp_resolve_host(const char *host_port, char *out, size_t size);

/* The names and values behind the ? of an address, and of a form: "a=1&b=x+y". Pure. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"

#define QUERY_MAX 32 /* pairs; what is beyond is left out */
struct query {
    struct query_pair {
        char *name, *value; /* decoded; never NULL */
    } pairs[QUERY_MAX];
    size_t count;
};
/* Percent-encoding that is none stays as it is; U+0000 and what is not UTF-8 makes the pair be left out. */
void query_read(const char *text, size_t len, struct query *ret);
void query_deinit(struct query *q);
const char *query_get(const struct query *q, const char *name); /* the first one; "" if there is none */
bool query_has(const struct query *q, const char *name);
/* A whole number of the given range; fallback where there is none. False: it is none, or out of the range. */
bool query_number(const struct query *q, const char *name, int64_t fallback, int64_t min, int64_t max,
                  int64_t *ret);
/* One piece of an address, decoded. NULL: it can be none. */
char *query_decode(const char *text, size_t len, bool form);

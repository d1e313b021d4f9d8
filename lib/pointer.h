/* A value in a JSON text, found by a JSON pointer (RFC 6901). The number is given as it was written: ids of
 * gateways are longer than 64 bits, and a parser that makes numbers of them changes them. Pure: no I/O, no
 * log. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"

enum {
    POINTER_MISSING = 1, /* good JSON, but nothing is there */
    POINTER_BAD = 2,     /* not JSON, or nested deeper than POINTER_DEPTH_MAX */
};
#define POINTER_DEPTH_MAX 64

/* Appends to out: a string unescaped and without its quotes; numbers, true, false, null, arrays and objects
 * as they were written. The whole text is looked at: a cut-off body is POINTER_BAD even if the value came
 * before the cut. */
int must_check pointer_read(const char *json, size_t len, const char *pointer, struct buf *out);
/* Each item of an array, as it was written; anything else is one item itself. The whole text is looked at
 * first: POINTER_BAD, and no item is given. */
int must_check pointer_items(const char *json, size_t len,
                             void (*each)(void *arg, const char *item, size_t item_len), void *arg);

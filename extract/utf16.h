/* UTF-8 and UTF-16, as ODBC drivers speak it. Pure. What is no character, and U+0000, becomes U+FFFD: a value
 * ends at its end, not at a zero in its middle. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"

/* Appends a piece. *high keeps a first half of a pair from one piece to the next; 0 before the first piece.
 */
void utf16_add(struct buf *out, const uint16_t *units, size_t count, uint16_t *high);
void utf16_end(struct buf *out, uint16_t *high); /* after the last piece */
/* Ends with a zero; the caller's, free(). *ret_units may be NULL. */
uint16_t *utf16_of(const char *utf8, size_t *ret_units);

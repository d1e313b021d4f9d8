/* HTML into a buffer. What comes from outside goes through %s of htmlf or through html_text, which escape it;
 * buf_add_str is for markup that stands in the code. Pure. */
#pragma once
#include "lib/base.h"
#include "lib/buf.h"

/* Text, fit for an element and for a quoted attribute. Bytes that are not UTF-8, and characters that no page
 * may hold, become U+FFFD. */
void html_text(struct buf *out, const char *s);
/* As printf, %s escaped. Knows %s, %d, %u, %zu, %ld, %lld (so also PRId64), %.Nf and %%. */
void htmlf(struct buf *out, const char *format, ...) printf_like(2, 3);
/* <a href="PREFIX…NAME…">text</a>, the name percent-encoded. */
void html_link(struct buf *out, const char *prefix, const char *name, const char *text);

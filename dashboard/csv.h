/* CSV as RFC 4180 has it, safe to be opened in a spreadsheet: a cell that would be taken for a formula gets
 * an apostrophe before it. Pure. */
#pragma once
#include "lib/buf.h"

void csv_add_line(struct buf *b, const char *const *cells, size_t count);

/* Typographic characters and their equals in the GSM 7-bit default alphabet: quotes, dashes, the ellipsis,
 * spaces of all widths, characters that show nothing, ligatures, letters written as letter and mark. Pure.
 * docs/templates.md has the table. */
#pragma once
#include "lib/buf.h"

/* Replaces them in a text (UTF-8) if that makes it GSM 7-bit; otherwise nothing would be gained, and the text
 * stays as it is. */
void smart_replace(struct buf *text);

/* How a text travels: in the GSM 7-bit default alphabet (3GPP TS 23.038) if it can, else in UCS-2, and how
 * many segments that makes. Pure. A segment ends before a character that does not fit whole: neither an
 * escape and the character it announces nor the two halves of a surrogate pair are ever parted. */
#pragma once
#include "lib/base.h"

enum text_encoding { TEXT_GSM7, TEXT_UCS2 };
const char *text_encoding_word(enum text_encoding e); /* "gsm7", "ucs2" */

#define TEXT_SEGMENTS_MAX 255 /* the header of a concatenated message counts no further */

struct text_shape {
    enum text_encoding encoding;
    size_t units;    /* septets (an escaped character has two) or UTF-16 code units */
    size_t segments; /* at least 1 */
};
/* False: this is not UTF-8. */
bool text_measure(const char *utf8, size_t len, struct text_shape *ret);

/* The characters for which a text has to be UCS-2, each once, in order of first use: at most `max` of them go
 * to `ret`. Returns how many went there; 0 for a text in GSM 7-bit. */
size_t text_beyond_gsm7(const char *utf8, size_t len, uint32_t *ret, size_t max);

/* Character by character, with what each costs and which segment it goes into. */
struct text_walk {
    const unsigned char *at, *end;
    enum text_encoding encoding;
    size_t part, filled, segment;
};
struct text_character {
    const char *bytes;
    size_t len;
    uint32_t code;
    unsigned units;   /* places it takes: 1, or 2 */
    bool beyond_gsm7; /* it forces UCS-2 */
    size_t segment;   /* from 0 */
};
void text_walk_begin(struct text_walk *w, const char *utf8, size_t len, const struct text_shape *shape);
bool text_walk_next(struct text_walk *w, struct text_character *ret); /* false: the end */

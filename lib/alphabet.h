/* Characters of UTF-8 and their codes in the GSM 7-bit default alphabet (3GPP TS 23.038, 6.2.1). Pure. */
#pragma once
#include "lib/base.h"

/* The next character of well-formed UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF); p < end.
 */
bool utf8_next(const unsigned char **p, const unsigned char *end, uint32_t *ret);

#define GSM7_NONE   0xffff /* not in the alphabet */
#define GSM7_ESCAPE 0x1b   /* announces a character of the extension table */

extern const uint16_t gsm7_of_ascii[128];
uint16_t gsm7_beyond_ascii(uint32_t c);
/* Its septet; one of the extension table with GSM7_ESCAPE in the high octet; or GSM7_NONE. Inline, since
 * nearly all of nearly every text is ASCII. */
static inline uint16_t gsm7_code(uint32_t c)
{
    return c < 128 ? gsm7_of_ascii[c] : gsm7_beyond_ascii(c);
}
/* How many septets that code takes: 0 (none), 1 or 2. */
static inline unsigned gsm7_septets(uint16_t code)
{
    return code == GSM7_NONE ? 0 : code >= GSM7_ESCAPE << 8 ? 2 : 1;
}
/* The character of a septet below 128. What the extension table has not is shown as the basic one (6.2.1.1).
 */
uint32_t gsm7_character(uint8_t septet, bool escaped);

/* Ids of any length: the numeral is kept in limbs of nine decimal digits, which needs no big-number library.
 */
#include "callback/msg_id.h"

#include <ctype.h>
#include <stdio.h>

#define LIMB       1000000000u
#define LIMBS_MAX  36 /* 324 digits */
#define HEX_DIGITS "0123456789abcdefABCDEF"

bool msg_id_form_parse(const char *word, enum msg_id_form *ret)
{
    static const char *const words[] = {"as_given", "hex", "decimal"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (enum msg_id_form)i;
            return true;
        }
    }
    return false;
}

static unsigned hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    return (unsigned)(tolower((unsigned char)c) - 'a') + 10;
}

static void hex_to_decimal(const char *s, size_t len, char out[MSG_ID_SIZE])
{
    uint32_t limbs[LIMBS_MAX] = {0};
    size_t count = 1;
    for (size_t i = 0; i < len; i++) {
        uint64_t carry = hex_value(s[i]);
        for (size_t k = 0; k < count; k++) {
            uint64_t v = (uint64_t)limbs[k] * 16 + carry;
            limbs[k] = (uint32_t)(v % LIMB);
            carry = v / LIMB;
        }
        if (carry > 0)
            limbs[count++] = (uint32_t)carry;
    }
    size_t at = (size_t)snprintf(out, MSG_ID_SIZE, "%u", limbs[count - 1]);
    for (size_t k = count - 1; k-- > 0;)
        at += (size_t)snprintf(out + at, MSG_ID_SIZE - at, "%09u", limbs[k]);
}

static void copy(const char *s, size_t len, char out[MSG_ID_SIZE])
{
    memcpy(out, s, len);
    out[len] = '\0';
}

static bool all_of(const char *s, size_t len, const char *set)
{
    return len > 0 && strspn(s, set) >= len;
}

bool msg_id_compared(const char *written, enum msg_id_form form, char out[MSG_ID_SIZE])
{
    while (isspace((unsigned char)*written))
        written++;
    size_t len = strlen(written);
    while (len > 0 && isspace((unsigned char)written[len - 1]))
        len--;
    if (len == 0 || len > MSG_ID_MAX)
        return false;
    const char *digits = written;
    size_t count = len;
    if (form == MSG_ID_HEX && len > 2 && written[0] == '0' && tolower((unsigned char)written[1]) == 'x') {
        digits += 2;
        count -= 2;
    }
    bool numeral = (form == MSG_ID_HEX && all_of(digits, count, HEX_DIGITS)) ||
                   (form == MSG_ID_DECIMAL && all_of(digits, count, "0123456789"));
    if (!numeral) {
        copy(written, len, out);
        return true;
    }
    while (count > 1 && *digits == '0') {
        digits++;
        count--;
    }
    if (form == MSG_ID_HEX)
        hex_to_decimal(digits, count, out);
    else
        copy(digits, count, out);
    return true;
}

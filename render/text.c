/* One walk over the characters for each encoding; ASCII, which is nearly all of nearly every text, by table.
 */
#include "render/text.h"

#define GSM7_SINGLE 160
#define GSM7_PART   153 /* 7 septets go to the header of a concatenated message */
#define UCS2_SINGLE 70
#define UCS2_PART   67

/* Septets of each ASCII character: 0 is not in the alphabet, 2 is in its extension table. */
static const uint8_t ascii_septets[128] = {
    ['\n'] = 1, ['\f'] = 2, ['\r'] = 1, [' '] = 1, ['!'] = 1, ['"'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1,
    ['&'] = 1,  ['\''] = 1, ['('] = 1,  [')'] = 1, ['*'] = 1, ['+'] = 1, [','] = 1, ['-'] = 1, ['.'] = 1,
    ['/'] = 1,  ['0'] = 1,  ['1'] = 1,  ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1,
    ['8'] = 1,  ['9'] = 1,  [':'] = 1,  [';'] = 1, ['<'] = 1, ['='] = 1, ['>'] = 1, ['?'] = 1, ['@'] = 1,
    ['A'] = 1,  ['B'] = 1,  ['C'] = 1,  ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1,
    ['J'] = 1,  ['K'] = 1,  ['L'] = 1,  ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1,
    ['S'] = 1,  ['T'] = 1,  ['U'] = 1,  ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1, ['_'] = 1,
    ['a'] = 1,  ['b'] = 1,  ['c'] = 1,  ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1,
    ['j'] = 1,  ['k'] = 1,  ['l'] = 1,  ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1,
    ['s'] = 1,  ['t'] = 1,  ['u'] = 1,  ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1, ['^'] = 2,
    ['{'] = 2,  ['}'] = 2,  ['\\'] = 2, ['['] = 2, ['~'] = 2, [']'] = 2, ['|'] = 2,
};

static unsigned gsm7_septets(uint32_t c)
{
    if (c < 128)
        return ascii_septets[c];
    switch (c) {
    case 0xa1:  /* ¡ */
    case 0xa3:  /* £ */
    case 0xa4:  /* ¤ */
    case 0xa5:  /* ¥ */
    case 0xa7:  /* § */
    case 0xbf:  /* ¿ */
    case 0xc4:  /* Ä */
    case 0xc5:  /* Å */
    case 0xc6:  /* Æ */
    case 0xc7:  /* Ç; its small letter is not there */
    case 0xc9:  /* É */
    case 0xd1:  /* Ñ */
    case 0xd6:  /* Ö */
    case 0xd8:  /* Ø */
    case 0xdc:  /* Ü */
    case 0xdf:  /* ß */
    case 0xe0:  /* à */
    case 0xe4:  /* ä */
    case 0xe5:  /* å */
    case 0xe6:  /* æ */
    case 0xe8:  /* è */
    case 0xe9:  /* é */
    case 0xec:  /* ì */
    case 0xf1:  /* ñ */
    case 0xf2:  /* ò */
    case 0xf6:  /* ö */
    case 0xf8:  /* ø */
    case 0xf9:  /* ù */
    case 0xfc:  /* ü */
    case 0x393: /* Γ */
    case 0x394: /* Δ */
    case 0x398: /* Θ */
    case 0x39b: /* Λ */
    case 0x39e: /* Ξ */
    case 0x3a0: /* Π */
    case 0x3a3: /* Σ */
    case 0x3a6: /* Φ */
    case 0x3a8: /* Ψ */
    case 0x3a9: /* Ω */
        return 1;
    case 0x20ac: /* € */
        return 2;
    default:
        return 0;
    }
}

const char *text_encoding_word(enum text_encoding e)
{
    return e == TEXT_GSM7 ? "gsm7" : "ucs2";
}

/* The next character of well-formed UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF). */
static bool next_character(const unsigned char **p, const unsigned char *end, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = *p;
    unsigned bytes = s[0] < 0x80   ? 1
                     : s[0] < 0xc2 ? 0
                     : s[0] < 0xe0 ? 2
                     : s[0] < 0xf0 ? 3
                     : s[0] < 0xf5 ? 4
                                   : 0;

    if (bytes == 0 || (size_t)(end - s) < bytes)
        return false;
    uint32_t c = bytes == 1 ? s[0] : s[0] & (0x7fu >> bytes);
    for (unsigned i = 1; i < bytes; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return false;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[bytes] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
        return false;
    *p = s + bytes;
    *ret = c;
    return true;
}

struct counter { /* of segments, as if there were more than one */
    size_t units, segments, filled, part;
};

static void count_character(struct counter *n, size_t units)
{
    n->units += units;
    if (n->filled + units > n->part) {
        n->segments++;
        n->filled = 0;
    }
    n->filled += units;
}

bool text_measure(const char *utf8, size_t len, struct text_shape *ret)
{
    const unsigned char *p = (const unsigned char *)utf8, *end = p + len;
    struct counter gsm7 = {.segments = 1, .part = GSM7_PART}, ucs2 = {.segments = 1, .part = UCS2_PART};
    bool fits_gsm7 = true;
    uint32_t c;

    while (p < end) {
        if (!next_character(&p, end, &c))
            return false;
        unsigned septets = gsm7_septets(c);
        fits_gsm7 = fits_gsm7 && septets > 0;
        count_character(&gsm7, septets);
        count_character(&ucs2, c > 0xffff ? 2 : 1);
    }
    const struct counter *n = fits_gsm7 ? &gsm7 : &ucs2;
    size_t single = fits_gsm7 ? GSM7_SINGLE : UCS2_SINGLE;
    *ret = (struct text_shape){.encoding = fits_gsm7 ? TEXT_GSM7 : TEXT_UCS2,
                               .units = n->units,
                               .segments = n->units <= single ? 1 : n->segments};
    return true;
}

size_t text_beyond_gsm7(const char *utf8, size_t len, uint32_t *ret, size_t max)
{
    const unsigned char *p = (const unsigned char *)utf8, *end = p + len;
    size_t count = 0;
    uint32_t c;

    while (p < end && count < max && next_character(&p, end, &c)) {
        bool known = gsm7_septets(c) > 0;
        for (size_t i = 0; i < count && !known; i++)
            known = ret[i] == c;
        if (!known)
            ret[count++] = c;
    }
    return count;
}

void text_walk_begin(struct text_walk *w, const char *utf8, size_t len, const struct text_shape *shape)
{
    bool gsm7 = shape->encoding == TEXT_GSM7;

    *w = (struct text_walk){.at = (const unsigned char *)utf8,
                            .end = (const unsigned char *)utf8 + len,
                            .encoding = shape->encoding,
                            .part = shape->segments > 1 ? (gsm7 ? GSM7_PART : UCS2_PART) : SIZE_MAX};
}

bool text_walk_next(struct text_walk *w, struct text_character *ret)
{
    const unsigned char *begin = w->at;
    uint32_t c;

    if (w->at >= w->end || !next_character(&w->at, w->end, &c))
        return false;
    unsigned septets = gsm7_septets(c), units = w->encoding == TEXT_GSM7 ? septets : c > 0xffff ? 2 : 1;
    if (w->filled + units > w->part) {
        w->segment++;
        w->filled = 0;
    }
    w->filled += units;
    *ret = (struct text_character){.bytes = (const char *)begin,
                                   .len = (size_t)(w->at - begin),
                                   .code = c,
                                   .units = units,
                                   .beyond_gsm7 = septets == 0,
                                   .segment = w->segment};
    return true;
}

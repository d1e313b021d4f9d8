/* One walk over the characters for both encodings. */
#include "render/text.h"
#include "lib/alphabet.h"

#define GSM7_SINGLE 160
#define GSM7_PART   153 /* 7 septets go to the header of a concatenated message */
#define UCS2_SINGLE 70
#define UCS2_PART   67

const char *text_encoding_word(enum text_encoding e)
{
    return e == TEXT_GSM7 ? "gsm7" : "ucs2";
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
        if (!utf8_next(&p, end, &c))
            return false;
        unsigned septets = gsm7_septets(gsm7_code(c));
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

    while (p < end && count < max && utf8_next(&p, end, &c)) {
        bool known = gsm7_septets(gsm7_code(c)) > 0;
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

    if (w->at >= w->end || !utf8_next(&w->at, w->end, &c))
        return false;
    unsigned septets = gsm7_septets(gsm7_code(c)), units = w->encoding == TEXT_GSM7 ? septets
                                                           : c > 0xffff             ? 2
                                                                                    : 1;
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

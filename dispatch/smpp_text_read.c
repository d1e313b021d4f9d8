/* What a received message says of its place in a longer one, and its octets as UTF-8. Nothing in it is
 * believed: a header that runs out of the message is no header. */
#include "dispatch/smpp_text.h"
#include "lib/alphabet.h"
#include <glib.h>

#define REPLACEMENT 0xfffd

static void place(struct smpp_part *p, unsigned reference, unsigned total, unsigned number)
{
    if (total < 1 || total > 255 || number < 1 || number > total)
        return;
    p->reference = (uint16_t)reference;
    p->total = (uint8_t)total;
    p->number = (uint8_t)number;
}

/* Information elements of the header: 0 is an 8-bit reference, 8 a 16-bit one; the last one counts
 * (3GPP TS 23.040, 9.2.3.24). */
static void read_header(struct smpp_part *p)
{
    const uint8_t *at = p->octets + 1, *end = p->octets + p->header;

    while (end - at >= 2 && end - at - 2 >= at[1]) {
        if (at[0] == 0 && at[1] == 3)
            place(p, at[2], at[3], at[4]);
        else if (at[0] == 8 && at[1] == 4)
            place(p, (unsigned)at[2] << 8 | at[3], at[4], at[5]);
        at += 2 + at[1];
    }
}

void smpp_part_read(const struct smpp_pdu *pdu, struct smpp_part *ret)
{
    uint32_t reference, total, number;

    *ret = (struct smpp_part){.total = 1, .number = 1};
    ret->octets = smpp_message(pdu, &ret->len);
    if ((pdu->esm_class & SMPP_ESM_UDHI) && ret->len > 0 && ret->octets[0] < ret->len) {
        ret->header = ret->octets[0] + 1u;
        read_header(ret);
        ret->octets += ret->header;
        ret->len -= ret->header;
    } else if (smpp_tlv_int(pdu, SMPP_TAG_SAR_MSG_REF_NUM, &reference) &&
               smpp_tlv_int(pdu, SMPP_TAG_SAR_TOTAL_SEGMENTS, &total) &&
               smpp_tlv_int(pdu, SMPP_TAG_SAR_SEGMENT_SEQNUM, &number)) {
        place(ret, reference, total, number);
    }
}

static void add_utf8(struct buf *out, uint32_t c)
{
    char utf8[6];

    if (c == 0 || (c >= 0xd800 && c <= 0xdfff))
        c = REPLACEMENT;
    buf_add(out, utf8, (size_t)g_unichar_to_utf8(c, utf8));
}

/* Septet i; false: there are no more. A carriage return in the last seven bits is what they were filled with.
 */
static bool septet(const struct smpp_part *p, bool packed, size_t i, uint8_t *ret)
{
    size_t fill = (7 - p->header * 8 % 7) % 7, bit = fill + 7 * i;

    if (!packed) {
        if (i >= p->len)
            return false;
        *ret = p->octets[i] & 0x7f;
        return true;
    }
    if (bit + 7 > p->len * 8)
        return false;
    unsigned two = p->octets[bit / 8] | (bit / 8 + 1 < p->len ? (unsigned)p->octets[bit / 8 + 1] << 8 : 0);
    *ret = (uint8_t)(two >> bit % 8 & 0x7f);
    return !(bit + 7 == p->len * 8 && *ret == '\r');
}

static void read_gsm7(const struct smpp_part *p, bool packed, struct buf *out)
{
    bool escaped = false;
    uint8_t code;

    for (size_t i = 0; septet(p, packed, i, &code); i++) {
        if (code == GSM7_ESCAPE && !escaped) {
            escaped = true;
            continue;
        }
        add_utf8(out, gsm7_character(code, escaped));
        escaped = false;
    }
}

static void read_ucs2(const struct smpp_part *p, struct buf *out)
{
    for (size_t i = 0; i < p->len; i += 2) {
        const uint8_t *at = p->octets + i;
        if (p->len - i < 2) {
            add_utf8(out, REPLACEMENT);
            return;
        }
        uint32_t c = (uint32_t)at[0] << 8 | at[1];
        if ((at[0] & 0xfc) == 0xd8 && p->len - i >= 4 && (at[2] & 0xfc) == 0xdc) {
            c = 0x10000 + ((c & 0x3ff) << 10 | ((at[2] & 3u) << 8 | at[3]));
            i += 2;
        }
        add_utf8(out, c);
    }
}

void smpp_part_text(const struct smpp_part *part, enum smpp_alphabet alphabet, struct buf *out)
{
    switch (alphabet) {
    case SMPP_GSM7:
    case SMPP_GSM7_PACKED:
        read_gsm7(part, alphabet == SMPP_GSM7_PACKED, out);
        break;
    case SMPP_LATIN1:
        for (size_t i = 0; i < part->len; i++)
            add_utf8(out, part->octets[i]);
        break;
    case SMPP_UCS2:
        read_ucs2(part, out);
        break;
    }
}

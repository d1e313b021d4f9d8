/* The text is written once in its alphabet, a character's units side by side; then parts are cut out of it,
 * and packed when they are put into their PDU. */
#include "dispatch/smpp_text.h"
#include "lib/alphabet.h"

#define AIR_OCTETS         140 /* user data of one short message on the air, the header too */
#define UDH8_OCTETS        6
#define UDH16_OCTETS       7
#define MESSAGE_OCTETS_MAX 65535

static unsigned unit_octets(enum smpp_alphabet a)
{
    return a == SMPP_UCS2 ? 2 : 1;
}

/* False: the character is not in this alphabet. */
static bool add_character(struct buf *out, enum smpp_alphabet a, uint32_t c)
{
    switch (a) {
    case SMPP_GSM7:
    case SMPP_GSM7_PACKED:
        if (gsm7_code(c) == GSM7_NONE)
            return false;
        if (gsm7_septets(gsm7_code(c)) == 2)
            buf_add_char(out, GSM7_ESCAPE);
        buf_add_char(out, (char)(gsm7_code(c) & 0x7f));
        return true;
    case SMPP_LATIN1:
        if (c > 0xff)
            return false;
        buf_add_char(out, (char)c);
        return true;
    case SMPP_UCS2:
        if (c > 0xffff) {
            c -= 0x10000;
            buf_add(out, (uint8_t[]){(uint8_t)(0xd8 | c >> 18), (uint8_t)(c >> 10)}, 2);
            c = 0xdc00 | (c & 0x3ff);
        }
        buf_add(out, (uint8_t[]){(uint8_t)(c >> 8), (uint8_t)c}, 2);
        return true;
    }
    return false;
}

enum { NOT_IN_IT = 100 };

static int write_text(const char *utf8, size_t len, enum smpp_alphabet a, struct buf *out)
{
    const unsigned char *p = (const unsigned char *)utf8, *end = p + len;
    bool fits = true;
    uint32_t c;

    buf_clear(out);
    buf_add_str(out, ""); /* an empty text has octets, too: none */
    while (p < end) {     /* to its end in any case: whether it is UTF-8 does not depend on the alphabet */
        if (!utf8_next(&p, end, &c))
            return SMPP_TEXT_NOT_UTF8;
        fits = fits && add_character(out, a, c);
    }
    return fits ? 0 : NOT_IN_IT;
}

static size_t units_of(size_t octets, enum smpp_alphabet a)
{
    return a == SMPP_UCS2 ? octets / 2 : a == SMPP_LATIN1 ? octets : octets * 8 / 7;
}

/* Octets of the character that begins at `at`. */
static size_t character_octets(const struct smpp_text *t, size_t at)
{
    const uint8_t *p = (const uint8_t *)t->octets.data + at;

    if (t->alphabet == SMPP_UCS2)
        return (p[0] & 0xfc) == 0xd8 ? 4 : 2;
    return t->alphabet != SMPP_LATIN1 && p[0] == GSM7_ESCAPE ? 2 : 1;
}

static int cut(struct smpp_text *t)
{
    size_t header = t->way == SMPP_LONG_UDH16 ? UDH16_OCTETS : UDH8_OCTETS, octets = t->octets.len;
    size_t unit = unit_octets(t->alphabet), most = units_of(AIR_OCTETS - header, t->alphabet) * unit,
           filled = 0;

    t->count = 1;
    if (t->way == SMPP_LONG_PAYLOAD || octets <= units_of(AIR_OCTETS, t->alphabet) * unit) {
        t->begin[1] = (uint32_t)octets;
        return octets > MESSAGE_OCTETS_MAX ? SMPP_TEXT_LONG : 0;
    }
    for (size_t at = 0, n; at < octets; at += n, filled += n) {
        n = character_octets(t, at);
        if (filled + n <= most)
            continue;
        if (t->count == SMPP_PARTS_MAX)
            return SMPP_TEXT_LONG;
        t->begin[t->count++] = (uint32_t)at;
        filled = 0;
    }
    t->begin[t->count] = (uint32_t)octets;
    return 0;
}

/* Septets into octets, the first one after `fill` bits; returns octets. Seven bits left over would read as
 * one more character, so they are a carriage return (3GPP TS 23.038, 6.1.2.3.1). */
static size_t pack(const uint8_t *septets, size_t count, unsigned fill, uint8_t *out)
{
    unsigned held = 0, bits = fill;
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        held |= (unsigned)septets[i] << bits;
        for (bits += 7; bits >= 8; bits -= 8, held >>= 8)
            out[len++] = (uint8_t)held;
    }
    if (bits > 0)
        out[len++] = (uint8_t)(bits == 1 ? held | '\r' << 1 : held);
    return len;
}

int smpp_text_make(const char *utf8, size_t len, enum smpp_alphabet alphabet, enum smpp_long way,
                   struct smpp_text *ret)
{
    *ret = (struct smpp_text){.alphabet = alphabet, .way = way, .count = 1};
    int result = write_text(utf8, len, alphabet, &ret->octets);
    if (result == NOT_IN_IT) {
        ret->alphabet = SMPP_UCS2;
        result = write_text(utf8, len, SMPP_UCS2, &ret->octets);
    }
    if (result != 0)
        return result;
    if (way == SMPP_LONG_PAYLOAD && ret->alphabet == SMPP_GSM7_PACKED && ret->octets.len > 0)
        ret->octets.len =
            pack((const uint8_t *)ret->octets.data, ret->octets.len, 0, (uint8_t *)ret->octets.data);
    return cut(ret);
}

void smpp_text_deinit(struct smpp_text *t)
{
    buf_deinit(&t->octets);
}

static uint8_t coding(enum smpp_alphabet a)
{
    return a == SMPP_UCS2 ? SMPP_CODING_UCS2 : a == SMPP_LATIN1 ? SMPP_CODING_LATIN1 : SMPP_CODING_DEFAULT;
}

static size_t write_header(const struct smpp_text *t, size_t i, uint16_t reference, uint8_t *out)
{
    uint8_t total = (uint8_t)t->count, number = (uint8_t)(i + 1);
    const uint8_t udh8[UDH8_OCTETS] = {5, 0, 3, (uint8_t)reference, total, number};
    const uint8_t udh16[UDH16_OCTETS] = {6,     8,     4, (uint8_t)(reference >> 8), (uint8_t)reference,
                                         total, number};

    if (t->count == 1 || t->way == SMPP_LONG_SAR)
        return 0;
    if (t->way == SMPP_LONG_UDH16)
        memcpy(out, udh16, sizeof(udh16));
    else
        memcpy(out, udh8, sizeof(udh8));
    return t->way == SMPP_LONG_UDH16 ? sizeof(udh16) : sizeof(udh8);
}

bool smpp_text_part(const struct smpp_text *t, size_t i, uint16_t reference, uint8_t room[SMPP_PART_SIZE],
                    struct smpp_pdu *pdu)
{
    const uint8_t *octets = (const uint8_t *)t->octets.data + t->begin[i];
    size_t len = t->begin[i + 1] - t->begin[i];

    pdu->data_coding = coding(t->alphabet);
    pdu->short_message = room;
    pdu->sm_length = 0;
    if (t->way == SMPP_LONG_PAYLOAD)
        return smpp_tlv_add(pdu, SMPP_TAG_MESSAGE_PAYLOAD, t->octets.data, (uint16_t)len);
    size_t header = write_header(t, i, reference, room);
    if (header > 0)
        pdu->esm_class |= SMPP_ESM_UDHI;
    if (t->alphabet == SMPP_GSM7_PACKED)
        len = pack(octets, len, (unsigned)(7 - header * 8 % 7) % 7, room + header);
    else if (len > 0)
        memcpy(room + header, octets, len);
    pdu->sm_length = (uint8_t)(header + len);
    if (t->count == 1 || t->way != SMPP_LONG_SAR)
        return true;
    return smpp_tlv_add_int(pdu, SMPP_TAG_SAR_MSG_REF_NUM, reference, 2) &&
           smpp_tlv_add_int(pdu, SMPP_TAG_SAR_TOTAL_SEGMENTS, (uint32_t)t->count, 1) &&
           smpp_tlv_add_int(pdu, SMPP_TAG_SAR_SEGMENT_SEQNUM, (uint32_t)i + 1, 1);
}

/* Texts into parts and back: random ones in every alphabet and way, held against render's count of segments
 * and put together again from their encoded PDUs; known octets; what no phone should send. */
#include "dispatch/smpp_text.h"
#include "lib/alphabet.h"
#include "render/text.h"
#include "table.h"
#include <glib.h>

static void add_utf8(struct buf *b, uint32_t c)
{
    char utf8[6];

    buf_add(b, utf8, (size_t)g_unichar_to_utf8(c, utf8));
}

/* Every character of Unicode: the two directions agree, and so does what the table of ASCII says. */
static void alphabet(void **state)
{
    size_t found = 0;

    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        uint16_t code = gsm7_code(c);
        if (code == GSM7_NONE) {
            assert_int_equal(gsm7_septets(code), 0);
            continue;
        }
        found++;
        assert_int_equal(gsm7_character(code & 0x7f, gsm7_septets(code) == 2), c);
    }
    assert_int_equal(found, 127 + 10);
    assert_int_equal(gsm7_character(GSM7_ESCAPE, false), ' ');
    assert_int_equal(gsm7_character('A', true), 'A'); /* not in the extension table */
}

static uint32_t any_character(unsigned *seed, int kind)
{
    static const char gsm7[] = "@$_\n\r AZaz09!?";
    static const uint32_t two[] = {'{', '}', '[', ']', '~', '^', '|', '\\', 0x20ac, '\f'};
    static const uint32_t latin1[] = {0xa0, 0xe7, 0xe9, 0xff, 0xc0, 0xfc, 'a', '\t', '`'};
    uint32_t c;

    if (kind == 0)
        return rand_r(seed) % 4 ? (uint8_t)gsm7[(size_t)rand_r(seed) % (sizeof(gsm7) - 1)]
                                : two[(size_t)rand_r(seed) % COUNT_OF(two)];
    if (kind == 1)
        return latin1[(size_t)rand_r(seed) % COUNT_OF(latin1)];
    do
        c = (uint32_t)rand_r(seed) % (rand_r(seed) % 2 ? 0x3000 : 0x110000);
    while (c == 0 || (c >= 0xd800 && c <= 0xdfff));
    return c;
}

/* Lengths lie around the borders of parts. */
static void random_text(unsigned *seed, struct buf *out)
{
    static const int borders[] = {0, 66, 67, 70, 133, 134, 140, 152, 153, 160, 201, 306, 459};
    int kind = rand_r(seed) % 3,
        length = borders[(size_t)rand_r(seed) % COUNT_OF(borders)] + rand_r(seed) % 9 - 4;

    buf_clear(out);
    buf_add_str(out, "");
    for (int i = 0; i < length; i++)
        add_utf8(out, rand_r(seed) % 50 || kind != 0 ? any_character(seed, kind) : 0xe4);
}

/* How many parts there must be, counted by characters. */
static size_t parts_wanted(const struct buf *text, enum smpp_alphabet a, size_t single, size_t part)
{
    const unsigned char *p = (const unsigned char *)text->data, *end = p + text->len;
    size_t all = 0, filled = 0, count = 1;
    uint32_t c;

    while (p < end && utf8_next(&p, end, &c)) {
        size_t n = a == SMPP_UCS2 ? 1 + (c > 0xffff) : a == SMPP_LATIN1 ? 1 : gsm7_septets(gsm7_code(c));
        all += n;
        if (filled + n > part) {
            count++;
            filled = 0;
        }
        filled += n;
    }
    return all <= single ? 1 : count;
}

static void check_count(const struct smpp_text *t, const struct buf *text)
{
    bool longer = t->way == SMPP_LONG_UDH16;
    struct text_shape shape;

    assert_true(text_measure(text->data, text->len, &shape));
    switch (t->alphabet) {
    case SMPP_GSM7:
    case SMPP_GSM7_PACKED:
        assert_int_equal(shape.encoding, TEXT_GSM7);
        assert_int_equal(t->count, parts_wanted(text, t->alphabet, 160, longer ? 152 : 153));
        break;
    case SMPP_LATIN1:
        assert_int_equal(t->count, parts_wanted(text, t->alphabet, 140, longer ? 133 : 134));
        return;
    case SMPP_UCS2:
        assert_int_equal(t->count, parts_wanted(text, t->alphabet, 70, longer ? 66 : 67));
        if (shape.encoding != TEXT_UCS2)
            return; /* not whole in Latin-1, and whole in GSM 7-bit */
        break;
    }
    if (!longer)
        assert_int_equal(t->count, shape.segments);
}

/* Through an encoded submit_sm, as a receiver sees it. */
static void read_part(const struct smpp_text *t, size_t i, uint16_t reference, struct buf *out)
{
    uint8_t room[SMPP_PART_SIZE];
    static uint8_t bytes[SMPP_PDU_MAX_BYTES];
    struct smpp_pdu pdu = {.command = SMPP_SUBMIT_SM, .destination_addr = "491701234567"}, got;
    struct smpp_part part;
    size_t len;

    assert_true(smpp_text_part(t, i, reference, room, &pdu));
    assert_int_equal(smpp_pdu_encode(&pdu, bytes, sizeof(bytes), &len), 0);
    auto_free uint8_t *exact = xmalloc(len);
    memcpy(exact, bytes, len);
    assert_int_equal(smpp_pdu_decode(exact, len, &got), 0);
    smpp_part_read(&got, &part);
    assert_int_equal(part.total, t->count);
    assert_int_equal(part.number, i + 1);
    if (t->count > 1)
        assert_int_equal(part.reference, t->way == SMPP_LONG_UDH8 ? reference & 0xff : reference);
    if (t->way != SMPP_LONG_PAYLOAD && t->alphabet != SMPP_GSM7)
        assert_true(got.sm_length <= 140);
    size_t before = out->len;
    smpp_part_text(&part, t->alphabet, out);
    assert_true(utf8_is_text(out->data + before, out->len - before)); /* no half of anything */
}

static void take_fillers_off(struct buf *b, const struct smpp_text *t)
{
    /* A carriage return at the end of packed octets cannot be told from what fills seven bits. */
    while (t->alphabet == SMPP_GSM7_PACKED && b->len > 0 && b->data[b->len - 1] == '\r')
        b->len--;
}

static void random_texts(void **state)
{
    unsigned seed = 5;
    size_t many = 0, tried = 0;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        auto_buf text = {0};
        random_text(&seed, &text);
        for (int a = SMPP_GSM7; a <= SMPP_UCS2; a++) {
            for (int way = SMPP_LONG_UDH8; way <= SMPP_LONG_PAYLOAD; way++) {
                struct smpp_text t;
                auto_buf back = {0}, wanted = {0};
                assert_int_equal(
                    smpp_text_make(text.data, text.len, (enum smpp_alphabet)a, (enum smpp_long)way, &t), 0);
                assert_true(t.alphabet == (enum smpp_alphabet)a || t.alphabet == SMPP_UCS2);
                if (way == SMPP_LONG_PAYLOAD)
                    assert_int_equal(t.count, 1);
                else
                    check_count(&t, &text);
                buf_add_str(&back, "");
                bool carriage = t.alphabet == SMPP_GSM7_PACKED && memchr(text.data, '\r', text.len);
                for (size_t k = 0; k < t.count; k++)
                    read_part(&t, k, (uint16_t)rand_r(&seed), &back);
                buf_add(&wanted, text.data, text.len);
                take_fillers_off(&wanted, &t);
                take_fillers_off(&back, &t);
                if (!carriage || t.count == 1) {
                    assert_int_equal(back.len, wanted.len);
                    assert_memory_equal(back.data, wanted.data, wanted.len);
                }
                many += t.count > 1;
                tried++;
                smpp_text_deinit(&t);
            }
        }
    }
    assert_true(tried == 48000 && many > 10000);
}

static void check_part(const char *text, enum smpp_alphabet a, enum smpp_long way, size_t i,
                       const char *wanted_hex)
{
    uint8_t room[SMPP_PART_SIZE];
    struct smpp_pdu pdu = {.command = SMPP_SUBMIT_SM};
    struct smpp_text t;
    char got[2 * SMPP_PART_SIZE + 1] = "";

    assert_int_equal(smpp_text_make(text, strlen(text), a, way, &t), 0);
    assert_true(i < t.count);
    assert_true(smpp_text_part(&t, i, 0x1234, room, &pdu));
    for (size_t k = 0; k < pdu.sm_length; k++)
        snprintf(got + 2 * k, 3, "%02x", pdu.short_message[k]);
    got[strlen(wanted_hex)] = '\0';
    assert_string_equal(got, wanted_hex);
    smpp_text_deinit(&t);
}

static void known_octets(void **state)
{
    char a[162];

    (void)state;
    memset(a, 'a', sizeof(a));
    a[161] = '\0';
    check_part("@\xe2\x82\xac{", SMPP_GSM7, SMPP_LONG_UDH8, 0, "001b651b28");
    check_part("hellohello", SMPP_GSM7_PACKED, SMPP_LONG_UDH8, 0, "e8329bfd4697d9ec37");
    check_part("1234567", SMPP_GSM7_PACKED, SMPP_LONG_UDH8, 0, "31d98c56b3dd1a"); /* filled with CR */
    check_part("\xc3\xa9", SMPP_LATIN1, SMPP_LONG_UDH8, 0, "e9");
    check_part("\xf0\x9f\x98\x80", SMPP_GSM7, SMPP_LONG_UDH8, 0, "d83dde00");
    check_part(a, SMPP_GSM7, SMPP_LONG_UDH8, 1, "05000334020261616161616161");
    check_part(a, SMPP_GSM7, SMPP_LONG_UDH16, 1, "06080412340202616161616161616161");
    check_part(a, SMPP_GSM7, SMPP_LONG_SAR, 1, "6161616161616161");
    /* 'a' is 1100001; one bit of fill, so that septets begin on a border of septets after the six octets. */
    check_part(a, SMPP_GSM7_PACKED, SMPP_LONG_UDH8, 1, "050003340202c2");
    check_part("", SMPP_GSM7, SMPP_LONG_UDH8, 0, "");
}

static void too_long(void **state)
{
    auto_buf text = {0};
    struct smpp_text t;

    (void)state;
    for (int i = 0; i < 255 * 153; i++)
        buf_add_char(&text, 'x');
    assert_int_equal(smpp_text_make(text.data, text.len, SMPP_GSM7, SMPP_LONG_UDH8, &t), 0);
    assert_int_equal(t.count, 255);
    smpp_text_deinit(&t);
    assert_int_equal(smpp_text_make(text.data, text.len, SMPP_GSM7, SMPP_LONG_UDH16, &t), SMPP_TEXT_LONG);
    smpp_text_deinit(&t);
    assert_int_equal(smpp_text_make(text.data, text.len, SMPP_GSM7, SMPP_LONG_PAYLOAD, &t), 0);
    smpp_text_deinit(&t);
    buf_add_char(&text, 'x');
    assert_int_equal(smpp_text_make(text.data, text.len, SMPP_GSM7, SMPP_LONG_SAR, &t), SMPP_TEXT_LONG);
    smpp_text_deinit(&t);
    for (int i = 0; i < 30000; i++)
        buf_add_char(&text, 'x');
    assert_int_equal(smpp_text_make(text.data, text.len, SMPP_GSM7, SMPP_LONG_PAYLOAD, &t), SMPP_TEXT_LONG);
    smpp_text_deinit(&t);
    assert_int_equal(smpp_text_make("a\xff", 2, SMPP_GSM7, SMPP_LONG_UDH8, &t), SMPP_TEXT_NOT_UTF8);
    smpp_text_deinit(&t);
    assert_int_equal(smpp_text_make("\xe4\xbd\xa0\xff", 4, SMPP_LATIN1, SMPP_LONG_UDH8, &t),
                     SMPP_TEXT_NOT_UTF8);
    smpp_text_deinit(&t);
}

/* Headers that lie: the message is whole, its octets are those behind the header if there is one. */
static void odd_headers(void **state)
{
    static const struct {
        uint8_t octets[12], len;
        unsigned header, total, number, reference;
    } cases[] = {
        {{5, 0, 3, 7, 2, 1, 'x'}, 7, 6, 2, 1, 7},
        {{6, 8, 4, 1, 7, 2, 2, 'x'}, 8, 7, 2, 2, 0x107},
        {{5, 0, 3, 7, 2, 3, 'x'}, 7, 6, 1, 1, 0},
        {{5, 0, 3, 7, 0, 0, 'x'}, 7, 6, 1, 1, 0},
        {{5, 0, 3, 7, 2, 0, 'x'}, 7, 6, 1, 1, 0},
        {{5, 0, 4, 7, 2, 1, 'x'}, 7, 6, 1, 1, 0},
        {{11, 0x24, 1, 2, 5, 0, 0, 0, 3, 9, 4, 4}, 12, 12, 1, 1, 0},
        {{10, 0x24, 1, 2, 0x25, 0, 0, 3, 9, 4, 4, 'x'}, 12, 11, 4, 4, 9},
        {{9, 0, 3, 7, 2, 1, 'x'}, 7, 0, 1, 1, 0},
        {{7, 0, 3, 7, 2, 1, 'x'}, 7, 0, 1, 1, 0},
        {{0, 'x'}, 2, 1, 1, 1, 0},
        {{6}, 1, 0, 1, 1, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        auto_free uint8_t *exact = xmalloc(cases[i].len);
        struct smpp_pdu pdu = {.esm_class = SMPP_ESM_UDHI, .short_message = exact, .sm_length = cases[i].len};
        struct smpp_part part;
        memcpy(exact, cases[i].octets, cases[i].len);
        smpp_part_read(&pdu, &part);
        if (part.header != cases[i].header || part.total != cases[i].total ||
            part.number != cases[i].number || part.reference != cases[i].reference)
            fail_msg("case %zu: header %u, %u of %u, reference %u", i, part.header, part.number, part.total,
                     part.reference);
        assert_int_equal(part.len, cases[i].len - part.header);
    }
}

static void odd_octets(void **state)
{
    static const uint8_t lone[] = {0xd8, 0x3d, 0, 'a', 0xde, 0, 0, 0, 'z'};
    struct smpp_part part = {.octets = lone, .len = sizeof(lone)};
    auto_buf out = {0};

    (void)state;
    smpp_part_text(&part, SMPP_UCS2, &out);
    assert_string_equal(out.data, "\xef\xbf\xbd"
                                  "a"
                                  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    buf_clear(&out);
    part = (struct smpp_part){.octets = (const uint8_t[]){0x1b, 0x1b, 0x41, 0x80, 0x1b}, .len = 5};
    smpp_part_text(&part, SMPP_GSM7, &out);
    assert_string_equal(out.data, " A@");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alphabet), cmocka_unit_test(random_texts), cmocka_unit_test(known_octets),
        cmocka_unit_test(too_long), cmocka_unit_test(odd_headers),  cmocka_unit_test(odd_octets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

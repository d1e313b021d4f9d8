/* SMPP PDUs: round trips of random ones, each of them cut and damaged everywhere, framing in random pieces,
 * the table of command_status. */
#include "dispatch/smpp_framer.h"
#include "dispatch/smpp_status.h"
#include "smpp_random.h"
#include "table.h"

static void bytes_of_a_submit(void **state)
{
    static const uint8_t wanted[] = {
        0,    0,    0, 0x3c, 0,   0,   0,   4,   0, 0,    0,    0,    0,   0,   0,   7, /* header */
        0,    5,    0, 'A',  'l', 'p', 'h', 'a', 0, 1,    1,    '4',  '9', '1', '7', '0', 0, SMPP_ESM_UDHI,
        0,    0,    0, 0,    1,   0,   8,   0,   4, 0xd8, 0x3d, 0xde, 0,   2,   4,   0,   2, 0x12,
        0x34, 0x14, 0, 0,    3,   'x', 0,   'y'};
    struct smpp_pdu pdu = {
        .command = SMPP_SUBMIT_SM, .sequence = 7, .source_addr_ton = 5, .source_addr = "Alpha"};
    uint8_t out[100];
    size_t len = 0;

    (void)state;
    pdu.dest_addr_ton = pdu.dest_addr_npi = pdu.registered_delivery = 1;
    pdu.destination_addr = "49170";
    pdu.esm_class = SMPP_ESM_UDHI;
    pdu.data_coding = SMPP_CODING_UCS2;
    pdu.short_message = (const uint8_t[]){0xd8, 0x3d, 0xde, 0};
    pdu.sm_length = 4;
    assert_true(smpp_tlv_add_int(&pdu, SMPP_TAG_USER_MESSAGE_REFERENCE, 0x1234, 2));
    assert_true(smpp_tlv_add(&pdu, 0x1400, "x\0y", 3));
    assert_int_equal(smpp_pdu_encode(&pdu, out, sizeof(out), &len), 0);
    assert_int_equal(len, sizeof(wanted));
    assert_memory_equal(out, wanted, len);

    struct smpp_pdu again;
    uint32_t n = 0;
    char text[8];
    assert_int_equal(smpp_pdu_decode(wanted, len, &again), 0);
    assert_string_equal(again.source_addr, "Alpha");
    assert_string_equal(again.destination_addr, "49170");
    assert_int_equal(again.tlv_count, 2);
    assert_true(smpp_tlv_int(&again, SMPP_TAG_USER_MESSAGE_REFERENCE, &n) && n == 0x1234);
    assert_true(smpp_tlv_text(&again, 0x1400, text, sizeof(text)));
    assert_string_equal(text, "x");
    assert_false(smpp_tlv_text(&again, 0x1400, text, 1));
    assert_false(smpp_tlv_int(&again, SMPP_TAG_MESSAGE_STATE, &n));
}

/* What decodes is the same bytes again; what does not, says so and reads nothing beyond (the sanitizer
 * looks). */
static int decode_exactly(const uint8_t *bytes, size_t len)
{
    auto_free uint8_t *exact = xmalloc(len ? len : 1), *out = xmalloc(SMPP_PDU_MAX_BYTES);
    struct smpp_pdu pdu;
    size_t out_len = 0;

    if (len > 0)
        memcpy(exact, bytes, len);
    int result = smpp_pdu_decode(exact, len, &pdu);
    if (result != 0)
        return result;
    assert_int_equal(smpp_pdu_encode(&pdu, out, SMPP_PDU_MAX_BYTES, &out_len), 0);
    assert_int_equal(out_len, len);
    assert_memory_equal(out, exact, len);
    return 0;
}

static void round_trips(void **state)
{
    static struct smpp_random r;
    size_t len = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 4000; seed++) {
        smpp_random_pdu(&r, seed);
        assert_int_equal(smpp_pdu_encode(&r.pdu, r.bytes, sizeof(r.bytes), &len), 0);
        assert_int_equal(decode_exactly(r.bytes, len), 0);
    }
}

static void set_length(uint8_t *bytes, size_t len)
{
    bytes[0] = (uint8_t)(len >> 24);
    bytes[1] = (uint8_t)(len >> 16);
    bytes[2] = (uint8_t)(len >> 8);
    bytes[3] = (uint8_t)len;
}

static void cut_everywhere(void **state)
{
    static struct smpp_random r;
    size_t len = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++) {
        smpp_random_pdu(&r, seed);
        assert_int_equal(smpp_pdu_encode(&r.pdu, r.bytes, sizeof(r.bytes), &len), 0);
        for (size_t cut = 0; cut < MIN_OF(len, 600); cut++) {
            assert_int_equal(decode_exactly(r.bytes, cut), SMPP_PDU_LENGTH);
            if (cut < SMPP_HEADER_BYTES)
                continue;
            uint8_t copy[600];
            memcpy(copy, r.bytes, cut);
            set_length(copy, cut);
            int result = decode_exactly(copy, cut);
            assert_true(result == 0 || result == SMPP_PDU_CUT || result == SMPP_PDU_TLV);
        }
        size_t few = 0;
        for (size_t room = 0; room < MIN_OF(len, 600); room++) {
            auto_free uint8_t *small = xmalloc(room ? room : 1);
            assert_int_equal(smpp_pdu_encode(&r.pdu, small, room, &few), SMPP_PDU_NO_ROOM);
        }
    }
}

static void damaged(void **state)
{
    static struct smpp_random r;
    size_t len = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 6000; seed++) {
        smpp_random_pdu(&r, seed);
        assert_int_equal(smpp_pdu_encode(&r.pdu, r.bytes, sizeof(r.bytes), &len), 0);
        for (unsigned i = 0; i < 3 && len > SMPP_HEADER_BYTES; i++)
            r.bytes[SMPP_HEADER_BYTES + smpp_random_below(&r, (uint32_t)(len - SMPP_HEADER_BYTES))] =
                (uint8_t)smpp_random_below(&r, 256);
        (void)decode_exactly(r.bytes, len);
    }
}

static void faults(void **state)
{
    static const struct {
        uint8_t bytes[32];
        uint8_t len;
        int fault;
        uint32_t status;
    } cases[] = {
        {{0, 0, 0, 15, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0}, 15, SMPP_PDU_LENGTH, 0x02},
        {{0, 0, 0, 17, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 1}, 16, SMPP_PDU_LENGTH, 0x02},
        {{0, 0, 0, 16, 0, 0, 0, 0x16, 0, 0, 0, 0, 0, 0, 0, 1}, 16, SMPP_PDU_COMMAND, 0x03},
        {{0, 0, 0, 16, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1}, 16, SMPP_PDU_CUT, 0x02},
        {{0, 0, 0, 20, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 'a', 'b', 'c', 'd'}, 20, SMPP_PDU_CUT, 0x02},
        {{0, 0, 0, 22, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 'a', 'b', 'c', 'd', 'e', 'f'},
         22,
         SMPP_PDU_FIELD,
         0xc2},
        {{0, 0, 0, 19, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 1, 0, 5, 0}, 19, SMPP_PDU_TLV, 0xc0},
        {{0, 0, 0, 21, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 1, 0, 5, 0, 2, 9}, 21, SMPP_PDU_TLV, 0xc0},
    };
    struct smpp_pdu pdu;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(smpp_pdu_decode(cases[i].bytes, cases[i].len, &pdu), cases[i].fault);
        assert_int_equal(smpp_fault_status((enum smpp_fault)cases[i].fault), cases[i].status);
        assert_true(strlen(smpp_fault_words((enum smpp_fault)cases[i].fault)) > 0);
        if (cases[i].fault != SMPP_PDU_LENGTH)
            assert_int_equal(pdu.sequence, 1);
    }
    /* A response with rubbish behind it is understood all the same. */
    static const uint8_t rest[] = {0, 0, 0, 21, 0x80, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 9, '4', '2', 0, 0, 0};
    assert_int_equal(smpp_pdu_decode(rest, sizeof(rest), &pdu), SMPP_PDU_TLV);
    assert_string_equal(pdu.message_id, "42");
    /* A refusal without a body, and one with. */
    static const uint8_t bare[] = {0, 0, 0, 16, 0x80, 0, 0, 4, 0, 0, 0, 0x58, 0, 0, 0, 9};
    assert_int_equal(smpp_pdu_decode(bare, sizeof(bare), &pdu), 0);
    assert_true(pdu.no_body && pdu.status == SMPP_STATUS_THROTTLED && pdu.message_id == NULL);
    char long_id[200];
    memset(long_id, '1', sizeof(long_id));
    long_id[sizeof(long_id) - 1] = '\0';
    pdu.no_body = false;
    pdu.message_id = long_id;
    uint8_t out[300];
    size_t len;
    assert_int_equal(smpp_pdu_encode(&pdu, out, sizeof(out), &len), SMPP_PDU_FIELD);
    pdu.command = 0x77;
    assert_int_equal(smpp_pdu_encode(&pdu, out, sizeof(out), &len), SMPP_PDU_COMMAND);
}

static void too_many_tlvs(void **state)
{
    uint8_t bytes[SMPP_HEADER_BYTES + 4 * (SMPP_TLVS_MAX + 1)] = {[7] = SMPP_ENQUIRE_LINK};
    struct smpp_pdu pdu;

    (void)state;
    set_length(bytes, sizeof(bytes));
    assert_int_equal(smpp_pdu_decode(bytes, sizeof(bytes), &pdu), SMPP_PDU_TLV);
    assert_int_equal(pdu.tlv_count, SMPP_TLVS_MAX);
    assert_false(smpp_tlv_add_int(&pdu, SMPP_TAG_MESSAGE_STATE, 2, 1));
    set_length(bytes, sizeof(bytes) - 4);
    assert_int_equal(smpp_pdu_decode(bytes, sizeof(bytes) - 4, &pdu), 0);
    assert_false(smpp_tlv_add_int(&(struct smpp_pdu){0}, SMPP_TAG_MESSAGE_STATE, 2, 5));
}

/* The same stream, read in pieces of every size, gives the same PDUs. */
static void framed_in_pieces(void **state)
{
    enum { PDUS = 400 };
    static struct smpp_random r;
    static struct smpp_framer framer;
    auto_free uint8_t *stream = xmalloc((size_t)PDUS * SMPP_PDU_MAX_BYTES);
    size_t total = 0, len = 0, at[PDUS + 1];

    (void)state;
    for (unsigned i = 0; i < PDUS; i++) {
        smpp_random_pdu(&r, 10000 + i);
        assert_int_equal(smpp_pdu_encode(&r.pdu, stream + total, SMPP_PDU_MAX_BYTES, &len), 0);
        at[i] = total;
        total += len;
    }
    at[PDUS] = total;
    for (uint32_t most = 1; most < 300000; most = most * 3 + 1) {
        size_t given = 0, seen = 0;
        smpp_framer_init(&framer);
        while (seen < PDUS) {
            const uint8_t *pdu;
            uint32_t sequence;
            int result = smpp_framer_next(&framer, &pdu, &len, &sequence);
            if (result == SMPP_FRAME_MORE) {
                size_t room;
                uint8_t *to = smpp_framer_room(&framer, &room);
                assert_true(room > 0 && given < total);
                size_t piece = 1 + smpp_random_below(&r, most),
                       n = MIN_OF(MIN_OF(room, total - given), piece);
                memcpy(to, stream + given, n);
                smpp_framer_filled(&framer, n);
                given += n;
                continue;
            }
            assert_int_equal(result, 0);
            assert_int_equal(len, at[seen + 1] - at[seen]);
            assert_memory_equal(pdu, stream + at[seen], len);
            seen++;
        }
    }
}

static void broken_frames(void **state)
{
    static struct smpp_framer framer;
    static const uint32_t lengths[] = {0,          1,           15,         SMPP_PDU_MAX_BYTES + 1,
                                       0x7fffffff, 0x80000000u, 0xffffffffu};
    const uint8_t *pdu;
    uint32_t sequence;
    size_t len, room;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        smpp_framer_init(&framer);
        uint8_t *to = smpp_framer_room(&framer, &room);
        memset(to, 0, SMPP_HEADER_BYTES);
        set_length(to, lengths[i]);
        to[15] = 77;
        smpp_framer_filled(&framer, 3);
        assert_int_equal(smpp_framer_next(&framer, &pdu, &len, &sequence), SMPP_FRAME_MORE);
        smpp_framer_filled(&framer, 1);
        assert_int_equal(smpp_framer_next(&framer, &pdu, &len, &sequence), SMPP_FRAME_BROKEN);
        assert_int_equal(sequence, 0);
        smpp_framer_filled(&framer, 12);
        assert_int_equal(smpp_framer_next(&framer, &pdu, &len, &sequence), SMPP_FRAME_BROKEN);
        assert_int_equal(sequence, 77);
    }
    smpp_framer_filled(&framer, SIZE_MAX); /* more than there is room for: taken as full */
    smpp_framer_room(&framer, &room);
    assert_int_equal(room, 0);
}

static void status_table(void **state)
{
    struct table t;
    size_t count = 0, named = 0;

    (void)state;
    table_open(&t, "data/smpp_status.txt", 3);
    while (table_next(&t)) {
        const struct smpp_status *s = smpp_status((uint32_t)strtoul(t.cell[0], NULL, 16));
        table_check(&t, s->name, t.cell[1]);
        table_check(&t, smpp_meaning_word(s->meaning), t.cell[2]);
        named += s->name[0] == 'E';
    }
    const struct smpp_status *all = smpp_status_table(&count);
    assert_int_equal(named, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(all[i].words) > 5);
        assert_true(i == 0 || all[i].code > all[i - 1].code);
    }
    table_close(&t);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(smpp_command_name(SMPP_SUBMIT_SM_RESP), "submit_sm_resp");
    assert_string_equal(smpp_command_name(SMPP_GENERIC_NACK), "generic_nack");
    assert_null(smpp_command_name(0x0b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_a_submit),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(cut_everywhere),
        cmocka_unit_test(damaged),
        cmocka_unit_test(faults),
        cmocka_unit_test(too_many_tlvs),
        cmocka_unit_test(framed_in_pieces),
        cmocka_unit_test(broken_frames),
        cmocka_unit_test(status_table),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

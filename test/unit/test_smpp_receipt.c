/* Receipts as gateways write them (data/smpp_receipt.txt), in every alphabet and place; SMPP's times. */
#include "dispatch/smpp_receipt.h"
#include "dispatch/smpp_time.h"
#include "lib/clock.h"
#include "lib/zone.h"
#include "table.h"

#define NOW_MS INT64_C(1774008000000) /* 2026-03-20T12:00:00Z */

static void unescape(char *s)
{
    char *to = s;

    for (const char *p = s; *p; p++) {
        if (*p == '\\' && (p[1] == 'n' || p[1] == 't'))
            *to++ = *++p == 'n' ? '\n' : '\t';
        else
            *to++ = *p;
    }
    *to = '\0';
}

static void add_parameters(struct smpp_pdu *pdu, char *list)
{
    static uint8_t net[3];

    for (char *s; strcmp(list, "-") != 0 && (s = strsep(&list, ",")); list = list ? list : (char[]){"-"}) {
        unsigned kind, error;
        if (strncmp(s, "id=", 3) == 0)
            assert_true(smpp_tlv_add(pdu, SMPP_TAG_RECEIPTED_MESSAGE_ID, s + 3, (uint16_t)strlen(s + 3)));
        else if (strncmp(s, "state=", 6) == 0)
            assert_true(smpp_tlv_add_int(pdu, SMPP_TAG_MESSAGE_STATE, (uint32_t)atoi(s + 6), 1));
        else if (sscanf(s, "net=%u:%u", &kind, &error) == 2) {
            net[0] = (uint8_t)kind, net[1] = (uint8_t)(error >> 8), net[2] = (uint8_t)error;
            assert_true(smpp_tlv_add(pdu, SMPP_TAG_NETWORK_ERROR_CODE, net, 3));
        } else
            fail_msg("no such parameter: %s", s);
    }
}

static void read_one(const struct smpp_pdu *pdu, bool any_class, char out[300])
{
    struct smpp_receipt r;
    char done[CLOCK_ISO_SIZE] = "-";
    struct zone *berlin = zone_open("Europe/Berlin");

    assert_non_null(berlin);
    int result = smpp_receipt_read(pdu, any_class, berlin, NOW_MS, &r);
    zone_close(berlin);
    if (result == 0 && r.done_ms != 0)
        clock_iso(r.done_ms, done);
    if (result == 0)
        snprintf(out, 300, "%s;%s;%s;%s;%s", r.msg_id, r.word, r.state_known ? state_word(r.state) : "?",
                 r.error, done);
    else
        snprintf(out, 300, "%s", result == SMPP_RECEIPT_NONE ? "none" : "unreadable");
}

static void shapes(void **state)
{
    struct table t;

    (void)state;
    table_open(&t, "data/smpp_receipt.txt", 4);
    while (table_next(&t)) {
        unsigned class = (unsigned)strtoul(t.cell[0], NULL, 16);
        struct smpp_pdu pdu = {.command = SMPP_DELIVER_SM, .esm_class = (uint8_t) class};
        char got[300], *text = t.cell[3];
        uint8_t wide[600];
        auto_free char *parameters = xstrdup(t.cell[1]);

        unescape(text);
        size_t len = strlen(text);
        assert_true(len <= 255);
        add_parameters(&pdu, parameters);
        pdu.short_message = (const uint8_t *)text;
        pdu.sm_length = (uint8_t)len;
        read_one(&pdu, class > 0xff, got);
        table_check(&t, got, t.cell[2]);

        /* The same in message_payload, and there in UCS-2 behind a user data header. */
        pdu.sm_length = 0;
        assert_true(smpp_tlv_add(&pdu, SMPP_TAG_MESSAGE_PAYLOAD, text, (uint16_t)len));
        read_one(&pdu, class > 0xff, got);
        table_check(&t, got, t.cell[2]);
        memcpy(wide, (const uint8_t[]){5, 0, 3, 9, 1, 1}, 6);
        for (size_t i = 0; i < len; i++)
            wide[6 + 2 * i] = 0, wide[7 + 2 * i] = (uint8_t)text[i];
        pdu.data_coding = SMPP_CODING_UCS2;
        pdu.esm_class |= SMPP_ESM_UDHI;
        pdu.tlvs[pdu.tlv_count - 1].value = wide;
        pdu.tlvs[pdu.tlv_count - 1].length = (uint16_t)(6 + 2 * len);
        read_one(&pdu, class > 0xff, got);
        table_check(&t, got, t.cell[2]);
    }
    assert_true(t.cases >= 60);
    table_close(&t);
}

/* Any octets: no crash, and nothing but what the header promises. */
static void rubbish(void **state)
{
    static const char piece[] =
        "id:42 sub:001 dlvrd:001 submit date:2603151011 done date:2603151012 stat:DELIVRD err:0";
    struct zone *utc = zone_open("UTC");
    unsigned seed = 1;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t len = (size_t)(rand_r(&seed) % 200);
        auto_free uint8_t *text = xmalloc(len + 1);
        struct smpp_pdu pdu = {
            .command = SMPP_DELIVER_SM, .esm_class = SMPP_ESM_RECEIPT, .short_message = text};
        struct smpp_receipt r;

        for (size_t k = 0; k < len; k++)
            text[k] = rand_r(&seed) % 12 ? (uint8_t)piece[(k + (size_t)i) % (sizeof(piece) - 1)]
                                         : (uint8_t)(rand_r(&seed) % 256);
        pdu.sm_length = (uint8_t)len;
        pdu.data_coding = rand_r(&seed) % 3 ? 0 : SMPP_CODING_UCS2;
        pdu.esm_class |= rand_r(&seed) % 3 ? 0 : SMPP_ESM_UDHI;
        int result = smpp_receipt_read(&pdu, true, utc, NOW_MS, &r);
        assert_true(result == 0 || result == SMPP_RECEIPT_UNREADABLE);
        assert_true(result != 0 || (r.msg_id[0] && r.word[0]));
    }
    zone_close(utc);
}

static void an_id_that_is_too_long(void **state)
{
    char text[255] = "stat:DELIVRD id:", got[300];
    struct smpp_pdu pdu = {.command = SMPP_DELIVER_SM, .esm_class = SMPP_ESM_RECEIPT};

    (void)state;
    memset(text + strlen(text), '7', SMPP_RECEIPT_ID_SIZE - 1);
    pdu.short_message = (const uint8_t *)text;
    pdu.sm_length = (uint8_t)strlen(text);
    read_one(&pdu, false, got);
    assert_true(strncmp(got, text + 16, SMPP_RECEIPT_ID_SIZE - 1) == 0);
    text[pdu.sm_length++] = '7'; /* never cut: half an id is another one */
    read_one(&pdu, false, got);
    assert_string_equal(got, "unreadable");
}

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* 0: no time */
    } cases[] = {
        {"2603201200", NOW_MS},
        {"260320120000", NOW_MS},
        {"202603201200", NOW_MS},
        {"20260320120000", NOW_MS},
        {"1774008000", NOW_MS},
        {"1774008000000", NOW_MS},
        {"260320120000000+", NOW_MS},
        {"260320140000008+", NOW_MS},
        {"260320090000012-", NOW_MS},
        {"260320120000900+", NOW_MS + 900},
        {"000000000500000R", NOW_MS + 300000},
        {"000002000000000R", NOW_MS + INT64_C(172800000)},
        {"260320120000049+", 0},
        {"260320120000000x", 0},
        {"", 0},
        {"26", 0},
        {"2602301200", 0},
        {"260320120061", 0},
        {"2026032012000000", 0},
        {"12:00", 0},
        {"-2603201200", 0},
        {"2603201200 CET", 0},
    };
    struct zone *utc = zone_open("UTC"), *berlin = zone_open("Europe/Berlin");
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool is = smpp_time_parse(cases[i].text, strlen(cases[i].text), utc, NOW_MS, &ms);
        if (is != (cases[i].ms != 0) || (is && ms != cases[i].ms))
            fail_msg("%s: got %d %lld", cases[i].text, is, is ? (long long)ms : 0);
    }
    /* 02:30 comes twice on 2026-10-25 in Berlin: the one that is nearer to now. */
    assert_true(smpp_time_parse("2610250230", 10, berlin, INT64_C(1792888800000), &ms));
    assert_int_equal(ms, INT64_C(1792888200000));
    assert_true(smpp_time_parse("2610250230", 10, berlin, INT64_C(1792892400000), &ms));
    assert_int_equal(ms, INT64_C(1792891800000));
    zone_close(utc);
    zone_close(berlin);
}

static void times_written(void **state)
{
    char text[SMPP_TIME_SIZE];
    int64_t ms;

    (void)state;
    smpp_time_relative(90061999, text);
    assert_string_equal(text, "000001010101000R");
    smpp_time_relative(-5, text);
    assert_string_equal(text, "000000000000000R");
    smpp_time_relative(INT64_MAX, text);
    assert_string_equal(text, "000063000000000R");
    for (int64_t span = 0; span < SMPP_RELATIVE_MAX_MS; span += 7654321) {
        smpp_time_relative(span, text);
        assert_true(smpp_time_parse(text, 16, NULL, NOW_MS, &ms));
        assert_int_equal(ms, NOW_MS + span / 1000 * 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes), cmocka_unit_test(rubbish),       cmocka_unit_test(an_id_that_is_too_long),
        cmocka_unit_test(times),  cmocka_unit_test(times_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

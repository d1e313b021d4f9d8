/* How a message in memory is cut: as the configuration says, as its claims say, and what happens to those that cannot be. */
#include "dispatch/message.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Way 1: ten characters a segment; way 2: eight; way 3: never cut. A text with a # cannot be sent. */
static bool cut(const struct conf_gateway *conf, const char *text, int way, struct gateway_cut *ret, const char **ret_reason)
{
    static const int each[] = {0, 10, 8, 1000};
    (void)conf;
    way = way < 0 ? 1 : way;
    *ret_reason = "not_in_alphabet";
    *ret = (struct gateway_cut){.parts = (int16_t)((strlen(text) + (size_t)each[way] - 1) / (size_t)each[way]), .way = (int16_t)way};
    if (ret->parts == 1 && way != 3)
        ret->way = 0;
    return strchr(text, '#') == NULL;
}

static const struct gateway_driver whole = {.name = "whole"}, parts = {.name = "parts", .cut = cut};

static const struct one_case {
    const char *text;
    const struct gateway_driver *driver;
    struct gateway_cut as; /* parts 0: as configured */
    struct gateway_cut is;
    const char *cannot;
} rows[] = {
    {"a text that is long enough", &whole, {0}, {1, 0}, NULL},
    {"short", &parts, {0}, {1, 0}, NULL},
    {"a text that is long enough", &parts, {0}, {3, 1}, NULL},
    {"a text that is long enough", &parts, {4, 2}, {4, 2}, NULL},
    {"a text that is long enough", &parts, {3, 1}, {3, 1}, NULL},
    {"a text that is long enough", &parts, {5, 1}, {5, 1}, "segmentation_changed"},
    {"short", &parts, {2, 1}, {2, 1}, "segmentation_changed"},
    {"a text that is long # not", &parts, {0}, {1, 0}, "not_in_alphabet"},
    {"a text that is long # not", &parts, {3, 1}, {3, 1}, "segmentation_changed"},
    {"a text that is long enough", &whole, {3, 1}, {3, 1}, "segmentation_changed"},
};

static struct delivery *delivery(struct text_record *text)
{
    struct chunk *c = xcalloc(1, sizeof(*c));
    c->kind = RECORD_TEXTS;
    c->count = 1;
    c->texts = text;
    return delivery_new(LANE_BULK, 1, 1, c, 0);
}

static void drop(struct delivery *d)
{
    free(d->chunk);
    d->chunk = NULL;
    delivery_free(d);
}

static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct text_record text = {.sms_id = 5, .text = (char *)(uintptr_t)rows[i].text};
        struct delivery *d = delivery(&text);
        struct message *m = &d->messages[0];
        message_cut(m, rows[i].driver, NULL, NULL);
        m->over = true;
        if (rows[i].as.parts > 0)
            message_cut(m, rows[i].driver, NULL, &rows[i].as);
        else
            m->over = false;
        if (m->cut.parts != rows[i].is.parts || m->cut.way != rows[i].is.way)
            fail_msg("row %zu: %d parts, way %d", i, m->cut.parts, m->cut.way);
        if ((m->cannot == NULL) != (rows[i].cannot == NULL) || (m->cannot != NULL && strcmp(m->cannot, rows[i].cannot) != 0))
            fail_msg("row %zu: cannot %s", i, m->cannot != NULL ? m->cannot : "-");
        assert_int_equal(message_open(m), rows[i].is.parts);
        assert_int_equal(message_whole(m), rows[i].is.parts == 1);
        for (int n = 1; n <= m->cut.parts; n++) {
            struct message *s = message_segment(m, n);
            assert_int_equal(s->segment, n);
            assert_ptr_equal(s->first, m);
            assert_ptr_equal(s->record, &text);
        }
        drop(d);
    }
}

/* The low bits of the sms_id: those of a run are neighbours, so no two of some thousands are equal. */
static void test_reference(void **state)
{
    struct text_record text = {.sms_id = (INT64_C(2517) << SMS_ID_DAY_SHIFT) + 0x1ffff, .text = (char *)(uintptr_t) "x"};
    struct delivery *d = delivery(&text);
    (void)state;
    assert_int_equal(message_reference(&d->messages[0]), 0xffff);
    text.sms_id++;
    assert_int_equal(message_reference(&d->messages[0]), 0);
    drop(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cut), cmocka_unit_test(test_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

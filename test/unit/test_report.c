/* Reports: data/report.txt is the table (gateway, where in the request, text, what is understood). */
#include "callback/report.h"
#include "table.h"

#include "lib/zone.h"

/* Records and configuration are not const, and nobody writes to these. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wincompatible-pointer-types-discards-qualifiers"
#else
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"
#endif

#define RECEIVED_AT INT64_C(1769904000000) /* 2026-02-01 00:00:00 UTC */

static char *list_fields[] = {"msg_id", "number", "status", "time"};
static char *plain_fields[] = {"msg_id", "status", "number", "time", "reference", "error"};
static struct conf_status alpha_states[] = {{"DELIVRD", STATE_DELIVERED, 1},
                                            {"UNDELIV", STATE_UNDELIVERED, 2},
                                            {"EXPIRED", STATE_EXPIRED, 3},
                                            {"REJECTD", STATE_REJECTED, 4},
                                            {"ACCEPTD", STATE_ACCEPTED, 5}};
static struct conf_status beta_states[] = {{"DELIVERED", STATE_DELIVERED, 1},
                                           {"REJECTED", STATE_REJECTED, 2},
                                           {"EXPIRED", STATE_EXPIRED, 3},
                                           {"ENROUTE", STATE_ACCEPTED, 4}};
static struct conf_status plain_states[] = {{"delivered", STATE_DELIVERED, 1}};
static struct conf_status deep_states[] = {{"0", STATE_DELIVERED, 1}, {"5", STATE_UNDELIVERED, 2}};

static struct conf_gateway gateways[] = {
    {.name = "alpha",
     .file = "gateways/alpha.yaml",
     .report = {.posts.format.kind = "list",
                .posts.format.fields = {list_fields, 4},
                .posts.format.record_separator = ";",
                .posts.format.field_separator = ",",
                .posts.format.parameter = "report",
                .posts.format.time_format = "%Y-%m-%d %H:%M:%S",
                .posts.format.time_zone = "Asia/Shanghai",
                .statuses = alpha_states,
                .status_count = COUNT_OF(alpha_states)}},
    {.name = "plain",
     .file = "gateways/plain.yaml",
     .report = {.posts.format.kind = "list",
                .posts.format.fields = {plain_fields, 6},
                .posts.format.record_separator = "",
                .posts.format.field_separator = "!",
                .posts.format.parameter = "",
                .posts.format.time_format = "",
                .statuses = plain_states,
                .status_count = COUNT_OF(plain_states)}},
    {.name = "beta",
     .file = "gateways/beta.yaml",
     .report = {.posts.format.kind = "json",
                .posts.format.at[ROLE_MSG_ID] = "/id",
                .posts.format.at[ROLE_NUMBER] = "/to",
                .posts.format.at[ROLE_STATUS] = "/status",
                .posts.format.at[ROLE_TIME] = "/time",
                .posts.format.at[ROLE_ERROR] = "/error",
                .posts.format.at[ROLE_REFERENCE] = "/ref",
                .posts.format.time_format = "iso",
                .statuses = beta_states,
                .status_count = COUNT_OF(beta_states)}},
    {.name = "deep",
     .file = "gateways/deep.yaml",
     .report = {.posts.format.kind = "json",
                .posts.format.records = "/data/list",
                .posts.format.at[ROLE_MSG_ID] = "/m/id",
                .posts.format.at[ROLE_NUMBER] = "",
                .posts.format.at[ROLE_STATUS] = "/s",
                .posts.format.at[ROLE_TIME] = "",
                .posts.format.at[ROLE_ERROR] = "",
                .posts.format.at[ROLE_REFERENCE] = "",
                .statuses = deep_states,
                .status_count = COUNT_OF(deep_states)}},
    {.name = "form",
     .file = "gateways/form.yaml",
     .report = {.posts.format.kind = "form",
                .posts.format.at = {"id", "to", "Status", "at", "e", "ref"},
                .posts.format.time_format = "",
                .statuses = plain_states,
                .status_count = COUNT_OF(plain_states)}},
    {.name = "xml",
     .file = "gateways/xml.yaml",
     .report = {.posts.format.kind = "xml",
                .posts.format.records = "/reports/report",
                .posts.format.at = {"/@id", "/to", "/status/code", "/at", "/status/text", "/ref"},
                .posts.format.time_format = "",
                .statuses = plain_states,
                .status_count = COUNT_OF(plain_states)}},
    {.name = "bare",
     .file = "gateways/bare.yaml",
     .report = {.posts.format.kind = "xml",
                .posts.format.at = {"/id", "", "/@status"},
                .statuses = plain_states,
                .status_count = COUNT_OF(plain_states)}},
};

static const struct conf_gateway *gateway(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(gateways); i++) {
        if (strcmp(gateways[i].name, name) == 0)
            return &gateways[i];
    }
    fail_msg("no gateway %s", name);
    return NULL;
}

static struct parsed parse(const struct conf_gateway *g, const char *where, const char *text, size_t len,
                           int *ret)
{
    char *why = NULL;
    struct parsed report;
    struct format *f = format_new(g, &g->report.posts.format, "report", &why);
    struct posted r = {.at = RECEIVED_AT, .form = strcmp(where, "form") == 0};
    assert_non_null(f);
    if (strcmp(where, "query") == 0) {
        r.query = text;
        r.query_len = len;
    } else {
        r.body = text;
        r.body_len = len;
    }
    *ret = report_parse(f, &r, &report);
    format_free(f);
    return report;
}

/* The lines of a report as the consumer will read them. */
static struct chunk *decode(const struct parsed *report)
{
    auto_buf b = {0};
    struct chunk *c = NULL;
    char *why = NULL;
    const char *at = report->records.data, *end = at + report->records.len;
    chunk_begin(&b, RECORD_STEPS);
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        assert_non_null(stop);
        chunk_add_raw(&b, at, (size_t)(stop - at));
        at = stop + 1;
    }
    chunk_end(&b);
    if (chunk_decode(b.data, b.len, &c, &why) != 0)
        fail_msg("not readable: %s", why);
    assert_int_equal(c->bad_count, 0);
    return c;
}

static void describe(const struct step_record *s, struct buf *out)
{
    assert_true(s->at == RECEIVED_AT);
    if (s->step == STEP_QUARANTINE) {
        assert_non_null(strstr(s->error, "gateways/"));
        buf_addf(out, "!%s", s->reason);
        return;
    }
    assert_int_equal(s->step, STEP_STATUS);
    buf_addf(out, "%s %lld %s %s %lld %s", s->msg_id ? s->msg_id : "-", (long long)s->number,
             s->state ? s->state : "-", s->reason, (long long)s->gateway_at, s->seq_id ? s->seq_id : "-");
}

static void unescape(char *s)
{
    char *to = s;
    for (; *s; s++, to++) {
        *to = *s;
        if (*s == '\\' && (s[1] == 'n' || s[1] == 'r'))
            *to = *++s == 'n' ? '\n' : '\r';
    }
    *to = '\0';
}

static void table(void **state)
{
    struct table t;
    table_open(&t, "data/report.txt", 1);
    while (table_next(&t)) {
        char *rest = t.cell[0], *cell[4];
        auto_buf got = {0};
        int result;
        for (int i = 0; i < 4; i++)
            cell[i] = i < 3 ? strsep(&rest, "~") : rest;
        assert_non_null(cell[3]);
        unescape(cell[2]);
        struct parsed report = parse(gateway(cell[0]), cell[1], cell[2], strlen(cell[2]), &result);
        struct chunk *c = decode(&report);
        buf_add_str(&got, result == FORMAT_UNREADABLE ? "!" : "");
        for (size_t i = 0; i < c->count; i++) {
            buf_add_str(&got, i > 0 ? " / " : "");
            describe(&c->steps[i], &got);
        }
        table_check(&t, got.data ? got.data : "", cell[3]);
        chunk_free(c);
        buf_deinit(&report.records);
    }
    table_close(&t);
}

/* What nobody can read is kept whole, byte 0 and all, as far as text can hold it. */
static void unreadable_is_kept(void **state)
{
    static const char body[] = "\x00\xff binary \x01 \"quotes\"\n";
    int result;
    struct parsed report = parse(gateway("beta"), "body", body, sizeof(body) - 1, &result);
    struct chunk *c = decode(&report);
    assert_int_equal(result, FORMAT_UNREADABLE);
    assert_int_equal(c->count, 1);
    assert_string_equal(c->steps[0].raw, "\xef\xbf\xbd\xef\xbf\xbd binary \x01 \"quotes\"\n");
    assert_string_equal(c->steps[0].gateway, "beta");
    assert_non_null(strstr(c->steps[0].error, "gateways/beta.yaml"));
    chunk_free(c);
    buf_deinit(&report.records);
}

static void error_text(void **state)
{
    int result;
    auto_buf body = {0};
    buf_add_str(&body, "7!delivered!!0!x!with ! inside ");
    for (int i = 0; i < 300; i++)
        buf_add_str(&body, "\xc3\xa4");
    struct parsed report = parse(gateway("plain"), "body", body.data, body.len, &result);
    struct chunk *c = decode(&report);
    assert_int_equal(c->count, 1);
    assert_memory_equal(c->steps[0].error, "with ! inside \xc3\xa4", 16);
    assert_true(strlen(c->steps[0].error) <= REPORT_ERROR_MAX &&
                strlen(c->steps[0].error) >= REPORT_ERROR_MAX - 1);
    chunk_free(c);
    buf_deinit(&report.records);
}

static void many_records(void **state)
{
    int result;
    auto_buf body = {0};
    for (int i = 0; i < 5000; i++)
        buf_addf(&body, "m%d,4917112%05d,DELIVRD,2026-01-31 16:15:00;", i, i);
    struct parsed report = parse(gateway("alpha"), "body", body.data, body.len, &result);
    assert_int_equal(result, 0);
    assert_int_equal(report.understood, 5000);
    buf_deinit(&report.records);
}

/* text, format, zone, moment ("-": none). Received on 2026-02-01. */
static void times(void **state)
{
    static const struct {
        const char *text, *format, *zone;
        int64_t ms;
    } cases[] = {
        {"1769847300", "", "UTC", 1769847300000},
        {"1769847300.25", "", "UTC", 1769847300250},
        {"1769847300123", "", "UTC", 1769847300123},
        {"1769847300123456", "", "UTC", 1769847300123},
        {"2026-01-31T08:15:00Z", "iso", "UTC", 1769847300000},
        {"2026-01-31T10:15:00+02:00", "iso", "UTC", 1769847300000},
        {"2026-01-31 16:15:00", "%Y-%m-%d %H:%M:%S", "Asia/Shanghai", 1769847300000},
        {"2601311615", "%y%m%d%H%M", "Asia/Shanghai", 1769847300000},
        {"31/Jan/2026 10:15:00 +0200", "%d/%b/%Y %H:%M:%S %z", "Asia/Shanghai", 1769847300000},
        {" 2026-01-31 16:15:00 ", "%Y-%m-%d %H:%M:%S", "Asia/Shanghai", 1769847300000},
        {"2025-10-26 02:30:00", "%Y-%m-%d %H:%M:%S", "Europe/Berlin",
         1761442200000}, /* the later of two, which is past */
        {"2025-03-30 02:30:00", "%Y-%m-%d %H:%M:%S", "Europe/Berlin",
         1743296400000},                                      /* never shown: the moment after the gap */
        {"12-31 23:00", "%m-%d %H:%M", "UTC", 1767222000000}, /* of last year */
        {"2026-01-31 16:15:00 tail", "%Y-%m-%d %H:%M:%S", "UTC", -1},
        {"2026-01-31", "%Y-%m-%d %H:%M:%S", "UTC", -1},
        {"17698473x", "", "UTC", -1},
        {"", "", "UTC", -1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct zone *z = zone_open(cases[i].zone);
        int64_t ms = -1;
        if (!format_time(cases[i].text, cases[i].format, z, RECEIVED_AT, &ms))
            ms = -1;
        if (ms != cases[i].ms)
            fail_msg("'%s' '%s' %s: got %lld", cases[i].text, cases[i].format, cases[i].zone, (long long)ms);
        zone_close(z);
    }
}

static void numbers(void **state)
{
    assert_true(format_number("+491711234567") == 491711234567);
    assert_true(format_number("00491711234567") == 491711234567);
    assert_true(format_number(" 491711234567 ") == 491711234567);
    assert_true(format_number("") == 0);
    assert_true(format_number("  ") == 0);
    assert_true(format_number("+") == -1);
    assert_true(format_number("49 171") == -1);
    assert_true(format_number("1234567890123456") == -1);
    assert_true(format_number("000") == -1);
}

static void zone_must_exist(void **state)
{
    struct conf_gateway g = gateways[0];
    char *why = NULL;
    g.report.posts.format.time_zone = "Asia/Atlantis";
    assert_null(format_new(&g, &g.report.posts.format, "report", &why));
    assert_non_null(strstr(why, "Asia/Atlantis"));
    free(why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),           cmocka_unit_test(unreadable_is_kept),
        cmocka_unit_test(error_text),      cmocka_unit_test(many_records),
        cmocka_unit_test(times),           cmocka_unit_test(numbers),
        cmocka_unit_test(zone_must_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

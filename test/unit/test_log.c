/* Log lines as they are written: both forms, quoting, masking, cutting, levels, and a trouble said once. */
#include "lib/log.h"
#include "table.h"

#include <fcntl.h>
#include <json-c/json.h>

static char captured[65536];

/* What `body` writes to standard error. */
static void capture(void (*body)(void))
{
    char name[] = "/tmp/smschain-log-XXXXXX";
    auto_fd int file = mkstemp(name);
    assert_true(file >= 0);
    unlink(name);
    auto_fd int saved = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
    body();
    dup2(saved, STDERR_FILENO);
    ssize_t n = pread(file, captured, sizeof(captured) - 1, 0);
    assert_true(n >= 0);
    captured[n] = '\0';
}

/* The line after its ts=. */
static const char *after_ts(void)
{
    assert_memory_equal(captured, "ts=2", 4);
    const char *space = strchr(captured, ' ');
    assert_non_null(space);
    assert_int_equal(space - captured, 27);
    return space + 1;
}

static void log_all_kinds(void)
{
    log_init("dispatch", LOG_LOGFMT, LOG_LEVEL_INFO);
    log_info("breaker opened", L_STR("gateway", "alpha"), L_INT("failures", 5),
             L_STR("quoted", "a \"b\" =c\\"), L_STR("empty", ""), L_STR("none", NULL),
             L_STR("lines", "x\ny\x01"), L_ERRNO(-ENOSPC), L_NUMBER("number", 491711234567),
             L_NUMBER("short", 112), L_STR("utf8", "\xC3\xBC"));
}

static void logfmt(void **state)
{
    (void)state;
    capture(log_all_kinds);
    assert_string_equal(
        after_ts(), "level=info service=dispatch msg=\"breaker opened\" gateway=alpha failures=5 "
                    "quoted=\"a \\\"b\\\" =c\\\\\" empty=\"\" none= lines=\"x\\ny\\u0001\" "
                    "error=\"No space left on device\" number=+49********67 short=+*** utf8=\"\xC3\xBC\"\n");
}

static void log_json(void)
{
    log_init("dispatch", LOG_JSON, LOG_LEVEL_INFO);
    log_warn("a \"msg\"\n", L_STR("key", "v\xFF"), L_STR("none", NULL), L_INT("n", INT64_MIN),
             L_ERRNO(-99999), L_NUMBER("number", 491711234567));
}

static void json(void **state)
{
    (void)state;
    capture(log_json);
    assert_string_equal(captured + strlen("{\"ts\":\"2026-01-31T08:15:00.123Z\""),
                        ",\"level\":\"warn\",\"service\":\"dispatch\",\"msg\":\"a \\\"msg\\\"\\n\","
                        "\"key\":\"v\xEF\xBF\xBD\",\"none\":null,\"n\":-9223372036854775808,\"error\":-99999,"
                        "\"number\":\"+49********67\"}\n");
    struct json_object *o = json_tokener_parse(captured);
    assert_non_null(o);
    json_object_put(o);
}

static char long_value[10000];

static void log_long(void)
{
    memset(long_value, 'x', sizeof(long_value) - 1);
    memcpy(long_value + 2047, "\xC3\xBC", 2); /* the cut would fall into a character */
    for (int form = LOG_LOGFMT; form <= LOG_JSON; form++) {
        log_init("dispatch", (enum log_format)form, LOG_LEVEL_INFO);
        log_error("long", L_STR("a", long_value), L_STR("b", long_value), L_STR("c", long_value),
                  L_STR("d", long_value), L_STR("e", long_value), L_STR("f", long_value),
                  L_STR("g", long_value), L_STR("h", long_value), L_STR("i", long_value));
    }
}

static void long_lines_stay_whole_lines(void **state)
{
    (void)state;
    capture(log_long);
    char *end = strchr(captured, '\n');
    assert_non_null(end);
    assert_true(end - captured <= 16384);
    assert_non_null(strstr(captured, "x cut=a b=x"));
    assert_null(strstr(captured, "\xC3"));
    const char *second = end + 1;
    assert_int_equal(second[strlen(second) - 1], '\n');
    struct json_object *o = json_tokener_parse(second);
    assert_non_null(o);
    json_object_put(o);
}

static void log_levels(void)
{
    log_init("dispatch", LOG_LOGFMT, LOG_LEVEL_WARN);
    log_debug("no");
    log_info("no");
    log_warn("warned");
    log_error("failed");
}

static void levels(void **state)
{
    (void)state;
    capture(log_levels);
    assert_null(strstr(captured, "no"));
    assert_non_null(strstr(captured, "level=warn service=dispatch msg=warned\n"));
    assert_non_null(strstr(captured, "level=error service=dispatch msg=failed\n"));
}

static void log_troubles(void)
{
    struct log_trouble t = {0};
    log_init("dispatch", LOG_LOGFMT, LOG_LEVEL_INFO);
    log_trouble_ends(&t, "never");
    for (int i = 0; i < 5; i++)
        log_trouble_begins(&t, "broker away", (struct log_field[]){L_ERRNO(-ECONNREFUSED)}, 1);
    log_trouble_ends(&t, "broker back");
    log_trouble_ends(&t, "never");
}

static void trouble_is_said_once(void **state)
{
    (void)state;
    capture(log_troubles);
    const char *first = strstr(captured, "msg=\"broker away\" error=\"Connection refused\"\n");
    assert_non_null(first);
    assert_null(strstr(first + 10, "broker away"));
    assert_non_null(strstr(first, "msg=\"broker back\" lasted_ms="));
    assert_null(strstr(captured, "never"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logfmt),
        cmocka_unit_test(json),
        cmocka_unit_test(long_lines_stay_whole_lines),
        cmocka_unit_test(levels),
        cmocka_unit_test(trouble_is_said_once),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
